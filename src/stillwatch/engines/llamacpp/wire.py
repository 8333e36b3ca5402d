"""Answers as llama.cpp writes them on OpenAI's wire: whole, in events, and errors.

In: what was generated. Out: plain objects with the same fields in the same order as of an answer that is not marked,
so that its shape does not tell a caller that it is. Left to `server`: sending.
"""

import secrets
import string
import time
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

Json = dict[str, Any]
SIGNS: Final = string.ascii_letters + string.digits


@dataclass(slots=True, kw_only=True)
class Head:
    """What every object of one answer has in common."""

    chat: bool
    model: str
    build: str
    id: str = field(default_factory=lambda: "chatcmpl-" + "".join(secrets.choice(SIGNS) for _ in range(32)))
    created: int = field(default_factory=lambda: int(time.time()))
    begun: float = field(default_factory=time.perf_counter)
    first: float = 0.0
    """When the first token was there, on the clock of `begun`."""

    def named(self) -> Json:
        """Return when, by which model."""
        return {"created": self.created, "model": self.model, "system_fingerprint": self.build}


class Sizes(NamedTuple):
    """Tokens of one exchange."""

    prompt: int
    cached: int
    """Of the prompt's, those that the model had in its memory."""
    answer: int


def usage(sizes: Sizes) -> Json:
    """Return the token counts of one answer."""
    total = sizes.prompt + sizes.answer
    counts = {"completion_tokens": sizes.answer, "prompt_tokens": sizes.prompt, "total_tokens": total}
    return {**counts, "prompt_tokens_details": {"cached_tokens": sizes.cached}}


def timings(head: Head, sizes: Sizes) -> Json:
    """Return how long prompt and answer took, as measured here."""
    now = time.perf_counter()
    first = head.first or now
    shown: Json = {"cache_n": sizes.cached}
    read = sizes.prompt - sizes.cached
    for name, count, seconds in (("prompt", read, first - head.begun), ("predicted", sizes.answer, now - first)):
        spent = 1e3 * max(seconds, 1e-6)
        shown |= {f"{name}_n": count, f"{name}_ms": round(spent, 3), f"{name}_per_token_ms": spent / max(count, 1),
                  f"{name}_per_second": 1e3 * count / spent}  # fmt: skip
    return shown


def whole(head: Head, text: str, reason: str, sizes: Sizes) -> Json:
    """Return an answer in one object."""
    if head.chat:
        message = {"role": "assistant", "content": text}
        choices = {"choices": [{"finish_reason": reason, "index": 0, "message": message}]}
        last = {"usage": usage(sizes), "id": head.id, "timings": timings(head, sizes)}
        return {**choices, **head.named(), "object": "chat.completion", **last}
    choices = {"choices": [{"text": text, "index": 0, "logprobs": None, "finish_reason": reason}]}
    last = {"usage": usage(sizes), "id": head.id, "timings": timings(head, sizes)}
    return {**choices, **head.named(), "object": "text_completion", **last}


def opening(head: Head) -> Json | None:
    """Return the event that opens a stream; None where there is none."""
    return _chunk(head, {"role": "assistant", "content": None}) if head.chat else None


def piece(head: Head, text: str) -> Json:
    """Return an event with more text."""
    return _chunk(head, {"content": text}) if head.chat else _part(head, text)


def ending(head: Head, reason: str, sizes: Sizes, *, with_usage: bool) -> list[Json]:
    """Return the events that end a stream."""
    spent = timings(head, sizes)
    if not head.chat:
        return [_part(head, "", reason, {"usage": usage(sizes), "id": head.id, "timings": spent})]
    last = _chunk(head, {}, reason)
    if not with_usage:
        return [{**last, "timings": spent}]
    return [last, {**last, "choices": [], "usage": usage(sizes), "timings": spent}]


def _chunk(head: Head, delta: Json, reason: str | None = None) -> Json:
    choices = [{"finish_reason": reason, "index": 0, "delta": delta}]
    named = {"created": head.created, "id": head.id, "model": head.model, "system_fingerprint": head.build}
    return {"choices": choices, **named, "object": "chat.completion.chunk"}


def _part(head: Head, text: str, reason: str | None = None, last: Json | None = None) -> Json:
    choices = [{"text": text, "index": 0, "logprobs": None, "finish_reason": reason}]
    return {"choices": choices, **head.named(), "object": "text_completion", **(last or {"id": head.id})}


def problem(status: int, message: str, param: str | None = None) -> Json:
    """Return an error as OpenAI's clients read it."""
    kind = "invalid_request_error" if status < 500 else "server_error"
    return {"error": {"message": message, "type": kind, "param": param, "code": status}}
