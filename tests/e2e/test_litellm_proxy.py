"""The real LiteLLM proxy with the example's settings: its calls become events, and it asks before it answers.

Needs a Python with `litellm[proxy]` in an environment of its own, named by STILLWATCH_LITELLM_PYTHON.
"""

import hashlib
import os
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import openai
import pytest

from stillwatch.app.addresses import packaged_addresses
from stillwatch.app.claims import claims_of
from stillwatch.app.control import open_control
from stillwatch.app.decide import Ask, decide
from stillwatch.app.livefolder import EventClock, LiveFolder
from stillwatch.app.livetake import reduced
from stillwatch.app.processplan import ProcessPlan
from stillwatch.app.settings import load_settings
from stillwatch.app.state import master_key
from stillwatch.app.worker import Worker
from stillwatch.gateway.published import Published, write_published
from stillwatch.gateway.segments import read_segments
from stillwatch.logs.served import read_all_served
from stillwatch.sketch.keys import KeyRing
from stillwatch.sketch.reduce import Reducer
from stillwatch.terms.action import Held
from stillwatch.terms.exchange import Exchange
from tests.fake_upstream import FakeUpstream
from tests.gateway_fixture import serving

PYTHON = os.environ.get("STILLWATCH_LITELLM_PYTHON", "")
pytestmark = pytest.mark.skipif(
    not PYTHON, reason="peer: litellm; name its Python in STILLWATCH_LITELLM_PYTHON (see docs/howto/litellm.md)"
)

EXAMPLE = Path(__file__).parents[2] / "examples" / "litellm"
ACCOUNTS = """
from litellm.proxy._types import UserAPIKeyAuth
import hashlib
async def auth(request, api_key):
    name = api_key.removeprefix("Bearer ").removeprefix("sk-")
    return UserAPIKeyAuth(api_key=hashlib.sha256(name.encode()).hexdigest(), user_id=None if name == "bare" else name)
"""
CANARY = "canary-7f3e"
START_SECONDS = 90.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Stillwatch:
    """A worker of the gateway in this process, with its state folder."""

    state: Path
    token: str = field(repr=False)
    key: bytes = field(default=b"k" * 32, repr=False)
    url: str = ""
    worker: Worker | None = None
    stop: Callable[[], None] = lambda: None

    def make(self) -> Worker:
        settings = load_settings(EXAMPLE / "stillwatch.toml")
        plan = ProcessPlan(state=self.state, settings=settings, clock=EventClock(), key=self.key)
        self.worker = Worker(0, plan)
        self.worker.desk.start()
        return self.worker

    def exchanges(self, n: int, accounts: set[str]) -> list[Exchange]:
        """Return `n` recorded exchanges of these accounts, once the proxy has logged them."""
        found: list[Exchange] = []
        until = time.monotonic() + 20.0
        while len(found) < n and time.monotonic() < until:
            time.sleep(0.2)
            segments = list(read_segments(self.state / "spool", self.key))
            served = [one for segment in segments for one in segment.exchanges]
            read, reasons = read_all_served(served)
            assert not reasons
            found = [one for one in read if one.account in accounts]
        assert len(found) == n, [one.account for one in found]
        return sorted(found, key=lambda one: one.time)

    def accuse(self, account: str) -> None:
        """Publish a strong verdict, as the watcher would."""
        now = time.time()
        held = Held(account=account, log_e=20.0, accused=True, campaign="c-quince", since=now - 9, effective=now - 9,
                    expires=now + 86_400.0)  # fmt: skip
        published = Published(generation=1, made_at=now, judged_until=now, held={account: held})
        write_published(LiveFolder(self.state).published, published)
        self.refresh()

    def confirm(self, account: str) -> None:
        with open_control(self.state) as book:
            ask = Ask(subject=account, verb="confirm", by="a person", reason="read the evidence", kind="account")
            decide(book, ask, claims_of(self.state, None), time.time())
        self.refresh()

    def refresh(self) -> None:
        assert self.worker is not None
        self.worker.desk.refresh(time.time() + 2.0)
        time.sleep(1.1)  # actions are kept ready for a second


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeUpstream]:
    with FakeUpstream() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def stillwatch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stillwatch]:
    made = Stillwatch(state=tmp_path_factory.mktemp("state"), token=secrets.token_hex(16))
    LiveFolder(made.state).made()
    os.environ["STILLWATCH_INTAKE_TOKEN"] = made.token
    try:
        with ExitStack() as running:
            made.url = running.enter_context(serving(made.make))
            made.stop = running.close
            yield made
    finally:
        del os.environ["STILLWATCH_INTAKE_TOKEN"]
        if made.worker is not None:
            made.worker.desk.stop()
            made.worker.close()


def environment(stillwatch: Stillwatch, fake: FakeUpstream, url: str) -> dict[str, str]:
    return {
        **{name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ},
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_MASTER_KEY": f"sk-{secrets.token_hex(24)}",
        "MODEL_API_BASE": fake.openai_url,
        "MODEL_API_KEY": "sk-provider",
        "STILLWATCH_URL": url,
        "STILLWATCH_INTAKE_TOKEN": stillwatch.token,
        "GENERIC_LOGGER_ENDPOINT": f"{url}/intake/litellm",
        "GENERIC_LOGGER_HEADERS": f"Authorization=Bearer {stillwatch.token}",
        "DEFAULT_FLUSH_INTERVAL_SECONDS": "1",
    }


