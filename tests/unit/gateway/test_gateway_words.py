"""Errors, usage, events and counters as the outside reads them."""

import json
from typing import Any

import pytest

from stillwatch.gateway.answerhead import AnswerHead
from stillwatch.gateway.call import Call
from stillwatch.gateway.config import GatewayConfig
from stillwatch.gateway.errors import Fault, error_body, error_event, error_headers
from stillwatch.gateway.exposition import prometheus_text
from stillwatch.gateway.identity import HeaderReader, Trust
from stillwatch.gateway.metrics import Histogram, Metrics
from stillwatch.gateway.ports import Caller
from stillwatch.gateway.record import served_of
from stillwatch.gateway.routes import ANTHROPIC, OPENAI, find_route
from stillwatch.gateway.usage import Usage, read_usage

LIMIT = Fault(status=429, code="rate_limit_exceeded", message="Slow down.", retry_after=1.2, appeal="ap_1")


def test_each_protocol_gets_errors_in_its_own_shape() -> None:
    openai = json.loads(error_body(LIMIT, OPENAI, "req_1"))
    assert set(openai) == {"error"}
    assert set(openai["error"]) == {"message", "type", "param", "code", "appeal"}
    anthropic = json.loads(error_body(LIMIT, ANTHROPIC, "req_1"))
    assert (anthropic["type"], anthropic["error"]["type"], anthropic["request_id"]) == (
        "error", "rate_limit_error", "req_1",
    )  # fmt: skip


def test_a_limit_says_when_to_come_back_in_every_header_alike() -> None:
    openai = dict(error_headers(LIMIT, OPENAI, "req_1", 100.5))
    assert openai[b"retry-after"] == b"2"
    assert openai[b"x-should-retry"] == b"true"
    assert openai[b"x-ratelimit-reset-requests"] == b"2s"
    anthropic = dict(error_headers(LIMIT, ANTHROPIC, "req_1", 100.5))
    assert anthropic[b"anthropic-ratelimit-requests-remaining"] == b"0"
    assert anthropic[b"anthropic-ratelimit-requests-reset"] == b"1970-01-01T00:01:43Z"
    assert anthropic[b"request-id"] == b"req_1"


def test_an_error_that_trying_again_does_not_help_says_so() -> None:
    headers = dict(error_headers(Fault(status=429, code="quota", message="No."), OPENAI, "r", 0.0))
    assert headers[b"x-should-retry"] == b"false"
    assert b"retry-after" not in headers


def test_a_broken_stream_ends_in_an_event_that_clients_raise() -> None:
    assert error_event(LIMIT, OPENAI, "chat", "r").startswith(b'data: {"error":{')
    assert error_event(LIMIT, OPENAI, "responses", "r").startswith(b'event: error\ndata: {"type":"error","code"')
    assert error_event(LIMIT, ANTHROPIC, "messages", "r").startswith(b'event: error\ndata: {"type":"error","error":{')


@pytest.mark.parametrize(
    ("head", "tail", "usage"),
    [
        (b"", b'{"usage":{"prompt_tokens":7,"completion_tokens":2,"total_tokens":9}}', Usage(7, 2)),
        (b"", b'"usage" : { "prompt_tokens" : 7 , "completion_tokens" : 2,'
              b'"completion_tokens_details":{"reasoning_tokens":1}}', Usage(7, 2)),
        (b"", b'"usage":{"input_tokens":5,"cache_read_input_tokens":10,"cache_creation_input_tokens":1,'
              b'"output_tokens":3}', Usage(16, 3)),
        (b'"message_start","message":{"usage":{"input_tokens":5,"output_tokens":1}}',
         b'"message_delta","usage":{"output_tokens":30}', Usage(5, 30)),
        (b"", rb'{"content":"\"usage\":{\"prompt_tokens\":7}"}', Usage(-1, -1)),
        (b"", b'"usage":null', Usage(-1, -1)),
        (b"", b"", Usage(-1, -1)),
    ],
)  # fmt: skip
def test_usage_is_read_off_the_end_and_never_out_of_a_text(head: bytes, tail: bytes, usage: Usage) -> None:
    assert read_usage(head, tail) == usage


@pytest.mark.parametrize(
    ("path", "kind", "wire"),
    [
        ("/v1/chat/completions", "model", OPENAI), ("/v1/messages", "model", ANTHROPIC),
        ("/v1/messages/count_tokens", "plain", ANTHROPIC), ("/v1/messages/batches/x", "refused", ANTHROPIC),
        ("/v1/files", "refused", OPENAI), ("/v1/batches/b_1/cancel", "refused", OPENAI),
        ("/v1/responses/resp_1", "stored", OPENAI), ("/v1/responses/../files", "unknown", OPENAI),
        ("/v1/models/a//b", "unknown", OPENAI), ("/v1/chat/completions/", "unknown", OPENAI),
        ("/v1/messages/x", "unknown", ANTHROPIC), ("/v1/filesystem", "unknown", OPENAI), ("/", "unknown", OPENAI),
    ],
)  # fmt: skip
def test_every_path_is_what_it_is(path: str, kind: str, wire: str) -> None:
    assert (find_route(path).kind, find_route(path).wire) == (kind, wire)


