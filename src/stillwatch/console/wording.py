"""Numbers, times and names as people read them; one spelling for every page.

In: plain values. Out: short strings, free of control characters. Times are UTC.
"""

import math
import unicodedata
from datetime import UTC, datetime

MINUS = "\u2212"
_SCALES = ((1e12, "trillion"), (1e9, "billion"), (1e6, "million"))
_RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")

SCENARIOS = {
    "S1": "Reasoning asked for",
    "S2": "Shared new content",
    "S3": "Breadth without memory",
    "S4": "Teacher used as judge",
    "S5": "Lockstep and hand-off",
    "S6": "Shared infrastructure",
    "S7": "No ramp-up",
    "S8": "No human rhythm",
    "S9": "Release-day pivot",
    "S10": "Foreign transcript",
    "S11": "Relay",
    "S12": "Defence probing",
    "S13": "Variation sweep",
}
EXPLANATIONS = {
    "chance": "Coincidence",
    "one_task": "One task given to all",
    "own_work": "Separate customers with own work",
    "strangers": "Strangers who share one thing",
}
FAMILIES = {
    "content": "text that hardly any other account sends",
    "work": "one queue of subjects",
    "payment": "payment tokens",
    "network": "networks",
    "client": "client software",
    "timing": "times of activity",
}
FIGURES = {
    "events": "requests",
    "holders": "holders (one organisation counts once)",
    "first": "first request",
    "last": "last request",
    "block_seconds": "length of a block",
    "epoch": "key epoch",
    "reference_accounts": "honest accounts for reference",
    "strata": "accounts by use",
}


def is_scenario(name: str) -> bool:
    """Say whether `name` is a catalogue scenario (`S2`) rather than an honest explanation (`one_task`)."""
    return name[:1] == "S" and name[1:].isdigit()


def scenario_title(name: str) -> str:
    """Return what a scenario or an honest explanation is called in words.

    >>> scenario_title("S2"), scenario_title("one_task"), scenario_title("night_shift")
    ('S2 Shared new content', 'One task given to all', 'Night shift')
    """
    if is_scenario(name):
        return f"{name} {SCENARIOS[name]}" if name in SCENARIOS else name
    return EXPLANATIONS.get(name) or safe(name).replace("_", " ").capitalize()


def safe(text: str) -> str:
    r"""Return `text` with control, direction and unpaired characters spelt out, so that no name can steer a terminal.

    >>> safe("a\x1b[31mb")
    'a\\x1b[31mb'
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if unicodedata.category(c)[0] != "C" and c not in "\u2028\u2029" else _spelt(c) for c in text)


def _spelt(char: str) -> str:
    return f"\\x{ord(char):02x}" if ord(char) < 256 else f"\\u{ord(char):04x}"


def count(n: float) -> str:
    """Return a whole number with thousands separated, or `unknown` when it is negative."""
    return "unknown" if n < 0 else f"{n:,.0f}"


def plural(n: int, one: str, many: str = "") -> str:
    """Return the number with its noun.

    >>> plural(1, "account"), plural(1200, "account")
    ('1 account', '1,200 accounts')
    """
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def signed(x: float, digits: int = 1) -> str:
    """Return a number with a true minus sign; infinities are spelt."""
    if math.isinf(x):
        return "∞" if x > 0 else MINUS + "∞"
    text = f"{abs(x):,.{digits}f}"
    return MINUS + text if x < 0 and float(text.replace(",", "")) else text


def chance(log_e: float) -> str:
    """Return the most often that so much evidence comes up by chance, as `1 in N` (Markov's inequality).

    >>> chance(2.0), chance(12.0), chance(24.3), chance(60.0), chance(-1.0)
    ('1 in 7', '1 in 160,000', '1 in 35 billion', '1 in 10²⁶', 'any time')
    """
    if not log_e > 0:
        return "any time"
    if log_e > math.log(1e15):
        return "1 in 10" + str(int(min(log_e / math.log(10), 1e9))).translate(_RAISED)
    odds = math.exp(log_e)
    for size, word in _SCALES:
        if odds >= size:
            return f"1 in {_two_digits(odds / size)} {word}"
    return f"1 in {_two_digits(odds)}"


def _two_digits(x: float) -> str:
    """Round down to two significant digits: a chance is never made to look smaller than it is."""
    if x < 10:
        return f"{math.floor(x * 10) / 10:g}" if x < 3 else f"{math.floor(x)}"
    step = 10.0 ** (math.floor(math.log10(x)) - 1)
    return f"{math.floor(x / step) * step:,.0f}"


def share(x: float) -> str:
    r"""Return a share of 1 as a percentage with sensible digits and a space that does not break.

    >>> share(0.05), share(0.0001), share(0.973), share(1.0)
    ('5\xa0%', '0.01\xa0%', '97.3\xa0%', '100\xa0%')
    """
    percent = x * 100
    digits = 1 if percent >= 1 else 2 if percent >= 0.1 else 4
    return f"{percent:.{digits}f}".rstrip("0").rstrip(".") + "\u00a0%" if percent else "0\u00a0%"


def money(dollars: float) -> str:
    """Return dollars, cents only where they matter.

    >>> money(3.456), money(1234.5), money(2_340_000)
    ('$3.46', '$1,234', '$2.3 million')
    """
    if dollars >= 1e6:
        return f"${dollars / 1e6:,.1f} million"
    return f"${dollars:,.2f}" if dollars < 100 else f"${dollars:,.0f}"


def _date(seconds: float) -> datetime | None:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def moment(seconds: float) -> str:
    """Return a time to the minute, such as `3 Mar 2026, 14:05 UTC`."""
    when = _date(seconds)
    return f"{when.day} {when:%b %Y, %H:%M} UTC" if when else "unknown"


def day(seconds: float) -> str:
    """Return a date, such as `3 Mar 2026`."""
    when = _date(seconds)
    return f"{when.day} {when:%b %Y}" if when else "unknown"


def iso(seconds: float) -> str | None:
    """Return ISO 8601 in UTC to the second, or None when the time cannot be told."""
    when = _date(seconds)
    return when.replace(tzinfo=None).isoformat(timespec="seconds") + "Z" if when else None


def duration(seconds: float) -> str:
    """Return a span in its natural unit.

    >>> duration(21600), duration(86400), duration(900)
    ('6 hours', '1 day', '15 minutes')
    """
    for size, noun in ((86400.0, "day"), (3600.0, "hour"), (60.0, "minute")):
        if seconds >= size:
            n = seconds / size
            return f"{n:.3g} {noun}" + ("" if round(n, 2) == 1 else "s")
    return f"{seconds:.3g} seconds"


def listing(words: list[str]) -> str:
    """Return words as an English list.

    >>> listing(["content", "payment", "timing"])
    'content, payment and timing'
    """
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else "nothing"
