"""The spool promises: nothing waits, nothing is lost silently, nothing is in plain text."""

import hashlib
import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from operator import attrgetter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import stillwatch
from stillwatch.gateway import segments
from stillwatch.gateway.segmentfiles import SpoolConfig
from stillwatch.gateway.segments import Sealer, closed_segments, read_segment, read_segments
from stillwatch.gateway.spool import SpoolWriter
from stillwatch.gateway.spoolcount import adopt, living
from stillwatch.terms.errors import StillwatchError
from stillwatch.terms.served import Served

KEY = bytes(range(32))
FAST = SpoolConfig(write_seconds=0.001, fsync_seconds=0.02, roll_seconds=0.05)


def served(number: int = 0, *, request: bytes = b'{"messages": []}', answer: bytes = b"{}") -> Served:
    return Served(
        time=1_767_571_200.0 + number, request_id=f"req_{number}", endpoint="chat", account=f"acct{number % 5}",
        status=200, latency=0.5, request=request, answer=answer,
    )  # fmt: skip


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[SpoolWriter]:
    made = SpoolWriter(tmp_path, KEY, "w0", FAST)
    yield made
    made.close()


def until(met: Callable[[], bool], seconds: float = 5.0) -> None:
    give_up = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < give_up, "did not come about"
        time.sleep(0.005)


def found(folder: Path, key: bytes = KEY) -> list[Served]:
    return [one for segment in read_segments(folder, key) for one in segment.exchanges]


def test_what_was_recorded_is_read_back_in_order(tmp_path: Path, writer: SpoolWriter) -> None:
    sent = [served(n) for n in range(300)]
    assert all(writer.record(one) for one in sent)
    assert writer.close() == 0
    assert found(tmp_path) == sent


def test_large_exchanges_keep_their_place(tmp_path: Path, writer: SpoolWriter) -> None:
    sent = [served(n, answer=b"x" * (200_000 if n % 3 == 0 else 10)) for n in range(12)]
    for one in sent:
        writer.record(one)
    writer.close()
    assert found(tmp_path) == sent


def test_a_segment_is_given_to_the_watcher_without_further_traffic(tmp_path: Path, writer: SpoolWriter) -> None:
    writer.record(served())
    until(lambda: len(closed_segments(tmp_path)) == 1)
    assert found(tmp_path) == [served()]


def test_segments_roll_by_size(tmp_path: Path) -> None:
    writer = SpoolWriter(tmp_path, KEY, "w0", SpoolConfig(segment_bytes=8192, roll_seconds=60.0))
    for number in range(64):
        writer.record(served(number, request=b"x" * 2048))
    writer.close()
    assert len(found(tmp_path)) == 64
    assert max(path.stat().st_size for path in closed_segments(tmp_path)) <= 8192 + 4096


def test_nothing_of_an_exchange_is_in_the_clear(tmp_path: Path, writer: SpoolWriter) -> None:
    secret = b"the-canary-in-the-coal-mine"
    writer.record(served(request=secret * 9, answer=secret))
    writer.close()
    files = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert len(files) > 300
    for word in (secret, b"acct0", b"req_0", b"chat"):
        assert word not in files


def test_files_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    writer = SpoolWriter(tmp_path / "spool", KEY, "w0", FAST)
    writer.record(served())
    writer.close()
    assert (tmp_path / "spool").stat().st_mode & 0o077 == 0
    assert all(path.stat().st_mode & 0o077 == 0 for path in (tmp_path / "spool").iterdir())


def test_an_exchange_that_cannot_be_written_is_counted_and_never_raised(writer: SpoolWriter) -> None:
    half = Served(time=0.0, request_id="\ud800", endpoint="chat", account="a", status=200)
    assert not writer.record(half)
    assert writer.record(served())
    assert writer.counts()["dropped"] == 1


