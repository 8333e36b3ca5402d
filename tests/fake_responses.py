"""Bodies of OpenAI's Responses API for the fake upstream; conversations are kept, as the real one keeps them."""

import json
from typing import Any

from tests.fake_answers import CREATED, logprob_entries, sample, tokens_of
from tests.fake_openai import Events, Json, Unanswerable, _cut, _identity
from tests.fake_script import Script


def respond(body: Json, script: Script, stored: dict[str, list[Any]]) -> Json | Events:
    """Answer `/v1/responses`; `stored` holds the turns of every earlier answer by its id."""
    before = body.get("previous_response_id")
    if before is not None and before not in stored:
        raise Unanswerable(
            400,
            f"Previous response with id '{before}' not found.",
            param="previous_response_id",
            code="previous_response_not_found",
        )
    turns = [*stored.get(before or "", []), body.get("input")]
    key = _identity(body, script)
    items = _items(body, script, key, turns)
    answer = _response(body, key, turns, items)
    if body.get("store", True):
        stored[answer["id"]] = [*turns, items]
    return _events(answer, items) if body.get("stream") else answer


def _items(body: Json, script: Script, key: str, turns: list[Any]) -> list[Json]:
    items: list[Json] = []
    if body.get("reasoning"):
        text = "".join(script.answer_words(turns, "reasoning"))
        items.append({"id": f"rs_{key[:24]}", "type": "reasoning", "summary": [{"type": "summary_text", "text": text}]})
    answered = type(body.get("input")) is list and any(
        item.get("type") == "function_call_output" for item in body["input"]
    )
    tools = [] if answered else [tool for tool in body.get("tools") or [] if tool.get("type") == "function"]
    for i, tool in enumerate(tools):
        items.append(
            {
                "id": f"fc_{key[:22]}{i:02}",
                "type": "function_call",
                "status": "completed",
                "call_id": f"call_{key[:22]}{i:02}",
                "name": tool["name"],
                "arguments": json.dumps(sample(tool.get("parameters") or {}, key)),
            }
        )
    if not tools:
        items.append(_message(body, script, key, turns))
    return items


def _message(body: Json, script: Script, key: str, turns: list[Any]) -> Json:
    form = (body.get("text") or {}).get("format") or {}
    if form.get("type") == "json_schema":
        words = [json.dumps(sample(form["schema"], key), ensure_ascii=False)]
    else:
        words, _ = _cut(script.answer_words(turns), body.get("max_output_tokens"))
    logprobs = []
    if "message.output_text.logprobs" in (body.get("include") or []):
        logprobs = logprob_entries(words, body.get("top_logprobs") or 0)
    part = {"type": "output_text", "text": "".join(words), "annotations": [], "logprobs": logprobs}
    return {"id": f"msg_{key[:24]}", "type": "message", "status": "completed", "role": "assistant", "content": [part]}


def _response(body: Json, key: str, turns: list[Any], items: list[Json]) -> Json:
    shown = sum(tokens_of(item.get("content")) for item in items if item["type"] == "message")
    limit = body.get("max_output_tokens")
    full = type(limit) is int and shown >= limit
    tokens_in = tokens_of(turns)
    return {
        "id": f"resp_{key}",
        "object": "response",
        "created_at": CREATED,
        "status": "incomplete" if full else "completed",
        "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if full else None,
        "instructions": body.get("instructions"),
        "max_output_tokens": limit,
        "model": body.get("model"),
        "output": items,
        "parallel_tool_calls": True,
        "previous_response_id": body.get("previous_response_id"),
        "reasoning": {"effort": None, "summary": None},
        "store": body.get("store", True),
        "temperature": body.get("temperature", 1.0),
        "text": body.get("text") or {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": body.get("tools") or [],
        "top_p": body.get("top_p", 1.0),
        "truncation": "disabled",
        "usage": {
            "input_tokens": tokens_in,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": max(1, shown),
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": tokens_in + max(1, shown),
        },
        "user": body.get("user"),
        "metadata": body.get("metadata") or {},
    }


def _events(answer: Json, items: list[Json]) -> Events:
    begun = {**answer, "status": "in_progress", "output": [], "usage": None, "incomplete_details": None}
    events: list[Json] = [
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
    ]
    for at, item in enumerate(items):
        {"message": _message_events, "function_call": _call_events, "reasoning": _reasoning_events}[item["type"]](
            events, at, item
        )
    events.append({"type": f"response.{answer['status']}", "response": answer})
    return [(event["type"], {**event, "sequence_number": n}) for n, event in enumerate(events)]


def _message_events(events: list[Json], at: int, item: Json) -> None:
    part = item["content"][0]
    where = {"item_id": item["id"], "output_index": at, "content_index": 0}
    blank = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
    begun = {**item, "status": "in_progress", "content": []}
    events.append({"type": "response.output_item.added", "output_index": at, "item": begun})
    events.append({"type": "response.content_part.added", **where, "part": blank})
    words = part["text"].split(" ")
    for i, word in enumerate(words):
        delta = word if i == 0 else f" {word}"
        logprobs = part["logprobs"][i : i + 1]
        events.append({"type": "response.output_text.delta", **where, "delta": delta, "logprobs": logprobs})
    done = {"text": part["text"], "logprobs": part["logprobs"]}
    events.append({"type": "response.output_text.done", **where, **done})
    events.append({"type": "response.content_part.done", **where, "part": part})
    events.append({"type": "response.output_item.done", "output_index": at, "item": item})


def _call_events(events: list[Json], at: int, item: Json) -> None:
    where = {"item_id": item["id"], "output_index": at}
    begun = {**item, "status": "in_progress", "arguments": ""}
    events.append({"type": "response.output_item.added", "output_index": at, "item": begun})
    for i in range(0, len(item["arguments"]), 9):
        part = item["arguments"][i : i + 9]
        events.append({"type": "response.function_call_arguments.delta", **where, "delta": part})
    done = {"arguments": item["arguments"], "name": item["name"]}
    events.append({"type": "response.function_call_arguments.done", **where, **done})
    events.append({"type": "response.output_item.done", "output_index": at, "item": item})


def _reasoning_events(events: list[Json], at: int, item: Json) -> None:
    part = item["summary"][0]
    where = {"item_id": item["id"], "output_index": at, "summary_index": 0}
    blank = {"type": "summary_text", "text": ""}
    events.append({"type": "response.output_item.added", "output_index": at, "item": {**item, "summary": []}})
    events.append({"type": "response.reasoning_summary_part.added", **where, "part": blank})
    events.append({"type": "response.reasoning_summary_text.delta", **where, "delta": part["text"]})
    events.append({"type": "response.reasoning_summary_text.done", **where, "text": part["text"]})
    events.append({"type": "response.reasoning_summary_part.done", **where, "part": part})
    events.append({"type": "response.output_item.done", "output_index": at, "item": item})
