"""Stillwatch around another ASGI application: identity, policy, treatment and events without a hop."""

import asyncio
import gzip
import json
from typing import Any

import pytest

from stillwatch.gateway.config import GatewayConfig
from stillwatch.gateway.middleware import MiddlewareConfig, Watched, Wiring
from stillwatch.gateway.ports import Refusal
from stillwatch.gateway.treater import Treater
from stillwatch.terms.action import Action
from stillwatch.terms.errors import StillwatchError
from tests.gateway_fixture import KeptRecords, ScriptedDesk

NOW = 1_790_000_000.0
CHAT = "/v1/chat/completions"
ASK = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
LOGPROBS = {"content": [{"token": "a", "logprob": -0.123456, "bytes": None, "top_logprobs": []}]}
KEY = {"authorization": "Bearer sk-good"}


class Model:
    """An application that answers as it is told, and remembers what it was asked."""

    def __init__(self, parts: list[bytes] | None = None, kind: str = "application/json", status: int = 200) -> None:
        self.parts = (
            parts if parts is not None else [json.dumps({"choices": [], "usage": {"prompt_tokens": 2}}).encode()]
        )
        self.kind, self.status = kind, status
        self.headers: list[tuple[bytes, bytes]] = []
        self.seen: list[tuple[str, dict[str, str], bytes]] = []
        self.raises: Exception | None = None
        self.waits = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        message = await receive()
        named = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.seen.append((scope["path"], named, message.get("body", b"")))
        headers = [(b"content-type", self.kind.encode()), *self.headers]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        for part in self.parts:
            await send({"type": "http.response.body", "body": part, "more_body": True})
            if self.raises:
                raise self.raises
            if self.waits and (await receive())["type"] == "http.disconnect":
                return
        await send({"type": "http.response.body", "body": b"", "more_body": False})


class Rig:
    """A watched model, and calls to it."""

    def __init__(self, model: Model | None = None, gateway: dict[str, Any] | None = None, **middleware: Any) -> None:
        self.model = model or Model()
        self.desk, self.records = ScriptedDesk(), KeptRecords()
        wiring = Wiring(
            desk=self.desk, recorder=self.records, gateway=GatewayConfig(**gateway or {}),
            middleware=MiddlewareConfig(**middleware), treater=Treater(b"k" * 32), clock=lambda: NOW,
        )  # fmt: skip
        self.app = Watched(self.model, wiring)

    def post(
        self, body: Any = ASK, path: str = CHAT, headers: dict[str, str] | None = None, *, method: str = "POST",
        leaves: bool = False,
    ) -> tuple[int, dict[str, str], list[bytes]]:  # fmt: skip
        raw = body if type(body) is bytes else json.dumps(body).encode()
        named = KEY if headers is None else headers
        pairs = [(name.encode(), value.encode()) for name, value in named.items()]
        scope = {
            "type": "http", "method": method, "path": path, "raw_path": path.encode(), "query_string": b"",
            "headers": [*pairs, (b"content-length", b"%d" % len(raw))], "client": ("198.51.100.7", 1), "root_path": "",
        }  # fmt: skip
        inbox = [{"type": "http.request", "body": raw[:9], "more_body": True},
                 {"type": "http.request", "body": raw[9:], "more_body": False}]  # fmt: skip
        sent: list[Any] = []

        async def receive() -> Any:
            if inbox:
                return inbox.pop(0)
            if not leaves:
                await asyncio.sleep(3600)
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        asyncio.run(self.app(scope, receive, send))
        if not sent:
            return 0, {}, []
        head = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        return sent[0]["status"], head, [message["body"] for message in sent[1:]]


def test_request_and_answer_pass_untouched_and_become_one_event() -> None:
    rig = Rig(Model([b'{"choices": [1', b"]}"]))
    raw = b'{"model": "m",  "messages": [{"role": "user", "content": "hi"}]}'
    status, head, bodies = rig.post(raw)
    assert (status, bodies) == (200, [b'{"choices": [1', b"]}", b""])
    assert rig.model.seen[0][2] == raw
    assert rig.model.seen[0][1]["authorization"] == "Bearer sk-good"
    (served,) = rig.records.served
    assert (served.account, served.endpoint, served.status, served.time) == ("acme", "chat", 200, NOW)
    assert (served.request, served.answer, served.address) == (raw, b'{"choices": [1]}', "198.51.100.7")


@pytest.mark.parametrize("path", ["/health", "/metrics", "/tokenize", "/v1/models", "/v1/audio/speech"])
def test_paths_without_an_exchange_are_passed_on_unread(path: str) -> None:
    rig = Rig()
    status, _, _ = rig.post(b"anything at all", path, {})
    assert status == 200
    assert rig.model.seen[0][2] == b"anything "
    assert not rig.records.served


