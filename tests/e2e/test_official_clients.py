"""The official clients can not tell the gateway from the provider: one table, asked directly and through it."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from stillwatch.gateway.app import Gateway
from stillwatch.gateway.config import GatewayConfig
from stillwatch.gateway.middleware import Watched, Wiring
from stillwatch.gateway.ports import Refusal
from stillwatch.gateway.upstream import Upstream
from stillwatch.terms.action import Action
from tests.e2e import official_calls as ask
from tests.e2e.official_calls import Call
from tests.e2e.official_cases import ERRORS, GOOD, RETRIES, UNASKED, WIRE, Case
from tests.e2e.official_clients import FORMS, Clients, Outcome, event_loop
from tests.fake_upstream import FakeUpstream
from tests.gateway_fixture import KeptRecords, ScriptedDesk, running_gateway, serving

PROVIDER_KEY = "sk-provider"
OUR_KEY = "sk-ours"


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeUpstream]:
    with FakeUpstream(keys=(PROVIDER_KEY,)) as upstream:
        yield upstream


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    with event_loop() as made:
        yield made


@pytest.fixture(scope="module")
def records() -> KeptRecords:
    return KeptRecords()


@pytest.fixture(scope="module")
def desk() -> ScriptedDesk:
    return ScriptedDesk({OUR_KEY: "acme", "sk-thief": "thief", "sk-odd": "odd", "sk-busy": "busy"})


@pytest.fixture(scope="module")
def address(fake: FakeUpstream, desk: ScriptedDesk, records: KeptRecords) -> Iterator[str]:
    """A gateway that only looks on."""
    with running_gateway(fake.url, PROVIDER_KEY, desk, records) as url:
        yield url


@pytest.fixture(scope="module")
def through(address: str, loop: asyncio.AbstractEventLoop) -> Iterator[Clients]:
    clients = Clients(address, OUR_KEY, loop)
    yield clients
    clients.close()


@pytest.fixture(scope="module")
def asking(fake: FakeUpstream, loop: asyncio.AbstractEventLoop) -> Iterator[Clients]:
    """Clients of a gateway that asks for the usage of every stream in its own interest."""
    with running_gateway(
        fake.url, PROVIDER_KEY, ScriptedDesk({OUR_KEY: "acme"}), KeptRecords(), include_usage=True
    ) as url:
        clients = Clients(url, OUR_KEY, loop)
        yield clients
        clients.close()


@pytest.fixture(scope="module")
def inside(fake: FakeUpstream, loop: asyncio.AbstractEventLoop) -> Iterator[Clients]:
    """Clients of an application with the middleware around it; a gateway stands in for the application."""
    desk, config = ScriptedDesk({OUR_KEY: "acme"}), GatewayConfig(upstream=fake.url)

    def make() -> Watched:
        model = Gateway(config, desk, KeptRecords(), Upstream(config, PROVIDER_KEY), time.time)
        return Watched(model, Wiring(desk=desk, recorder=KeptRecords()))

    with serving(make) as url:
        clients = Clients(url, OUR_KEY, loop)
        yield clients
        clients.close()


@pytest.fixture(scope="module")
def direct(fake: FakeUpstream, loop: asyncio.AbstractEventLoop) -> Iterator[Clients]:
    clients = Clients(fake.url, PROVIDER_KEY, loop)
    yield clients
    clients.close()


def every(*tables: tuple[Case, ...]) -> pytest.MarkDecorator:
    cases = [case for table in tables for case in table]
    return pytest.mark.parametrize("case", cases, ids=[f"{case.wire}: {case.name}" for case in cases])


def bare(outcome: Outcome) -> Outcome:
    """An outcome without its duration."""
    return replace(outcome, seconds=0.0)


def asked_well(case: Case, outcome: Outcome) -> None:
    """The provider saw what the table says, and it took as long as it says."""
    assert len(outcome.requests) == case.attempts
    assert case.seconds[0] <= outcome.seconds <= case.seconds[1]


@pytest.mark.parametrize("form", FORMS)
@every((UNASKED,), GOOD, ERRORS, RETRIES)
def test_a_call_ends_the_same_directly_and_through_the_gateway(
    case: Case, form: str, direct: Clients, through: Clients, fake: FakeUpstream
) -> None:
    wanted = direct.run(case, form, fake)
    assert wanted.kind == case.raises, wanted
    asked_well(case, wanted)
    outcome = through.run(case, form, fake)
    asked_well(case, outcome)
    assert bare(outcome) == bare(wanted)


@pytest.mark.parametrize("form", FORMS)
@every(WIRE)
def test_a_providers_connection_that_dies_is_told_as_an_error(
    case: Case, form: str, direct: Clients, through: Clients, fake: FakeUpstream
) -> None:
    wanted = direct.run(case, form, fake)
    assert wanted.kind == case.raises, wanted
    asked_well(case, wanted)
    outcome = through.run(case, form, fake)
    asked_well(case, outcome)
    assert outcome.kind == (case.gateway or case.raises), outcome


@every(tuple(case for case in GOOD if "stream" in case.name or "usage" in case.name or "helper" in case.name))
def test_usage_that_the_gateway_asks_for_is_taken_out_without_loss(
    case: Case, direct: Clients, asking: Clients, fake: FakeUpstream
) -> None:
    wanted = direct.run(case, "sync", fake)
    assert bare(asking.run(case, "sync", fake)) == bare(wanted)


@every(GOOD)
def test_a_call_ends_the_same_through_the_middleware(
    case: Case, direct: Clients, inside: Clients, fake: FakeUpstream
) -> None:
    wanted = direct.run(case, "async", fake)
    assert bare(inside.run(case, "async", fake)) == bare(wanted)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("wire", ["openai", "anthropic"])
def test_what_the_gateway_records_is_what_both_sides_sent(
    wire: str, stream: bool, through: Clients, fake: FakeUpstream, records: KeptRecords
) -> None:
    records.served.clear()
    call = ask.chat(stream=stream) if wire == "openai" else ask.messages(stream=stream)
    through.run(Case(name="", wire=wire, call=call), "sync", fake)
    (served,) = records.wait(1)
    (seen,) = fake.received
    assert (served.account, served.status, served.streamed) == ("acme", 200, stream)
    assert (served.request, served.answer) == (seen.raw, bytes(seen.sent))
    assert PROVIDER_KEY in (seen.header("authorization") or seen.header("x-api-key") or "")


# ---- errors of our own ----

SUSPENDED = Refusal(status=403, code="account_suspended", message="This account is suspended.", appeal="ap_1")
STEP_UP = Refusal(status=401, code="step_up_required", message="Verify a contact.", appeal="ap_2")
OVER = Refusal(status=429, code="rate_limit_exceeded", message="Rate limit reached.", retry_after=1.0)


def told(address: str, key: str, wire: str, loop: asyncio.AbstractEventLoop, fake: FakeUpstream) -> Outcome:
    """How a call that may be tried three times ends for the holder of this key."""
    clients = Clients(address, key, loop)
    try:
        call = ask.chat() if wire == "openai" else ask.messages()
        return clients.run(Case(name="", wire=wire, call=call, retries=2), "sync", fake)
    finally:
        clients.close()


@pytest.mark.parametrize("wire", ["openai", "anthropic"])
def test_an_unknown_key_is_an_authentication_error(
    wire: str, address: str, loop: asyncio.AbstractEventLoop, fake: FakeUpstream
) -> None:
    error = told(address, "sk-nobody", wire, loop, fake).error
    assert error is not None
    assert (error["class"], error["status_code"]) == ("AuthenticationError", 401)
    assert error["said"]["code"] == "invalid_api_key"
    assert error["said"]["type"] == "authentication_error"
    assert error["request_id"]
    assert not fake.received
    assert "sk-nobody" not in str(error)


@pytest.mark.parametrize("wire", ["openai", "anthropic"])
@pytest.mark.parametrize(
    ("key", "kind", "refusal", "raises"),
    [
        ("sk-thief", "refuse", SUSPENDED, "PermissionDeniedError"),
        ("sk-odd", "challenge", STEP_UP, "AuthenticationError"),
    ],
)
def test_a_refused_account_is_told_once_and_how_to_appeal(
    key: str, kind: str, refusal: Refusal, raises: str, wire: str, address: str, desk: ScriptedDesk,
    loop: asyncio.AbstractEventLoop, fake: FakeUpstream, records: KeptRecords,
) -> None:  # fmt: skip
    account = desk.keys[key]
    desk.actions[account] = Action(kind=kind, rule="r")
    desk.refusals[account] = refusal
    records.served.clear()
    outcome = told(address, key, wire, loop, fake)
    assert outcome.error is not None
    assert (outcome.kind, outcome.error["status_code"]) == (raises, refusal.status)
    assert outcome.error["said"]["code"] == refusal.code
    assert outcome.error["said"]["appeal"] == refusal.appeal
    assert refusal.message in outcome.error["message"]
    assert not outcome.requests
    assert [(one.account, one.status, one.action) for one in records.wait(1)] == [(account, refusal.status, kind)]


@pytest.mark.parametrize("wire", ["openai", "anthropic"])
def test_clients_wait_out_our_own_limit_by_themselves(
    wire: str, address: str, desk: ScriptedDesk, loop: asyncio.AbstractEventLoop, fake: FakeUpstream
) -> None:
    desk.limits["busy"] = [OVER]
    outcome = told(address, "sk-busy", wire, loop, fake)
    assert outcome.error is None
    assert 1.0 <= outcome.seconds <= 2.0
    assert [retries for _, _, retries in outcome.requests] == ["1"]


async def _upload(client: Any, model: str) -> Any:
    return await ask.got(client.files.create(file=("a.jsonl", b"{}"), purpose="batch"))


async def _batch(client: Any, model: str) -> Any:
    more = {"input_file_id": "file-1", "endpoint": "/v1/chat/completions", "completion_window": "24h"}
    return await ask.got(client.batches.create(**more))


async def _message_batch(client: Any, model: str) -> Any:
    return await ask.got(client.messages.batches.create(requests=[]))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("wire", "call"), [("openai", _upload), ("openai", _batch), ("anthropic", _message_batch)])
def test_files_and_batches_are_refused_in_words(
    wire: str, call: Call, form: str, through: Clients, fake: FakeUpstream
) -> None:
    outcome = through.run(Case(name="", wire=wire, call=call, retries=2), form, fake)
    assert outcome.error is not None
    assert (outcome.kind, outcome.error["status_code"]) == ("PermissionDeniedError", 403)
    assert outcome.error["said"]["code"] == "endpoint_not_offered"
    assert "one by one" in outcome.error["message"]
    assert not fake.received


@pytest.mark.parametrize("wire", ["openai", "anthropic"])
def test_a_provider_that_is_down_is_tried_again_and_then_told(wire: str, loop: asyncio.AbstractEventLoop) -> None:
    with FakeUpstream() as gone:
        port = gone.url
    with running_gateway(port, "", ScriptedDesk(), KeptRecords()) as url:
        clients = Clients(url, "sk-good", loop)
        call = ask.chat() if wire == "openai" else ask.messages()
        outcome = clients.run(Case(name="", wire=wire, call=call), "sync", gone)
        clients.close()
    assert outcome.error is not None
    assert (outcome.kind, outcome.error["status_code"]) == ("InternalServerError", 502)
    assert outcome.error["said"]["code"] == "upstream_unreachable"
    assert (outcome.error["x-should-retry"], outcome.error["retry-after"]) == ("true", "2")