def test_a_full_buffer_drops_and_counts_and_recovers(tmp_path: Path) -> None:
    config = SpoolConfig(write_seconds=0.3, max_buffer_bytes=10_000, roll_seconds=0.05)
    writer = SpoolWriter(tmp_path, KEY, "w0", config)
    taken = [writer.record(served(n, request=b"x" * 1000)) for n in range(40)]
    assert 0 < sum(taken) < 20
    assert writer.counts()["dropped"] == 40 - sum(taken)
    until(lambda: writer.counts()["waiting_bytes"] == 0)
    assert writer.record(served(99))
    writer.close()
    assert len(found(tmp_path)) == sum(taken) + 1


def test_a_full_spool_drops_and_counts_until_the_watcher_makes_room(tmp_path: Path) -> None:
    config = SpoolConfig(write_seconds=0.0, roll_seconds=0.02, max_spool_bytes=20_000, max_buffer_bytes=20_000)
    writer = SpoolWriter(tmp_path, KEY, "w0", config)
    for number in range(100):
        writer.record(served(number, request=b"x" * 1000))
        time.sleep(0.001)
    until(lambda: bool(writer.counts()["failing"]))
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 21_000
    dropped = writer.counts()["dropped"]
    assert dropped > 0
    read = found(tmp_path)
    for path in closed_segments(tmp_path):
        path.unlink()
    until(lambda: writer.counts()["waiting_bytes"] == 0)
    writer.close()
    assert len(read) + len(found(tmp_path)) == 100 - dropped


def test_a_disk_that_fails_leaves_whole_frames_and_is_tried_again(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    config = SpoolConfig(write_seconds=0.0, roll_seconds=60.0, max_buffer_bytes=60_000)
    writer = SpoolWriter(tmp_path, KEY, "w0", config)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
        for number in range(60):
            writer.record(served(number, request=b"x" * 2000))
        until(lambda: bool(writer.counts()["failing"]))
        assert found(tmp_path) == []
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    until(lambda: writer.counts()["waiting_bytes"] == 0)
    assert writer.record(served(100))
    writer.close()
    at = writer.counts()
    assert at["dropped"] > 0
    read = list(read_segments(tmp_path, KEY))
    assert sum(len(segment.exchanges) for segment in read) == at["answered"] - at["dropped"] == at["written"]
    assert not any(segment.torn or segment.unreadable for segment in read)


def test_recording_does_not_wait_for_a_disk_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = threading.Event()
    write = os.write
    writer = SpoolWriter(tmp_path, KEY, "w0", FAST)
    monkeypatch.setattr("stillwatch.gateway.segmentfiles.os.write", lambda *given: go_on.wait(5) and write(*given))
    begun = time.monotonic()
    for number in range(50):
        assert writer.record(served(number))
        time.sleep(0.001)
    assert time.monotonic() - begun < 2.0
    go_on.set()
    writer.close()
    assert len(found(tmp_path)) == 50


@settings(max_examples=60, deadline=None)
@given(cut=st.integers(0, 2000), sizes=st.lists(st.integers(0, 200), min_size=1, max_size=6))
def test_a_torn_tail_costs_its_own_frame_only(
    tmp_path_factory: pytest.TempPathFactory, cut: int, sizes: list[int]
) -> None:
    sealer = Sealer(KEY, "w0")
    frames = [sealer.seal(served(n, request=b"x" * size), sealer.next()) for n, size in enumerate(sizes)]
    whole = sealer.header + b"".join(frames)
    path = tmp_path_factory.mktemp("torn") / "w0-1-000001.seg"
    cut = min(cut, len(whole))
    path.write_bytes(whole[:cut])
    segment = read_segment(path, KEY)
    ends = [len(sealer.header) + sum(map(len, frames[: n + 1])) for n in range(len(frames))]
    assert len(segment.exchanges) == sum(end <= cut for end in ends)
    assert segment.torn == int(cut not in (0, len(sealer.header), *ends))
    assert segment.unreadable == 0


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_whatever_stands_in_a_segment_nothing_raises_and_nothing_forged_is_read(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    sealer = Sealer(KEY, "w0")
    whole = bytearray(sealer.header + b"".join(sealer.seal(served(n), sealer.next()) for n in range(3)))
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] ^= data.draw(st.integers(1, 255))
    path = tmp_path_factory.mktemp("altered") / "w0-1-000001.seg"
    path.write_bytes(bytes(whole))
    segment = read_segment(path, KEY)
    assert set(segment.exchanges) < {served(n) for n in range(3)}


def test_without_the_key_frames_are_counted(tmp_path: Path, writer: SpoolWriter) -> None:
    for number in range(7):
        writer.record(served(number))
    writer.close()
    read = list(read_segments(tmp_path, bytes(32)))
    assert sum(segment.unreadable for segment in read) == 7
    assert not any(segment.exchanges for segment in read)


def test_frames_of_one_writer_never_share_a_nonce(tmp_path: Path) -> None:
    first, second = Sealer(KEY, "w0"), Sealer(KEY, "w0")
    numbers = [first.next() for _ in range(100)]
    assert len(set(numbers)) == 100
    assert first.seal(served(), 0)[12:] != second.seal(served(), 0)[12:], "two writers must not share a key"


KILLED = """
import sys, time
from pathlib import Path
from stillwatch.gateway.segmentfiles import SpoolConfig
from stillwatch.gateway.spool import SpoolWriter
from stillwatch.terms.served import Served
writer = SpoolWriter(Path(sys.argv[1]), bytes(range(32)), "w3", SpoolConfig(write_seconds=0.0, roll_seconds=60.0))
def record(number):
    writer.record(Served(time=float(number), request_id="r", endpoint="chat", account="a", status=200))
for number in range(20):
    record(number)
while writer.counts()["written"] < 20:
    time.sleep(0.01)
writer._config = SpoolConfig(write_seconds=0.9)
record(20)  # wakes the thread, which now sleeps
time.sleep(0.2)
record(21)
print(writer.counts()["answered"], flush=True)
time.sleep(60)
"""


def test_what_a_killed_writer_leaves_is_taken_and_its_loss_counted(tmp_path: Path) -> None:
    source = str(Path(stillwatch.__file__).parents[1])
    child = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path)], env={**os.environ, "PYTHONPATH": source}, stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    assert child.stdout.readline() == b"22\n"
    assert len(living(tmp_path)) == 1
    assert list(adopt(tmp_path)) == [], "a living writer must be left alone"
    child.kill()
    child.communicate()
    assert living(tmp_path) == frozenset()
    (end,) = adopt(tmp_path)
    read = found(tmp_path)
    assert [one.time for one in read] == list(range(len(read)))
    assert end.answered == 22
    assert end.lost == 22 - len(read) <= 2
    assert list(adopt(tmp_path)) == [], "a loss is counted once"


