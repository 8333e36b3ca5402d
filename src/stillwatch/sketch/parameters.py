"""Sampling parameters: one canonical spelling, and the asks that they carry.

In: the parameters as the source gave them. Out: text to hash, and ask bits.
Cost: 2 microseconds, remembered by `Reducer` for parameters seen before.
"""

from collections.abc import Mapping
from typing import Final

from stillwatch.sketch.asks import bit_of

Value = float | str | bool

IGNORED: Final = frozenset({"stream", "stream_options", "user", "metadata", "safety_identifier", "prompt_cache_key"})
"""They say who asks or how bytes travel, not how the answer is drawn."""
PRESENCE: Final = frozenset({"seed"})
"""Parameters of which only the presence counts: the value differs with each request."""
_SHOWS_REASONING: Final = frozenset(
    {
        "include_reasoning",
        "include_thoughts",
        "reasoning.generate_summary",
        "reasoning.summary",
        "reasoning_summary",
        "return_reasoning",
        "thinking",
        "thinking.display",
        "thinking.type",
        "thinking_config.include_thoughts",
    }
)
_OFF: Final = frozenset({"", "none", "null", "off", "false", "disabled", "omitted", "0"})


def canonical(parameters: Mapping[str, Value]) -> str:
    """Return the parameters that shape the answer, sorted, numbers and truth values spelt one way.

    >>> canonical({"top_p": 1, "stream": True, "temperature": 0.0})
    'temperature=0.0;top_p=1.0'
    """
    kept = sorted(name for name in parameters if name not in IGNORED)
    return ";".join(f"{name}={'*' if name in PRESENCE else _spell(parameters[name])}" for name in kept)


def _spell(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(float(value)) if abs(value) < 1e300 else "huge"
    return str(value)


def parameter_asks(parameters: Mapping[str, Value]) -> int:
    """Return the ask bits that the parameters carry: log-probabilities, several samples, shown reasoning.

    >>> parameter_asks({"n": 4, "logprobs": True}) == bit_of("samples") | bit_of("logprobs")
    True
    """
    bits = 0
    if any(_number(parameters.get(name, 0)) > 0 for name in ("logprobs", "top_logprobs")):
        bits |= bit_of("logprobs")
    if any(_number(parameters.get(name, 0)) > 1 for name in ("n", "best_of", "candidate_count")):
        bits |= bit_of("samples")
    if any(str(parameters[name]).strip().lower() not in _OFF for name in _SHOWS_REASONING if name in parameters):
        bits |= bit_of("reasoning")
    return bits


def _number(value: Value) -> float:
    if isinstance(value, str) and value.strip().lower() == "true":
        return 1.0
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):  # a log may hold anything here
        return 0.0
