"""The vault promises: only the private key reads it, nothing is lost to a stop, no read goes unrecorded."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.store.vaultfiles import DRAFT, read_segment, read_vault, segment_paths, vault_lock
from stillwatch.store.vaultkeys import (
    is_locked,
    key_name,
    make_private_key,
    public_of,
    public_text,
    read_private_key,
    read_public_text,
)
from stillwatch.store.vaultlog import GENESIS, ReadEntry, ReadLog
from stillwatch.store.vaultpurge import purge
from stillwatch.store.vaultseal import SEGMENT, RecordHead, RecordText, VaultOpener, VaultSealer
from stillwatch.store.vaultwriter import VaultLimits, VaultRecord, VaultWriter
from stillwatch.terms.errors import StillwatchError

KEY = X25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = public_of(KEY)
NOW = 1_790_000_000.0
DAY = 86_400.0


def record(n: int, account: str = "", answer: bytes = b"canary-answer") -> VaultRecord:
    head = RecordHead(
        number=0, time=NOW + n, id=n.to_bytes(16, "big"), account=account or f"acct{n % 3}", action="mark",
        treatments="watermark", why="confirmed", epoch=1, request_bytes=4, answer_bytes=len(answer),
    )  # fmt: skip
    text = RecordText(
        request_id=f"req_{n}", endpoint="chat", status=200, streamed=False, request=b"canary-request %d" % n,
        answer=answer,
    )  # fmt: skip
    return VaultRecord(head=head, text=text)


def writer(folder: Path, **limits: float) -> VaultWriter:
    return VaultWriter(folder, PUBLIC, VaultLimits(**limits))  # type: ignore[arg-type]


def numbers(folder: Path) -> list[int]:
    """Return the numbers of all records by their headers, in file order, sorted."""
    return sorted(int.from_bytes(p.head.id, "big") for segment in read_vault(folder) for p in segment.records)


def texts(folder: Path, key: X25519PrivateKey = KEY) -> list[RecordText | None]:
    found = []
    for segment in read_vault(folder):
        opener = VaultOpener(key, segment.header)
        found += [opener.open(p.clear, p.head.number, segment.sealed(p)) for p in segment.records]
    return found


def test_what_was_kept_is_read_with_the_private_key_and_with_no_other(tmp_path: Path) -> None:
    sent = [record(n) for n in range(50)]
    assert writer(tmp_path).keep(sent, NOW).kept == 50
    assert texts(tmp_path) == [one.text for one in sent]
    with pytest.raises(StillwatchError, match="sealed to key"):
        texts(tmp_path, X25519PrivateKey.generate())


def test_no_text_is_in_the_files_and_they_are_private(tmp_path: Path) -> None:
    writer(tmp_path / "vault").keep([record(n) for n in range(50)], NOW)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    content = b"".join(path.read_bytes() for path in files)
    assert b"acct0" in content
    for word in (b"canary", b"req_", b"chat"):
        assert word not in content
    assert all(path.stat().st_mode & 0o077 == 0 for path in (*files, tmp_path / "vault"))
    assert "canary" not in repr(record(1).text) and "canary" not in repr(record(1))


def test_the_writer_holds_no_key_of_what_it_sealed() -> None:
    sealer = VaultSealer(PUBLIC, GENESIS, NOW)
    one = record(0)
    frame = sealer.seal(one.head, one.text)
    again = VaultSealer.__new__(VaultSealer)
    again.header, again._chain, again.next = sealer.header, sealer._chain, 0
    assert again.seal(one.head, one.text) != frame, "the chain has moved on by a one-way step"
    assert not [name for name in vars(sealer) if "private" in name or "ephemeral" in name]


@settings(max_examples=40)
@given(at=st.integers(0, 10_000), flip=st.integers(1, 255))
def test_a_changed_byte_opens_nothing_wrong(tmp_path_factory: pytest.TempPathFactory, at: int, flip: int) -> None:
    folder = tmp_path_factory.mktemp("vault")
    sent = [record(n) for n in range(5)]
    writer(folder).keep(sent, NOW)
    (path,) = segment_paths(folder)
    content = bytearray(path.read_bytes())
    content[at % len(content)] ^= flip
    path.write_bytes(content)
    true = {one.head.id: one for one in sent}
    segment = read_segment(path)
    if segment is None or segment.key != key_name(PUBLIC):
        return
    opener = VaultOpener(KEY, segment.header)
    for placed in segment.records:
        text = opener.open(placed.clear, placed.head.number, segment.sealed(placed))
        if text is not None:
            kept = true[placed.head.id]
            assert (text, placed.head.account) == (kept.text, kept.head.account)


def test_any_cut_leaves_the_records_before_it(tmp_path: Path) -> None:
    sent = [record(n) for n in range(4)]
    writer(tmp_path).keep(sent, NOW)
    (path,) = segment_paths(tmp_path)
    content = path.read_bytes()
    whole = read_segment(path, whole=True)
    assert whole is not None and whole.torn == 0
    ends = [placed.at + placed.size for placed in whole.records]
    for cut in range(SEGMENT.size, len(content)):
        path.write_bytes(content[:cut])
        found = read_segment(path, whole=True)
        assert found is not None
        assert len(found.records) == sum(end <= cut for end in ends)
        assert found.torn == (cut not in (SEGMENT.size, *ends))


def test_a_group_given_again_after_a_stop_is_kept_once(tmp_path: Path) -> None:
    first = writer(tmp_path)
    first.keep([record(n) for n in range(10)], NOW)
    second = writer(tmp_path)
    done = second.keep([record(n) for n in range(5, 15)], NOW + 1)
    assert (done.kept, done.repeated) == (5, 5)
    assert (first.keep([record(3)], NOW).repeated, numbers(tmp_path)) == (1, list(range(15)))


def test_kill_9_while_writing_loses_nothing_that_was_said_to_be_kept(tmp_path: Path) -> None:
    program = (
        "import sys\nfrom pathlib import Path\nfrom tests.unit.store.test_vault import NOW, record, writer\n"
        "keeper, n = writer(Path(sys.argv[1]), segment_bytes=20_000), 0\n"
        "while True:\n"
        "    keeper.keep([record(n + k, answer=b'x' * 700) for k in range(7)], NOW)\n"
        "    n += 7\n    print(n, flush=True)\n"
    )
    root = Path(__file__).parents[3]
    environment = {**os.environ, "PYTHONPATH": f"{root / 'src'}{os.pathsep}{root}"}
    process = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], env=environment, stdout=subprocess.PIPE)
    assert process.stdout is not None
    said = [int(process.stdout.readline()) for _ in range(12)]
    time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    said += [int(line) for line in process.stdout.read().split(b"\n") if line]
    process.stdout.close()
    process.wait()
    found = numbers(tmp_path)
    assert found[: said[-1]] == list(range(said[-1]))
    assert len(segment_paths(tmp_path)) > 1
    again = writer(tmp_path)
    again.keep([record(n, answer=b"x" * 700) for n in range(said[-1], said[-1] + 14)], NOW)
    assert numbers(tmp_path) == list(range(said[-1] + 14)), "what the killed one had in hand is kept once"
    assert all(text is not None for text in texts(tmp_path))


def test_a_full_disk_leaves_the_segment_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keeper = writer(tmp_path)
    keeper.keep([record(0)], NOW)
    real = os.write

    def full(descriptor: int, content: bytes) -> int:
        if len(content) > 100:
            real(descriptor, bytes(content)[:60])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(OSError, match="No space"):
            keeper.keep([record(1), record(2)], NOW)
    assert keeper.keep([record(1), record(2)], NOW).kept == 2
    assert numbers(tmp_path) == [0, 1, 2]
    assert [segment.torn for segment in read_vault(tmp_path)] == [0, 0]


def test_the_vault_never_passes_its_size(tmp_path: Path) -> None:
    keeper = writer(tmp_path, max_bytes=20_000, segment_bytes=4_000)
    done = [keeper.keep([record(n, answer=b"x" * 900)], NOW) for n in range(40)]
    size = sum(path.stat().st_size for path in segment_paths(tmp_path))
    assert 15_000 < size <= 20_000
    kept = sum(one.kept for one in done)
    assert numbers(tmp_path) == list(range(kept)), "nothing older made room"
    assert sum(one.full for one in done) == 40 - kept > 0


def test_days_go_whole_when_their_first_hour_is_too_old(tmp_path: Path) -> None:
    midnight = NOW // DAY * DAY
    keeper = writer(tmp_path, retention_days=3.0)
    for day in range(5):
        keeper.keep([record(day)], midnight + day * DAY + 600.0)
    assert len(segment_paths(tmp_path)) == 5
    assert keeper.retain(midnight + 4 * DAY) == 1
    assert numbers(tmp_path) == [1, 2, 3, 4]
    assert keeper.retain(midnight + 400 * DAY) == 4
    assert keeper.keep([record(9)], midnight + 400 * DAY).kept == 1, "the open segment was deleted under the writer"
    assert numbers(tmp_path) == [9]


def test_purging_an_account_leaves_the_others_and_the_writer_goes_on(tmp_path: Path) -> None:
    keeper = writer(tmp_path, segment_bytes=3_000)
    keeper.keep([record(n) for n in range(30)], NOW)
    assert purge(tmp_path, lambda head: head.account == "acct1") == 10
    assert b"acct1" not in b"".join(path.read_bytes() for path in tmp_path.iterdir())
    keeper.keep([record(40, "acct0")], NOW)
    assert numbers(tmp_path) == [n for n in range(30) if n % 3 != 1] + [40]
    assert all(text is not None for text in texts(tmp_path))
    assert purge(tmp_path, lambda head: True) == 21
    assert segment_paths(tmp_path) == []


def test_purging_everything_takes_what_damage_hides(tmp_path: Path) -> None:
    writer(tmp_path).keep([record(n) for n in range(3)], NOW)
    (path,) = segment_paths(tmp_path)
    content = bytearray(path.read_bytes())
    content[SEGMENT.size] ^= 0xFF
    path.write_bytes(content)
    assert numbers(tmp_path) == []
    assert purge(tmp_path, lambda head: True) == 0 and segment_paths(tmp_path) == [path]
    purge(tmp_path, lambda head: True, everything=True)
    assert segment_paths(tmp_path) == []


def test_a_draft_of_a_purge_that_was_stopped_counts_for_nothing(tmp_path: Path) -> None:
    keeper = writer(tmp_path)
    keeper.keep([record(n) for n in range(3)], NOW)
    (path,) = segment_paths(tmp_path)
    draft = path.with_name(path.name + DRAFT)
    draft.write_bytes(path.read_bytes()[:200])
    assert numbers(tmp_path) == [0, 1, 2]
    os.utime(draft, (0, 0))
    keeper.retain(NOW)
    assert not draft.exists()


def test_a_busy_vault_is_given_up_soon(tmp_path: Path) -> None:
    keeper = writer(tmp_path)
    with vault_lock(tmp_path), pytest.raises(StillwatchError, match="another process"):
        keeper.keep([record(0)], NOW)
    assert keeper.keep([record(0)], NOW).kept == 1


@pytest.mark.parametrize("phrase", ["", "correct horse"])
def test_a_private_key_is_private_and_opens_with_its_passphrase_alone(tmp_path: Path, phrase: str) -> None:
    path = tmp_path / "vault.key"
    public = make_private_key(path, phrase)
    assert path.stat().st_mode & 0o777 == 0o600
    assert (is_locked(path), public_of(read_private_key(path, phrase))) == (bool(phrase), public)
    with pytest.raises(StillwatchError, match="File exists"):
        make_private_key(path)
    if phrase:
        for wrong in ("", "wrong"):
            with pytest.raises(StillwatchError, match="passphrase"):
                read_private_key(path, wrong)
    path.write_text("no key, but canary")
    with pytest.raises(StillwatchError, match="holds no private key") as caught:
        read_private_key(path)
    assert "canary" not in str(caught.value)


@given(public=st.binary(min_size=32, max_size=32), at=st.integers(0, 52), to=st.sampled_from("Aaz09-_"))
def test_a_mistyped_public_key_is_told(public: bytes, at: int, to: str) -> None:
    text = public_text(public)
    assert read_public_text(text) == public
    wrong = text[:at] + to + text[at + 1 :]
    if wrong != text:
        with pytest.raises(StillwatchError, match=r"vault\.public_key"):
            read_public_text(wrong)


def entry(n: int) -> ReadEntry:
    return ReadEntry(at=NOW + n, kind="read", by="ann", reason=f"appeal {n}", account="acct0", count=n)


def test_the_read_log_tells_every_change_to_what_stands_in_it(tmp_path: Path) -> None:
    log = ReadLog(tmp_path)
    for n in range(4):
        assert log.add(entry(n)).n == n + 1
    content = log.path.read_bytes()
    whole = log.check()
    assert (len(whole.entries), whole.problems) == (4, ())
    lines = content.split(b"\n")
    swapped = b"\n".join([lines[1], lines[0], *lines[2:]])
    for changed in (content.replace(b"appeal 2", b"appeal 9"), b"\n".join(lines[1:]), swapped,
                    b"\n".join([lines[0], *lines[2:]])):  # fmt: skip
        log.path.write_bytes(changed)
        assert log.check().problems
        with pytest.raises(StillwatchError, match="altered"):
            log.add(entry(9))


def test_a_read_log_cut_at_its_end_is_told_by_a_later_segment_or_a_noted_head(tmp_path: Path) -> None:
    log = ReadLog(tmp_path)
    log.add(entry(0))
    log.add(entry(1))
    writer(tmp_path).keep([record(0)], NOW)
    noted = log.check().head
    heads = [(segment.name, segment.log_head) for segment in read_vault(tmp_path)]
    assert log.check(heads, noted).problems == ()
    log.path.write_bytes(log.path.read_bytes().split(b"\n")[0] + b"\n")
    assert log.check().problems == ()
    assert "entry that is gone" in log.check(heads).problems[0]
    assert "noted" in log.check((), noted).problems[0]


def test_a_head_without_its_entry_is_not_taken_for_the_entry(tmp_path: Path) -> None:
    log = ReadLog(tmp_path)
    log.add(entry(0))
    log.add(entry(1))
    writer(tmp_path).keep([record(0)], NOW)
    noted = log.check().head
    heads = [(segment.name, segment.log_head) for segment in read_vault(tmp_path)]
    first, _, _ = log.path.read_bytes().partition(b"\n")
    log.path.write_bytes(first + b"\n" + noted.encode() + b" {\n")
    assert "entry that is gone" in log.check(heads).problems[0]
    assert "noted" in log.check((), noted).problems[0]


def test_an_entry_that_a_stop_cut_short_does_not_end_the_log(tmp_path: Path) -> None:
    log = ReadLog(tmp_path)
    log.add(entry(0))
    whole = log.path.read_bytes()
    log.add(entry(1))
    both = log.path.read_bytes()
    for cut in range(len(whole), len(both) - 1):
        log.path.write_bytes(both[:cut])
        n = log.add(entry(2)).n
        found = log.check()
        assert (found.problems, len(found.entries)) == ((), n), cut
    log.path.write_bytes(both[:-1])
    assert log.add(entry(2)).n == 3, "whole but for its line feed"
    assert log.check().problems == ()
