"""The same calls, written as each source would write them."""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from tests.conformance.importer_calls import KEY_HASH, Call, Json, as_csv, as_parquet, jsonl
from tests.conformance.importer_spans import (
    openinference,
    otel_events,
    otel_flat,
    otel_indexed,
    otel_new,
    otel_whole,
    otlp,
)


def openai_body(call: Call, **more: Any) -> Json:
    return {"model": call.model, "messages": call.messages, "temperature": 0.7, **more}


def openai_answer(call: Call) -> Json:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": int(call.time),
        "model": call.model,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": call.answer}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": call.tokens_in, "completion_tokens": call.tokens_out},
    }


def _litellm(call: Call) -> Json:
    return {
        "id": "x",
        "trace_id": "t",
        "call_type": "acompletion",
        "status": "success",
        "startTime": call.time,
        "endTime": call.time + call.seconds,
        "completionStartTime": call.time + 0.1,
        "model": call.model,
        "metadata": {"user_api_key_hash": KEY_HASH, "user_api_key_user_id": call.account, "session_id": call.session},
        "end_user": "their-customer",
        "requester_ip_address": call.address,
        "request_tags": ["User-Agent: OpenAI", f"User-Agent: {call.agent}"],
        "messages": call.messages,
        "response": openai_answer(call),
        "prompt_tokens": call.tokens_in,
        "completion_tokens": call.tokens_out,
        "model_parameters": {"temperature": 0.7},
        "session_id": call.session,
    }


def _spend(call: Call) -> Json:
    return {
        "request_id": "r",
        "call_type": "acompletion",
        "api_key": KEY_HASH,
        "spend": 0.1,
        "user": call.account,
        "startTime": call.iso,
        "endTime": datetime.fromtimestamp(call.time + call.seconds, UTC).isoformat(),
        "model": call.model,
        "prompt_tokens": call.tokens_in,
        "completion_tokens": call.tokens_out,
        "metadata": json.dumps({"user_api_key_user_id": call.account, "user_agent": call.agent}),
        "messages": "{}",
        "response": json.dumps(openai_answer(call)),
        "proxy_server_request": json.dumps(openai_body(call)),
        "requester_ip_address": call.address,
        "session_id": call.session,
    }


def _pair(call: Call) -> Json:
    return {"ts": call.time * 1e3, **call.who, "request": openai_body(call), "response": openai_answer(call)}


def _http(call: Call) -> Json:
    headers = {
        "User-Agent": call.agent,
        "Authorization": "Bearer sk-secret-1234567890",
        "X-Forwarded-For": call.address,
    }
    return {
        "timestamp": call.iso,
        "account_id": call.account,
        "duration_ms": call.seconds * 1e3,
        "session_id": call.session,
        "request": {"url": "/v1/chat/completions", "headers": headers, "body": json.dumps(openai_body(call))},
        "response": {"status_code": 200, "body": openai_answer(call)},
    }


def _flat(call: Call) -> Json:
    figures = {"prompt_tokens": call.tokens_in, "completion_tokens": call.tokens_out, "finish_reason": "stop"}
    return {"created_at": call.iso, **call.who, **openai_body(call), "response": call.answer, **figures}


