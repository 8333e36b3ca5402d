"""The dry run says whom rules would order what, as workers would, and how much traffic that is; nothing changes."""

from pathlib import Path

import numpy as np
import pytest

from stillwatch.app.accounts import set_account
from stillwatch.app.decide import DAY, Ask, decide
from stillwatch.app.dryrun import dry_run
from stillwatch.app.livefolder import LiveFolder
from stillwatch.app.state import master_key
from stillwatch.app.subjects import claims_of_held
from stillwatch.gateway.desk import MemoryDesk
from stillwatch.gateway.ports import Caller
from stillwatch.gateway.published import Published, write_published
from stillwatch.policy.config import PolicyConfig, read_policy
from stillwatch.sketch.keys import KeyRing, epoch_of
from stillwatch.store.clickhouse import Store
from stillwatch.store.controlmemory import MemoryControl
from stillwatch.terms.action import Held
from stillwatch.terms.event import empty_events

NOW = 1.77e9


def held(account: str, log_e: float) -> Held:
    return Held(account=account, log_e=log_e, accused=True, campaign="C-1", since=NOW - 9e3, effective=NOW - 5e3,
                expires=NOW + 7 * DAY)  # fmt: skip


@pytest.fixture
def state(tmp_path: Path) -> Path:
    verdicts = {one.account: one for one in (held("strong", 20.0), held("weak", 5.0), held("promised", 20.0))}
    write_published(tmp_path / "published.json", Published(generation=1, made_at=NOW, judged_until=NOW, held=verdicts))
    return tmp_path


@pytest.fixture
def book() -> MemoryControl:
    made = MemoryControl()
    set_account(made, "honest", {"plan": "pro"})
    set_account(made, "promised", {"unmodified": True})
    return made


def test_it_says_what_holds_now_and_what_a_confirmation_would_do(state: Path, book: MemoryControl) -> None:
    generation = book.generation()
    run = dry_run(book, state, PolicyConfig(), NOW)
    said = {o.account: (o.action, o.shadow, o.action_if_confirmed, o.bites_if_confirmed) for o in run.ordered}
    assert said == {"strong": ("slow", True, "refuse", True), "weak": ("mark", True, "challenge", True)}
    assert run.accounts == 4 and [o.account for o in run.ordered] == ["strong", "weak"], "severest first"
    assert book.generation() == generation


def test_it_agrees_with_the_desk_of_a_worker(state: Path, book: MemoryControl) -> None:
    claims = claims_of_held([held("strong", 20.0)])
    decide(book, Ask(subject="strong", verb="confirm", by="a", reason="r"), claims, NOW)
    policy = read_policy({"rule": [
        {"name": "hard", "action": "refuse", "needs": "confirmed", "shadow": False, "expires_days": 9,
         "models": ["large-*"]},
        {"name": "soft", "action": "mark", "expires_days": 9},
    ]})  # fmt: skip
    desk = MemoryDesk(book, state / "published.json", policy, b"k" * 32)
    desk.refresh(NOW)
    run = {o.account: o for o in dry_run(book, state, policy, NOW).ordered}
    for account in ("strong", "weak", "promised", "honest"):
        caller = Caller(account=account, key_id="k", unmodified=account == "promised")
        order = desk.action(caller, "large-*", "chat", NOW)
        assert (run[account].action if account in run else "allow") == order.kind, account


def test_requests_of_the_last_days_are_counted_from_live_traffic(state: Path, book: MemoryControl) -> None:
    epoch = epoch_of(NOW)
    keys = KeyRing(master_key(state)).for_epoch(epoch)
    events = empty_events(30)
    events["event_id"], events["epoch"] = np.arange(30) + 1, epoch
    events["account"] = [keys.hash("account", "weak" if n < 20 else "honest") for n in range(30)]
    events["time"] = NOW - np.where(np.arange(30) % 2, 0.0, 8 * DAY)
    store = Store.open(LiveFolder(state).store)
    store.ingest("x", [events], "x")
    store.close()
    run = dry_run(book, state, PolicyConfig(), NOW)
    assert (run.requests, {o.account: o.requests for o in run.ordered}) == (15, {"strong": 0, "weak": 10})
    assert {t.rule: t.requests for t in run.if_confirmed if t.accounts} == {
        "confirmed-strong": 0,
        "confirmed": 10,
        "": 5,
    }
    assert dry_run(book, state, PolicyConfig(), NOW, days=9.0).requests == 30
