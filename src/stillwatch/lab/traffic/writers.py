"""Write exchanges as logs that importers read: LiteLLM payloads, OpenAI request and answer pairs.

In: exchanges and a path ending in `.jsonl`, `.jsonl.gz` or `.jsonl.zst`. Out: one file, the same bytes
for the same exchanges. Cost: 30 us a row and the packing. The truth is never written here.
"""

import gzip
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, cast

import orjson
import zstandard

from stillwatch.lab.traffic.chance import token
from stillwatch.terms.exchange import Exchange


def write_litellm(exchanges: Iterable[Exchange], path: Path) -> None:
    """Write LiteLLM standard logging payloads, one object a line, to `path`.

    Identity stands in `metadata`; payment token, plan and JA4 stand there too, under names of ours.
    """
    _write((_litellm(number, exchange) for number, exchange in enumerate(exchanges)), path)


def write_openai(exchanges: Iterable[Exchange], path: Path) -> None:
    """Write pairs of chat request and answer, one object a line, to `path`; identity in `metadata`."""
    _write((_openai(number, exchange) for number, exchange in enumerate(exchanges)), path)


def _write(rows: Iterable[dict[str, Any]], path: Path) -> None:
    with _opened(path) as file:
        for row in rows:
            file.write(orjson.dumps(row) + b"\n")


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """Open `path` for packing by its ending; no name and no time goes into the file."""
    with open(path, "wb") as raw:
        if path.suffix == ".gz":
            with gzip.GzipFile(filename="", mode="wb", compresslevel=3, fileobj=raw, mtime=0) as packed:
                yield cast(BinaryIO, packed)
        elif path.suffix == ".zst":
            with zstandard.ZstdCompressor(level=3).stream_writer(raw, closefd=False) as writer:
                yield cast(BinaryIO, writer)
        else:
            yield raw


def _metadata(exchange: Exchange) -> dict[str, str]:
    values = {
        "user_api_key_hash": exchange.key_id,
        "user_api_key_user_id": exchange.account,
        "user_api_key_org_id": exchange.organisation,
        "requester_ip_address": exchange.address,
        "user_agent": exchange.agent,
        "session_id": exchange.session,
        "payment_token": exchange.payment,
        "plan": exchange.plan,
        "ja4": exchange.tls,
    }
    return {name: value for name, value in values.items() if value}


def _messages(exchange: Exchange) -> list[dict[str, str]]:
    return [{"role": message.role, "content": message.text} for message in exchange.messages]


def _response(number: int, exchange: Exchange) -> dict[str, Any] | None:
    if exchange.status != 200:
        return None
    message = {"role": "assistant", "content": exchange.answer}
    return {
        "id": "chatcmpl-" + token(number, exchange.account, digits=24),
        "object": "chat.completion",
        "created": int(exchange.time),
        "model": exchange.model,
        "choices": [{"index": 0, "finish_reason": exchange.finish, "message": message}],
        "usage": {
            "prompt_tokens": exchange.tokens_in,
            "completion_tokens": exchange.tokens_out,
            "total_tokens": exchange.tokens_in + exchange.tokens_out,
        },
    }


def _litellm(number: int, exchange: Exchange) -> dict[str, Any]:
    metadata: dict[str, Any] = dict(_metadata(exchange))
    parameters: dict[str, Any] = dict(exchange.parameters)
    if exchange.tools:
        parameters["tools"] = orjson.loads(exchange.tools)
    row: dict[str, Any] = {
        "id": token(number, "litellm", exchange.account, digits=32),
        "call_type": "acompletion",
        "status": "success" if exchange.status == 200 else "failure",
        "startTime": exchange.time,
        "endTime": round(exchange.time + exchange.latency, 3),
        "response_time": exchange.latency,
        "model": exchange.model,
        "model_parameters": parameters,
        "metadata": metadata,
        "prompt_tokens": exchange.tokens_in,
        "completion_tokens": exchange.tokens_out,
        "total_tokens": exchange.tokens_in + exchange.tokens_out,
        "messages": _messages(exchange),
        "response": _response(number, exchange),
    }
    if exchange.status != 200:
        row["error_information"] = {"error_code": str(exchange.status)}
    return row


def _openai(number: int, exchange: Exchange) -> dict[str, Any]:
    request: dict[str, Any] = {"model": exchange.model, "messages": _messages(exchange), **exchange.parameters}
    if exchange.tools:
        request["tools"] = orjson.loads(exchange.tools)
    return {
        "timestamp": datetime.fromtimestamp(exchange.time, UTC).isoformat(timespec="milliseconds"),
        "path": "/v1/chat/completions",
        "latency_s": exchange.latency,
        "status_code": exchange.status,
        "metadata": _metadata(exchange),
        "request": request,
        "response": _response(number, exchange) or {"error": {"code": exchange.status, "type": "api_error"}},
    }
