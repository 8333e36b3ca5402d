"""What an accuser does wrong on the way to a dossier shows when it is built."""

import json
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from stillwatch.app.dossierfiles import (
    read_folder,
)
from stillwatch.app.examination import begin, keep_material, load, log_attempt, open_secrets
from stillwatch.app.ledger import find_ledger, list_entries
from stillwatch.terms.canon import canonical, sha256
from stillwatch.terms.errors import StillwatchError
from tests.proof_rig import (
    acquired,
    answers,
    authority,
    built,
    canary_test,
    examined,
    finished,
    ledger_of,
    made_state,
    of_canaries,
    planned,
    stamped,
)


def test_dossier_holds_no_account_that_is_not_its_subject(tmp_path: Path) -> None:
    made_state(tmp_path / "state", subjects=("acme", "globex-customer"), count=4)
    own = [one for one in of_canaries(tmp_path / "state") if one.facts["subject"] == "acme"]
    begin(tmp_path / "state", tmp_path / "exam", planned(canary_test(family=2)))
    log_attempt(tmp_path / "state", tmp_path / "exam", acquired(), answers(tmp_path / "state", 4))
    open_secrets(tmp_path / "exam", "canaries", own)
    finished(tmp_path)
    built(tmp_path / "state", tmp_path / "exam", tmp_path / "dossier")
    everything = b"".join(read_folder(tmp_path / "dossier").values())
    assert b"acme" in everything and b"globex-customer" not in everything


def test_late_secret_is_rejected(tmp_path: Path) -> None:
    """A canary made after the suspect's answers were seen, and put in as if it had been planted."""
    made_state(tmp_path / "state", count=4)
    begin(tmp_path / "state", tmp_path / "exam", planned())
    made_late = tmp_path / "late"
    made_state(made_late, count=4)
    log_attempt(tmp_path / "state", tmp_path / "exam", acquired(), answers(made_late, 4))
    late = of_canaries(made_late)
    ledger_of(tmp_path).commit(one.item for one in late)
    open_secrets(tmp_path / "exam", "canaries", late)
    finished(tmp_path)
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
    stamped(tmp_path, *authority(tmp_path / "tsa"))
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
    finished(tmp_path)
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
        finished(tmp_path)


def test_protocol_must_count_every_subject_that_was_committed_to(tmp_path: Path) -> None:
    made_state(tmp_path / "state", subjects=("acme", "globex", "initech"), count=2)
    with pytest.raises(StillwatchError, match="counts 1 hypotheses, and the ledger committed to 3"):
        begin(tmp_path / "state", tmp_path / "exam", planned())
    begin(tmp_path / "state", tmp_path / "exam", planned(canary_test(family=3)))


def test_test_that_does_not_say_what_it_opens_is_rejected(tmp_path: Path) -> None:
    """Without `secrets` no denominator would be asked for."""
    made_state(tmp_path / "state", subjects=("acme", "globex", "initech"), count=4)
    begin(tmp_path / "state", tmp_path / "exam", planned(canary_test(secrets="")))
    log_attempt(tmp_path / "state", tmp_path / "exam", acquired(), answers(tmp_path / "state", 4))
    own = [one for one in of_canaries(tmp_path / "state") if one.facts["subject"] == "acme"]
    open_secrets(tmp_path / "exam", "canaries", own)
    finished(tmp_path)
    with pytest.raises(StillwatchError, match="did not plan to count"):
        built(tmp_path / "state", tmp_path / "exam", tmp_path / "dossier")


def test_transcript_that_no_attempt_brought_is_rejected(tmp_path: Path) -> None:
    made_state(tmp_path / "state", count=4)
    begin(tmp_path / "state", tmp_path / "exam", planned())
    keep_material(tmp_path / "exam", "transcript/t1.jsonl", answers(tmp_path / "state", 4))
    open_secrets(tmp_path / "exam", "canaries", of_canaries(tmp_path / "state"))
    finished(tmp_path)
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


def test_suspect_is_not_asked_until_the_answers_please(tmp_path: Path) -> None:
    made_state(tmp_path / "state", count=4)
    begin(tmp_path / "state", tmp_path / "exam", planned())
    log_attempt(tmp_path / "state", tmp_path / "exam", acquired(), answers(tmp_path / "state", 0))
    with pytest.raises(StillwatchError, match="an attempt brought it already"):
        log_attempt(tmp_path / "state", tmp_path / "exam", acquired(), answers(tmp_path / "state", 4))
    # An accuser who writes the files himself, and logs both attempts as they were.
    raw, found = answers(tmp_path / "state", 4), load(tmp_path / "exam")
    second = replace(acquired(), n=2, sha256=sha256(raw))
    payload = {**msgspec.to_builtins(second), "protocol": found.digest}
    ledger_of(tmp_path).append(f"attempt.{found.digest[:16]}", payload)
    (tmp_path / "exam/acquisition.json").write_bytes(canonical((*found.acquired, second)))
    (tmp_path / "exam/materials/transcript/t1.jsonl").write_bytes(raw)
    open_secrets(tmp_path / "exam", "canaries", of_canaries(tmp_path / "state"))
    finished(tmp_path)
    with pytest.raises(StillwatchError, match="asked until the answers pleased"):
        built(tmp_path / "state", tmp_path / "exam", tmp_path / "dossier")
