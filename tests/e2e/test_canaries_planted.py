"""Canaries through the running gateway: planted for the confirmed account only, committed before, read on a student."""

import json
import math
import random
import re
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from stillwatch.app.canaries import CanaryAsk, plan, read_suspect
from stillwatch.app.control import canary_secret, key_secret, open_control
from stillwatch.app.decide import DAY, Ask, decide
from stillwatch.app.keys import NewKey, create_key
from stillwatch.app.settings import load_settings
from stillwatch.app.treating import treater_of
from stillwatch.forensics.canaries import Answered
from stillwatch.gateway.desk import MemoryDesk
from stillwatch.policy.config import PolicyConfig
from stillwatch.policy.rule import Rule
from stillwatch.store.control import SqliteControl
from stillwatch.terms.account import Decision
from stillwatch.treatments.canaries import TEMPLATES, drawn
from tests.fake_upstream import FakeUpstream
from tests.gateway_rig import CHAT, MESSAGES, Answer, Rig, ask, rig, run

PLANT = Rule(name="plant", action="perturb", needs="confirmed", treatments=("canary",), approved_by="ada", shadow=False,
             expires_days=30.0)  # fmt: skip
STORY = "Write a short story about a girl in a garden."
SAID = "Suppose Sarah has a garden. Sarah waters it. Imagine Tom helps."


class Place:
    """A state folder with accounts, and a gateway's desk and treater over it."""

    def __init__(self, folder: Path, accounts: tuple[str, ...]) -> None:
        self.state = folder
        self.book: SqliteControl = open_control(folder)
        self.secret = canary_secret(folder)
        secret, now = key_secret(folder), time.time()
        self.keys = {name: create_key(self.book, secret, NewKey(account=name), now).key for name in accounts}
        policy = PolicyConfig(rules=(PLANT,))
        self.desk = MemoryDesk(self.book, folder / "published.json", policy, secret)

    def confirm(self, account: str) -> None:
        now = time.time()
        held = Decision(subject=account, kind="account", accounts=(account,), verb="confirm", by="ada", reason="seen",
                        at=now, expires=now + 30 * DAY, receipt="f" * 32)  # fmt: skip
        self.book.add_decision(held)

    def plan(self, account: str, **more: Any) -> None:
        plan(self.book, CanaryAsk(subject=account, by="ada", reason="clear", **more), self.secret, time.time())

    @asynccontextmanager
    async def gateway(self, upstream: str) -> AsyncIterator[Rig]:
        self.desk.refresh(time.time())
        async with rig(upstream, self.desk) as found:  # type: ignore[arg-type]
            found.app.treat_with(treater_of(self.state, load_settings(None), "w0", self.desk.canaries))
            yield found

    async def ask(self, gateway: Rig, account: str, body: Any, path: str = CHAT) -> Answer:
        return await ask(gateway.url, path, body, headers={"authorization": f"Bearer {self.keys[account]}"})

    def values(self, account: str) -> dict[str, str]:
        found = [drawn(r, self.secret) for r in self.book.canaries() if account in r.accounts]
        return {one.template.name: one.value for one in found}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "state", ("thief", "honest", "waiting"))


def chat(text: str = STORY, **more: Any) -> dict[str, Any]:
    return {"model": f"toy-chat?text={SAID.replace(' ', '+')}", "messages": [{"role": "user", "content": text}], **more}


def written(body: bytes) -> str:
    lines = [line[6:] for line in body.split(b"\n") if line.startswith(b"data: {")]
    choices = [choice for line in lines for choice in json.loads(line)["choices"]]
    return "".join(choice["delta"].get("content") or "" for choice in choices)


def test_only_the_confirmed_account_is_planted_and_all_others_keep_every_byte(place: Place) -> None:
    async def test() -> None:
        with FakeUpstream() as fake:
            place.confirm("thief")
            place.plan("thief", count=48)
            async with place.gateway(fake.url) as gateway:
                for stream in (False, True):
                    body = chat(stream=stream)
                    direct = await ask(fake.url, CHAT, body)
                    for account in ("honest", "waiting"):
                        through = await place.ask(gateway, account, body)
                        assert through.body == direct.body
                        assert fake.received[-1].raw == json.dumps(body).encode()
                    planted = await place.ask(gateway, "thief", body)
                    said = written(planted.body) if stream else planted.json["choices"][0]["message"]["content"]
                    names = [place.values("thief")[name] for name in ("name-hero", "name-gardener")]
                    assert "Tom" not in said and any(name in said for name in names) and "Sarah waters" in said
                    assert any(name in fake.received[-1].json["messages"][0]["content"] for name in names)
                    plain = chat("Write Python code that sorts a list.", stream=stream)
                    direct = await ask(fake.url, CHAT, plain)
                    assert (await place.ask(gateway, "thief", plain)).body == direct.body
                    assert fake.received[-1].raw == json.dumps(plain).encode()

    run(test)


