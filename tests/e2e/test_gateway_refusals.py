"""Who is turned away is told so in the words of its protocol; who is not, is not hurt by what fails here."""

import asyncio
import json
import logging
from typing import Any

import pytest

from stillwatch.gateway.ports import Refusal
from stillwatch.terms.action import Action
from tests.fake_upstream import FakeUpstream
from tests.gateway_rig import CHAT, KEY, MESSAGES, PlainDesk, Rig, raw_upstream, rig, run, stored_answers, until

BODY = {"model": "toy-chat", "messages": [{"role": "user", "content": "SECRET TEXT"}], "max_tokens": 20}
NOWHERE = "http://127.0.0.1:9"


def kinds(answer: Any) -> tuple[int, str, str]:
    error = answer.json["error"]
    return answer.status, error["type"], error["code"]


@pytest.mark.parametrize("path", [CHAT, MESSAGES, "/v1/models", "/v1/account/standing", "/v1/responses/resp_1"])
def test_a_missing_or_wrong_key_is_told_apart_from_a_good_one_on_every_path(path: str) -> None:
    async def test() -> None:
        async with rig(NOWHERE) as gateway:
            body = BODY if path in (CHAT, MESSAGES) else None
            missing = await gateway.ask(path, body, headers={"authorization": ""})
            wrong = await gateway.ask(path, body, headers={"authorization": "Bearer sk-wrong"})
            assert kinds(missing) == (401, "authentication_error", "missing_api_key")
            assert kinds(wrong) == (401, "authentication_error", "invalid_api_key")
            assert wrong.header("x-should-retry") == "false"
            assert ("request_id" in wrong.json) == (path == MESSAGES)
            assert wrong.header("request-id" if path == MESSAGES else "x-request-id")
            assert gateway.events == []

    run(test)


@pytest.mark.parametrize("desk", [PlainDesk(loaded=False), PlainDesk(breaks=frozenset({"caller"}))])
def test_without_keys_nobody_is_let_in_and_everybody_is_told_to_come_back(desk: PlainDesk) -> None:
    async def test() -> None:
        async with rig(NOWHERE, desk) as gateway:
            answer = await gateway.ask(CHAT, BODY)
            assert kinds(answer) == (503, "server_error", "not_ready")
            assert answer.header("retry-after") == "2"
            assert (await gateway.ask("/healthz")).status == 200
            assert (await gateway.ask("/readyz")).status == (200 if desk.loaded else 503)

    run(test)


def test_paths_and_methods_that_are_not_served_say_so() -> None:
    async def test() -> None:
        async with rig(NOWHERE) as gateway:
            assert kinds(await gateway.ask("/v1/nothing"))[0::2] == (404, "unknown_url")
            anthropic = await gateway.ask("/v1/nothing", headers={"anthropic-version": "2023-06-01"})
            assert anthropic.json["error"]["type"] == "not_found_error"
            for path in ("/v1/files", "/v1/batches", "/v1/messages/batches"):
                assert kinds(await gateway.ask(path, {}))[0::2] == (403, "endpoint_not_offered")
            wrong = await gateway.ask(CHAT)
            assert (wrong.status, wrong.header("allow")) == (405, "OPTIONS, POST")
            options = await gateway.ask(CHAT, method="OPTIONS")
            assert (options.status, options.header("allow"), options.body) == (204, "OPTIONS, POST", b"")
            assert (await gateway.ask("/healthz", method="HEAD")).status == 200
            climbing = await raw(gateway, b"GET /v1/models/%2e%2e/files HTTP/1.1\r\nhost: x\r\n")
            assert climbing.startswith(b"HTTP/1.1 404")

    run(test)


async def raw(gateway: Rig, head: bytes, body: bytes = b"") -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(head + b"x-api-key: " + KEY.encode() + b"\r\nconnection: close\r\n\r\n" + body)
    answer = await reader.read()
    writer.close()
    return answer


def test_a_body_too_large_is_refused_in_both_protocols_before_it_is_read() -> None:
    async def test() -> None:
        async with rig(NOWHERE, max_body_bytes=1000) as gateway:
            for path, kind in ((CHAT, "invalid_request_error"), (MESSAGES, "request_too_large")):
                answer = await gateway.ask(path, {**BODY, "pad": "x" * 2000})
                assert kinds(answer) == (413, kind, "request_too_large")
            assert gateway.events == []

    run(test)


