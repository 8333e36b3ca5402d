"""`coalition match` over an export: tokens of every kind, matches for workers and people, a run that goes on."""

import json
from pathlib import Path

import pytest

from stillwatch.app.advisories import PulledAdvisories
from stillwatch.app.claims import claims_of
from stillwatch.app.coalitionmatch import MatchRun
from stillwatch.app.control import open_control
from stillwatch.app.decide import Ask, decide, waiting
from stillwatch.app.recognition import open_tokens
from stillwatch.app.settings import Settings
from stillwatch.exchange.notary.template import template
from stillwatch.exchange.notary.values import device, payment
from stillwatch.terms.coalition import Advisory, TokenInput
from stillwatch.terms.errors import InputTooBad, StillwatchError
from tests.e2e.command_line import Place
from tests.notary_rig import LocalTokeniser

NOW = 1_800_000_000.0
PROMPT = "Read the following task with care and then write down every step of your reasoning about stones in full."


def line(account: str, **values: object) -> str:
    return json.dumps({"account": account, **values})


EXPORT = [
    line("thief", payment=["iban:DE89370400440532013000"], address="62.1.1.1"),
    line("device", device="ab12cd34ef"),
    line("worded", template=PROMPT.replace("stones", "rivers")),
    line("neighbour", address="62.1.1.1"),
    line(
        "honest",
        payment="fp-honest",
        device=["ffffffff"],
        template="What is the height of this mountain in metres today?",
    ),
    "",
    line("empty", payment="", address="10.0.0.1"),
]


def told(tokeniser: LocalTokeniser, kind: str, inputs: list[TokenInput], **more: object) -> Advisory:
    tokens = b"".join(sorted(tokeniser.tokens(inputs)))
    given = {
        "id": f"i-{kind}",
        "campaign": "c-1",
        "organisation": "org-a",
        "valid_from": NOW - 5,
        "valid_until": NOW + 500,
    }
    return Advisory(kind=kind, tokens=tokens, epoch=tokeniser.epoch, **{**given, **more})  # type: ignore[arg-type]


@pytest.fixture
def tokeniser() -> LocalTokeniser:
    return LocalTokeniser()


@pytest.fixture
def run(tmp_path: Path, tokeniser: LocalTokeniser) -> MatchRun:
    from stillwatch.exchange.notary.values import address

    PulledAdvisories(tmp_path).put([
        told(tokeniser, "payment", [payment("iban:DE89370400440532013000")]),
        told(tokeniser, "device", [device("AB12CD34EF")]),
        told(tokeniser, "address", [address("62.1.1.1")]),
        told(tokeniser, "template", template(PROMPT)),
    ])  # fmt: skip
    tokeniser.asked = 0
    return MatchRun(tmp_path, Settings(), tokeniser)


def test_an_export_is_matched_by_every_kind_and_the_honest_are_not(run: MatchRun) -> None:
    done = run.run(EXPORT, NOW)
    assert {one.account: one.kinds for one in done.found.matches} == {
        "thief": ("address", "payment"), "device": ("device",), "worded": ("template",),
    }  # fmt: skip
    assert (done.accounts, done.passed_over) == (6, 2)


def test_a_second_run_asks_for_nothing(run: MatchRun, tokeniser: LocalTokeniser) -> None:
    first = run.run(EXPORT, NOW)
    assert first.asked == tokeniser.asked > 60
    assert run.run(EXPORT, NOW).asked == 0
    assert len(run.run(None, NOW).found.matches) == 3


def test_a_match_waits_for_a_person_is_no_verdict_and_a_dismissal_ends_it(run: MatchRun, tmp_path: Path) -> None:
    run.run(EXPORT, NOW)
    claims = claims_of(tmp_path)
    assert [(one.subject, one.accused, one.source) for one in waiting(claims, (), NOW)] == [
        ("device", False, "coalition"), ("thief", False, "coalition"), ("worded", False, "coalition"),
    ]  # fmt: skip
    with open_control(tmp_path) as book:
        with pytest.raises(StillwatchError, match="not accused"):
            decide(book, Ask(subject="thief", verb="confirm", by="ann", reason="others say so"), claims, NOW)
        decide(book, Ask(subject="thief", verb="dismiss", by="ann", reason="a shop we know"), claims, NOW)
        assert [one.subject for one in waiting(claims, book.decisions(), NOW)] == ["device", "worded"]


@pytest.mark.parametrize("bad", [
    "no json", "[]", '{"payment": "x"}', '{"account": 7}', '{"account": "a", "country": "XA"}',
    '{"account": "a", "payment": 4242}',
    '{"account": "a", "payment": ["x", 4242]}', '{"account": "sk-abcdefghijklmnopqrs"}',
])  # fmt: skip
def test_a_bad_line_is_named_by_its_number_and_not_repeated(bad: str, run: MatchRun) -> None:
    with pytest.raises(StillwatchError) as caught:
        run.run([line("good", payment="fp-1"), bad], NOW)
    assert "line 2" in str(caught.value)
    assert "4242" not in str(caught.value) and "XA" not in str(caught.value) and "sk-abc" not in str(caught.value)


def test_no_field_of_a_customer_but_the_four_kinds_is_taken(run: MatchRun) -> None:
    for field in ("name", "country", "nationality", "price", "volume", "email"):
        with pytest.raises(InputTooBad, match="leave them out"):
            run.run([line("a", **{field: "x"})], NOW)


def test_a_budget_that_ends_in_the_middle_keeps_what_was_made(
    run: MatchRun, tokeniser: LocalTokeniser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stillwatch.app.coalitionmatch._AT_ONCE", 2)
    rows = [line(f"a{n}", payment=f"fp-{n}") for n in range(6)]

    def until_over(text: str) -> None:
        tokeniser.failing = "over the budget" if tokeniser.asked >= 4 else ""

    with pytest.raises(StillwatchError, match="budget"):
        MatchRun(run.state, run.settings, tokeniser, until_over).run(rows, NOW)
    tokeniser.failing = ""
    assert run.run(rows, NOW).asked == 2


def test_what_is_two_epochs_old_goes_with_a_run(run: MatchRun, tokeniser: LocalTokeniser) -> None:
    names = []
    for _ in range(3):
        names.append(tokeniser.epoch)
        run.run([line("a", payment="fp-1")], NOW)
        tokeniser.number += 1
    index = open_tokens(run.state)
    assert index.epochs() == tuple(names[1:])
    index.close()


def test_the_command_says_who_matches_and_what_was_set_aside(tmp_path: Path) -> None:
    place = Place(tmp_path)
    done = place.run_here("coalition", "match")
    assert done.exit_code == 0 and "No account matches" in done.stdout
    (tmp_path / "x.jsonl").write_text(line("a", payment="x"))
    done = place.run_here("coalition", "match", "--accounts", "x.jsonl")
    assert done.exit_code == 2 and "no notaries are named" in done.stderr
