"""Every keeper of control records behaves as the one in memory: order, replacing, adding only, all or nothing."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from stillwatch.app.control import Book
from stillwatch.store.control import SqliteControl
from stillwatch.store.controlmemory import MemoryControl
from stillwatch.terms.account import AccountRecord, Appeal, Control, Decision, KeyRecord
from stillwatch.terms.canary import CanaryRecord
from stillwatch.terms.errors import StillwatchError
from stillwatch.terms.grant import GrantRecord

NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
TIMES = st.floats(0, 4e9, allow_nan=False)
KEYS = st.builds(
    KeyRecord, key_id=st.sampled_from(["k_1", "k_2", "k_3"]), digest=st.sampled_from(["a" * 64, "b" * 64, "c" * 64]),
    account=NAMES, label=st.text(st.characters(codec="utf-8"), max_size=5), created=TIMES,
    expires=st.none() | TIMES, revoked=st.none() | TIMES,
)  # fmt: skip
ACCOUNTS = st.builds(
    AccountRecord, account=st.sampled_from(["a", "B", "ä", "z'; --", "日本"]), organisation=NAMES, plan=NAMES,
    payment=NAMES, country=st.sampled_from(["", "DE"]), unmodified=st.booleans(),
    workload=st.sampled_from(["", "research"]), workload_tokens=st.integers(0, 2**62),
    verified=st.lists(st.sampled_from(["contact", "payment"]), max_size=2).map(tuple),
)  # fmt: skip
DECISIONS = st.builds(
    Decision, id=st.integers(0, 99), subject=NAMES, kind=st.sampled_from(["account", "campaign"]),
    accounts=st.lists(NAMES, max_size=4).map(tuple), verb=st.sampled_from(["confirm", "dismiss", "release"]),
    by=NAMES, reason=NAMES, at=TIMES, expires=TIMES, receipt=st.text("0123456789abcdef", max_size=8),
)  # fmt: skip
APPEALS = st.builds(
    Appeal, id=st.sampled_from(["ap_1", "ap_2", "ap_3"]), account=NAMES, opened=TIMES,
    state=st.sampled_from(["open", "granted", "refused"]), statement=NAMES, answered=st.none() | TIMES, by=NAMES,
    reason=NAMES,
)  # fmt: skip
CANARIES = st.builds(
    CanaryRecord, id=st.sampled_from(["cn_1", "cn_2", "cn_3"]), subject=NAMES, kind=st.sampled_from(["account"]),
    accounts=st.lists(NAMES, max_size=3).map(tuple), template=NAMES, alternatives=st.integers(2, 24),
    nonce=st.just("0" * 32), commitment=st.just("f" * 64), made=TIMES, expires=TIMES, by=NAMES, reason=NAMES,
    decision=st.integers(0, 9), retired=st.just(None), retired_by=st.just(""),
)  # fmt: skip

GRANTS = st.builds(
    GrantRecord, id=st.sampled_from(["g_1", "g_2", "g_3"]), account=NAMES, organisation=NAMES,
    models=st.lists(NAMES, min_size=1, max_size=3).map(tuple), tokens=st.integers(1, 2**62),
    purposes=st.lists(NAMES, max_size=2).map(tuple), student_parameters=st.integers(0, 2**40),
    redistribution=st.sampled_from(["none", "weights"]), thumbprint=NAMES, issued=TIMES, expires=TIMES, by=NAMES,
    reason=NAMES, revoked=st.just(None), revoked_by=st.just(""),
)  # fmt: skip


@pytest.fixture(params=["sqlite", "memory"])
def book(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Book]:
    made: Book = SqliteControl(tmp_path / "control.sqlite") if request.param == "sqlite" else MemoryControl()
    with made:
        yield made


def contents(book: Control) -> tuple[object, ...]:
    kept = (book.keys(), book.accounts(), book.decisions(), book.appeals(), book.canaries(), book.grants())
    return (*kept, dict(book.grant_use()))


def decision(number: int) -> Decision:
    return Decision(subject=f"s{number}", kind="account", accounts=(f"s{number}",), verb="confirm", by="b", reason="r",
                    at=float(number), expires=1e9)  # fmt: skip


def key(number: int, **more: object) -> KeyRecord:
    made = KeyRecord(key_id=f"k_{number}", digest=f"{number:064x}", account="a", created=float(number))
    return replace(made, **more)  # type: ignore[arg-type]


class Agree(RuleBasedStateMachine):
    """The file and the fake are told the same, in any order, and must say the same."""

    folder: Path

    @initialize()
    def begin(self) -> None:
        for left in self.folder.glob("*"):
            left.unlink()
        self.fake, self.path = MemoryControl(), self.folder / "control.sqlite"
        self.real = SqliteControl(self.path)

    def both(self, name: str, value: object) -> None:
        before = self.real.generation()
        said = []
        for one in (self.fake, self.real):
            try:
                said.append(getattr(one, name)(value))
            except StillwatchError:
                said.append("refused")
        assert said[0] == said[1]
        assert (self.real.generation() > before) == (said[0] != "refused")

    @rule(record=KEYS)
    def put_key(self, record: KeyRecord) -> None:
        self.both("put_key", record)

    @rule(record=ACCOUNTS)
    def put_account(self, record: AccountRecord) -> None:
        self.both("put_account", record)

    @rule(made=DECISIONS)
    def add_decision(self, made: Decision) -> None:
        self.both("add_decision", made)

    @rule(appeal=APPEALS)
    def put_appeal(self, appeal: Appeal) -> None:
        self.both("put_appeal", appeal)

    @rule(record=CANARIES)
    def add_canary(self, record: CanaryRecord) -> None:
        self.both("add_canary", record)

    @rule(canary=st.sampled_from(["cn_1", "cn_2", "cn_9"]), at=TIMES)
    def retire_canary(self, canary: str, at: float) -> None:
        before = self.real.generation(), self.fake.generation()
        for one in (self.fake, self.real):
            one.retire_canary(canary, at, "ada")
        assert (self.real.generation() > before[0]) == (self.fake.generation() > before[1])

    @rule(record=GRANTS)
    def add_grant(self, record: GrantRecord) -> None:
        self.both("add_grant", record)

    @rule(grant=st.sampled_from(["g_1", "g_2", "g_9"]), at=TIMES)
    def revoke_grant(self, grant: str, at: float) -> None:
        before = self.real.generation(), self.fake.generation()
        for one in (self.fake, self.real):
            one.revoke_grant(grant, at, "ada")
        assert (self.real.generation() > before[0]) == (self.fake.generation() > before[1])

    @rule(grant=st.sampled_from(["g_1", "g_2"]), tokens=st.integers(1, 10**9))
    def add_grant_use(self, grant: str, tokens: int) -> None:
        before = self.real.generation()
        for one in (self.fake, self.real):
            one.add_grant_use(grant, tokens)
        assert self.real.generation() == before

    @rule()
    def reopen(self) -> None:
        before = self.real.generation()
        self.real.close()
        self.real = SqliteControl(self.path)
        assert self.real.generation() == before

    @invariant()
    def they_say_the_same(self) -> None:
        if hasattr(self, "real"):
            assert contents(self.real) == contents(self.fake)
            for account in ("a", "B", "ä", "nobody"):
                assert self.real.find_account(account) == self.fake.find_account(account)

    def teardown(self) -> None:
        if hasattr(self, "real"):
            self.real.close()


def test_the_file_and_the_fake_agree_whatever_is_done(tmp_path: Path) -> None:
    case = type("AgreeHere", (Agree,), {"folder": tmp_path}).TestCase
    case.settings = settings(max_examples=15, stateful_step_count=12, deadline=None,
                             suppress_health_check=[HealthCheck.too_slow])  # fmt: skip
    case("runTest").runTest()


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(records=st.lists(ACCOUNTS, max_size=6))
def test_accounts_are_replaced_and_come_by_id(records: list[AccountRecord]) -> None:
    fake = MemoryControl()
    for record in records:
        fake.put_account(record)
    last = {r.account: r for r in records}
    assert fake.accounts() == tuple(sorted(last.values(), key=lambda r: r.account))


def test_keys_come_oldest_first_and_one_digest_is_one_key(book: Book) -> None:
    for number in (3, 1, 2):
        book.put_key(key(number))
    assert [k.key_id for k in book.keys()] == ["k_1", "k_2", "k_3"]
    book.put_key(key(2, revoked=9.0))
    assert [k.revoked for k in book.keys()] == [None, 9.0, None]


def test_a_key_id_belongs_to_one_key(book: Book) -> None:
    book.put_key(key(1))
    with pytest.raises(StillwatchError, match="nothing was changed"):
        book.put_key(key(2, key_id="k_1"))
    with pytest.raises(StillwatchError, match="nothing was changed"):
        book.put_key(key(3, digest="short"))
    assert book.keys() == (key(1),)


def test_decisions_can_only_be_added_and_are_numbered(book: Book) -> None:
    assert [book.add_decision(replace(decision(n), id=77)) for n in range(3)] == [1, 2, 3]
    assert book.decisions() == tuple(replace(decision(n), id=n + 1) for n in range(3))
    assert not [name for name in dir(book) if "decision" in name and name.startswith(("put", "drop", "remove", "set"))]


def test_canaries_can_only_be_added_and_retired_once(book: Book) -> None:
    first = CanaryRecord(
        id="cn_1",
        subject="a",
        kind="account",
        accounts=("a",),
        template="t",
        alternatives=16,
        nonce="0" * 32,
        commitment="f" * 64,
        made=1.0,
        expires=9.0,
        by="ada",
        reason="r",
        decision=1,
    )
    book.add_canary(first)
    with pytest.raises(StillwatchError):
        book.add_canary(replace(first, commitment="0" * 64))
    book.retire_canary("cn_1", 5.0, "bo")
    book.retire_canary("cn_1", 6.0, "eve")
    book.retire_canary("cn_none", 6.0, "eve")
    assert book.canaries() == (replace(first, retired=5.0, retired_by="bo"),)


def test_the_generation_tells_every_change_and_only_those(book: Book) -> None:
    seen = [book.generation()]
    changes = (
        lambda: book.put_key(key(1)), lambda: book.put_account(AccountRecord(account="a")),
        lambda: book.add_decision(decision(1)),
        lambda: book.put_appeal(Appeal(id="ap_1", account="a", opened=1.0, state="open")),
    )  # fmt: skip
    for change in changes:
        change()
        seen.append(book.generation())
        assert (book.generation(), contents(book)) == (seen[-1], contents(book))
    assert len(set(seen)) == len(seen) and seen == sorted(seen)


def test_changes_made_together_are_all_kept_or_none(book: Book) -> None:
    with book.changing():
        book.put_key(key(1))
        with book.changing():
            book.add_decision(decision(1))
    before, generation = contents(book), book.generation()
    with pytest.raises(ZeroDivisionError), book.changing():
        book.put_key(key(2))
        with book.changing():
            book.add_decision(decision(2))
        assert len(book.decisions()) == 2, "what was changed so far can be read"
        raise ZeroDivisionError
    assert contents(book) == before
    assert book.generation() == generation
    book.put_key(key(3))
    assert len(book.keys()) == 2


def test_a_refusal_within_is_undone_with_all_that_came_before_it(book: Book) -> None:
    with pytest.raises(StillwatchError), book.changing():
        book.put_key(key(1))
        book.put_key(key(2, key_id="k_1"))
    assert book.keys() == ()


def test_threads_lose_no_change(book: Book) -> None:
    def work(number: int) -> None:
        for step in range(5):
            book.add_decision(decision(10 * number + step))
            with book.changing():
                record = next((r for r in book.accounts() if r.account == "a"), AccountRecord(account="a"))
                book.put_account(replace(record, workload_tokens=record.workload_tokens + 1))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(d.id for d in book.decisions()) == list(range(1, 21))
    assert book.accounts()[0].workload_tokens == 20


def test_closing_twice_does_no_harm(book: Book) -> None:
    book.close()
    book.close()
