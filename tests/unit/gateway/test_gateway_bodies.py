"""Bodies are read once, changed only where they must be, and never unzip to more than they may."""

import asyncio
import gzip
import json
import random
import zlib
from typing import Any

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.gateway.body import read_body, unzipped
from stillwatch.gateway.codings import Flow, UnzippedFlow, unzip
from stillwatch.gateway.config import GatewayConfig
from stillwatch.gateway.errors import TurnedAway
from stillwatch.gateway.fields import FieldRules, parse
from stillwatch.gateway.jsonbytes import read_json, write_json
from stillwatch.gateway.sse import Boundaries

ZIPPED = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "zstd": lambda data: zstandard.ZstdCompressor().compress(data),
}


def raw_deflate(data: bytes) -> bytes:
    zipper = zlib.compressobj(wbits=-15)
    return zipper.compress(data) + zipper.flush()


@given(data=st.binary(max_size=500), coding=st.sampled_from(sorted(ZIPPED)))
def test_each_coding_is_read_back(data: bytes, coding: str) -> None:
    assert unzip(ZIPPED[coding](data), coding, 1000) == data


@given(data=st.binary(min_size=1, max_size=500))
def test_deflate_is_read_with_and_without_its_header_and_gzip_in_several_members(data: bytes) -> None:
    assert unzip(raw_deflate(data), "deflate", 1000) == data
    assert unzip(gzip.compress(data) + gzip.compress(b"more"), "gzip", 1000) == data + b"more"


@pytest.mark.parametrize("coding", sorted(ZIPPED))
def test_a_bomb_unzips_to_no_more_than_it_may(coding: str) -> None:
    bomb = ZIPPED[coding](b"\0" * 50_000_000)
    assert len(unzip(bomb, coding, 1000)) == 1000
    with pytest.raises(TurnedAway) as refused:
        asyncio.run(unzipped(bomb, coding, 100_000))
    assert refused.value.fault.status == 413


def test_a_body_of_countless_empty_members_is_refused_and_many_honest_ones_are_read() -> None:
    with pytest.raises(ValueError, match="gzip"):
        unzip(gzip.compress(b"") * 100_000, "gzip", 1000)
    pieces = [bytes([n % 251]) * 700 for n in range(400)]
    assert unzip(b"".join(map(gzip.compress, pieces)), "gzip", 1 << 20) == b"".join(pieces)


@given(data=st.binary(min_size=1, max_size=300), times=st.integers(1, 900))
@settings(max_examples=20, deadline=None)
def test_what_is_longer_than_one_piece_is_read_whole(data: bytes, times: int) -> None:
    plain = random.Random(times).randbytes(200_000) + data * times
    assert unzip(gzip.compress(plain), "gzip", 1 << 20) == plain == unzip(zlib.compress(plain), "deflate", 1 << 20)


@pytest.mark.parametrize(("coding", "status"), [("br", 415), ("gzip, gzip", 415), ("gzip", 400), ("zstd", 400)])
def test_a_body_that_cannot_be_unzipped_is_said_to_be_so(coding: str, status: int) -> None:
    with pytest.raises(TurnedAway) as refused:
        asyncio.run(unzipped(b"no such thing", coding, 1000))
    assert refused.value.fault.status == status


@given(data=st.binary(max_size=300), coding=st.sampled_from(sorted(ZIPPED)), size=st.integers(1, 50))
def test_a_zipped_stream_is_unzipped_piece_by_piece(data: bytes, coding: str, size: int) -> None:
    flow: Flow = UnzippedFlow(coding, Boundaries())
    zipped = ZIPPED[coding](data)
    out = b"".join(flow.feed(zipped[i : i + size]) for i in range(0, len(zipped), size))
    assert out + flow.end() == data


def receiver(*messages: dict[str, Any]) -> Any:
    waiting = list(messages)

    async def receive() -> dict[str, Any]:
        if not waiting:
            await asyncio.sleep(60)
        return waiting.pop(0)

    return receive


def part(body: bytes, more: bool) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


def test_a_body_in_pieces_is_put_together() -> None:
    receive = receiver(part(b"a", True), part(b"", True), part(b"b", False))
    assert asyncio.run(read_body(receive, -1, 10, 1.0)) == b"ab"


@pytest.mark.parametrize(
    ("length", "parts", "status"),
    [(11, [], 413), (-1, [part(b"x" * 6, True), part(b"x" * 6, True)], 413), (-1, [part(b"x" * 11, False)], 413),
     (5, [part(b"x", True)], 408), (5, [], 408)],
)  # fmt: skip
def test_a_body_too_large_or_too_slow_is_refused_without_waiting_for_its_end(
    length: int, parts: list[dict[str, Any]], status: int
) -> None:
    with pytest.raises(TurnedAway) as refused:
        asyncio.run(read_body(receiver(*parts), length, 10, 0.05))
    assert refused.value.fault.status == status


