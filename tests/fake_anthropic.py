"""Bodies of the Anthropic API for the fake upstream."""

import json
from typing import Any

from tests.fake_answers import digest, sample, tokens_of
from tests.fake_openai import Events, Json, Unanswerable, _cut, _identity
from tests.fake_script import Script

TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}


def messages(body: Json, script: Script) -> Json | Events:
    """Answer `/v1/messages`."""
    if type(body.get("max_tokens")) is not int:
        raise Unanswerable(400, "max_tokens: Field required")
    if not body.get("messages"):
        raise Unanswerable(400, "messages: at least one message is required")
    key = _identity(body, script)
    blocks, reason = _blocks(body, script, key)
    tokens_in = count(body)["input_tokens"]
    tokens_out = sum(max(1, tokens_of([block])) for block in blocks)
    usage = {
        "input_tokens": tokens_in,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 3,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
        "output_tokens": tokens_out,
        "service_tier": "standard",
    }
    answer = {
        "id": f"msg_{key[:24]}",
        "type": "message",
        "role": "assistant",
        "model": body.get("model"),
        "content": blocks,
        "stop_reason": reason,
        "stop_sequence": None,
        "usage": usage,
    }
    return _events(answer) if body.get("stream") else answer


def _blocks(body: Json, script: Script, key: str) -> tuple[list[Json], str]:
    blocks: list[Json] = []
    if (body.get("thinking") or {}).get("type") in ("enabled", "adaptive"):
        text = "".join(script.answer_words(body["messages"], "thinking"))
        blocks.append({"type": "thinking", "thinking": text, "signature": f"sig{digest(text)}"})
    last = body["messages"][-1].get("content")
    answered = type(last) is list and any(part.get("type") == "tool_result" for part in last)
    tools = [tool for tool in body.get("tools") or [] if "input_schema" in tool]
    form = (body.get("output_config") or {}).get("format") or {}
    if form.get("type") == "json_schema":
        text = json.dumps(sample(form["schema"], key), ensure_ascii=False)
        return [*blocks, {"type": "text", "text": text}], "end_turn"
    words, finish = _cut(script.answer_words(body["messages"]), body["max_tokens"])
    if tools and not answered and (body.get("tool_choice") or {}).get("type") != "none":
        blocks.append({"type": "text", "text": "".join(words[:2])})
        for i, tool in enumerate(tools):
            value = sample(tool["input_schema"], key)
            blocks.append({"type": "tool_use", "id": f"toolu_{key[:22]}{i:02}", "name": tool["name"], "input": value})
        return blocks, "tool_use"
    blocks.append({"type": "text", "text": "".join(words)})
    return blocks, "max_tokens" if finish == "length" else "end_turn"


def _events(answer: Json) -> Events:
    begun = {**answer, "content": [], "stop_reason": None, "usage": {**answer["usage"], "output_tokens": 1}}
    events: list[Json] = [{"type": "message_start", "message": begun}, {"type": "ping"}]
    for index, block in enumerate(answer["content"]):
        blank, deltas = _deltas(block)
        events.append({"type": "content_block_start", "index": index, "content_block": blank})
        events += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
        events.append({"type": "content_block_stop", "index": index})
    delta = {"stop_reason": answer["stop_reason"], "stop_sequence": None}
    events.append({"type": "message_delta", "delta": delta, "usage": answer["usage"]})
    events.append({"type": "message_stop"})
    return [(event["type"], event) for event in events]


def _deltas(block: Json) -> tuple[Json, list[Json]]:
    def parts(text: str) -> list[str]:
        return [word if i == 0 else f" {word}" for i, word in enumerate(text.split(" "))]

    if block["type"] == "thinking":
        deltas: list[Json] = [{"type": "thinking_delta", "thinking": part} for part in parts(block["thinking"])]
        deltas.append({"type": "signature_delta", "signature": block["signature"]})
        return {"type": "thinking", "thinking": "", "signature": ""}, deltas
    if block["type"] == "tool_use":
        text = json.dumps(block["input"])
        pieces = ["", *(text[i : i + 9] for i in range(0, len(text), 9))]
        return {**block, "input": {}}, [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
    return {"type": "text", "text": ""}, [{"type": "text_delta", "text": part} for part in parts(block["text"])]


def count(body: Json) -> Json:
    """Answer `/v1/messages/count_tokens`."""
    parts: list[Any] = [body.get("messages") or [], body.get("system") or []]
    return {"input_tokens": tokens_of(parts) + 10 * len(body.get("tools") or [])}


def models(names: tuple[str, ...]) -> Json:
    """Answer `GET /v1/models` as Anthropic does."""
    data = [model(name) for name in names]
    return {"data": data, "has_more": False, "first_id": names[0], "last_id": names[-1]}


def model(name: str) -> Json:
    """Answer `GET /v1/models/{name}` as Anthropic does."""
    return {"type": "model", "id": name, "display_name": name.title(), "created_at": "2026-02-04T00:00:00Z"}


def error(status: int, script: Script, request_id: str, refused: Unanswerable | None = None) -> Json:
    """Return an error body in Anthropic's shape."""
    kind = script.type or TYPES.get(status, "api_error" if status >= 500 else "invalid_request_error")
    message = script.message or (refused.message if refused else f"The fake upstream answers {status}.")
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": request_id}