@pytest.mark.parametrize("path", ["/v1/chat/completions/batch", "/inference/v1/generate", "/generative_scoring"])
def test_paths_on_which_a_model_answers_unseen_are_closed_unless_the_settings_open_them(path: str) -> None:
    rig = Rig()
    status, head, bodies = rig.post({"model": "m", "messages": []}, path)
    assert status == 404 and head["content-type"] == "application/json" and b"unsupported_endpoint" in b"".join(bodies)
    assert not rig.model.seen and not rig.records.served
    assert Rig(closed_paths=()).post(b"x", path, {})[0] == 200
    assert Rig().post(b"x", "/inferences", {})[0] == 200, "a path that only begins alike is another"
    with pytest.raises(StillwatchError, match="must begin with a slash"):
        MiddlewareConfig(closed_paths=("inference",))


def test_invocations_is_no_way_around() -> None:
    rig = Rig()
    assert rig.post(path="/invocations", headers={})[0] == 401
    assert not rig.model.seen
    rig.post(path="/invocations")
    rig.post({"model": "m", "input": "x"}, path="/invocations")
    assert [one.endpoint for one in rig.records.served] == ["chat", "embeddings"]


def test_a_stored_answer_is_no_way_around() -> None:
    part = {"type": "output_text", "text": "hi", "logprobs": [{"token": "hi", "logprob": -0.123456}]}
    answer = json.dumps({"id": "resp_1", "output": [{"type": "message", "content": [part]}], "object": "response"})
    rig = Rig(Model([answer.encode()]))
    rig.desk.actions["acme"] = Action(kind="coarsen", rule="r", treatments=("withhold",))
    status, _, got = rig.post(b"", "/v1/responses/resp_1", method="GET")
    assert status == 200 and b"0.123456" not in b"".join(got)
    assert [served.endpoint for served in rig.records.served] == ["other"]
    assert rig.post(b"", "/v1/responses/resp_1", {}, method="GET")[0] == 401


def test_a_name_beside_the_proxy_s_own_names_nobody() -> None:
    rig = Rig(identity="header", account_header="x-user")
    scope_headers = [(b"x-user", b"victim"), (b"x-user", b"thief"), (b"content-length", b"2")]
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"{}", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": CHAT, "raw_path": CHAT.encode(), "query_string": b"",
             "headers": scope_headers, "client": ("198.51.100.7", 1), "root_path": ""}  # fmt: skip
    asyncio.run(rig.app(scope, receive, send))
    assert sent[0]["status"] == 401 and not rig.model.seen


def test_streams_pass_chunk_by_chunk() -> None:
    chunks = [b'data: {"a": 1}\n\n', b"data: \xe6", b"\x9d\xb1\n\n", b"data: [DONE]\n\n"]
    rig = Rig(Model(chunks, "text/event-stream; charset=utf-8"))
    assert rig.post()[2] == [*chunks, b""]
    assert rig.records.served[0].streamed
    assert rig.records.served[0].answer == b"".join(chunks)


def test_a_caller_who_leaves_is_seen_by_the_model_and_recorded() -> None:
    model = Model([b"data: 1\n\n", b"data: 2\n\n"], "text/event-stream")
    model.waits = True
    rig = Rig(model)
    _, _, bodies = rig.post(leaves=True)
    assert bodies == [b"data: 1\n\n"]
    (served,) = rig.records.served
    assert (served.status, served.disconnected, served.answer) == (499, True, b"data: 1\n\n")


def test_a_model_that_fails_is_recorded_and_its_error_raised() -> None:
    model = Model([b"data: 1\n\n"], "text/event-stream")
    model.raises = RuntimeError("broken")
    rig = Rig(model)
    with pytest.raises(RuntimeError, match="broken"):
        rig.post()
    assert len(rig.records.served) == 1


@pytest.mark.parametrize(("how", "headers", "account"), [
    ("header", {"x-stillwatch-account": "acct-7"}, "acct-7"),
    ("header", {}, None),
    ("header", {"authorization": "Bearer sk-good"}, None),
    ("keys", {"authorization": "Bearer sk-bad"}, None),
    ("keys", {"x-stillwatch-account": "acct-7"}, None),
    ("optional", {"authorization": "Bearer sk-good"}, "acme"),
    ("optional", {}, "unnamed"),
])  # fmt: skip
def test_identity_comes_from_where_the_settings_say(how: str, headers: dict[str, str], account: str | None) -> None:
    rig = Rig(identity=how)
    status, _, _ = rig.post(headers=headers)
    assert status == (200 if account else 401)
    assert [one.account for one in rig.records.served] == ([account] if account else [])
    assert len(rig.model.seen) == bool(account)


def test_an_unknown_key_is_an_account_of_its_own_and_never_kept() -> None:
    rig = Rig(identity="optional")
    for key in ("sk-one", "sk-two", "sk-one"):
        rig.post(headers={"x-api-key": key})
    first, second, again = (one.account for one in rig.records.served)
    assert first == again != second
    assert "sk-one" not in repr(rig.records.served)