def call(path: str, plain: bytes, answer: list[bytes], *, limit: int = 4096, status: int = 200) -> Any:
    scope = {"client": ("192.0.2.9", 1), "headers": []}
    made = Call(scope, None, find_route(path), "req_1", limit)  # type: ignore[arg-type]
    made.plain, made.status, made.answered = plain, status, status == 200
    for chunk in answer:
        made.keep(chunk)
    return made


def event(made: Any, limit: int = 4096) -> Any:
    heads = HeaderReader(GatewayConfig()).read([(b"user-agent", b"py"), (b"x-ja4", b"t13")])
    return served_of(made, heads, Caller(account="a", key_id="k"), Trust(GatewayConfig()), limit)


def test_an_event_holds_the_bytes_of_the_wire_and_a_fingerprint_only_from_who_is_trusted() -> None:
    served = event(call("/v1/chat/completions", b'{"a": 1}', [b"x", b"y"]))
    assert (served.request, served.answer, served.address, served.agent, served.tls) == (
        b'{"a": 1}', b"xy", "192.0.2.9", "py", "",
    )  # fmt: skip


def test_padding_a_request_hides_nothing_of_it() -> None:
    body = {"messages": [{"role": "user", "content": "steal this " + "x" * 50_000}], "pad": ["y" * 9_000] * 3, "n": 2}
    served = event(call("/v1/chat/completions", json.dumps(body).encode(), []))
    assert len(served.request) <= 4096
    kept = json.loads(served.request)
    assert kept["messages"][0]["content"].startswith("steal this ")
    assert kept["n"] == 2


def test_a_long_answer_keeps_its_start_and_its_usage() -> None:
    made = call("/v1/chat/completions", b"{}", [b"a" * 3000, b"b" * 3000, b'"usage":{"prompt_tokens":1}'], limit=4096)
    assert event(made).answer == b"a" * 3000 + b"b" * 1096
    assert read_usage(b"", made.tail).tokens_in == 1


def test_of_an_embedding_only_the_usage_is_kept() -> None:
    vectors = b'{"object":"list","data":[{"embedding":[' + b"0.25," * 5000 + b'1]}],"usage":{"prompt_tokens":8}}'
    served = event(call("/v1/embeddings", b"{}", [vectors]))
    assert json.loads(served.answer) == {"object": "list", "usage": {"prompt_tokens": 8}}


def test_no_text_shows_in_an_event_or_its_call() -> None:
    made = call("/v1/chat/completions", b'{"a": "SECRET"}', [b"SECRET"])
    assert "SECRET" not in repr(event(made)) + repr(made)


class _Response:
    status = 200

    def __init__(self, *headers: tuple[bytes, bytes]) -> None:
        self.raw_headers = headers


def test_headers_of_one_hop_stay_there_and_all_others_pass_in_order() -> None:
    head = AnswerHead(
        _Response(  # type: ignore[arg-type]
            (b"Content-Type", b"Text/Event-Stream; charset=utf-8"), (b"Connection", b"close, X-Mine"),
            (b"X-Mine", b"1"), (b"Transfer-Encoding", b"chunked"), (b"Set-Cookie", b"a=1"), (b"Set-Cookie", b"b=2"),
            (b"retry-after-ms", b"150"),
        )
    )  # fmt: skip
    assert head.headers == [
        (b"Content-Type", b"Text/Event-Stream; charset=utf-8"), (b"Set-Cookie", b"a=1"), (b"Set-Cookie", b"b=2"),
        (b"retry-after-ms", b"150"),
    ]  # fmt: skip
    assert head.sse


def test_times_fall_into_the_bucket_that_bounds_them() -> None:
    times = Histogram()
    for seconds in (0.0, 0.001, 0.0011, 1e9):
        times.add(seconds)
    assert (times.counts[0], times.counts[1], times.counts[-1]) == (2, 1, 1)


def test_snapshots_add_up_and_read_as_prometheus_text() -> None:
    first, second = Metrics(), Metrics()
    first.requests["chat", "2xx", "shadow:slow"] += 2
    second.requests["chat", "2xx", "shadow:slow"] += 1
    second.dropped = 4
    second.latency.add(0.02)
    snapshots = [json.loads(json.dumps(each.snapshot())) for each in (first, second)]
    text = prometheus_text(snapshots, {"verdict_age_seconds": 3.0}).decode()
    assert 'stillwatch_gateway_requests_total{action="shadow:slow",route="chat",status="2xx"} 3.0' in text
    assert "stillwatch_gateway_events_dropped_total 4.0" in text
    assert 'stillwatch_gateway_request_seconds_bucket{le="0.025"} 1.0' in text
    assert 'stillwatch_gateway_request_seconds_bucket{le="+Inf"} 1.0' in text
    assert "stillwatch_verdict_age_seconds 3.0" in text
    assert prometheus_text([])
