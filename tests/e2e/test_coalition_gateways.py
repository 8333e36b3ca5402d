"""Two real gateways, a hub and two notaries on one machine: what was confirmed at A is recognised at B, and cleared.

A and B are processes of their own, with settings files; the notaries answer over HTTP. The verdict at A is put where
its watcher publishes, since finding campaigns is tested elsewhere; the person's confirmation is the real command.
"""

import contextlib
import http.client
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from stillwatch.app.control import key_secret, open_control
from stillwatch.app.keys import NewKey, create_key
from stillwatch.gateway.published import Published, write_published
from stillwatch.gateway.warned import read_warned
from stillwatch.store.tokenindex import SqliteTokens
from stillwatch.terms.account import AccountRecord
from stillwatch.terms.action import Held
from tests.e2e.command_line import Place
from tests.e2e.live_gateway import SETTINGS, LiveGateway, free_port, until
from tests.fake_upstream import FakeUpstream
from tests.notary_rig import RunningNotary, running_notary

TEMPLATE = (
    "You are a careful expert. Read the task below, think step by step in full detail, show every intermediate "
    "conclusion with a reason for it, check each of them twice, and only then give the final answer. Task {}: explain."
)
MEMBERS = 24
WORDS = "stone river cloud copper lantern orchard winter needle harbour violin granite pepper saddle tunnel".split()

MATCHING = """
[matching]
live = true
first_url = "{0.url}"
first_identity = "{1}"
first_key_file = "first.key"
second_url = "{2.url}"
second_identity = "{3}"
second_key_file = "second.key"
poll_seconds = 2.0
[coalition]
url = "{4}"
organisation = "{5}"
key_file = "hub.key"
[gateway]
trusted_proxies = ["127.0.0.1/32"]
[policy]
batch_seconds = 1.0
jitter_seconds = 0.0
[[policy.rule]]
name = "others-warn"
action = "challenge"
needs = "coalition"
expires_days = 7
shadow = false
"""


@dataclass
class Provider:
    """One provider: its gateway and the accounts on it."""

    gateway: LiveGateway
    keys: dict[str, str]

    @property
    def state(self) -> Path:
        return self.gateway.folder.state

    def command(self, *words: str, code: int = 0) -> Any:
        done = self.gateway.place.run_here(*words)
        assert done.exit_code == code, (words, done.output, done.stderr)
        return done

    def open_accounts(self, payments: dict[str, str]) -> None:
        with open_control(self.state) as book:
            for account, payment in payments.items():
                book.put_account(AccountRecord(account=account, payment=payment))
                issued = create_key(book, key_secret(self.state), NewKey(account=account), time.time())
                self.keys[account] = issued.key

    def ask(self, account: str, text: str, address: str) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.gateway.port, timeout=20)
        body = {"model": "toy-chat", "messages": [{"role": "user", "content": text}]}
        headers = {"authorization": f"Bearer {self.keys[account]}", "content-type": "application/json",
                   "x-forwarded-for": address}  # fmt: skip
        with contextlib.closing(connection):
            connection.request("POST", "/v1/chat/completions", json.dumps(body).encode(), headers)
            answer = connection.getresponse()
            answer.read()
            return answer.status

    def carried(self) -> int:
        """Return how many accounts carry tokens."""
        path = self.state / "tokens.sqlite"
        if not path.exists():
            return 0
        with contextlib.closing(SqliteTokens(path)) as index:
            return sum(index.accounts(epoch) for epoch in index.epochs())

    def warned(self) -> set[str]:
        return set(read_warned(self.gateway.folder.warned))


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[tuple[Place, str]]:
    place, port = Place(tmp_path / "hub"), free_port()
    process = place.start("coalition", "serve", "--port", str(port))
    try:
        until(lambda: _answers(port), what="the hub")
        yield place, f"http://127.0.0.1:{port}/taxii2/"
    finally:
        process.terminate()
        process.wait(20)


def _answers(port: int) -> bool:
    with (
        contextlib.suppress(OSError),
        contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=2)) as c,
    ):
        c.request("GET", "/taxii2/")
        return c.getresponse().status > 0
    return False


@contextlib.contextmanager
def provider(
    folder: Path, upstream: str, notaries: tuple[RunningNotary, RunningNotary], hub: tuple[Place, str]
) -> Iterator[Provider]:
    name = folder.name
    joined = json.loads(hub[0].run_here(
        "coalition", "members", "add", name, "--organisation", f"Provider {name}", "--verified", "register", "--json"
    ).stdout)  # fmt: skip
    gateway = LiveGateway(Place(folder), upstream)
    for file, key in (
        ("first", notaries[0].join(name).key),
        ("second", notaries[1].join(name).key),
        ("hub", joined["key"]),
    ):
        (folder / f"{file}.key").write_text(key + "\n")
        (folder / f"{file}.key").chmod(0o600)
    identities = [notary.notary.room.identity.hex() for notary in notaries]
    (folder / "settings.toml").write_text(
        SETTINGS + MATCHING.format(notaries[0], identities[0], notaries[1], identities[1], hub[1], joined["identity"])
    )
    try:
        yield Provider(gateway, {})
    finally:
        gateway.kill()


