"""Two honest notaries in series over HTTP: what a member gets, what it may ask, and what an epoch's end leaves."""

import http.client
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from stillwatch.exchange.notary.epochs import EPOCH_SECONDS, epoch_at
from stillwatch.exchange.notary.keyroom import KeyRoom
from stillwatch.exchange.notary.members import DAY, MemberBook
from stillwatch.exchange.notary.series import SeriesTokeniser, oblivious_input
from stillwatch.terms.coalition import TokenInput
from stillwatch.terms.errors import StillwatchError
from tests.notary_rig import RunningNotary, running_notary, series

Pair = tuple[RunningNotary, RunningNotary]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("notaries")
    with running_notary(folder / "a") as first, running_notary(folder / "b") as second:
        yield first, second


def values(n: int) -> list[TokenInput]:
    return [TokenInput("payment", f"opaque:{secrets.token_hex(6)}".encode()) for _ in range(n)]


def test_a_token_is_the_second_notarys_function_of_the_firsts_output(pair: Pair) -> None:
    first, second = pair
    wanted = values(5)
    number = epoch_at(time.time())
    keys = [running.notary.room.key(number) for running in (first, second)]
    expected = [keys[1].output(keys[0].output(oblivious_input(one)))[:16] for one in wanted]
    assert series(first.address(), second.address(), batch=2).tokens(wanted) == expected


def test_two_members_get_equal_tokens_for_equal_values_and_for_no_others(pair: Pair) -> None:
    first, second = pair
    name = secrets.token_hex(4)
    other = series(first.join(name), second.join(name))
    mine = series(first.address(), second.address())
    shared, ours, theirs = values(3), values(2), values(2)
    a, b = mine.tokens([*shared, *ours]), other.tokens([*theirs, *shared])
    assert mine.epoch == other.epoch
    assert set(a) & set(b) == set(a[:3]) == set(b[2:])


def test_kinds_do_not_mix(pair: Pair) -> None:
    first, second = pair
    both = [TokenInput("payment", b"same value"), TokenInput("device", b"same value")]
    a, b = series(first.address(), second.address()).tokens(both)
    assert a != b


def test_what_a_notary_is_sent_differs_each_time(pair: Pair) -> None:
    from stillwatch.exchange.notary.blind import blind

    sent = {blind([b"one value"]).wire for _ in range(50)}
    assert len(sent) == 50


def test_over_the_budget_nothing_is_evaluated_and_the_next_day_begins_anew(tmp_path: Path) -> None:
    moment = [epoch_at(time.time()) * EPOCH_SECONDS + 3 * DAY + 100.0]
    with (
        running_notary(tmp_path / "a", budget=10, clock=lambda: moment[0]) as first,
        running_notary(tmp_path / "b", budget=10, clock=lambda: moment[0]) as second,
    ):
        asking = SeriesTokeniser(first.address(), second.address(), clock=lambda: moment[0])
        asking.tokens(values(7))
        with pytest.raises(StillwatchError, match="budget of 10 elements a day: 3 left"):
            asking.tokens(values(4))
        assert first.notary.counts["elements"] == 7
        moment[0] += DAY
        assert len(asking.tokens(values(4))) == 4


def test_a_budget_outlives_the_process(tmp_path: Path) -> None:
    book = MemberBook(tmp_path / "m")
    key = book.add("acme", 10, 0.0)
    member = book.find(key)
    assert member is not None and book.take(member, 8, 5.0).granted
    book.close()
    again = MemberBook(tmp_path / "m")
    assert not again.take(member, 3, 6.0).granted
    assert again.left(member, 6.0) == 2
    assert again.take(member, 2, 6.0).granted
    assert again.take(member, 10, DAY + 1.0).granted


def test_a_revoked_key_and_a_guessed_one_open_nothing(tmp_path: Path) -> None:
    with running_notary(tmp_path / "a") as first, running_notary(tmp_path / "b") as second:
        first.notary.members.revoke("acme", time.time())
        with pytest.raises(StillwatchError, match="status 401"):
            series(first.address(), second.address()).tokens(values(1))
        assert first.notary.members.find("nk_" + "A" * 43) is None
        assert first.notary.members.find("") is None


def test_when_an_epoch_ends_its_key_is_gone_and_tokens_have_another_name(tmp_path: Path) -> None:
    moment = [epoch_at(time.time()) * EPOCH_SECONDS + 100.0]
    clock = lambda: moment[0]  # noqa: E731
    with running_notary(tmp_path / "a", clock=clock) as first, running_notary(tmp_path / "b", clock=clock) as second:
        asking = SeriesTokeniser(first.address(), second.address(), clock=clock)
        one, before, number = values(1), asking.epoch, epoch_at(moment[0])
        token = asking.tokens(one)
        seed = (tmp_path / "a" / f"epoch-{number}.seed").read_bytes()
        moment[0] += EPOCH_SECONDS
        assert asking.epoch != before and asking.tokens(one) != token
        for folder in ("a", "b"):
            assert [path.name for path in (tmp_path / folder).glob("epoch-*")] == [f"epoch-{number + 1}.seed"]
        assert not any(seed in path.read_bytes() for path in (tmp_path / "a").iterdir() if path.is_file())
        with pytest.raises(StillwatchError, match="destroyed and do not come back"):
            first.notary.room.key(number)


def test_keys_are_their_owners_alone_and_are_made_once(tmp_path: Path) -> None:
    room = KeyRoom.make(tmp_path / "n", 0.0)
    for path in (tmp_path / "n").iterdir():
        assert path.stat().st_mode & 0o077 == 0
    with pytest.raises(StillwatchError, match="has an identity already"):
        KeyRoom.make(tmp_path / "n", 0.0)
    assert not room.turn(5.0).made
    with pytest.raises(StillwatchError, match="set the clock"):
        room.turn(EPOCH_SECONDS * 3.0)  # a clock that jumped destroys nothing by itself
    assert room.key(0).public
    assert room.turn(EPOCH_SECONDS * 3.0, leap=True).destroyed == (0,)


def test_a_body_that_is_no_batch_is_refused_before_it_is_paid_for(pair: Pair) -> None:
    first, _ = pair
    number, member = epoch_at(time.time()), first.notary.members.find(first.keys["acme"])
    assert member is not None
    left = first.notary.members.left(member, time.time())

    def post(path: str, body: bytes, key: str = first.keys["acme"]) -> int:
        connection = http.client.HTTPConnection(first.url.removeprefix("http://"), timeout=10)
        connection.request("POST", path, body, {"authorization": f"Bearer {key}"})
        return connection.getresponse().status

    path = f"/v1/epochs/{number}/evaluate"
    assert post(path, b"") == post(path, b"x" * 33) == 400
    assert post(path, b"x" * 32 * 1025) == 413
    assert post(path, b"x" * 32, key="nk_no") == post(path, b"x" * 32, key="") == 401
    assert post(f"/v1/epochs/{number - 1}/evaluate", b"x" * 32) == 410
    assert first.notary.members.left(member, time.time()) == left
    assert post(path, b"\xff" * 32) == post(path, bytes(32)) == 400  # no group element, and the identity
