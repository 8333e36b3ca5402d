"""What a completion request asks for, and why one cannot be marked.

In: the parsed body of `/v1/chat/completions` or `/v1/completions`. Out: a frozen `Asked`, or a `Wrong` that is told to
the caller as 400. What is left out is as llama.cpp has it, so that marked and plain answers are drawn alike.
Left to `pick`: drawing. Left to `model`: turning messages into tokens.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

Json = dict[str, Any]
STRUCTURED: Final = ("tools", "functions", "grammar", "json_schema", "response_format", "lora", "ignore_eos")
"""Fields that only llama.cpp itself can honour: a grammar steers every token, and calls are read out of the text."""
MOST_STOPS: Final = 16


class Wrong(Exception):
    """The request cannot be what its caller meant."""

    def __init__(self, param: str, message: str) -> None:
        """Name the field, and say what it must be."""
        super().__init__(message)
        self.param, self.message = param, message


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """How an answer is to be drawn and sent."""

    most: int | None = None
    """Tokens at most; None for as many as fit."""
    temperature: float = 0.8
    top_k: int = 40
    """0 for no limit but that of the candidates."""
    top_p: float = 0.95
    min_p: float = 0.05
    presence: float = 0.0
    frequency: float = 0.0
    bias: Mapping[int, float] = field(default_factory=dict)
    """Additions to logits, by token id."""
    seed: int | None = None
    stops: tuple[str, ...] = field(default=(), repr=False)
    stream: bool = False
    usage: bool = False
    """The stream ends with an event that has the usage."""


def unmarkable(body: Json) -> str:
    """Return which field of a request keeps its answer from being marked; empty where none does."""
    for name in STRUCTURED:
        value = body.get(name)
        if value and not (name == "response_format" and isinstance(value, dict) and value.get("type") == "text"):
            return name
    for name in ("n", "best_of", "n_cmpl"):
        if body.get(name) not in (None, 1):
            return name
    return _unreadable(body)


def _unreadable(body: Json) -> str:
    """Return `messages` or `prompt` where they hold more than one text: pictures, or several prompts at once."""
    messages = body.get("messages")
    if messages is not None:
        parts = [p for m in _dicts(messages) if isinstance(m.get("content"), list) for p in _dicts(m["content"])]
        return "messages" if any(part.get("type", "text") != "text" for part in parts) else ""
    prompt = body.get("prompt")
    if body.get("echo") or body.get("suffix"):
        return "echo" if body.get("echo") else "suffix"
    one = isinstance(prompt, str) or (isinstance(prompt, list) and all(type(token) is int for token in prompt))
    return "" if one else "prompt"


def _dicts(value: Any) -> list[Json]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def read_asked(body: Json) -> Asked:
    """Read the fields that say how to draw.

    Raises:
        Wrong: one of them has a value that it cannot have.
    """
    most = _whole(body, "max_completion_tokens", _whole(body, "max_tokens", _whole(body, "n_predict", None)))
    options = body.get("stream_options")
    return Asked(
        most=None if most is None or most < 0 else most,
        temperature=_number(body, "temperature", 0.8, 0.0, 100.0),
        top_k=max(0, _whole(body, "top_k", 40) or 0),
        top_p=_number(body, "top_p", 0.95, 0.0, 1.0),
        min_p=_number(body, "min_p", 0.05, 0.0, 1.0),
        presence=_number(body, "presence_penalty", 0.0, -10.0, 10.0),
        frequency=_number(body, "frequency_penalty", 0.0, -10.0, 10.0),
        bias=_bias(body.get("logit_bias")),
        seed=_seed(_whole(body, "seed", None)),
        stops=_stops(body.get("stop")),
        stream=body.get("stream") is True,
        usage=isinstance(options, dict) and options.get("include_usage") is True,
    )


def _seed(seed: int | None) -> int | None:
    return None if seed is None or seed < 0 else seed


def _number(body: Json, name: str, default: float, low: float, high: float) -> float:
    value = body.get(name)
    if value is None:
        return default
    if type(value) not in (int, float) or not math.isfinite(value) or not low <= value <= high:
        raise Wrong(name, f"{name}: must be a number from {low:g} to {high:g}.")
    return float(value)


def _whole(body: Json, name: str, default: int | None) -> int | None:
    value = body.get(name)
    if value is None:
        return default
    if type(value) is not int or abs(value) >= 1 << 63:
        raise Wrong(name, f"{name}: must be a whole number.")
    return value


def _stops(value: Any) -> tuple[str, ...]:
    given = [] if value is None else [value] if isinstance(value, str) else value
    if not isinstance(given, list) or len(given) > MOST_STOPS or not all(isinstance(x, str) for x in given):
        raise Wrong("stop", f"stop: must be a text, or a list of at most {MOST_STOPS} texts.")
    return tuple(text for text in given if text)


def _bias(value: Any) -> dict[int, float]:
    """Read `logit_bias` as OpenAI has it: token ids as text, additions as numbers."""
    if not value:
        return {}
    try:
        found = {int(token): float(add) for token, add in value.items()}
    except (AttributeError, TypeError, ValueError):
        raise Wrong("logit_bias", "logit_bias: must be an object of token ids and numbers.") from None
    if not all(math.isfinite(add) for add in found.values()):
        raise Wrong("logit_bias", "logit_bias: every addition must be a finite number.")
    return found
