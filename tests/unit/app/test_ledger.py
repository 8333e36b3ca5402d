"""What happens in a state folder is in its ledger before it holds; without a ledger nothing changes."""

import json
import threading
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from stillwatch.app.appeals import Answer, answer_appeal, open_appeal
from stillwatch.app.canaries import retire
from stillwatch.app.control import open_control
from stillwatch.app.ledger import (
    check_ledger,
    checkpoint,
    commit_all,
    find_ledger,
    forget,
    list_entries,
    make_ledger,
    open_ledger,
    proof_bytes,
    proof_problems,
    prove,
    reveals,
)
from stillwatch.app.markring import load_ring, new_ring, ring_path, rotate_ring
from stillwatch.app.trailledger import RESTORED
from stillwatch.app.vault import Reader, VaultAsk, purge_records
from stillwatch.ledger.folder import LedgerFolder
from stillwatch.terms.account import Decision
from stillwatch.terms.errors import StillwatchError
from stillwatch.terms.reveal import fits
from stillwatch.treatments.marks.config import MarkConfig
from tests.proof_rig import NOW, made_state, of_canaries

DECISION = Decision(subject="acme", kind="account", accounts=("acme",), verb="confirm", by="N. N.", reason="seen",
                    at=NOW, expires=NOW + 1e6)  # fmt: skip


@pytest.fixture
def state(tmp_path: Path) -> Path:
    made_state(tmp_path / "state", count=3)
    return tmp_path / "state"


def kinds(state: Path) -> list[str]:
    return [one.entry.kind for one in list_entries(state)]


def ledger(state: Path) -> LedgerFolder:
    found = find_ledger(state)
    assert found is not None
    return found


def test_without_a_ledger_nothing_changes(tmp_path: Path) -> None:
    with open_control(tmp_path) as book:
        book.add_decision(DECISION)
        open_appeal(book, "acme", "", NOW)
    new_ring(tmp_path, MarkConfig(), NOW)
    assert not (tmp_path / "ledger").exists()


def test_decisions_appeals_and_reads_are_entries(state: Path) -> None:
    with open_control(state) as book:
        appeal = open_appeal(book, "acme", "We are a university.", NOW)
        answer_appeal(book, Answer(id=appeal.id, grant=True, by="N. N.", reason="true"), NOW)
        retire(book, "acme", "N. N.", NOW)
    purge_records(state, VaultAsk(account="acme"), Reader(by="N. N.", reason="asked"), NOW)
    assert kinds(state) == [
        "ledger.made", "commit.mark-epoch", "commit.mark-context", "commit.mark-key", "mark.rotated", "decide.confirm",
        "commit.canary", "appeal.open", "appeal.granted", "decide.release", *["canary.retired"] * 3,
    ]  # fmt: skip
    told = (state / "ledger/openings.log").read_bytes()
    assert b"acme" in told and b"university" not in told


def test_what_cannot_be_logged_does_not_happen(state: Path) -> None:
    path = state / "ledger/entries.log"
    path.write_bytes(path.read_bytes().replace(b"ledger.made", b"ledger.mode"))
    with open_control(state) as book:
        before = (book.decisions(), book.canaries())
        with pytest.raises(StillwatchError, match="altered"):
            book.add_decision(DECISION)
        with pytest.raises(StillwatchError, match="altered"):
            book.add_canary(replace(book.canaries()[0], id="cn_other"))
        assert (book.decisions(), book.canaries()) == before
    ring = ring_path(state).read_bytes()
    with pytest.raises(StillwatchError, match="altered"):
        rotate_ring(state, MarkConfig(), NOW + 1)
    assert ring_path(state).read_bytes() == ring


def test_every_key_of_an_epoch_is_committed_to_before_it_marks(state: Path) -> None:
    rotate_ring(state, MarkConfig(), NOW + 1)
    known = ledger(state).committed()
    for one in reveals(state):
        assert fits(one) and one.item.digest in known
    assert len(load_ring(state).epochs) == 2
    keys = {(d.kind, d.count) for d in ledger(state).denominators()}
    assert {("mark-epoch", 2), ("mark-key", 2), ("canary", 3)} <= keys


def test_keys_of_accounts_are_committed_to_when_they_were_first_marked(state: Path) -> None:
    path = ring_path(state).parent / "marked-w0.jsonl"
    path.write_text('{"epoch":1,"account":"acme","campaign":"c1"}\n{"epoch":1,"account":"globex","campaign":""}\n')
    assert commit_all(state) == {"mark-key": 3}
    assert commit_all(state) == {}
    (keys,) = [d for d in ledger(state).denominators() if d.kind == "mark-key"]
    assert keys.groups == {"account": 2, "campaign": 1, "provider": 1}
    assert b"globex" not in b"".join(path.read_bytes() for path in (state / "ledger").glob("*.log"))


def test_reveals_bind_every_fact(state: Path) -> None:
    for one in [*of_canaries(state), *reveals(state)]:
        assert fits(one)
        for name, value in one.facts.items():
            other = f"{value}x" if not isinstance(value, int) else value + 1
            assert not fits(replace(one, facts={**one.facts, name: other})), name
        assert not fits(replace(one, secret="00" * 32)) and not fits(replace(one, nonce="00" * 32))


def test_reveals_are_the_same_years_later(state: Path) -> None:
    assert [one.item for one in reveals(state)] == [one.item for one in reveals(state)]


def test_ledger_is_made_once_and_signs_nothing_when_it_was_rewritten(state: Path) -> None:
    with pytest.raises(StillwatchError, match="is there already"):
        make_ledger(state)
    first = checkpoint(state)
    assert checkpoint(state).note == first.note
    path = state / "ledger/entries.log"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    assert any("entries are gone" in problem for problem in check_ledger(state).problems)
    with pytest.raises(StillwatchError, match="nothing is signed"):
        checkpoint(state)


