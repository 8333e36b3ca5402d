"""A dossier holds as it was made, and no cheating accuser gets one past the check."""

import json
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from stillwatch.app.dossiercheck import DossierCheck, check_dossier, check_files
from stillwatch.app.dossierfiles import (
    ENVELOPE,
    INDEX,
    PAE,
    SEAL,
    SEAL_SIGNATURE,
    SIGNATURE,
    SUMS,
    read_folder,
    sealed_files,
    write_folder,
)
from stillwatch.app.dossierledger import OPENINGS
from stillwatch.app.examination import begin, finish, keep_material, load, log_attempt, materials, open_secrets
from stillwatch.app.ledger import checkpoint, find_ledger, list_entries, request, reveals, stamp
from stillwatch.forensics.exams import EXAMS
from stillwatch.ledger.folder import LedgerFolder
from stillwatch.ledger.logfile import Opening
from stillwatch.terms.canon import canonical, exact, read_canonical, sha256
from stillwatch.terms.errors import StillwatchError
from stillwatch.terms.finding import Finding
from tests.proof_rig import (
    acquired,
    answered,
    answers,
    authority,
    built,
    canary_test,
    examined,
    made_state,
    of_canaries,
    planned,
)

MUTATIONS = 400
OUTER = (INDEX, ENVELOPE, PAE, SIGNATURE, SEAL, SEAL_SIGNATURE, SUMS)


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a state, an examination and its dossier, stamped before and after."""
    root = tmp_path_factory.mktemp("proof")
    made_state(root / "state")
    config, certificate = authority(root / "tsa")
    _stamped(root, config, certificate)
    examined(root / "state", root / "exam")
    _stamped(root, config, certificate)
    built(root / "state", root / "exam", root / "dossier")
    return root


def _stamped(root: Path, config: Path, certificate: Path) -> None:
    size = checkpoint(root / "state").note.checkpoint.size
    stamp(root / "state", size, answered(config, request(root / "state", size)), certificate.read_bytes())


def ledger(root: Path) -> LedgerFolder:
    found = find_ledger(root / "state")
    assert found is not None
    return found


def resealed(root: Path, **changes: bytes | None) -> DossierCheck:
    """Check the dossier after its maker, who has the key, changed files and sealed it anew."""
    files = dict(read_folder(root / "dossier"))
    for name in OUTER:
        del files[name]
    for name, content in changes.items():
        files.pop(name, None)
        if content is not None:
            files[name] = content
    return check_files(sealed_files(files, ledger(root).key(), {}), ledger(root).public.fingerprint)


def test_dossier_holds_by_both_routes(rig: Path) -> None:
    done = check_dossier(rig / "dossier", ledger(rig).public.fingerprint)
    assert done.problems == () and done.notes == ()
    assert done.conclusion is not None and done.conclusion.verdict == "shown"
    assert done.checked[-1] == "the openssl program agrees on all 7 signatures and timestamps"


def test_commands_in_the_dossier_hold_with_openssl_alone(rig: Path) -> None:
    lines = [x for x in (rig / "dossier/VERIFY.txt").read_text().splitlines() if not x.startswith("#")]
    assert sum(line.startswith("openssl ts -verify") for line in lines) == 2
    for line in lines:
        done = subprocess.run(["sh", "-c", line], cwd=rig / "dossier", capture_output=True, text=True)
        assert done.returncode == 0, line
    assert subprocess.run(lines[0], shell=True, cwd=rig / "dossier", capture_output=True, text=True).stdout.startswith(
        ledger(rig).public.fingerprint
    )


def test_every_changed_byte_is_rejected(rig: Path) -> None:
    files, chance = read_folder(rig / "dossier"), random.Random(6)
    names = sorted(files)
    weights = [len(files[name]) for name in names]
    # Every file is hit, the small ones that signatures live in as well; the rest falls by size.
    chosen = [*names, *chance.choices(names, weights=weights, k=MUTATIONS - len(names))]
    for name in chosen:
        changed = bytearray(files[name])
        at = chance.randrange(len(changed))
        changed[at] ^= 1 << chance.randrange(8)
        assert check_files({**files, name: bytes(changed)}).problems, (name, at)


def test_a_file_too_many_or_too_few_is_rejected(rig: Path) -> None:
    files = read_folder(rig / "dossier")
    assert check_files({**files, "materials/texts/more.jsonl": b"{}"}).problems
    assert check_files({**files, "note.txt": b""}).problems
    for name in files:
        assert check_files({one: raw for one, raw in files.items() if one != name}).problems, name
    (rig / "linked").mkdir()
    (rig / "linked/a").symlink_to(rig / "dossier/facts.json")
    with pytest.raises(StillwatchError, match="no plain file"):
        read_folder(rig / "linked")


def test_another_key_is_rejected(rig: Path) -> None:
    assert "not the one that was expected" in check_dossier(rig / "dossier", "0" * 64).problems[0]


def test_untouched_dossier_still_holds_when_sealed_again(rig: Path) -> None:
    assert resealed(rig).problems == ()


def test_edited_transcript_is_rejected(rig: Path) -> None:
    raw = (rig / "dossier/materials/transcript/t1.jsonl").read_bytes()
    better = answers(rig / "state", 32)
    assert raw != better
    done = resealed(rig, **{"materials/transcript/t1.jsonl": better})
    assert "edited" in done.problems[0]


def test_number_that_does_not_follow_is_rejected(rig: Path) -> None:
    (found,) = read_canonical((rig / "dossier/findings.json").read_bytes(), tuple[Finding, ...], "x")
    raw = canonical((replace(found, log_p=exact(-100.0)),))
    assert "not those that were logged" in resealed(rig, **{"findings.json": raw}).problems[0]


def test_changed_protocol_is_rejected(rig: Path) -> None:
    raw = (rig / "dossier/protocol.json").read_bytes()
    for old, new in (
        (b'"alpha":"1e-6"', b'"alpha":"1e-2"'),
        (b'"family":1', b'"family":0'),
        (b'"samples":32', b'"samples":99'),
    ):
        assert old in raw
        assert "another protocol" in resealed(rig, **{"protocol.json": raw.replace(old, new)}).problems[0]


def test_protocol_signed_anew_is_not_the_one_that_was_logged(rig: Path) -> None:
    from stillwatch.ledger.envelope import parts, pre_authentication, sealed, statement

    raw = (rig / "dossier/protocol.json").read_bytes().replace(b'"alpha":"1e-6"', b'"alpha":"1e-2"')
    envelope = sealed(statement({"protocol.json": sha256(raw)}, "protocol/v1", {}), ledger(rig).key())
    payload, signature = parts(envelope)
    done = resealed(rig, **{"protocol.json": raw, "protocol.dsse.json": envelope, "protocol.sig": signature,
                            "protocol.pae": pre_authentication(payload)})  # fmt: skip
    assert "not in the ledger" in done.problems[0]


def test_page_that_says_more_than_the_records_is_rejected(rig: Path) -> None:
    for name in ("dossier.html", "dossier.pdf"):
        raw = (rig / "dossier" / name).read_bytes()
        assert b"1e-6" in raw
        done = resealed(rig, **{name: raw.replace(b"1e-6", b"1e-9")})
        assert done.problems == (f"{name}: does not say what the records say",)


def test_conclusion_that_does_not_follow_is_rejected(rig: Path) -> None:
    raw = (rig / "dossier/facts.json").read_bytes()
    assert resealed(rig, **{"facts.json": raw.replace(b"by canaries", b"beyond doubt")}).problems


def test_hidden_denominator_is_rejected(rig: Path) -> None:
    openings = read_canonical((rig / "dossier" / OPENINGS).read_bytes(), tuple[Opening, ...], "x")
    commits = [one for one in openings if "items" in one.payload]
    for hidden in commits[:3]:
        rest = tuple(one for one in openings if one != hidden)
        done = resealed(rig, **{OPENINGS: canonical(rest)})
        assert any("denominator" in problem for problem in done.problems)


def test_hidden_attempt_is_rejected(rig: Path) -> None:
    done = resealed(rig, **{"acquisition.json": canonical(())})
    assert any("edited, added or left out" in problem for problem in done.problems)


def test_log_written_anew_is_rejected(rig: Path) -> None:
    raw = (rig / "dossier/ledger/entries.jsonl").read_bytes()
    assert b"2026" in raw or b"20" in raw
    leaves = raw.splitlines(keepends=True)
    for changed in (b"".join(leaves[:-1]), b"".join([leaves[1], leaves[0], *leaves[2:]])):
        assert resealed(rig, **{"ledger/entries.jsonl": changed}).problems


def test_pages_repeat_to_the_byte(rig: Path) -> None:
    from stillwatch.app.dossierpages import pages
    from stillwatch.app.examination import load as loaded
    from stillwatch.forensics.dossier import DossierFacts

    facts = read_canonical((rig / "dossier/facts.json").read_bytes(), DossierFacts, "x")
    found = loaded(rig / "exam")
    first = pages(facts, found.protocol, found.findings, found.acquired)
    assert first == pages(facts, found.protocol, found.findings, found.acquired)
    assert first["dossier.pdf"] == (rig / "dossier/dossier.pdf").read_bytes()


def test_dossier_holds_no_account_that_is_not_its_subject(tmp_path: Path) -> None:
    made_state(tmp_path / "state", subjects=("acme", "globex-customer"), count=4)
    own = [one for one in of_canaries(tmp_path / "state") if one.facts["subject"] == "acme"]
    begin(tmp_path / "state", tmp_path / "exam", planned(canary_test(family=2)))
    log_attempt(tmp_path / "state", tmp_path / "exam", acquired(), answers(tmp_path / "state", 4))
    open_secrets(tmp_path / "exam", "canaries", own)
    _finished(tmp_path)
    built(tmp_path / "state", tmp_path / "exam", tmp_path / "dossier")
    everything = b"".join(read_folder(tmp_path / "dossier").values())
    assert b"acme" in everything and b"globex-customer" not in everything


def _finished(root: Path) -> None:
    found, held = load(root / "exam"), materials(root / "exam")
    findings = [f for test in found.protocol.tests for f in EXAMS.get(test.exam).find(test, held)]
    finish(root / "state", root / "exam", findings)


def test_late_secret_is_rejected(tmp_path: Path) -> None:
    """A canary made after the suspect's answers were seen, and put in as if it had been planted."""
    made_state(tmp_path / "state", count=4)
    begin(tmp_path / "state", tmp_path / "exam", planned())
    made_late = tmp_path / "late"
    made_state(made_late, count=4)
    log_attempt(tmp_path / "state", tmp_path / "exam", acquired(), answers(made_late, 4))
    late = of_canaries(made_late)
    ledger(tmp_path).commit(one.item for one in late)
    open_secrets(tmp_path / "exam", "canaries", late)
    _finished(tmp_path)
    with pytest.raises(StillwatchError, match="late secret"):
        built(tmp_path / "state", tmp_path / "exam", tmp_path / "dossier")


