"""Ground: which canaries, if any, a request gives harmless occasion for. When in doubt, none.

In: a request's body. Out: the canaries that fit it. None at all where the answer could be executed or parsed, where it
bears on health, law, money or a trade with words of its own, where the caller's own text is worked on, where another
language than English is spoken, or where anything but text was sent. A name is not offered where the caller names
somebody, a number not where the caller gives one or names a thing, neither where a fact is asked for, an order not
where order matters, and nothing where nothing made up is asked for.
Cost: a few passes over at most 20,000 characters; longer requests get none.
"""

import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from stillwatch.treatments.canaries.draw import Canary
from stillwatch.treatments.canaries.everyday import EVERYDAY, stem
from stillwatch.treatments.canaries.table import TEMPLATES
from stillwatch.treatments.canaries.words import (
    CUES,
    ENGLISH,
    EXACT,
    MADE_UP,
    NUMBERS,
    ORDERED,
    PROBING,
    REAL,
    SENSITIVE,
    STRUCTURED,
)
from stillwatch.treatments.treatment import Json

LONGEST: Final = 20_000
"""Characters of a request beyond which nothing is planted."""
STRANGE: Final = 0.15
"""Share of words that are not everyday ones, beyond which a request is taken for a technical one."""
LEARNED: Final = 9
"""Letters of such a word from which on one is enough."""
_PARSED: Final = (
    "tools", "functions", "tool_choice", "function_call", "response_format", "grammar", "json_schema", "regex",
    "guided_json", "guided_regex", "guided_choice", "guided_grammar", "structured_outputs", "structural_tag", "ebnf",
    "suffix", "echo", "modalities", "audio", "prediction", "output_config", "output_format", "choices",
)  # fmt: skip
"""Fields of a request whose answer a program reads, or that continue the caller's own text."""
_MARKS: Final = re.compile(r"[`{}<>\\|;=\"\t]|://|\w\(|\[\d|[#@]\w|\bdef\b")
"""What code, markup, tables, links and quotations have and a plain question has not."""
_CLINICAL: Final = re.compile(r"[a-z]{2,}(?:itis|osis|emia|ectomy|pathy|plasty|cillin|azole|statin|therapy|ology)s?")
_DIGIT: Final = re.compile(r"\d")
_SAID: Final = ENGLISH | CUES | NUMBERS | ORDERED | frozenset(topic for form in TEMPLATES for topic in form.topics)
_KNOWN: Final = EVERYDAY | _SAID | frozenset(map(stem, _SAID))
_HARMFUL: Final = SENSITIVE | STRUCTURED
_WORD: Final = re.compile(r"[^\W\d_]+")
_NAMED: Final = re.compile(r"(?<=[a-z,;] )[A-Z][a-z]+|\b[A-Z][a-z]+ [A-Z][a-z]+|\b(?:named|called|Mr|Mrs|Ms|Dr)\b")
_FACT: Final = re.compile(
    r"\bhow (?:many|much|long|far|fast|old|tall|high|big|deep|wide|often|late|early)\b"
    r"|(?:^|[.?!,:;\n]\s*"
    r"|\b(?:tell|show|give|explain|describe|name|know|say|remember|list)(?: to)?(?: me| us)?(?: about)? )"
    r"(?:who|whose|whom|when|where|which)\b|\bwhat (?:is|was|are|were) the\b",
    re.IGNORECASE,
)
"""How people ask for facts; a name or a number made up beside one could be taken for it."""
_TEXTS: Final = ("text", "input_text", "output_text")


@dataclass(frozen=True, slots=True)
class Ground:
    """What a request says, as far as canaries are concerned."""

    text: str = field(repr=False)
    """All of it."""
    own: str = field(repr=False)
    """What the caller's turns say, without system prompt and earlier answers."""
    asked: frozenset[str] = field(repr=False)
    """Lower-case words of the latest turn, each also without a final s."""

    def fitting(self, canaries: Sequence[Canary]) -> tuple[Canary, ...]:
        """Return the canaries with an occasion here; one whose value stands in the request has none.

        In an order that depends on the request, so that each gets its turn where there are more than can be carried.
        """
        words = frozenset(_WORD.findall(self.own.lower()))
        if CUES.isdisjoint(self.asked) or not PROBING.isdisjoint(words):
            return ()
        barred = set()
        named = _NAMED.search(self.own) is not None
        factual = _FACT.search(self.own) is not None or not REAL.isdisjoint(words)
        if named or factual:
            barred.add("name")
        if named or factual or _DIGIT.search(self.own) or words & NUMBERS or MADE_UP.isdisjoint(words):
            barred.add("constant")
        if words & ORDERED:
            barred.add("order")
        found = [
            one
            for one in canaries
            if one.template.kind not in barred
            and not self.asked.isdisjoint(one.template.topics)
            and one.value not in self.text
        ]
        first = zlib.crc32(self.own.encode()) % len(found) if found else 0
        return (*found[first:], *found[:first])