def test_policy_is_asked_before_the_model() -> None:
    rig = Rig()
    rig.desk.actions["acme"] = Action(kind="refuse", rule="r")
    rig.desk.refusals["acme"] = Refusal(status=403, code="account_suspended", message="Suspended.", appeal="ap_1")
    status, head, bodies = rig.post()
    assert (status, head["x-should-retry"]) == (403, "false")
    assert json.loads(bodies[0])["error"]["code"] == "account_suspended"
    status, _, bodies = rig.post({**ASK, "max_tokens": 5}, "/v1/messages")
    assert json.loads(bodies[0])["type"] == "error"
    assert not rig.model.seen
    assert [(one.status, one.action) for one in rig.records.served] == [(403, "refuse")] * 2


def test_limits_hold_and_usage_is_settled() -> None:
    rig = Rig()
    rig.desk.limits["acme"] = [Refusal(status=429, code="rate_limit_exceeded", message="Slow.", retry_after=2.0)]
    status, head, _ = rig.post()
    assert (status, head["retry-after"]) == (429, "2")
    assert rig.post()[0] == 200
    ((account, _, used),) = rig.desk.settled
    assert (account, used) == ("acme", 2)


def test_a_shadow_action_changes_nothing_and_is_recorded() -> None:
    answer = json.dumps({"choices": [{"index": 0, "logprobs": LOGPROBS}]}).encode()
    rig = Rig(Model([answer]))
    rig.desk.actions["acme"] = Action(kind="coarsen", rule="r", shadow=True, treatments=("withhold",))
    assert rig.post()[2] == [answer, b""]
    assert rig.records.served[0].action == "shadow:coarsen"


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("streamed", [False, True])
def test_a_treatment_changes_what_leaves_and_not_what_is_recorded(streamed: bool, zipped: bool) -> None:
    body = {"object": "chat.completion", "choices": [{"index": 0, "message": {"content": "a"}, "logprobs": LOGPROBS}]}
    plain = json.dumps(body).encode()
    if streamed:
        plain = b"data: " + plain.replace(b"message", b"delta") + b"\n\ndata: [DONE]\n\n"
    wire = gzip.compress(plain) if zipped else plain
    model = Model([wire[:20], wire[20:]], "text/event-stream" if streamed else "application/json")
    model.headers = [(b"content-length", b"%d" % len(wire))] + ([(b"content-encoding", b"gzip")] if zipped else [])
    rig = Rig(model)
    rig.desk.actions["acme"] = Action(kind="coarsen", rule="r", treatments=("withhold",))
    asked = {**ASK, "logprobs": True}
    _, head, bodies = rig.post(asked, headers=KEY | {"accept-encoding": "gzip"})
    left = b"".join(bodies)
    assert b"-0.123456" not in left and b'"a"' in left
    assert "content-encoding" not in head
    assert streamed or head["content-length"] == str(len(left))
    assert "accept-encoding" not in rig.model.seen[0][1]
    assert rig.records.served[0].answer == plain
    assert rig.records.served[0].request == json.dumps(asked).encode()


def test_fields_that_an_account_must_not_choose_are_taken_out() -> None:
    rig = Rig()
    rig.post({**ASK, "watermark": False})
    _, named, body = rig.model.seen[0]
    assert json.loads(body) == ASK
    assert named["content-length"] == str(len(body))
    rig = Rig(gateway={"refuse_fields": ("seed",)})
    assert rig.post({**ASK, "seed": 1})[0] == 400


def test_bodies_are_bounded_and_zipped_ones_understood() -> None:
    rig = Rig(gateway={"max_body_bytes": 2_000})
    assert rig.post(b" " * 3_000)[0] == 413
    zipped = gzip.compress(json.dumps(ASK).encode())
    assert rig.post(zipped, headers=KEY | {"content-encoding": "gzip"})[0] == 200
    assert rig.model.seen[0][2] == zipped
    assert json.loads(rig.records.served[0].request) == ASK


def test_standing_is_told_without_the_model() -> None:
    rig = Rig()
    status, _, bodies = rig.post(b"", "/v1/account/standing", method="GET")
    assert (status, json.loads(bodies[0])["state"]) == (200, "good")
    assert not rig.model.seen


def test_a_policy_that_fails_lets_pass_and_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig()
    monkeypatch.setattr(rig.desk, "action", None)
    assert rig.post()[0] == 200
    assert rig.app.metrics.failed_open["action"] == 1
    rig.records.full = True
    assert rig.post()[0] == 200
    assert rig.app.metrics.dropped == 1


def test_settings_are_checked() -> None:
    with pytest.raises(StillwatchError, match="identity"):
        MiddlewareConfig(identity="nobody")