def test_secret_that_the_suspect_is_older_than_is_rejected(tmp_path: Path) -> None:
    made_state(tmp_path / "state", count=4)
    examined(tmp_path / "state", tmp_path / "exam", protocol=planned(available="2020-01-01T00:00:00Z"))
    with pytest.raises(StillwatchError, match="after the suspect was to be had: a late secret"):
        built(tmp_path / "state", tmp_path / "exam", tmp_path / "dossier")


def test_backdated_secret_is_rejected_where_timestamps_say_later(tmp_path: Path) -> None:
    """The accuser's own clock says 2020; the first authority that saw the log says today."""
    state = tmp_path / "state"
    made_state(state, count=4)
    assert list_entries(state)
    _backdate(state)
    examined(state, tmp_path / "exam", protocol=planned(available="2021-01-01T00:00:00Z"))
    done = built(state, tmp_path / "exam", tmp_path / "unstamped")
    assert done.problems == ()
    page = (tmp_path / "unstamped/dossier.html").read_text()
    assert "No third-party timestamp" in page
    _stamped(tmp_path, *authority(tmp_path / "tsa"))
    with pytest.raises(StillwatchError, match="no timestamp says that it was there before 2021"):
        built(state, tmp_path / "exam", tmp_path / "stamped")


def _backdate(state: Path) -> None:
    """Write the log anew with a clock of 2020, as an accuser may while nobody else holds a checkpoint."""
    from stillwatch.ledger import logfile

    found = find_ledger(state)
    assert found is not None
    leaves = [canonical(replace(entry, at="2020-01-01T00:00:00Z")) for entry in found.log.entries()]
    (state / "ledger" / logfile.ENTRIES).write_bytes(b"".join(map(logfile._line, leaves)))