def _chunks(call: Call) -> Json:
    half = len(call.answer) // 2
    chunks: list[Json] = [
        {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]},
        {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": call.answer[:half]}}]},
        {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": call.answer[half:]}}]},
        {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
        {"choices": [], "usage": openai_answer(call)["usage"]},
    ]
    return {"ts": call.time, **call.who, "request": openai_body(call, stream=True), "response": chunks}


def _sse(call: Call) -> Json:
    row = _chunks(call)
    row["response"] = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in row["response"]) + "data: [DONE]\n\n"
    return row


def _responses(call: Call) -> Json:
    parts = {"user": "input_text", "assistant": "output_text"}
    turns = [{"role": role, "content": [{"type": parts[role], "text": text}]} for role, text in call.turns]
    answer = {
        "object": "response",
        "created_at": call.time,
        "status": "completed",
        "model": call.model,
        "output": [
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": "SECRET"}]},
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": call.answer}]},
        ],
        "usage": {"input_tokens": call.tokens_in, "output_tokens": call.tokens_out},
    }
    body = {"model": call.model, "instructions": call.system, "input": turns, "temperature": 0.7}
    return {"time": call.time, **call.who, "request": body, "response": answer}


def _anthropic_body(call: Call, blocks: bool = False) -> Json:
    system: Any = [{"type": "text", "text": call.system}] if blocks else call.system
    chat = [{"role": t["role"], "content": [{"type": "text", "text": t["content"]}]} for t in call.chat]
    body = {"model": call.model, "max_tokens": 100, "system": system, "messages": chat if blocks else call.chat}
    return {**body, "temperature": 0.7}


def _anthropic_answer(call: Call) -> Json:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": call.model,
        "content": [{"type": "thinking", "thinking": "SECRET"}, {"type": "text", "text": call.answer}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": call.tokens_in - 3, "cache_read_input_tokens": 3, "output_tokens": call.tokens_out},
    }


def _anthropic(call: Call) -> Json:
    return {"start_time": call.iso, **call.who, "request": _anthropic_body(call), "response": _anthropic_answer(call)}


def _anthropic_blocks(call: Call) -> Json:
    row = {"time": call.time * 1e9, **call.who, "body": _anthropic_body(call, blocks=True)}
    return {**row, "response_body": json.dumps(_anthropic_answer(call))}


def _anthropic_events(call: Call) -> Json:
    usage = {"input_tokens": call.tokens_in, "output_tokens": 1}
    events: list[Json] = [
        {"type": "message_start", "message": {"type": "message", "model": call.model, "usage": usage}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": c}} for c in call.answer),
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": call.tokens_out}},
        {"type": "message_stop"},
    ]
    return {"time": call.time, **call.who, "request": _anthropic_body(call), "response": events}


def table(call: Call) -> Json:
    return {
        "timestamp": call.iso,
        "user_id": call.account,
        "client_ip": call.address,
        "user_agent": call.agent,
        "session_id": call.session,
        "latency_ms": str(call.seconds * 1e3),
        "model": call.model,
        "temperature": 0.7,
        "messages": json.dumps(call.messages),
        "response": call.answer,
        "prompt_tokens": str(call.tokens_in),
        "completion_tokens": str(call.tokens_out),
        "finish_reason": "stop",
    }


def rows_with(build: Callable[[Call], Json]) -> Callable[[Sequence[Call]], bytes]:
    return lambda calls: jsonl([build(call) for call in calls])


MAPPING = """
delimiter = "|"
[fields]
account = "wer"
time = "wann"
messages = "was.turns"
answer = "darauf"
tokens_in = "rein"
tokens_out = "raus"
address = "woher"
agent = "womit"
session = "lauf"
model = "modell"
latency = "dauer"
temperature = "temp"
finish = "ende"
[time]
format = "%d.%m.%Y %H:%M:%S.%f"
hours_behind_utc = -2
"""


def _mapped(calls: Sequence[Call]) -> bytes:
    rows = [
        {
            "wer": call.account,
            "wann": datetime.fromtimestamp(call.time + 7200, UTC).strftime("%d.%m.%Y %H:%M:%S.%f"),
            "was": json.dumps({"turns": call.messages}),
            "darauf": call.answer,
            "rein": call.tokens_in,
            "raus": call.tokens_out,
            "woher": call.address,
            "womit": call.agent,
            "lauf": call.session,
            "modell": call.model,
            "dauer": call.seconds,
            "temp": 0.7,
            "ende": "stop",
        }
        for call in calls
    ]
    return as_csv(rows, "|")


def _array(build: Callable[[Call], Json]) -> Callable[[Sequence[Call]], bytes]:
    return lambda calls: json.dumps([build(call) for call in calls]).encode()


SOURCES: dict[str, tuple[str, Callable[[Sequence[Call]], bytes]]] = {
    "litellm payload": ("litellm", rows_with(_litellm)),
    "litellm array": ("litellm", _array(_litellm)),
    "litellm spend logs": ("litellm", rows_with(_spend)),
    "litellm spend logs csv": ("litellm", lambda calls: as_csv([_spend(call) for call in calls])),
    "litellm parquet": ("litellm", lambda calls: as_parquet([_spend(call) for call in calls])),
    "openai pair": ("openai", rows_with(_pair)),
    "openai http": ("openai", rows_with(_http)),
    "openai flat": ("openai", rows_with(_flat)),
    "openai chunks": ("openai", rows_with(_chunks)),
    "openai event stream": ("openai", rows_with(_sse)),
    "openai responses": ("openai", rows_with(_responses)),
    "anthropic pair": ("anthropic", rows_with(_anthropic)),
    "anthropic blocks": ("anthropic", rows_with(_anthropic_blocks)),
    "anthropic events": ("anthropic", rows_with(_anthropic_events)),
    "otel new names": ("otel", otlp(otel_new)),
    "otel indexed": ("otel", otlp(otel_indexed)),
    "otel whole": ("otel", otlp(otel_whole)),
    "otel openinference": ("otel", otlp(openinference)),
    "otel events": ("otel", otel_events),
    "otel flat": ("otel", otel_flat),
    "plain csv": ("plain", lambda calls: as_csv([table(call) for call in calls])),
    "plain tsv": ("plain", lambda calls: as_csv([table(call) for call in calls], "\t")),
    "plain parquet": ("plain", lambda calls: as_parquet([table(call) for call in calls])),
    "mapped csv": ("mapped", _mapped),
}
"""Name of the variant -> importer that must read it, and how to write it."""