def test_a_folder_that_cannot_be_written_is_said_at_once(tmp_path: Path) -> None:
    (tmp_path / "spool").write_text("")
    with pytest.raises(StillwatchError, match="spool"):
        SpoolWriter(tmp_path / "spool", KEY, "w0")


@pytest.mark.parametrize("later", [("twin",), ("twin", "treatments")])
def test_segments_of_releases_before_are_still_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, later: tuple[str, ...]
) -> None:
    names = tuple(name for name in segments._FIELDS if name not in later)
    with monkeypatch.context() as patch:
        patch.setattr(segments, "_take", attrgetter(*names))
        patch.setattr(segments, "_LAYOUT", hashlib.blake2b(",".join(names).encode(), digest_size=4).digest())
        sealer = Sealer(KEY, "w0")
        (tmp_path / "old.seg").write_bytes(sealer.header + sealer.seal(served(7), sealer.next()))
    assert segments._LAYOUT != hashlib.blake2b(",".join(names).encode(), digest_size=4).digest()
    assert found(tmp_path) == [served(7)]
    whole = replace(served(8), treatments="watermark+withhold")
    sealer = Sealer(KEY, "w1")
    (tmp_path / "new.seg").write_bytes(sealer.header + sealer.seal(whole, sealer.next()))
    assert whole in found(tmp_path)
