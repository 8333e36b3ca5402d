"""The same calls as OpenTelemetry spans, in both generations of names."""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from tests.conformance.importer_calls import Call, Json, jsonl


def _typed(value: Any) -> Json:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, list):
        return {"arrayValue": {"values": [_typed(item) for item in value]}}
    return {"stringValue": value}


def _common(call: Call, new: bool) -> Json:
    names = ("input_tokens", "output_tokens") if new else ("prompt_tokens", "completion_tokens")
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name" if new else "gen_ai.system": "anthropic",
        "gen_ai.request.model": call.model,
        "gen_ai.request.temperature": 0.7,
        f"gen_ai.usage.{names[0]}": call.tokens_in,
        f"gen_ai.usage.{names[1]}": call.tokens_out,
        "gen_ai.response.finish_reasons": ["stop"],
        "enduser.id": call.account,
        "client.address": call.address,
        "user_agent.original": call.agent,
        "gen_ai.conversation.id" if new else "session.id": call.session,
        "server.address": "api.example.com",
    }


def _parts(turns: list[Json]) -> list[Json]:
    return [{"role": t["role"], "parts": [{"type": "text", "content": t["content"]}]} for t in turns]


def otel_new(call: Call) -> Json:
    output = [{"role": "assistant", "parts": [{"type": "text", "content": call.answer}], "finish_reason": "stop"}]
    return {
        **_common(call, True),
        "gen_ai.system_instructions": json.dumps([{"type": "text", "content": call.system}]),
        "gen_ai.input.messages": json.dumps(_parts(call.chat)),
        "gen_ai.output.messages": json.dumps(output),
    }


def otel_indexed(call: Call) -> Json:
    out = _common(call, False)
    for index, turn in enumerate(call.messages):
        out[f"gen_ai.prompt.{index}.role"] = turn["role"]
        out[f"gen_ai.prompt.{index}.content"] = turn["content"]
    return {**out, "gen_ai.completion.0.role": "assistant", "gen_ai.completion.0.content": call.answer}


def otel_whole(call: Call) -> Json:
    return {**_common(call, False), "gen_ai.prompt": json.dumps(call.messages), "gen_ai.completion": call.answer}


def openinference(call: Call) -> Json:
    out: Json = {
        "openinference.span.kind": "LLM",
        "llm.model_name": call.model,
        "llm.invocation_parameters": json.dumps({"temperature": 0.7}),
        "llm.token_count.prompt": call.tokens_in,
        "llm.token_count.completion": call.tokens_out,
        "user.id": call.account,
        "session.id": call.session,
        "client.address": call.address,
        "metadata": json.dumps({"user_agent": call.agent}),
        "llm.finish_reason": "stop",
        "llm.output_messages.0.message.role": "assistant",
        "llm.output_messages.0.message.content": call.answer,
    }
    for index, turn in enumerate(call.messages):
        head = f"llm.input_messages.{index}.message"
        out[f"{head}.role"] = turn["role"]
        out[f"{head}.contents.0.message_content.type"] = "text"
        out[f"{head}.contents.0.message_content.text"] = turn["content"]
    return out


def _span(call: Call, attributes: Json, events: Sequence[Json] = ()) -> Json:
    return {
        "traceId": "00" * 16,
        "spanId": "00" * 8,
        "name": "chat",
        "startTimeUnixNano": str(int(call.time * 1e9)),
        "endTimeUnixNano": str(int((call.time + call.seconds) * 1e9)),
        "attributes": [{"key": name, "value": _typed(value)} for name, value in attributes.items()],
        "events": list(events),
    }


def _document(spans: list[Json]) -> Json:
    web = {"traceId": "0", "spanId": "1", "name": "GET", "startTimeUnixNano": "1760000000000000000", "attributes": []}
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": {}, "spans": [*spans, web]}]}]}


def otlp(attributes: Callable[[Call], Json]) -> Callable[[Sequence[Call]], bytes]:
    return lambda calls: jsonl([_document([_span(call, attributes(call)) for call in calls])])


def otel_events(calls: Sequence[Call]) -> bytes:
    spans = []
    for call in calls:
        events = [
            {"name": f"gen_ai.{t['role']}.message", "attributes": [{"key": "content", "value": _typed(t["content"])}]}
            for t in call.messages
        ]
        choice = json.dumps({"role": "assistant", "content": call.answer})
        attributes = [{"key": "message", "value": _typed(choice)}, {"key": "index", "value": _typed(0)}]
        spans.append(_span(call, _common(call, False), [*events, {"name": "gen_ai.choice", "attributes": attributes}]))
    return json.dumps(_document(spans), indent=1).encode()


def otel_flat(calls: Sequence[Call]) -> bytes:
    rows = [
        {
            "name": "chat",
            "context": {"trace_id": "0x1", "span_id": "0x2"},
            "parent_id": None,
            "start_time": call.iso,
            "end_time": datetime.fromtimestamp(call.time + call.seconds, UTC).isoformat(),
            "status": {"status_code": "UNSET"},
            "attributes": otel_new(call),
            "events": [],
            "resource": {"attributes": {"service.name": "shop"}},
        }
        for call in calls
    ]
    return jsonl(rows)