@pytest.fixture(scope="module")
def proxy(
    stillwatch: Stillwatch, fake: FakeUpstream, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], openai.OpenAI]]:
    """Clients of the proxy, by account."""
    folder = tmp_path_factory.mktemp("litellm")
    (folder / "accounts.py").write_text(ACCOUNTS)
    config = (EXAMPLE / "config.yaml").read_text().rstrip() + "\n  custom_auth: accounts.auth\n"
    (folder / "config.yaml").write_text(config)
    port = free_port()
    command = [PYTHON, "-c", "from litellm import run_server; run_server()", "--config", "config.yaml",
               "--host", "127.0.0.1", "--port", str(port)]  # fmt: skip
    with open(folder / "proxy.log", "wb") as log:
        process = subprocess.Popen(
            command, cwd=folder, env=environment(stillwatch, fake, stillwatch.url), stdout=log, stderr=log,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
    try:
        wait_for(port, process, folder / "proxy.log")
        yield lambda account: openai.OpenAI(
            base_url=f"http://127.0.0.1:{port}/v1", api_key=f"sk-{account}", max_retries=0, timeout=30.0
        )
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)


def wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        if process.poll() is not None:
            raise AssertionError(f"the proxy ended: {log.read_text()[-2000:]}")
        try:
            with socket.create_connection(("127.0.0.1", port), 1.0):
                return
        except OSError:
            time.sleep(0.3)
    raise AssertionError(f"the proxy did not start: {log.read_text()[-2000:]}")


def say(client: openai.OpenAI, text: str = CANARY, **more: object) -> str:
    messages = [{"role": "user", "content": text}]
    answer = client.chat.completions.create(model="chat", messages=messages, **more)  # type: ignore[call-overload]
    if more.get("stream"):
        return "".join(chunk.choices[0].delta.content or "" for chunk in answer if chunk.choices)
    return str(answer.choices[0].message.content)


def test_every_call_through_the_proxy_becomes_one_event(
    proxy: Callable[[str], openai.OpenAI], stillwatch: Stillwatch
) -> None:
    client = proxy("acct-honest")
    answer = say(client, temperature=0.5)
    assert say(client, temperature=0.5, stream=True) == answer
    with pytest.raises(openai.APIError):
        say(client, extra_body={"extra_headers": {"x-fake": "status=400"}})
    whole, streamed, failed = stillwatch.exchanges(3, {"acct-honest"})
    for exchange in (whole, streamed):
        assert (exchange.status, exchange.endpoint, exchange.finish) == (200, "chat", "stop")
        assert exchange.answer == answer
        assert exchange.messages[0].text == CANARY
        assert exchange.parameters["temperature"] == 0.5
        assert (exchange.tokens_in, exchange.tokens_out) == (1, 6)
        assert exchange.agent.startswith("OpenAI/Python")
    assert failed.status == 400
    reducer = Reducer(KeyRing(master_key(stillwatch.state)), packaged_addresses())
    events, _, reasons = reduced(reducer, [whole, streamed, failed])
    assert (len(events), reasons) == (3, [])
    assert len(set(events["account"])) == 1


def test_a_caller_can_not_choose_whose_call_it_is(
    proxy: Callable[[str], openai.OpenAI], stillwatch: Stillwatch
) -> None:
    claims = {"user_id": "acct-spoof", "user_api_key_user_id": "acct-spoof", "organization": "spoof"}
    client = proxy("bare").with_options(default_headers={"x-user-id": "acct-spoof"})
    say(client, extra_body={"metadata": claims, "litellm_metadata": claims})
    (exchange,) = stillwatch.exchanges(1, {hashlib.sha256(b"bare").hexdigest()})
    assert exchange.organisation == ""


def test_only_a_verdict_that_a_person_confirmed_blocks(
    proxy: Callable[[str], openai.OpenAI], stillwatch: Stillwatch, fake: FakeUpstream
) -> None:
    thief = proxy("acct-thief")
    assert say(thief)
    stillwatch.accuse("acct-thief")
    assert say(thief)
    stillwatch.confirm("acct-thief")
    fake.forget()
    for stream in (False, True):
        with pytest.raises(openai.BadRequestError) as caught:
            say(thief, stream=stream)
        assert "Appeal id: ap_" in str(caught.value)
        assert "c-quince" not in str(caught.value)
    assert not fake.received
    assert say(proxy("acct-honest"))
    exchanges = stillwatch.exchanges(4, {"acct-thief"})
    assert [one.status for one in exchanges] == [200, 200, 400, 400]


def test_no_text_reaches_the_disk(proxy: Callable[[str], openai.OpenAI], stillwatch: Stillwatch) -> None:
    say(proxy("acct-honest"))
    files = [path for path in stillwatch.state.rglob("*") if path.is_file()]
    assert any(path.suffix == ".seg" for path in files)
    assert not [path for path in files if CANARY.encode() in path.read_bytes()]


def test_the_proxy_goes_on_when_stillwatch_is_away(
    stillwatch: Stillwatch, proxy: Callable[[str], openai.OpenAI]
) -> None:
    with pytest.raises(openai.BadRequestError):
        say(proxy("acct-thief"))
    stillwatch.stop()
    assert say(proxy("acct-thief"))