def test_proof_holds_for_its_entry_and_for_no_other(state: Path, tmp_path: Path) -> None:
    checkpoint(state)
    public = ledger(state).public
    for index in range(len(list_entries(state))):
        raw = proof_bytes(prove(state, index, show=index % 2 == 0))
        assert proof_problems(raw, public) == ()
        read = json.loads(raw)
        for change in (
            {"index": index + 1},
            {"hashes": read["hashes"][1:] or ["00" * 32]},
            {"entry": read["entry"] + " "},
        ):
            try:
                problems = proof_problems(json.dumps({**read, **change}, sort_keys=True, separators=(",", ":"),
                                                     ensure_ascii=False).encode(), public)  # fmt: skip
            except StillwatchError:
                continue
            assert problems, change
    other = make_ledger(tmp_path / "other")
    assert other.fingerprint != public.fingerprint
    with pytest.raises(StillwatchError, match="not signed"):
        proof_problems(raw, ledger(tmp_path / "other").public)


def test_entry_after_the_last_checkpoint_cannot_be_proved_yet(state: Path) -> None:
    with pytest.raises(StillwatchError, match="no checkpoint covers it"):
        prove(state, 0, show=False)


def test_people_can_be_forgotten_and_denominators_cannot(state: Path) -> None:
    entries = {one.entry.kind: one.index for one in list_entries(state)}
    forget(state, entries["decide.confirm"])
    with pytest.raises(StillwatchError, match="nothing is kept"):
        forget(state, entries["decide.confirm"])
    with pytest.raises(StillwatchError, match="dossiers stand on"):
        forget(state, entries["commit.canary"])
    assert check_ledger(state).problems == ()
    assert b'"acme"' not in (state / "ledger/openings.log").read_bytes()


def test_signing_key_may_lie_elsewhere_and_is_then_needed_only_to_sign(tmp_path: Path) -> None:
    stick = tmp_path / "stick.pem"
    made = make_ledger(tmp_path / "state", key_file=stick)
    assert not (tmp_path / "state/ledger/signing.pem").exists() and made.key_file == str(stick)
    hidden = stick.rename(tmp_path / "away.pem")
    with open_control(tmp_path / "state") as book:
        book.add_decision(DECISION)
    with pytest.raises(StillwatchError, match="signing needs it"):
        checkpoint(tmp_path / "state")
    hidden.rename(stick)
    assert checkpoint(tmp_path / "state").note.checkpoint.size == 2


def test_no_secret_is_in_the_ledger(state: Path) -> None:
    rotate_ring(state, MarkConfig(), NOW + 1)
    checkpoint(state)
    files = {path: path.read_bytes() for path in (state / "ledger").rglob("*") if path.is_file()}
    content = b"".join(raw for path, raw in files.items() if path.name != "signing.pem")
    for one in reveals(state):
        assert one.secret.encode() not in content and bytes.fromhex(one.secret) not in content
        if one.item.kind == "canary":
            assert one.nonce.encode() not in content
    private = (state / "ledger/signing.pem").read_bytes().split(b"\n")[1]
    assert private not in content


def test_backup_takes_the_ledger_along_and_never_replaces_one(state: Path, tmp_path: Path) -> None:
    from stillwatch.app.backup import BackupRequest, back_up
    from stillwatch.app.restore import RestoreRequest, restore

    checkpoint(state)
    back_up(BackupRequest(state=state, target=tmp_path / "b.tar", events=False, now=NOW))
    restore(RestoreRequest(source=tmp_path / "b.tar", state=tmp_path / "other", now=NOW))
    there = list_entries(tmp_path / "other")
    assert [one.entry for one in there[:-1]] == [one.entry for one in list_entries(state)]
    assert there[-1].entry.kind == RESTORED, "it says that the records were put back"
    assert not check_ledger(tmp_path / "other").problems and not check_ledger(state).problems
    assert not (tmp_path / "other/ledger.tar").exists()
    assert (tmp_path / "other/ledger/signing.pem").stat().st_mode & 0o777 == 0o600
    with open_control(state) as book:
        book.add_decision(DECISION)
    before = kinds(state)
    restore(RestoreRequest(source=tmp_path / "b.tar", state=state, replace=True, now=NOW))
    assert kinds(state) == [*before, RESTORED]


def test_erasing_an_account_says_which_entries_still_speak_of_it(state: Path) -> None:
    from stillwatch.app.privacy import Erasure, erase_account

    with open_control(state) as book:
        ask = Erasure(account="acme", reader=Reader(by="N. N.", reason="asked"), despite=True)
        done = erase_account(book, state, ask, NOW)
    (index,) = [one.index for one in list_entries(state, "decide")]
    assert any(f"entries {index} say of it" in line for line in done.stays)
    assert kinds(state)[-1] == "privacy.erase"


def test_a_secret_that_two_processes_commit_to_at_once_counts_once(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    items = [replace(one.item, id=f"{one.item.id} anew") for one in of_canaries(state)]
    before = {one.kind: one.count for one in open_ledger(state).denominators()}
    both, look = threading.Barrier(2), LedgerFolder.committed

    def looked(self: LedgerFolder) -> dict[str, int]:
        found = look(self)
        with suppress(threading.BrokenBarrierError):
            both.wait(0.5)  # where both may look before either writes, both do
        return found

    monkeypatch.setattr(LedgerFolder, "committed", looked)
    threads = [threading.Thread(target=open_ledger(state).commit, args=([*items, *items],)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    after = {one.kind: one.count for one in open_ledger(state).denominators()}
    assert after == before | {"canary": before["canary"] + len(items)}
    assert open_ledger(state).check().problems == ()