@pytest.mark.parametrize(("body", "code"), [(b"no json", "invalid_json"), (b"", "invalid_json")])
def test_a_body_that_cannot_be_read_goes_no_further(body: bytes, code: str) -> None:
    async def test() -> None:
        async with rig(NOWHERE) as gateway:
            assert kinds(await gateway.ask(CHAT, body))[0::2] == (400, code)

    run(test)


@pytest.mark.parametrize(("path", "kind"), [(CHAT, "permission_error"), (MESSAGES, "permission_error")])
def test_a_challenge_is_said_with_its_appeal_and_recorded(path: str, kind: str) -> None:
    says = Refusal(status=403, code="step_up_required", message="Please say who you are.", appeal="ap_1")
    desk = PlainDesk(order=Action(kind="challenge", rule="r"), says=says)

    async def test() -> None:
        with FakeUpstream() as fake:
            async with rig(fake.url, desk) as gateway:
                answer = await gateway.ask(path, BODY)
                assert kinds(answer) == (403, kind, "step_up_required")
                assert answer.json["error"]["appeal"] == "ap_1"
                assert answer.header("x-should-retry") == "false"
                served = await gateway.event()
                assert (served.status, served.action, served.answer) == (403, "challenge", b"")
                assert json.loads(served.request) == BODY
            assert fake.received == []

    run(test)


def test_an_empty_bucket_says_when_to_come_back_and_takes_nothing() -> None:
    full = Refusal(status=429, code="rate_limit_exceeded", message="Slow down.", retry_after=2.5)

    async def test() -> None:
        async with rig(NOWHERE, PlainDesk(full=full)) as gateway:
            answer = await gateway.ask(CHAT, BODY, headers={"x-stainless-retry-count": "2"})
            assert kinds(answer) == (429, "rate_limit_error", "rate_limit_exceeded")
            assert answer.header("retry-after") == "3"
            assert answer.header("x-ratelimit-reset-requests") == "3s"
            served = await gateway.event()
            assert (served.status, served.attempt) == (429, 2)
            assert gateway.desk.settled == []

    run(test)


@pytest.mark.parametrize("stage", ["action", "refusal", "admit", "settle"])
def test_everything_but_keys_fails_open_and_is_counted(stage: str, caplog: pytest.LogCaptureFixture) -> None:
    order = Action(kind="slow", rule="r")
    desk = PlainDesk(order=order, breaks=frozenset({stage}))
    caplog.set_level(logging.INFO)

    async def test() -> None:
        with FakeUpstream() as fake:
            async with rig(fake.url, desk) as gateway:
                assert (await gateway.ask(CHAT, BODY)).status == 200
                await until(lambda: bool(gateway.events))
                where = "action" if stage == "refusal" else stage
                assert gateway.app.metrics.failed_open == {where: 1}

    run(test)
    assert "SECRET" not in caplog.text
    assert "secret text" not in caplog.text


def test_a_slow_account_waits_before_the_upstream_is_asked() -> None:
    desk = PlainDesk(order=Action(kind="slow", rule="r", delay_seconds=0.2))

    async def test() -> None:
        with FakeUpstream() as fake:
            async with rig(fake.url, desk) as gateway:
                assert (await gateway.ask(CHAT, BODY)).status == 200
                served = await gateway.event()
                assert served.latency >= 0.2
                assert served.action == "slow"

    run(test)


def test_an_account_reads_its_standing() -> None:
    async def test() -> None:
        async with rig(NOWHERE) as gateway:
            answer = await gateway.ask("/v1/account/standing")
            assert answer.json["state"] == "restricted"
            assert answer.json["appeal"] == "ap_1"

    run(test)


@pytest.mark.parametrize("path", ["/v1/account/standing", CHAT])
def test_a_failure_of_the_gateway_itself_is_said_in_shape_and_logged_without_content(
    path: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*given: Any) -> Any:
        raise KeyError("SECRET TEXT")

    monkeypatch.setattr("stillwatch.gateway.orders.Orders.standing", broken)
    monkeypatch.setattr("stillwatch.gateway.fields.FieldRules.read", broken)

    async def test() -> None:
        async with rig(NOWHERE) as gateway:
            answer = await gateway.ask(path, None if path != CHAT else BODY)
            assert kinds(answer) == (500, "server_error", "gateway_error")
            assert answer.header("x-should-retry") == "true"

    run(test)
    assert "KeyError" in caplog.text
    assert "SECRET" not in caplog.text


