"""Limits hold whichever worker a connection meets, over restarts, and whatever becomes of a worker or of the file."""

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.gateway import sharedmeters
from stillwatch.gateway.meters import MemoryMeters
from stillwatch.gateway.sharedmeters import SharedMeters
from stillwatch.policy.buckets import Rate
from stillwatch.policy.config import PlanLimit, PolicyConfig
from stillwatch.terms.action import ALLOW
from stillwatch.terms.errors import StillwatchError
from tests.desk_office import NOW, Office

KEY = b"k" * 32
RATE = Rate(requests=1.0, tokens=100.0, burst=10.0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "meters"


@pytest.fixture
def meters(path: Path) -> Iterator[SharedMeters]:
    made = SharedMeters(path, KEY)
    yield made
    made.close()


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["take", "settle", "spend", "left", "back"]), st.sampled_from("abc"), st.floats(0.0, 30.0),
        st.floats(0.0, 3_000.0),
    ),
    max_size=60,
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(steps=STEPS)
def test_it_counts_as_one_worker_s_memory_does(
    steps: list[tuple[str, str, float, float]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    alone, shared = MemoryMeters(), SharedMeters(tmp_path_factory.mktemp("m") / "meters", KEY)
    now = NOW
    for verb, account, pause, tokens in steps:
        now += pause
        for one in (alone, shared):
            if verb == "settle":
                one.settle(account, tokens - 1_000.0, now)
            elif verb == "spend":
                one.spend_workload(account, tokens, now)
            elif verb == "back":
                one.restart(now - 100.0)
        now -= 100.0 * (verb == "back")
        if verb == "take":
            assert alone.take(account, RATE, tokens, now) == shared.take(account, RATE, tokens, now)
        assert alone.workload_left(account, 4_000.0, now) == shared.workload_left(account, 4_000.0, now)
    shared.close()


def test_two_desks_give_one_limit_between_them_and_a_restart_gives_no_other(tmp_path: Path, path: Path) -> None:
    policy = PolicyConfig(limits=(PlanLimit(requests_per_minute=60),))
    desks = []
    for name in ("a", "b", "after a restart"):
        (tmp_path / name).mkdir()
        office = Office(tmp_path / name, policy, meters=SharedMeters(path, KEY))
        office.key()
        office.desk.refresh(NOW)
        desks.append(office)
    first, second, third = desks
    assert all(first.desk.admit(first.caller(), ALLOW, 1, NOW) is None for _ in range(6))
    assert all(second.desk.admit(second.caller(), ALLOW, 1, NOW) is None for _ in range(4))
    assert [one.desk.admit(one.caller(), ALLOW, 1, NOW) is None for one in desks] == [False, False, False]
    assert third.desk.admit(third.caller(), ALLOW, 1, NOW + 1.0) is None, "a second is worth a request"


def _worker(path: Path, tries: int, told: "multiprocessing.Queue[int]") -> None:
    meters = SharedMeters(path, KEY)
    told.put(sum(meters.take("acme", Rate(requests=1.0, burst=500.0), 1, NOW) == 0.0 for _ in range(tries)))


def test_processes_that_race_let_through_one_limit(path: Path) -> None:
    """Four that do nothing else; who does not get the lock in time counts without it, which is seldom."""
    context = multiprocessing.get_context("fork")
    told = context.Queue()
    workers = [context.Process(target=_worker, args=(path, 600, told)) for _ in range(4)]
    for worker in workers:
        worker.start()
    through = sum(told.get(timeout=60) for _ in workers)
    for worker in workers:
        worker.join()
    assert 500 <= through <= 525


def _holder(path: Path) -> None:
    meters = SharedMeters(path, KEY)
    assert meters._lock(meters._place("acme")[0])
    (path.parent / "holds").touch()
    time.sleep(60)


@pytest.mark.parametrize("killed", [False, True])
def test_a_worker_that_stops_or_dies_with_a_lock_makes_nobody_wait(
    meters: SharedMeters, path: Path, killed: bool
) -> None:
    holder = multiprocessing.get_context("fork").Process(target=_holder, args=(path,))
    holder.start()
    assert holder.pid is not None
    while not (path.parent / "holds").exists():
        assert holder.is_alive()
        time.sleep(0.01)
    os.kill(holder.pid, signal.SIGKILL if killed else signal.SIGSTOP)
    if killed:
        holder.join()
    begun = time.monotonic()
    assert [meters.take("acme", RATE, 1, NOW) for _ in range(10)] == [0.0] * 10
    assert meters.take("acme", RATE, 1, NOW) > 0.0
    assert time.monotonic() - begun < 5.0
    os.kill(holder.pid, signal.SIGKILL) if not killed else None
    holder.join()


@pytest.mark.parametrize("content", [b"", b"of another release", bytes(9_000_000)])
def test_a_file_that_is_none_of_ours_is_made_anew(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    meters = SharedMeters(path, KEY)
    assert meters.take("acme", RATE, 1, NOW) == 0.0 and path.stat().st_size == sharedmeters._BYTES
    meters.close()


def test_a_slot_that_holds_nonsense_locks_nobody_out(meters: SharedMeters) -> None:
    start, digest = meters._place("acme")
    meters.take("acme", RATE, 1, NOW)
    at = start + sharedmeters._found(meters._read(start), digest)
    for wrong in (float("nan"), float("inf"), 1e300):
        meters._write(at, sharedmeters._SLOT.pack(digest, wrong, wrong, wrong, 0, 0.0, NOW))
        assert meters.take("acme", RATE, 1, NOW) == 0.0


def test_a_file_cut_under_a_worker_costs_what_was_counted(meters: SharedMeters, path: Path) -> None:
    meters.take("acme", RATE, 1, NOW)
    os.truncate(path, 100)
    assert meters.take("acme", RATE, 1, NOW) == 0.0 and meters.workload_left("acme", 1.0, NOW)
    meters.settle("other", 5.0, NOW)


def test_a_disk_that_refuses_lets_requests_through_and_says_so(
    meters: SharedMeters, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    assert meters.take("acme", RATE, 1, NOW) == 0.0 and meters.dropped == 1


def test_more_accounts_than_there_is_room_for_forget_those_at_rest_first(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sharedmeters, "SETS", 1)
    meters = SharedMeters(path, KEY)
    for number in range(100):
        now = NOW + 30.0 * number
        assert meters.take(f"once-{number}", RATE, 1, now) == 0.0
        assert meters.take("busy", Rate(requests=0.01, burst=1.0), 1, now) == 0.0 or number % 4
    assert meters.dropped == 0
    for number in range(20):
        meters.take(f"flood-{number}", RATE, 1, now)
    assert meters.dropped > 0
    meters.close()


def test_no_account_s_name_stands_in_the_file(meters: SharedMeters, path: Path) -> None:
    meters.take("acme-corporation", RATE, 1, NOW)
    assert b"acme" not in path.read_bytes() and path.stat().st_mode & 0o077 == 0


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(StillwatchError, match="meters"):
        SharedMeters(tmp_path / "nowhere" / "meters", KEY)
