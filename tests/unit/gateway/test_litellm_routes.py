"""The routes that LiteLLM's proxy calls: every payload becomes an event, a guardrail that fails stops nobody."""

import asyncio
import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.gateway.litellm import (
    GUARDRAIL,
    INTAKE,
    LiteLLMConfig,
    LiteLLMRoutes,
    Sources,
    intake_token,
    litellm_routes,
    split_payloads,
)
from stillwatch.gateway.ports import Refusal
from stillwatch.logs.importer import BadRow, Lens
from stillwatch.logs.jsontext import loads
from stillwatch.logs.litellm import LiteLLM, account_of
from stillwatch.logs.served import read_all_served
from stillwatch.terms.action import Action
from stillwatch.terms.errors import StillwatchError
from tests.gateway_fixture import KeptRecords, ScriptedDesk

TOKEN = "t" * 32
NOW = 1_790_000_000.0
BEARER = {"authorization": f"Bearer {TOKEN}"}


def payload(**more: Any) -> dict[str, Any]:
    return {
        "id": "chatcmpl-1",
        "call_type": "acompletion",
        "status": "success",
        "startTime": NOW - 3,
        "endTime": NOW - 1,
        "model": "toy",
        "model_parameters": {"temperature": 0.5},
        "metadata": {"user_api_key_hash": "ab" * 32, "user_api_key_user_id": "acct-1", "requester_metadata": {}},
        "messages": [{"role": "user", "content": "hello \ud83e there"}],
        "response": {"choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}], "model": "toy"},
        "prompt_tokens": 3,
        "completion_tokens": 1,
        "hidden_params": {"secret": "x"},
        **more,
    }


class Rig:
    """Both routes, and what they did."""

    def __init__(self, **config: Any) -> None:
        self.desk, self.records = ScriptedDesk(), KeptRecords()
        sources = Sources(desk=self.desk, recorder=self.records, account_of=account_of, clock=lambda: NOW)
        self.routes = LiteLLMRoutes(LiteLLMConfig(**config), TOKEN, sources)

    def post(self, path: str, body: bytes, headers: dict[str, str], method: str = "POST") -> tuple[int, Any]:
        sent: list[Any] = []
        parts = [{"type": "http.request", "body": body[:7], "more_body": True},
                 {"type": "http.request", "body": body[7:], "more_body": False}]  # fmt: skip
        named = [(name.encode(), value.encode()) for name, value in headers.items()]
        scope = {"type": "http", "method": method, "path": path, "headers": named}

        async def receive() -> Any:
            return parts.pop(0)

        async def send(message: Any) -> None:
            sent.append(message)

        route = {INTAKE: self.routes.intake, GUARDRAIL: self.routes.guardrail}[path]
        asyncio.run(route(scope, receive, send))
        return sent[0]["status"], json.loads(sent[1]["body"])

    def ask(self, **more: Any) -> Any:
        who = {"user_api_key_hash": "ab" * 32, "user_api_key_user_id": "acct-1"}
        body = {"input_type": "request", "request_data": who, "model": "toy", "texts": ["SECRET"], **more}
        status, answer = self.post(GUARDRAIL, json.dumps(body).encode(), {"x-api-key": TOKEN})
        assert status == 200
        return answer


@pytest.fixture
def rig() -> Iterator[Rig]:
    yield Rig()


@pytest.mark.parametrize("coding", ["", "gzip"])
@pytest.mark.parametrize("form", ["array", "lines", "single"])
def test_payloads_of_every_form_become_the_events_of_an_import(rig: Rig, form: str, coding: str) -> None:
    made = [payload(id=f"c{i}") for i in range(1 if form == "single" else 3)]
    texts = [json.dumps(one) for one in made]
    body = {"array": f"[{', '.join(texts)}]", "lines": "\n".join(texts), "single": texts[0]}[form].encode()
    headers = BEARER | ({"content-encoding": coding} if coding else {})
    status, answer = rig.post(INTAKE, gzip.compress(body) if coding else body, headers)
    assert (status, answer) == (200, {"taken": len(made), "skipped": 0, "dropped": 0})
    exchanges, reasons = read_all_served(rig.records.served)
    assert not reasons
    lens = Lens()
    assert exchanges == [LiteLLM().read(loads(text.encode()), lens) for text in texts]
    assert {one.kind for one in rig.records.served} == {"litellm"}
    assert not any(b"hidden_params" in one.request for one in rig.records.served)


def test_a_large_batch_is_taken_whole(rig: Rig) -> None:
    text = "wide " * 2_000
    made = [payload(id=f"c{i}", messages=[{"role": "user", "content": text}]) for i in range(100)]
    status, answer = rig.post(INTAKE, json.dumps(made).encode(), BEARER)
    assert (status, answer["taken"], len(rig.records.served)) == (200, 100, 100)


def test_entries_that_are_no_payload_are_skipped_and_counted(rig: Rig) -> None:
    status, answer = rig.post(INTAKE, b'{"id": 1}\nno json SECRET\n[1]\n', BEARER)
    assert (status, answer) == (200, {"taken": 1, "skipped": 2, "dropped": 0})
    exchanges, reasons = read_all_served(rig.records.served)
    assert not exchanges and "SECRET" not in str(reasons) and len(reasons) == 1


def test_what_the_spool_does_not_take_is_counted_and_not_sent_again(rig: Rig) -> None:
    rig.records.full = True
    assert rig.post(INTAKE, json.dumps([payload()] * 2).encode(), BEARER) == (
        200, {"taken": 0, "skipped": 0, "dropped": 2},
    )  # fmt: skip
    assert rig.routes.counts["dropped"] == 2


@pytest.mark.parametrize("path", [INTAKE, GUARDRAIL])
@pytest.mark.parametrize(
    "headers", [{}, {"authorization": "Bearer wrong"}, {"x-api-key": TOKEN[:-1]}, {"authorization": TOKEN}]
)
def test_nothing_is_taken_or_told_without_the_token(rig: Rig, path: str, headers: dict[str, str]) -> None:
    status, answer = rig.post(path, json.dumps(payload()).encode(), headers)
    assert (status, answer["error"]["code"]) == (401, "invalid_intake_token")
    assert not rig.records.served


def test_bodies_are_bounded_zipped_or_not() -> None:
    rig = Rig(max_body_bytes=1_000)
    bomb = gzip.compress(b" " * 100_000)
    assert rig.post(INTAKE, b" " * 2_000, BEARER)[0] == 413
    assert rig.post(INTAKE, bomb, BEARER | {"content-encoding": "gzip"})[0] == 413
    assert rig.post(INTAKE, b"junk", BEARER | {"content-encoding": "gzip"})[0] == 400
    assert rig.post(INTAKE, b"", BEARER, method="GET")[0] == 405


def test_without_a_token_there_are_no_routes() -> None:
    sources = Sources(desk=ScriptedDesk(), recorder=KeptRecords(), account_of=account_of)
    assert litellm_routes(LiteLLMConfig(), intake_token(LiteLLMConfig()), sources) == {}
    assert set(litellm_routes(LiteLLMConfig(), TOKEN, sources)) == {INTAKE, GUARDRAIL}


def test_a_short_token_is_refused_without_being_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("T_TOKEN", "short-one")
    with pytest.raises(StillwatchError, match="16 or more") as caught:
        intake_token(LiteLLMConfig(token_env="T_TOKEN"))
    assert "short-one" not in str(caught.value)
    (tmp_path / "token").write_text(f"{TOKEN}\nmore\n")
    assert intake_token(LiteLLMConfig(token_file=str(tmp_path / "token"))) == TOKEN
    with pytest.raises(StillwatchError, match="readable"):
        intake_token(LiteLLMConfig(token_file=str(tmp_path / "none")))


# ---- guardrail ----


def test_a_refused_account_is_blocked_and_told_why(rig: Rig) -> None:
    assert rig.ask() == {"action": "NONE"}
    rig.desk.actions["acct-1"] = Action(kind="refuse", rule="r")
    rig.desk.refusals["acct-1"] = Refusal(status=403, code="account_suspended", message="Suspended. Appeal id: ap_1.")
    assert rig.ask() == {"action": "BLOCKED", "blocked_reason": "Suspended. Appeal id: ap_1."}
    other = {"user_api_key_hash": "cd" * 32, "user_api_key_user_id": "acct-2"}
    assert rig.ask(request_data=other) == {"action": "NONE"}
    assert rig.ask(input_type="response") == {"action": "NONE"}


def test_a_shadow_action_blocks_nobody(rig: Rig) -> None:
    rig.desk.refusals["acct-1"] = Refusal(status=403, code="account_suspended", message="no")
    rig.desk.actions["acct-1"] = Action(kind="refuse", rule="r", shadow=True)
    assert rig.ask() == {"action": "NONE"}


def test_actions_that_a_guardrail_can_not_do_are_counted(rig: Rig) -> None:
    for kind in ("mark", "coarsen", "perturb"):
        rig.desk.actions["acct-1"] = Action(kind=kind, rule="r")
        assert rig.ask() == {"action": "NONE"}
    assert {name: n for name, n in rig.routes.counts.items()} == {"undone coarsen": 1, "undone perturb": 1}


def test_a_slowed_call_waits_no_longer_than_set() -> None:
    rig = Rig(longest_wait_seconds=0.01)
    rig.desk.actions["acct-1"] = Action(kind="slow", rule="r", delay_seconds=60.0)
    assert rig.ask() == {"action": "NONE"}


@pytest.mark.parametrize("body", [b"{}", b"junk", b'{"request_data": 7}', b'{"request_data": {}}', b"[]"])
def test_a_guardrail_that_can_not_tell_lets_pass(rig: Rig, body: bytes) -> None:
    assert rig.post(GUARDRAIL, body, BEARER) == (200, {"action": "NONE"})


def test_a_desk_that_fails_lets_pass_and_is_counted(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rig.desk, "action", None)
    assert rig.ask() == {"action": "NONE"}
    assert rig.routes.counts["failed"] == 1


ids = (
    st.none() | st.sampled_from(["default_user_id", "sk-looks-like-a-key", " acct ", "a@b.c", ""]) | st.text(max_size=9)
)


@given(user=ids, email=ids, key=st.none() | st.just("ab" * 32), end=ids, spoof=ids)
def test_guardrail_and_events_name_the_same_account(user: Any, email: Any, key: Any, end: Any, spoof: Any) -> None:
    who = {
        "user_api_key_user_id": user, "user_api_key_user_email": email, "user_api_key_hash": key,
        "user_api_key_end_user_id": end,
    }  # fmt: skip
    own = {"user_id": spoof, "organization": spoof, "headers": {"x-user-id": spoof}}
    row = payload(metadata={**who, "requester_metadata": own, "requester_custom_headers": {"x-account-id": spoof}})
    (raw,), _ = split_payloads(json.dumps(row).encode())

    try:
        exchange = LiteLLM().read(json.loads(raw), Lens())
    except BadRow:
        assert account_of(who) == ""
    else:
        assert exchange is not None
        assert account_of(who) == exchange.account
        assert exchange.organisation == ""