def test_picked_canaries_are_rejected(tmp_path: Path) -> None:
    """Of four canaries only the two that were hit are shown."""
    made_state(tmp_path / "state", count=4)
    begin(tmp_path / "state", tmp_path / "exam", planned())
    log_attempt(tmp_path / "state", tmp_path / "exam", acquired(), answers(tmp_path / "state", 2))
    hit = sorted(of_canaries(tmp_path / "state"), key=lambda one: one.item.id)[:2]
    open_secrets(tmp_path / "exam", "canaries", hit)
    _finished(tmp_path)
    with pytest.raises(StillwatchError, match="picked trigger"):
        built(tmp_path / "state", tmp_path / "exam", tmp_path / "dossier")


def test_altered_canary_is_rejected(tmp_path: Path) -> None:
    """The value that the suspect showed is put in for the one that was drawn."""
    made_state(tmp_path / "state", count=4)
    begin(tmp_path / "state", tmp_path / "exam", planned())
    log_attempt(tmp_path / "state", tmp_path / "exam", acquired(), answers(tmp_path / "state", 0))
    shown = [replace(one, facts={**one.facts, "index": 0}) for one in of_canaries(tmp_path / "state")]
    open_secrets(tmp_path / "exam", "canaries", shown)
    with pytest.raises(StillwatchError, match="not the secret that was committed to"):
        _finished(tmp_path)