def test_what_is_confirmed_at_one_provider_is_recognised_at_another_and_a_revocation_clears_it(
    tmp_path: Path, hub: tuple[Place, str]
) -> None:
    with (
        FakeUpstream() as upstream,
        running_notary(tmp_path / "n1") as first,
        running_notary(tmp_path / "n2") as second,
        provider(tmp_path / "a", upstream.url, (first, second), hub) as a,
        provider(tmp_path / "b", upstream.url, (first, second), hub) as b,
    ):
        a.open_accounts({f"a-{n}": f"iban-fp-{n // 2}" for n in range(MEMBERS)} | {"both": "opaque:honest-fp"})
        b.open_accounts(
            {f"b-{n}": f"iban-fp-{n}" for n in range(4)} | {"worded": "", "both": "opaque:honest-fp", "own": "x1"}
        )
        campaign_at_b = {"b-0", "b-1", "b-2", "b-3", "worded"}
        a.gateway.start(workers=1)
        b.gateway.start(workers=1)
        for n in range(MEMBERS):
            assert a.ask(f"a-{n}", TEMPLATE.format(WORDS[n % len(WORDS)]), "62.1.1.1") == 200
        a.ask("both", "How long does it take to boil an egg at the top of a mountain, roughly?", "62.1.1.1")
        for account in campaign_at_b:
            text = TEMPLATE if account == "worded" else "What is the weight of one {} in this old house of ours?"
            for word in WORDS[:4]:
                assert b.ask(account, text.format(word), "62.1.1.1") == 200
        for account in ("both", "own"):
            assert b.ask(account, "How long does it take to boil an egg at the top of a mountain?", "62.1.1.1") == 200
        until(lambda: a.carried() == MEMBERS + 1, 150, "tokens at A")
        until(lambda: b.carried() == 7, 150, "tokens at B")

        confirm_at(a)
        told = json.loads(
            a.command("coalition", "publish", "c-1", "--config", "settings.toml", "--by", "ann", "--json").stdout
        )
        assert told["tokens"]["payment"] == MEMBERS // 2 and told["tokens"]["template"] >= 3
        assert b.warned() == set()
        b.command("coalition", "pull", "--config", "settings.toml")
        until(lambda: b.warned() == campaign_at_b, 60, "recognition within one poll")
        waiting = json.loads(b.command("decide", "list", "--waiting", "--json").stdout)
        assert {one["subject"] for one in waiting} == campaign_at_b
        assert {one["source"] for one in waiting} == {"coalition"} and not any(one["accused"] for one in waiting)
        until(lambda: b.ask("b-0", "hello", "62.1.1.1") == 401, 60, "the step-up")
        assert b.ask("both", "hello", "62.1.1.1") == b.ask("own", "hello", "62.1.1.1") == 200
        nothing_to_read(b, ("iban-fp", "honest-fp", "careful expert", "62.1.1.1"))

        a.command("coalition", "revoke", told["campaign"], "--config", "settings.toml", "--by", "ann")
        b.command("coalition", "pull", "--config", "settings.toml")
        until(lambda: b.warned() == set(), 60, "the revocation")
        until(lambda: b.ask("b-0", "hello", "62.1.1.1") == 200, 60, "the end of the step-up")
        assert json.loads(b.command("decide", "list", "--waiting", "--json").stdout) == []
        assert a.gateway.stop() == b.gateway.stop() == 0


def confirm_at(a: Provider) -> None:
    """Hold the campaign's accounts as the watcher would, and confirm it as a person does."""
    now = time.time()
    held = {
        name: Held(account=name, log_e=20.0, accused=True, campaign="c-1", families=("payment",), since=now - 60,
                   effective=now - 60, expires=now + 86_400)
        for name in (f"a-{n}" for n in range(MEMBERS))
    }  # fmt: skip
    write_published(a.gateway.folder.published, Published(generation=10, made_at=now, judged_until=now, held=held))
    a.command("decide", "confirm", "c-1", "--by", "ann", "--reason", "one queue of tasks")


def nothing_to_read(b: Provider, texts: tuple[str, ...]) -> None:
    """Assert that no value in the clear stands in what matching keeps."""
    for path in (*b.state.glob("tokens.sqlite*"), *(b.state / "coalition").rglob("*"), b.state / "warned.json"):
        if path.is_file():
            content = path.read_bytes()
            assert not [text for text in texts if text.encode() in content], path.name
