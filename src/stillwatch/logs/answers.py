"""Response bodies of the model APIs, to the fields of an `Exchange`.

In: the JSON body of an answer, a list of its stream chunks, an event stream as text, or the bare text.
Out: fields added to a dict: answer, tokens_in, tokens_out, finish, and `created` where the body says when.
Cost: a few microseconds. Left to `streams`: putting chunks together.
"""

from typing import Any

from stillwatch.logs.content import flatten, parsed, tool_calls_text
from stillwatch.logs.importer import Row
from stillwatch.logs.requests import Fields
from stillwatch.logs.streams import joined_chunks

FINISHES = {
    "stop": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "completed": "stop",
    "complete": "stop",
    "eos": "stop",
    "pause_turn": "stop",
    "length": "length",
    "max_tokens": "length",
    "max_output_tokens": "length",
    "incomplete": "length",
    "model_context_window_exceeded": "length",
    "tool_calls": "tool",
    "tool_call": "tool",
    "tool_use": "tool",
    "function_call": "tool",
    "content_filter": "refusal",
    "refusal": "refusal",
    "safety": "refusal",
    "error": "error",
    "failed": "error",
    "cancelled": "error",
    "errored": "error",
    "canceled": "error",
    "expired": "error",
}
"""Finish reason as written -> as `Exchange.finish` has it."""

CALL_TYPES = frozenset({"function_call", "tool_use", "custom_tool_call"})


def finish_of(reason: Any) -> str:
    """Return the finish reason in Stillwatch's words; empty where it is none of them.

    >>> finish_of("end_turn"), finish_of(["MAX_TOKENS"]), finish_of(3)
    ('stop', 'length', '')
    """
    reason = reason[0] if type(reason) in (list, tuple) and reason else reason
    return FINISHES.get(reason.lower(), "") if type(reason) is str else ""


def count_of(value: Any) -> int:
    """Return a token count, or -1 where `value` is none that can be believed."""
    if type(value) is int:
        return value if 0 <= value < 1 << 31 else -1
    if type(value) is float:
        return int(value) if 0 <= value < 1 << 31 else -1
    return int(value) if type(value) is str and value.isascii() and value.isdigit() and len(value) < 10 else -1


def read_usage(usage: Any, out: Fields) -> None:
    """Add token counts in any of the names that APIs use; cached prompt tokens count as prompt tokens."""
    if type(usage) is not dict:
        return
    tokens_in = count_of(usage.get("prompt_tokens", usage.get("input_tokens")))
    tokens_out = count_of(usage.get("completion_tokens", usage.get("output_tokens")))
    if "prompt_tokens" not in usage and tokens_in >= 0:
        for part in ("cache_read_input_tokens", "cache_creation_input_tokens"):
            tokens_in += max(0, count_of(usage.get(part)))
    if tokens_in >= 0:
        out["tokens_in"] = min(tokens_in, (1 << 31) - 1)
    if tokens_out >= 0:
        out["tokens_out"] = tokens_out


def read_answer(body: Any, out: Fields) -> None:
    """Add what an answer says to `out`; a body of no known shape adds nothing."""
    if type(body) is str:
        if body.startswith(("data:", "event:")):
            body = joined_chunks(body)
        else:
            body = parsed(body)
    if type(body) is list:
        body = joined_chunks(body) if _is_stream(body) else {"content": body}
    if type(body) is str:
        text = flatten(body, [])
        if text:
            out["answer"] = text
    elif type(body) is dict and body:
        _read_object(body, out)


def _is_stream(body: list[Any]) -> bool:
    first = body[0] if body else None
    if type(first) is str:
        return first.startswith(("data:", "event:", "{"))
    return type(first) is dict and ("choices" in first or str(first.get("type")).startswith(("message_", "response.")))


def _read_object(body: Row, out: Fields) -> None:
    choices = body.get("choices")
    if type(choices) is list and choices and type(choices[0]) is dict:
        _read_choice(choices[0], out)
        if out.get("several"):
            _read_several([_choice_text(choice) for choice in choices if type(choice) is dict], out)
    elif type(body.get("output")) is list:
        _read_responses(body, out)
    else:
        _read_message(body, out)
        if type(body.get("texts")) is list:
            _read_several([text for text in body["texts"] if type(text) is str], out)
    read_usage(body.get("usage"), out)
    model = body.get("model")
    if type(model) is str and model:
        out.setdefault("model", model)
    for name in ("created", "created_at"):
        if body.get(name) is not None:
            out.setdefault("created", body[name])
    if body.get("error"):
        out["finish"] = "error"
        error = body["error"]
        code = error.get("status", error.get("code")) if type(error) is dict else None
        out.setdefault("status", code if type(code) is int and 100 <= code <= 599 else 500)


def _read_choice(choice: Row, out: Fields) -> None:
    text = _choice_text(choice)
    if text:
        out["answer"] = text
    _set_finish(choice.get("finish_reason"), out)


def _choice_text(choice: Row) -> str:
    message = choice.get("message")
    if type(message) is not dict:
        return flatten(choice.get("text", message), [])
    text = flatten(message.get("content"), [])
    calls = tool_calls_text(message.get("tool_calls") or message.get("function_call"))
    text = f"{text}\n{calls}" if text and calls else text or calls
    return text or flatten(message.get("refusal"), [])


def _read_several(answers: list[str], out: Fields) -> None:
    """Give each of several prompts its first answer: there are as many for each, in the order of the prompts."""
    several = out.get("several", ())
    if several and len(answers) >= len(several):
        each = len(answers) // len(several)
        out["several"] = tuple((text, answers[place * each]) for place, (text, _) in enumerate(several))


def _read_responses(body: Row, out: Fields) -> None:
    items = [item for item in body["output"] if type(item) is dict]
    text = flatten(items, [])
    if not text:
        text = flatten(body.get("output_text"), [])
    if text:
        out["answer"] = text
    _set_finish(body.get("status"), out)
    if any(item.get("type") in list(CALL_TYPES) for item in items):
        out["finish"] = "tool"


def _read_message(body: Row, out: Fields) -> None:
    for name in ("content", "text", "output_text", "completion", "response", "answer", "output", "message"):
        text = flatten(body.get(name), [])
        if text:
            out["answer"] = text
            break
    calls = tool_calls_text(body.get("tool_calls"))
    if calls:
        out["answer"] = f"{out['answer']}\n{calls}" if out.get("answer") else calls
    _set_finish(body.get("stop_reason", body.get("finish_reason")), out)


def _set_finish(reason: Any, out: Fields) -> None:
    finish = finish_of(reason)
    if finish:
        out["finish"] = finish