def test_protocol_must_count_every_subject_that_was_committed_to(tmp_path: Path) -> None:
    made_state(tmp_path / "state", subjects=("acme", "globex", "initech"), count=2)
    with pytest.raises(StillwatchError, match="counts 1 hypotheses, and the ledger committed to 3"):
        begin(tmp_path / "state", tmp_path / "exam", planned())
    begin(tmp_path / "state", tmp_path / "exam", planned(canary_test(family=3)))


def test_transcript_that_no_attempt_brought_is_rejected(tmp_path: Path) -> None:
    made_state(tmp_path / "state", count=4)
    begin(tmp_path / "state", tmp_path / "exam", planned())
    keep_material(tmp_path / "exam", "transcript/t1.jsonl", answers(tmp_path / "state", 4))
    open_secrets(tmp_path / "exam", "canaries", of_canaries(tmp_path / "state"))
    _finished(tmp_path)
    with pytest.raises(StillwatchError, match="no attempt brought|not what an attempt brought"):
        built(tmp_path / "state", tmp_path / "exam", tmp_path / "dossier")


def test_second_protocol_on_a_suspect_is_counted(tmp_path: Path) -> None:
    made_state(tmp_path / "state", count=4)
    for name in ("first", "other"):
        begin(tmp_path / "state", tmp_path / name, planned())
    examined(tmp_path / "state", tmp_path / "exam")
    done = built(tmp_path / "state", tmp_path / "exam", tmp_path / "dossier")
    assert done.conclusion is not None and done.conclusion.protocols == 3
    (one,) = done.conclusion.judged
    assert float.fromhex(one.adjusted_log_p) == pytest.approx(min(0.0, float.fromhex(one.log_p) + 1.0986122886681098))