def test_a_caller_that_leaves_within_its_body_is_noticed() -> None:
    with pytest.raises(ConnectionResetError):
        asyncio.run(read_body(receiver(part(b"a", True), {"type": "http.disconnect"}), -1, 10, 1.0))


def asked(body: object, endpoint: str = "chat", **settings: Any) -> Any:
    return FieldRules(GatewayConfig(**settings)).read(json.dumps(body).encode(), endpoint)


def test_a_body_with_nothing_to_take_out_is_left_as_it_came() -> None:
    found = asked({"model": "m", "stream": True, "logprobs": True, "seed": 1, "guided_json": {}})
    assert (found.model, found.stream, found.changed, found.strip_usage) == ("m", True, False, False)


@pytest.mark.parametrize("name", ["vllm_xargs", "watermark", "stillwatch", "\\u0077atermark"])
def test_switches_that_an_account_must_not_choose_are_taken_out_wherever_they_stand(name: str) -> None:
    rules = FieldRules(GatewayConfig())
    found = rules.read(b'{"model": "m", "%s": 1, "extra_body": {"%s": 2, "top_k": 3}}' % ((name.encode(),) * 2), "chat")
    assert found.changed
    assert found.body == {"model": "m", "extra_body": {"top_k": 3}}


def test_fields_refused_by_policy_are_named() -> None:
    with pytest.raises(TurnedAway) as refused:
        asked({"model": "m", "logit_bias": {}}, refuse_fields=("logit_bias", "seed"))
    assert (refused.value.fault.status, refused.value.fault.param) == (400, "logit_bias")


@pytest.mark.parametrize("body", [b"", b"[]", b"3", b'{"a": 1', b"{'a': 1}", b'{"a": 1}x', b"[" * 100_000])
def test_what_is_no_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(TurnedAway) as refused:
        parse(body)
    assert refused.value.fault.code == "invalid_json"


@pytest.mark.parametrize(
    "body",
    [b'{"a": "\\ud800"}', b'{"a": NaN}', b'{"a": 1e999}', b'{"a": %d}' % 10**30, '{"a": 1}'.encode("utf-16"),
     b'\xef\xbb\xbf{"a": 1}'],
)  # fmt: skip
def test_what_servers_read_is_read_here_too_and_can_be_written_again(body: bytes) -> None:
    found = parse(body)
    assert list(found) == ["a"]
    again = read_json(write_json(found))
    assert again == found or found["a"] != found["a"] or again["a"] is None


@pytest.mark.parametrize(
    ("options", "sent", "strip"),
    [(None, {"include_usage": True}, True), ({"include_usage": True}, {"include_usage": True}, False),
     ({"x": 1}, {"x": 1, "include_usage": True}, True), ("odd", "odd", False)],
)  # fmt: skip
def test_usage_is_asked_for_only_where_the_caller_did_not(options: object, sent: object, strip: bool) -> None:
    found = asked({"model": "m", "stream": True, "stream_options": options}, include_usage=True)
    assert (found.body["stream_options"], found.strip_usage) == (sent, strip)
    assert not asked({"model": "m", "stream": True}, "messages", include_usage=True).changed
    assert not asked({"model": "m"}, include_usage=True).changed


def test_a_request_is_taken_for_what_it_may_cost() -> None:
    assert asked({"max_tokens": 100}).tokens == 100 + len('{"max_tokens": 100}') // 4
    assert asked({"max_completion_tokens": 10, "n": 3}).tokens // 10 >= 3
    assert asked({}, assumed_answer_tokens=7).tokens == 7
    assert asked({"max_tokens": 10**12, "n": 10**9}).tokens <= (1 << 20) * 128 + 100
    assert asked({"max_tokens": -5}).tokens >= 0
    assert asked({"max_tokens": 100, "prompt": ["a", "b", [5, 6]]}, "completions").tokens >= 300
    assert asked({"max_tokens": 100, "prompt": [5, 6, 7]}, "completions").tokens < 120
    assert asked({"input": "x" * 400}, "embeddings").tokens < 120


@pytest.mark.parametrize("name", ["Logprobs", "LOGPROBS", "logprob\u017f"])
def test_no_spelling_that_some_server_takes_for_a_ruled_field_gets_through(name: str) -> None:
    """JSON readers written in Go do not mind the case of a name."""
    found = asked({name: 5, "Seed": 1}, strip_fields=("logprobs",))
    assert found.changed and found.body == {"Seed": 1}
    with pytest.raises(TurnedAway):
        asked({"model": "m", name: True}, refuse_fields=("logprobs",))


def test_of_several_limits_the_largest_counts() -> None:
    assert asked({"max_completion_tokens": 1, "max_tokens": 9_000}).tokens >= 9_000