def test_registered_but_not_confirmed_is_not_planted_and_neither_is_released_retired_or_expired(place: Place) -> None:
    async def test() -> None:
        with FakeUpstream() as fake:
            place.confirm("thief")
            async with place.gateway(fake.url) as gateway:
                direct = (await ask(fake.url, CHAT, chat())).body

                async def planted() -> bool:
                    place.desk.refresh(time.time())
                    return (await place.ask(gateway, "thief", chat())).body != direct

                assert not await planted(), "confirmed, but nothing is registered"
                place.plan("thief", count=48)
                assert await planted()
                ids = [record.id for record in place.book.canaries()]
                for one in ids[:-1]:
                    place.book.retire_canary(one, time.time(), "ada")
                last = drawn(place.book.canaries()[-1], place.secret).value
                await place.ask(gateway, "thief", chat())
                place.desk.refresh(time.time())
                await place.ask(gateway, "thief", chat())
                sent = fake.received[-1].raw.decode()
                assert all(value == last or value not in sent for value in place.values("thief").values())
                decide(place.book, Ask(subject="thief", verb="release", by="bo", reason="enough"), (), time.time())
                assert not await planted(), "released"

    run(test)


def test_every_commitment_is_older_than_the_first_request_that_carries_it(place: Place) -> None:
    async def test() -> None:
        with FakeUpstream() as fake:
            place.confirm("thief")
            async with place.gateway(fake.url) as gateway:
                await place.ask(gateway, "thief", chat())
                before = place.book.generation()
                place.plan("thief", count=48)
                await place.ask(gateway, "thief", chat())  # registered, but this worker has not read it yet
                assert all("For free choices" not in got.raw.decode() for got in fake.received)
                place.desk.refresh(time.time())
                assert place.book.generation() > before
                await place.ask(gateway, "thief", chat())
                first = time.time() - (time.monotonic() - fake.received[-1].arrived)
                with SqliteControl(place.state / "control.sqlite") as other:  # durable: another connection sees it
                    assert all(record.made < first and len(record.commitment) == 64 for record in other.canaries())
                assert "For free choices" in fake.received[-1].raw.decode()

    run(test)


def test_anthropic_messages_carry_them_in_their_system_field(place: Place) -> None:
    async def test() -> None:
        with FakeUpstream() as fake:
            place.confirm("thief")
            place.plan("thief", count=48)
            async with place.gateway(fake.url) as gateway:
                body = {"model": "toy-chat", "max_tokens": 50, "messages": [{"role": "user", "content": STORY}]}
                await place.ask(gateway, "thief", body, MESSAGES)
                assert any(value in fake.received[-1].json["system"] for value in place.values("thief").values())

    run(test)


# ---- a student ----

ASKED = tuple(
    f"Please {verb} {what} {about}."
    for verb, what in (("write", "a short text"), ("give", "a simple example"), ("make up", "a short story"))
    for about in sorted({f"with a {topic}" for form in TEMPLATES for topic in form.topics})
)


def teacher(body: dict[str, Any], rng: random.Random) -> dict[str, str]:
    """A teacher that follows the lines of its system prompt, and makes its own free choices where it has none."""
    system = body["messages"][0]["content"] if body["messages"][0]["role"] == "system" else ""
    asked = body["messages"][-1]["content"].lower()
    chosen = {}
    for form in TEMPLATES:
        if any(re.search(rf"\b{topic}", asked) for topic in form.topics):
            head, _, tail = form.line.partition("{value}")
            found = re.search(re.escape(head) + "(.*?)" + re.escape(tail), system)
            chosen[form.name] = found.group(1) if found else rng.choice(form.pool[:6])
    return chosen


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_a_student_of_the_planted_account_is_shown_and_that_of_any_other_is_not(place: Place, share: float) -> None:
    """What reaches the upstream is what a teacher would have said; a student learns its commonest choices."""

    async def test() -> None:
        rng, learned = random.Random(7), {form.name: Counter[str]() for form in TEMPLATES}
        with FakeUpstream() as fake:
            for account in ("thief", "waiting"):
                place.confirm(account)
                place.plan(account)
            async with place.gateway(fake.url) as gateway:
                for n, text in enumerate(ASKED):
                    account = "thief" if n % 100 < 100 * share else "honest"
                    await place.ask(gateway, account, {"model": "toy", "messages": [{"role": "user", "content": text}]})
                    for name, value in teacher(fake.received[-1].json, rng).items():
                        learned[name][value] += 1
        answers = {
            name: Answered(texts=(f"So: {seen.most_common(1)[0][0]}.",)) for name, seen in learned.items() if seen
        }
        done = read_suspect(place.book.canaries(), answers, place.secret)
        by = {reading.subject: reading for reading in done.readings}
        assert by["waiting"].log_p > math.log(1e-4), "planted for another account, never served to this student"
        if share:
            assert done.shown == ("thief",) and by["thief"].hits >= 15 and by["thief"].log_p < math.log(1e-9)
        else:
            assert done.shown == () and by["thief"].log_p > math.log(1e-4)

    run(test)