def test_exit_codes_are_the_verdict_and_verification_tells_its_own(tmp_path: Path) -> None:
    from click.testing import CliRunner

    from stillwatch.cli import main

    for hits, code in ((24, 1), (0, 0)):
        root = tmp_path / str(hits)
        made_state(root / "state")
        examined(root / "state", root / "exam", hits=hits)
        run = CliRunner().invoke
        state = ["--state", str(root / "state")]
        out = str(root / "dossier")
        assert run(main, ["dossier", "build", str(root / "exam"), "--out", out, "--by", "x", *state]).exit_code == code
        assert run(main, ["dossier", "show", out]).exit_code == code
        told = run(main, ["dossier", "verify", out, "--json"])
        assert told.exit_code == 0 and json.loads(told.stdout)["problems"] == []
        (root / "dossier/facts.json").write_bytes(b"{}")
        assert run(main, ["dossier", "verify", out]).exit_code == 1
    made_state(tmp_path / "few" / "state", count=2)
    examined(tmp_path / "few" / "state", tmp_path / "few" / "exam", hits=2)
    args = ["--out", str(tmp_path / "few" / "dossier"), "--by", "x", "--state", str(tmp_path / "few" / "state")]
    assert CliRunner().invoke(main, ["dossier", "build", str(tmp_path / "few" / "exam"), *args]).exit_code == 3


@pytest.fixture(scope="module")
def stranger() -> Path:
    return Path(__file__).parents[2] / "examples" / "verify_dossier.py"


def _script(stranger: Path, folder: Path, key: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", str(stranger), str(folder), "--key", key]
    return subprocess.run(command, capture_output=True, text=True)


def test_strangers_script_agrees_with_openssl_alone(rig: Path, stranger: Path) -> None:
    done = _script(stranger, rig / "dossier", ledger(rig).public.fingerprint)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "Copying shown at error rate 1e-6, by canaries."
    assert done.stdout.count("timestamp ledger/notes") == 2
    assert _script(stranger, rig / "dossier", "0" * 64).returncode == 1


def test_strangers_script_imports_nothing_but_the_standard_library(stranger: Path) -> None:
    import ast

    tree = ast.parse(stranger.read_text())
    names = {a.name for node in ast.walk(tree) if isinstance(node, ast.Import) for a in node.names}
    names |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert names <= set(sys.stdlib_module_names)


def test_strangers_script_rejects_what_a_maker_with_the_key_changed(rig: Path, stranger: Path, tmp_path: Path) -> None:
    better = answers(rig / "state", 32)
    openings = read_canonical((rig / "dossier" / OPENINGS).read_bytes(), tuple[Opening, ...], "x")
    facts = (rig / "dossier/facts.json").read_bytes()
    changes = {
        "transcript": {"materials/transcript/t1.jsonl": better},
        "denominator": {OPENINGS: canonical(tuple(one for one in openings if "items" not in one.payload))},
        "verdict": {"facts.json": facts.replace(b'"rejected":true', b'"rejected":false')},
        "attempts": {"acquisition.json": canonical(())},
        "protocol": {"protocol.json": (rig / "dossier/protocol.json").read_bytes().replace(b"1e-6", b"1e-2")},
    }
    for name, change in changes.items():
        files = {k: v for k, v in read_folder(rig / "dossier").items() if k not in OUTER}
        write_folder(sealed_files({**files, **change}, ledger(rig).key(), {}), tmp_path / name)
        done = _script(stranger, tmp_path / name, ledger(rig).public.fingerprint)
        assert done.returncode == 1 and "REJECTED" in done.stderr, name


def test_reveals_of_a_state_are_all_committed_to(rig: Path) -> None:
    known = ledger(rig).committed()
    assert {one.item.kind for one in reveals(rig / "state")} == {"mark-epoch", "mark-context", "mark-key", "canary"}
    assert all(one.item.digest in known for one in reveals(rig / "state"))
