"""The sketch's definitions once more, one string and one number at a time: the second route of the tests."""

from stillwatch.sketch.alphabet import _SEPARATORS, _SINGLES

MASK = (1 << 64) - 1


def siphash(key: tuple[int, int], data: bytes, compress: int = 1, finish: int = 3) -> int:
    """SipHash-c-d as its paper defines it."""
    v = [
        0x736F6D6570736575 ^ key[0],
        0x646F72616E646F6D ^ key[1],
        0x6C7967656E657261 ^ key[0],
        0x7465646279746573 ^ key[1],
    ]

    def turn(x: int, n: int) -> int:
        return (x << n | x >> (64 - n)) & MASK

    def rounds(times: int) -> None:
        for _ in range(times):
            v[0] = (v[0] + v[1]) & MASK
            v[1] = turn(v[1], 13) ^ v[0]
            v[0] = turn(v[0], 32)
            v[2] = (v[2] + v[3]) & MASK
            v[3] = turn(v[3], 16) ^ v[2]
            v[0] = (v[0] + v[3]) & MASK
            v[3] = turn(v[3], 21) ^ v[0]
            v[2] = (v[2] + v[1]) & MASK
            v[1] = turn(v[1], 17) ^ v[2]
            v[2] = turn(v[2], 32)

    padded = data + bytes(-(len(data) + 1) % 8) + bytes([len(data) & 0xFF])
    for low in range(0, len(padded), 8):
        word = int.from_bytes(padded[low : low + 8], "little")
        v[3] ^= word
        rounds(compress)
        v[0] ^= word
    v[2] ^= 0xFF
    rounds(finish)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


def _within(code: int, ranges: tuple[tuple[int, int], ...]) -> bool:
    return any(low <= code <= high for low, high in ranges)


def kind(char: str) -> str:
    """`separator`, `letter`, `digit` or `single`."""
    code = ord(char)
    if code < 0x80:
        return "digit" if char.isdigit() else "letter" if char.isalpha() else "separator"
    if code > 0xFFFF:
        return "single"
    if _within(code, _SEPARATORS):
        return "separator"
    return "single" if _within(code, _SINGLES) else "letter"


def tokens(lower: bytes, head: int = 4096, tail: int = 512, most: int = 32) -> list[bytes]:
    """The tokens of a normalised text, numbers as `0`."""
    out: list[bytes] = []
    before = "separator"
    for char in lower.decode("utf-8", "surrogatepass"):
        now = kind(char)
        encoded = char.encode("utf-8", "surrogatepass")
        if now == "digit":
            if before != "digit":
                out.append(b"0")
        elif now == "single" or (now == "letter" and before != "letter"):
            out.append(encoded)
        elif now == "letter":
            out[-1] += encoded
        before = now
    cut = [token[low : low + most] for token in out for low in range(0, len(token), most)]
    return cut if len(cut) <= head + tail else cut[:head] + cut[-tail:]


def mix(x: int) -> int:
    """MurmurHash3's 64-bit finaliser."""
    for multiplier in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        x = (x ^ x >> 33) * multiplier & MASK
    return x ^ x >> 33


def anchors(hashes: list[int], multipliers: list[int]) -> list[int]:
    """Bottom-16 of the shingles."""
    width = min(5, len(hashes))
    runs = [hashes[i : i + width] for i in range(len(hashes) - width + 1)] if hashes else []
    forms = {mix(sum(h * m for h, m in zip(run, multipliers, strict=False)) & MASK) or 1 for run in runs}
    return (sorted(forms)[:16] + [0] * 16)[:16]
