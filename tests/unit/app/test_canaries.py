"""Planning canaries: only under a person's word, committed before it is known, ended; and what a test concludes."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from stillwatch.app.backup import BackupRequest, back_up
from stillwatch.app.canaries import CanaryAsk, Planned, opened, plan, probes, read_suspect, retire, state_of
from stillwatch.app.control import canary_secret, key_secret, open_control
from stillwatch.app.decide import DAY
from stillwatch.app.restore import RestoreRequest, restore
from stillwatch.app.suspectanswers import read_answers
from stillwatch.forensics.canaries import Answered
from stillwatch.store.controlmemory import MemoryControl
from stillwatch.terms.account import AccountRecord, Decision
from stillwatch.terms.canary import CanaryRecord
from stillwatch.terms.errors import StillwatchError
from stillwatch.treatments.canaries import TEMPLATES, drawn
from tests.planted_canaries import SECRET, records

NOW = 1_000_000.0


def confirmed(*accounts: str, subject: str = "", verb: str = "confirm", days: float = 20.0) -> MemoryControl:
    book = MemoryControl()
    decide(book, *accounts, subject=subject, verb=verb, days=days)
    return book


def decide(book: MemoryControl, *accounts: str, subject: str = "", verb: str = "confirm", days: float = 20.0) -> None:
    kind = "campaign" if subject else "account"
    book.add_decision(
        Decision(
            subject=subject or accounts[0],
            kind=kind,
            accounts=accounts,
            verb=verb,
            by="ada",
            reason="r",
            at=NOW - 10 + len(book.decisions()),
            expires=NOW + days * DAY,
            receipt="f" * 32,
        )
    )


def planned(book: MemoryControl, subject: str, **more: object) -> Planned:
    ask = replace(CanaryAsk(subject=subject, by="ada", reason="clear case"), **more)  # type: ignore[arg-type]
    return plan(book, ask, SECRET, NOW)


def test_nothing_is_planned_before_a_person_confirmed_or_after_somebody_released() -> None:
    for book in (
        MemoryControl(),
        confirmed("a", verb="dismiss"),
        confirmed("a", verb="release"),
        confirmed("b"),
        confirmed("a", days=-0.0001),
    ):
        with pytest.raises(StillwatchError, match="no person confirmed"):
            planned(book, "a")
        assert book.canaries() == ()
    book = confirmed("a")
    decide(book, "a", verb="release")
    with pytest.raises(StillwatchError, match="no person confirmed"):
        planned(book, "a")


def test_a_confirmation_without_a_verdict_plants_nothing() -> None:
    book = confirmed("a")
    unfounded = replace(book.decisions()[0], id=0, at=NOW, receipt="")
    book.add_decision(unfounded)
    with pytest.raises(StillwatchError, match="--without-verdict is none"):
        planned(book, "a")
    assert book.canaries() == ()


def test_what_is_planned_names_who_approved_it_ends_and_holds() -> None:
    book = confirmed("a")
    done = planned(book, "a")
    assert len(done.canaries) == 32 == len({record.template for record in done.canaries})
    assert book.canaries() == done.canaries and "copies of the model" in done.disclosure
    for record in done.canaries:
        assert (record.by, record.reason, record.decision, record.made) == ("ada", "clear case", 1, NOW)
        assert record.expires == NOW + 20 * DAY, "no longer than the confirmation"
        drawn(record, SECRET)
    assert planned(confirmed("a"), "a", days=2.0).expires == NOW + 2 * DAY


def test_accounts_of_a_campaign_share_values_and_promised_or_released_ones_are_left_out() -> None:
    book = confirmed("a", "b", "c", "d", subject="C-1")
    book.put_account(AccountRecord(account="c", unmodified=True))
    decide(book, "d", verb="release")
    done = planned(book, "C-1", count=4)
    assert done.accounts == ("a", "b") and done.unmodified == ("c",)
    assert {(record.kind, record.subject, record.accounts) for record in done.canaries} == {
        ("campaign", "C-1", ("a", "b"))
    }
    only = confirmed("c")
    only.put_account(AccountRecord(account="c", unmodified=True))
    with pytest.raises(StillwatchError, match="promised unchanged"):
        planned(only, "c")


def test_no_account_gets_two_values_for_one_choice() -> None:
    book = confirmed("a", "b", subject="C-1")
    planned(book, "C-1")
    with pytest.raises(StillwatchError, match="at most 16 more"):
        planned(book, "a")
    assert len(planned(book, "a", count=16).canaries) == 16
    retire(book, "C-1", "bo", NOW + 1)
    assert {state_of(record, NOW + 1) for record in book.canaries()} == {"retired", "planted"}
    with pytest.raises(StillwatchError, match="none to retire"):
        retire(book, "C-1", "bo", NOW + 2)
    assert len(planned(book, "b", count=48).canaries) == 48


@pytest.mark.parametrize(
    "more",
    [
        {"count": 0},
        {"count": 49},
        {"alternatives": 1},
        {"alternatives": 25},
        {"days": 0.0},
        {"days": 367.0},
        {"by": " "},
        {"reason": ""},
        {"reason": "sk-proj-abcdefghijklmnopqr"},
    ],
)
def test_what_is_out_of_range_is_refused_and_nothing_kept(more: dict[str, object]) -> None:
    book = confirmed("a")
    with pytest.raises(StillwatchError):
        planned(book, "a", **more)
    assert book.canaries() == ()


def test_a_dry_run_keeps_nothing() -> None:
    book = confirmed("a")
    ask = CanaryAsk(subject="a", by="ada", reason="r")
    assert len(plan(book, ask, SECRET, NOW, dry_run=True).canaries) == 32 and book.canaries() == ()


def test_questions_are_the_same_whatever_is_planted() -> None:
    rows = probes()
    assert {row["probe"] for row in rows} == {form.name for form in TEMPLATES} and len(rows) == len(TEMPLATES)
    assert len(probes(repeat=3)) == 3 * len(TEMPLATES) and all("pool" in row for row in probes(pool=True))


def learned(made: tuple[CanaryRecord, ...], hits: int) -> dict[str, Answered]:
    answers = {}
    for i, record in enumerate(made):
        one = drawn(record, SECRET)
        answers[record.template] = Answered(
            texts=(one.alternatives[one.index if i < hits else (one.index + 1 + i % 15) % 16],)
        )
    return answers


def test_the_subject_whose_values_a_suspect_learned_is_shown_and_no_other() -> None:
    book = MemoryControl()
    for number in range(200):
        decide(book, f"a{number}")
    for number in range(200):
        planned(book, f"a{number}")
    own = tuple(record for record in book.canaries() if record.subject == "a7")
    done = read_suspect(book.canaries(), learned(own, 16), SECRET)
    assert done.shown == ("a7",) and done.readings[0].subject == "a7" and done.enough
    assert done.adjusted_log_p[0] == pytest.approx(done.readings[0].log_p + 5.2983, abs=1e-3)
    none = read_suspect(book.canaries(), {form.name: Answered(texts=(form.pool[5],)) for form in TEMPLATES}, SECRET)
    assert none.shown == () and none.enough
    assert not read_suspect(book.canaries(), {}, SECRET).enough


def test_an_altered_record_is_named_and_not_tested() -> None:
    made = records(count=3)
    bad = replace(made[0], nonce="0" * 32)
    done = read_suspect((bad, *made[1:]), {}, SECRET)
    assert done.unsound == (bad.id,) and done.readings[0].canaries == 2
    with pytest.raises(StillwatchError, match="ever registered"):
        read_suspect((), {}, SECRET)
    with pytest.raises(StillwatchError, match="alpha"):
        read_suspect(made, {}, SECRET, alpha=0.0)
    shown = opened(made[1], SECRET)
    assert shown["value"] in shown["alternatives"] and shown["commitment"] == made[1].commitment  # type: ignore[operator]


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        '{"probe": "name-baker"}',
        '{"probe": "nobody", "answer": "zqtext"}',
        '{"probe": 7, "answer": "zqtext"}',
        '{"probe": "name-baker", "answer": 7}',
        '{"probe": "name-baker", "log_p": {"zqtext": "a"}}',
    ],
)
def test_a_line_that_is_no_answer_is_named_by_its_number_and_never_repeated(line: str, tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    path.write_text(json.dumps({"probe": "name-baker", "answer": "Mira"}) + "\n\n" + line + "\n")
    with pytest.raises(StillwatchError, match="line 3") as refused:
        read_answers(path)
    assert "zqtext" not in str(refused.value)


def test_answers_are_read_by_probe(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    rows = [
        {"probe": "name-baker", "answer": "Mira"},
        {"probe": "name-baker", "answer": "Tessa"},
        {"probe": "name-cook", "log_p": {"Hugo": -1}, "answer": "x"},
    ]
    path.write_text("\n".join(map(json.dumps, rows)))
    found = read_answers(path)
    assert found["name-baker"].texts == ("Mira", "Tessa") and dict(found["name-cook"].log_p) == {"Hugo": -1}
    with pytest.raises(StillwatchError, match="answers none"):
        read_answers(tmp_path / "none")


def test_a_backup_holds_the_registry_and_canaries_hold_after_it_is_put_back(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with open_control(state) as book:
        book.add_decision(
            Decision(
                subject="a",
                kind="account",
                accounts=("a",),
                verb="confirm",
                by="b",
                reason="r",
                at=NOW,
                expires=NOW + DAY,
                receipt="f" * 32,
            )
        )
        made = plan(book, CanaryAsk(subject="a", by="ada", reason="r"), canary_secret(state), NOW)
    back_up(BackupRequest(state=state, target=tmp_path / "b.tar", now=NOW))
    restore(RestoreRequest(source=tmp_path / "b.tar", state=tmp_path / "new", now=NOW))
    with open_control(tmp_path / "new", new=False) as book:
        assert book.canaries() == made.canaries
    secret = canary_secret(tmp_path / "new")
    assert secret == canary_secret(state) != key_secret(state)
    assert [drawn(r, secret) for r in made.canaries] == [drawn(r, canary_secret(state)) for r in made.canaries]
