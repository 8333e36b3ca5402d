"""A dossier holds as it was made, and no cheating accuser gets one past the check."""

import json
import random
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from stillwatch.app.dossiercheck import DossierCheck, check_dossier, check_files, read_parts
from stillwatch.app.dossierfiles import (
    ENVELOPE,
    INDEX,
    PAE,
    SEAL,
    SEAL_SIGNATURE,
    SIGNATURE,
    SUMS,
    read_folder,
    sealed_again,
    sealed_files,
    write_folder,
)
from stillwatch.app.dossierledger import OPENINGS
from stillwatch.app.dossierpages import pages
from stillwatch.app.ledger import reveals
from stillwatch.forensics.dossier import DossierFacts
from stillwatch.ledger import stamps
from stillwatch.ledger.logfile import Opening
from stillwatch.terms.canon import canonical, exact, read_canonical, sha256
from stillwatch.terms.errors import StillwatchError
from stillwatch.terms.finding import Finding
from tests.proof_rig import (
    answered,
    answers,
    authority_served,
    built,
    ledger_of,
    stamped_dossier,
)

MUTATIONS = 400
OUTER = (INDEX, ENVELOPE, PAE, SIGNATURE, SEAL, SEAL_SIGNATURE, SUMS)


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a state, an examination and its dossier, stamped before and after."""
    return stamped_dossier(tmp_path_factory.mktemp("proof"))


def resealed(root: Path, **changes: bytes | None) -> DossierCheck:
    """Check the dossier after its maker, who has the key, changed files and sealed it anew."""
    files = dict(read_folder(root / "dossier"))
    for name in OUTER:
        del files[name]
    for name, content in changes.items():
        files.pop(name, None)
        if content is not None:
            files[name] = content
    return check_files(sealed_files(files, ledger_of(root).key(), {}), ledger_of(root).public.fingerprint)


def test_dossier_holds_by_both_routes(rig: Path) -> None:
    done = check_dossier(rig / "dossier", ledger_of(rig).public.fingerprint)
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
        ledger_of(rig).public.fingerprint
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


def remade(root: Path, out: Path, **changes: bytes) -> Path:
    """Write the dossier that its maker, who has the key, made with other files."""
    files = {name: raw for name, raw in read_folder(root / "dossier").items() if name not in OUTER} | changes
    write_folder(sealed_files(files, ledger_of(root).key(), {}), out)
    return out


def test_no_command_that_stands_in_a_dossier_is_run(rig: Path, tmp_path: Path) -> None:
    hostile = b"openssl rand -out pwned 4\n"
    folder = remade(rig, tmp_path / "d", **{"VERIFY.txt": hostile})
    done = check_dossier(folder, compare=False)
    assert not (folder / "pwned").exists()
    assert done.checked[-1] == "the openssl program agrees on all 7 signatures and timestamps"


@pytest.mark.parametrize(
    "name",
    ["a\nopenssl rand -out pwned 4\n.note", "x -out pwned.tsr", "-x.tsr", "../x", "a/../b", "a//b", "\x1b[2J"],
)
def test_file_whose_name_could_be_taken_for_more_than_a_name_is_rejected(rig: Path, name: str) -> None:
    done = resealed(rig, **{name: b""})
    assert "is no name that a file of a dossier has" in done.problems[0] and done.problems[0].isprintable()


def test_folder_larger_than_any_dossier_is_not_read(
    rig: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    (tmp_path / "d").mkdir()
    with (tmp_path / "d/index.json").open("wb") as file:
        file.truncate(3 << 30)  # takes no room on the disk
    with pytest.raises(StillwatchError, match="has more than 2 GiB"):
        read_folder(tmp_path / "d")
    monkeypatch.setattr("stillwatch.app.dossierfiles.MOST_FILES", 3)
    with pytest.raises(StillwatchError, match="has more than 3 files"):
        read_folder(rig / "dossier")


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
    envelope = sealed(statement({"protocol.json": sha256(raw)}, "protocol/v1", {}), ledger_of(rig).key())
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


@pytest.mark.parametrize("part", ["custody", "limit", "rate", "digest"])
def test_facts_that_follow_from_records_or_version_cannot_be_bettered(rig: Path, part: str) -> None:
    folder = rig / "dossier"
    facts = read_canonical((folder / "facts.json").read_bytes(), DossierFacts, "facts")
    step, rate = facts.custody[0], facts.error_rates[0]
    better = {
        "custody": replace(facts, custody=(replace(step, by="a notary"), *facts.custody[1:])),
        "digest": replace(facts, custody=(replace(step, sha256=step.sha256[:-1]), *facts.custody[1:])),
        "limit": replace(facts, limits=facts.limits[1:]),
        "rate": replace(facts, error_rates=(replace(rate, upper="0"), *facts.error_rates[1:])),
    }[part]
    read = read_parts(read_folder(folder), ledger_of(rig).key().public)
    made = pages(better, read.protocol, read.findings, read.acquired)  # a cheating maker prints the pages anew
    done = resealed(rig, **{"facts.json": canonical(better), **made})
    assert done.problems and done.problems[0].startswith("facts: ")


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


def test_reveals_of_a_state_are_all_committed_to(rig: Path) -> None:
    known = ledger_of(rig).committed()
    assert {one.item.kind for one in reveals(rig / "state")} == {"mark-epoch", "mark-context", "mark-key", "canary"}
    assert all(one.item.digest in known for one in reveals(rig / "state"))


def test_dossier_can_be_stamped_itself_and_a_stamp_on_another_is_rejected(rig: Path) -> None:
    config, roots = rig / "tsa/tsa.cnf", (rig / "tsa/ca.pem").read_bytes()
    with authority_served(config) as url:
        done = built(rig / "state", rig / "exam", rig / "stamped", tsa=url, roots=b"# the authority\n" + roots)
    assert any("stamped the dossier itself" in note for note in done.notes)
    again = check_dossier(rig / "stamped", done.fingerprint)
    assert again.problems == () and again.checked[-1] == "the openssl program agrees on all 9 signatures and timestamps"
    files = read_folder(rig / "stamped")
    other = answered(config, stamps.request_for(b"another index"))
    wrong = sealed_again({**files, "index.json.1.tsr": other}, ledger_of(rig).key())
    assert "index.json.1.tsr" in check_files(wrong).problems[0]
    away = {name: raw for name, raw in files.items() if not name.startswith("index.json.1")}
    assert check_files(sealed_again(away, ledger_of(rig).key())).problems


def test_authority_that_does_not_answer_leaves_nothing_behind(rig: Path) -> None:
    roots = (rig / "tsa/ca.pem").read_bytes()
    with pytest.raises(StillwatchError, match="timestamp authority"):
        built(rig / "state", rig / "exam", rig / "none", tsa="http://127.0.0.1:9", roots=roots)
    with pytest.raises(StillwatchError, match="go together"):
        built(rig / "state", rig / "exam", rig / "none", tsa="http://127.0.0.1:9")
    assert not (rig / "none").exists()


def test_pages_of_another_version_are_not_taken_on_trust(rig: Path) -> None:
    raw = (rig / "dossier/facts.json").read_bytes()
    page = (rig / "dossier/dossier.html").read_bytes().replace(b"1e-6", b"1e-9")
    for name in (b'"stillwatch":"', b'"reportlab":"'):
        facts = raw.replace(name, name + b"9")
        assert facts != raw and resealed(rig, **{"facts.json": facts, "dossier.html": page}).problems
    done = check_dossier(rig / "dossier", compare=False)
    assert done.problems == () and any("not the pages" in note for note in done.notes)


def test_secret_has_one_spelling(rig: Path) -> None:
    raw = (rig / "dossier/materials/seed/seed.json").read_bytes()
    secret = json.loads(raw)[0]["secret"]
    assert resealed(rig, **{"materials/seed/seed.json": raw.replace(secret.encode(), secret.upper().encode())}).problems