def test_what_an_answer_cost_is_settled() -> None:
    async def test() -> None:
        with FakeUpstream() as fake:
            async with rig(fake.url) as gateway:
                answer = await gateway.ask(CHAT, BODY)
                usage = answer.json["usage"]
                streamed = {**BODY, "stream": True, "stream_options": {"include_usage": True}}
                await gateway.ask(CHAT, streamed)
                await gateway.ask(MESSAGES, {**BODY, "stream": True})
                await gateway.ask(CHAT, {**BODY, "model": "toy-chat?status=500"})
                await gateway.ask("/v1/models")
                await until(lambda: len(gateway.desk.settled) == 4)
                chat, stream, message, failed = (used for _, used in gateway.desk.settled)
                assert chat == stream == usage["prompt_tokens"] + usage["completion_tokens"]
                assert 0 < message < 100
                assert failed == 0
                assert [estimate for estimate, _ in gateway.desk.settled] == gateway.desk.taken[:4]

    run(test)


def test_a_dropped_event_is_counted_and_hurts_nobody() -> None:
    async def test() -> None:
        with FakeUpstream() as fake:
            async with rig(fake.url) as gateway:
                gateway.events.full = True
                assert (await gateway.ask(CHAT, BODY)).status == 200
                await until(lambda: gateway.app.metrics.dropped == 1)

    run(test)


def test_a_draining_worker_is_not_ready_closes_connections_and_finishes_its_answers() -> None:
    async def test() -> None:
        with FakeUpstream() as fake:
            async with rig(fake.url) as gateway:
                slow = asyncio.create_task(gateway.ask(CHAT, {**BODY, "model": "toy-chat?delay=0.3"}))
                await until(lambda: gateway.app.metrics.in_flight == 1)
                gateway.app.drain()
                ready = await gateway.ask("/readyz")
                assert (ready.status, ready.json["draining"]) == (503, True)
                answer = await slow
                assert (answer.status, answer.header("connection")) == (200, "close")

    run(test)


def test_forwarded_addresses_are_recorded_only_from_a_trusted_proxy() -> None:
    async def test() -> None:
        with FakeUpstream() as fake:
            said = {"x-forwarded-for": "192.0.2.1", "x-ja4": "t13d"}
            async with rig(fake.url) as gateway:
                await gateway.ask(CHAT, BODY, headers=said)
                served = await gateway.event()
                assert (served.address, served.tls) == ("127.0.0.1", "")
            async with rig(fake.url, trusted_proxies=("127.0.0.0/8",)) as gateway:
                await gateway.ask(CHAT, BODY, headers=said)
                served = await gateway.event()
                assert (served.address, served.tls) == ("192.0.2.1", "t13d")

    run(test)


def test_turns_of_a_stored_conversation_are_events_of_their_own() -> None:
    async def test() -> None:
        async with raw_upstream(stored_answers) as url, rig(url) as gateway:
            first = (await gateway.ask("/v1/responses", {"model": "m", "input": "a"})).json["id"]
            await gateway.ask("/v1/responses", {"model": "m", "input": "b", "previous_response_id": first})
            await gateway.ask(f"/v1/responses/{first}")
            gone = await gateway.ask(f"/v1/responses/{first}", method="DELETE")
            assert gone.header("x-was") == "deleted"
            await until(lambda: len(gateway.events) == 4)
            assert json.loads(gateway.events[0].answer)["id"] == first
            assert json.loads(gateway.events[1].request)["previous_response_id"] == first
            assert [served.endpoint for served in gateway.events] == ["responses"] * 2 + ["other"] * 2
            assert len(gateway.desk.settled) == 2
            assert {endpoint for _, endpoint in gateway.desk.asked} == {"responses"}, "one set of rules for both ways"

    run(test)


def test_an_answer_made_in_the_background_keeps_what_it_was_taken_for() -> None:
    """Its usage is told only to whoever fetches it, which may be nobody, or often."""

    async def test() -> None:
        async with raw_upstream(stored_answers) as url, rig(url) as gateway:
            body = {"model": "m", "input": "a", "background": True, "max_output_tokens": 9_000}
            await gateway.ask("/v1/responses", body)
            await until(lambda: len(gateway.desk.settled) == 1)
            assert gateway.desk.settled[0][0] == gateway.desk.settled[0][1] >= 9_000

    run(test)
