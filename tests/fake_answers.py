"""Deterministic words and ids of the fake upstream."""

import hashlib
from typing import Any

PLAIN = (
    "alpha brave coral delta ember flint grove haven ivory jolly koala lemon mango noble ocean piano quiet river stone "
    "tiger umbra vivid waltz xenon yacht zebra amber birch cedar dune"
).split()
WIDE = ("naïve", "Grüße", "東京", "данные", "🦊", "ação", "Ω≈ç", "שלום", "👩‍🔬", "straße")
CREATED = 1_790_000_000


def digest(text: str) -> str:
    """Return 32 hex digits that stand for `text`."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def seeded(text: str, n: int, *, plain: bool = False) -> list[str]:
    """Return `n` words drawn by `text`, each but the first with a space before it."""
    words = PLAIN if plain else [*PLAIN, *WIDE, *WIDE]
    out: list[str] = []
    block = b""
    for i in range(n):
        if not block:
            block = hashlib.blake2b(f"{text}\0{i}".encode("utf-8", "surrogatepass")).digest()
        pick, block = int.from_bytes(block[:2], "big"), block[2:]
        out.append(("" if i == 0 else " ") + words[pick % len(words)])
    return out


def tokens_of(value: Any) -> int:
    """Return about how many tokens the strings within `value` have: words, at least one."""
    if type(value) is str:
        return max(1, len(value.split()))
    if type(value) is list:
        return sum(tokens_of(item) for item in value)
    if type(value) is dict:
        return sum(tokens_of(item) for key, item in value.items() if key in ("content", "text", "input"))
    return 0


def sample(schema: Any, path: str = "") -> Any:
    """Return a value that fits a JSON schema (as far as official clients' `parse` needs it), drawn by `path`."""
    return _fill(schema, path, schema)


def _fill(node: Any, at: str, root: Any) -> Any:
    if "$ref" in node:
        target = root
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        return _fill(target, at, root)
    for name in ("const", "default"):
        if name in node:
            return node[name]
    number = int(digest(at)[:4], 16)
    if node.get("enum"):
        return node["enum"][number % len(node["enum"])]
    union = next((node[name] for name in ("anyOf", "oneOf", "allOf") if node.get(name)), None)
    return _fill(union[0], at, root) if union else _typed(node, at, root, number)


def _typed(node: Any, at: str, root: Any, number: int) -> Any:
    kind = node.get("type", "object")
    if kind == "object":
        return {name: _fill(part, f"{at}.{name}", root) for name, part in node.get("properties", {}).items()}
    if kind == "array":
        return [_fill(node.get("items", {"type": "string"}), f"{at}[{i}]", root) for i in range(2)]
    scalars = {"string": seeded(at, 1)[0], "integer": number % 100, "number": number / 8, "boolean": number % 2 == 0}
    return scalars[kind]


def logprob_entries(words: list[str], top: int) -> list[dict[str, Any]]:
    """Return chat logprobs of `words`, with `top` alternatives each."""
    out = []
    for word in words:
        rank = [word, *(w for w in seeded(f"alt\0{word}", top + 1, plain=True) if w != word)][: max(top, 1)]
        tops = [_one(token, -0.1 - 0.75 * i) for i, token in enumerate(rank)]
        out.append({**_one(word, -0.1), "top_logprobs": tops[:top]})
    return out


def _one(token: str, logprob: float) -> dict[str, Any]:
    return {"token": token, "logprob": round(logprob, 6), "bytes": list(token.encode())}
