"""The same call twice: as the gateway serves it, and as a row of an OpenAI-style log.

In: an `Exchange`. Out: a `Served` with the bytes of the wire, or the row that somebody who logs those bytes writes.
"""

import json
from typing import Any

from stillwatch.terms.exchange import Exchange
from stillwatch.terms.served import Served

PATHS = {"chat": "/v1/chat/completions", "messages": "/v1/messages", "responses": "/v1/responses"}
FINISHES = {"tool": "tool_calls", "refusal": "content_filter"}


def request_of(exchange: Exchange) -> dict[str, Any]:
    """Return the body of the request."""
    body: dict[str, Any] = {"model": exchange.model, **exchange.parameters}
    body["messages"] = [{"role": m.role, "content": m.text} for m in exchange.messages]
    if exchange.tools:
        body["tools"] = json.loads(exchange.tools)
    if exchange.session:
        body["metadata"] = {"session_id": exchange.session}
    return body


def answer_of(exchange: Exchange) -> dict[str, Any]:
    """Return the body of the answer."""
    if exchange.status >= 400:
        return {"error": {"message": "no", "type": "server_error", "code": None}}
    choice = {
        "index": 0,
        "finish_reason": FINISHES.get(exchange.finish, exchange.finish or None),
        "message": {"role": "assistant", "content": exchange.answer},
    }
    body: dict[str, Any] = {"id": "chatcmpl-1", "object": "chat.completion", "created": int(exchange.time),
                            "model": exchange.model, "choices": [choice]}  # fmt: skip
    if exchange.tokens_in >= 0:
        body["usage"] = {"prompt_tokens": exchange.tokens_in, "completion_tokens": exchange.tokens_out}
    return body


def stream_of(exchange: Exchange, piece: int = 7) -> bytes:
    """Return the answer as an event stream, a few characters a chunk."""
    whole = answer_of(exchange)
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": whole["created"], "model": whole["model"]}
    text = exchange.answer
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    deltas += [{"content": text[at : at + piece]} for at in range(0, len(text), piece)]
    chunks = [{**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    last = {"index": 0, "delta": {}, "finish_reason": whole["choices"][0]["finish_reason"]}
    chunks += [{**head, "choices": [last]}, {**head, "choices": [], "usage": whole.get("usage")}]
    lines = [b"data: " + json.dumps(chunk, ensure_ascii=False).encode() + b"\n\n" for chunk in chunks]
    return b"".join([b": keepalive\n\n", *lines, b"data: [DONE]\n\n"])


def served_of(exchange: Exchange, *, streamed: bool = False, **changes: Any) -> Served:
    """Return the call as the gateway records it."""
    given: dict[str, Any] = {
        "time": exchange.time, "request_id": "req_1", "endpoint": exchange.endpoint, "account": exchange.account,
        "organisation": exchange.organisation, "plan": exchange.plan, "key_id": exchange.key_id,
        "payment": exchange.payment, "address": exchange.address, "agent": exchange.agent, "tls": exchange.tls,
        "status": exchange.status, "latency": exchange.latency, "streamed": streamed,
        "request": json.dumps(request_of(exchange)).encode(),
        "answer": stream_of(exchange) if streamed else json.dumps(answer_of(exchange)).encode(),
    }  # fmt: skip
    return Served(**{**given, **changes})


def log_row(exchange: Exchange) -> dict[str, Any]:
    """Return the call as a row of a log of requests and answers."""
    row: dict[str, Any] = {
        "timestamp": exchange.time, "user_id": exchange.account, "organization_id": exchange.organisation,
        "plan": exchange.plan, "key_id": exchange.key_id, "payment_token": exchange.payment,
        "client_ip": exchange.address, "user_agent": exchange.agent, "ja4": exchange.tls,
        "endpoint": PATHS.get(exchange.endpoint, exchange.endpoint), "latency": exchange.latency,
        "request": request_of(exchange),
        "response": {"status_code": exchange.status, "body": answer_of(exchange)},
    }  # fmt: skip
    return {name: value for name, value in row.items() if value != ""}