def ground_of(body: Json, endpoint: str) -> Ground | None:
    """Return what a request says; None where nothing may be planted.

    Args:
        body: The parsed request; shapes that are not known give None.
        endpoint: One of `terms.event.ENDPOINTS`.
    """
    if endpoint not in ("chat", "messages", "responses", "completions") or any(body.get(name) for name in _PARSED):
        return None
    if endpoint == "responses" and not _plain_format(body):
        return None
    turns = _turns(body, endpoint)
    if not turns or sum(map(len, turns)) > LONGEST:
        return None
    text = "\n".join(turns)
    if not _harmless(text):
        return None
    own = text if endpoint == "completions" else "\n".join(_turns(body, endpoint, callers=True))
    asked = _WORD.findall(turns[-1].lower())
    return Ground(text=text, own=own, asked=frozenset(asked).union(map(singular, asked)))


def harmful(words: frozenset[str]) -> bool:
    """Return whether words bear on health, law, money, or on what is executed or parsed.

    >>> harmful(frozenset(["apple", "basket"])), harmful(frozenset(["dose"]))
    (False, True)
    """
    return not (_HARMFUL.isdisjoint(words) and _HARMFUL.isdisjoint(map(singular, words)))


def singular(word: str) -> str:
    """Return a word without a final s."""
    return word[:-1] if word.endswith("s") and len(word) > 3 else word


def _harmless(text: str) -> bool:
    if not text.isascii():
        return False
    every = _WORD.findall(text.lower())
    words = frozenset(every)
    if harmful(words) or not EXACT.isdisjoint(words) or _MARKS.search(text):
        return False
    if any(map(_CLINICAL.fullmatch, words)):
        return False
    strange = {word for word in words if word not in _KNOWN and stem(word) not in _KNOWN}
    if any(len(word) >= LEARNED for word in strange) or sum(word in strange for word in every) > STRANGE * len(every):
        return False
    return sum(map(ENGLISH.__contains__, every)) >= max(2, 0.2 * len(every))


def _plain_format(body: Json) -> bool:
    said = body.get("text")
    form = said.get("format") if type(said) is dict else None
    kind = form.get("type") if type(form) is dict else "text"
    chained = body.get("previous_response_id") or body.get("conversation") or body.get("prompt")
    return kind == "text" and not chained


def _turns(body: Json, endpoint: str, *, callers: bool = False) -> list[str]:
    """Return the texts of a request in order, the caller's only if asked; nothing where any of it is no plain text."""
    if endpoint == "completions":
        prompt = body.get("prompt")
        return [prompt] if type(prompt) is str else []
    told = body.get("messages") if endpoint != "responses" else body.get("input")
    if type(told) is str:
        told = [{"role": "user", "content": told}]
    if type(told) is not list or not told:
        return []
    heads = [body["system"]] if body.get("system") else [body["instructions"]] if body.get("instructions") else []
    found: list[str] = []
    for message in [*({"role": "system", "content": head} for head in heads), *told]:
        texts = list(_texts(message))
        if None in texts:
            return []
        if not callers or message.get("role") == "user":
            found += [text for text in texts if text is not None]
    last = told[-1]
    return found if type(last) is dict and last.get("role") == "user" else []


def _texts(message: Any) -> Iterator[str | None]:
    """Yield the texts of one message; None for what is no text."""
    if type(message) is not dict or message.get("role") not in ("system", "developer", "user", "assistant"):
        yield None
        return
    content = message.get("content")
    if message.get("tool_calls") or message.get("function_call") or content is None:
        yield None
    elif type(content) is str:
        yield content
    elif type(content) is list:
        for part in content:
            text = part.get("text") if type(part) is dict and part.get("type") in _TEXTS else None
            yield text if type(text) is str else None
    else:
        yield None
