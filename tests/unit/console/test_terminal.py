"""Terminal pages: narrow, safe against escape sequences, and able to answer for every name."""

import doctest
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.console import (
    bars,
    export,
    render_explain,
    render_html,
    render_text,
    report,
    standing,
    timeline,
    wording,
)
from stillwatch.terms.errors import StillwatchError
from tests import console_fixture

FULL = console_fixture.report()


@pytest.mark.parametrize("module", [bars, export, report, standing, timeline, wording])
def test_the_examples_in_docstrings_are_true(module: object) -> None:
    assert doctest.testmod(module).failed == 0  # type: ignore[arg-type]


@pytest.mark.parametrize("width", [40, 80, 132])
def test_the_summary_keeps_to_the_width(width: int) -> None:
    text = render_text(FULL, width=width)
    assert max(len(line) for line in text.splitlines()) <= width
    for words in ("3 campaigns, 485 accounts", "needed", "What to do next", "could not run"):
        assert words in " ".join(text.split())


def test_colour_changes_no_word() -> None:
    coloured = render_text(FULL, width=80, colour=True)
    assert "\x1b[1m" in coloured
    for code in ("\x1b[1m", "\x1b[33m", "\x1b[2m", "\x1b[0m"):
        coloured = coloured.replace(code, "")
    assert coloured == render_text(FULL, width=80)


def test_a_name_cannot_steer_the_terminal() -> None:
    name = "a\x1b]0;owned\x07\x1b[2J\u202eb\ud800"
    hostile = replace(FULL, names=dict.fromkeys(FULL.names, name), title=name)
    for text in (render_text(hostile, width=80), render_explain(hostile, FULL.verdicts.campaigns[0].id)):
        assert not set(text) & set("\x1b\x07\u202e\ud800")


def test_explain_shows_every_line_of_evidence_against_its_bar_and_what_would_clear_it() -> None:
    campaign = FULL.verdicts.campaigns[0]
    text = " ".join(render_explain(FULL, campaign.id).split())
    bar = wording.signed(standing.campaign_bar(FULL.verdicts, campaign))
    for item in campaign.evidence:
        assert item.null in text and f"{wording.signed(item.log_e)} of {bar} nats" in text
        assert item.clears in text
    assert campaign.receipt() in text


def test_explain_answers_for_members_for_close_ones_and_for_the_rest() -> None:
    campaigns = FULL.verdicts.campaigns
    assert "accused" in render_explain(FULL, FULL.name(campaigns[0].accounts[0]))
    assert "not accused" in render_explain(FULL, FULL.name(FULL.verdicts.accounts[-1].account))
    assert "looked at, not accused" in render_explain(FULL, FULL.name(campaigns[-1].accounts[0]))
    quiet = replace(FULL, names={**FULL.names, 7_000_000: "quiet-one"})
    assert "not among the accounts that came closest" in render_explain(quiet, "quiet-one")


def test_explain_of_an_unknown_name_lists_the_near_ones() -> None:
    known = FULL.name(FULL.verdicts.campaigns[1].accounts[7])
    with pytest.raises(StillwatchError, match=known):
        render_explain(FULL, known[:-1] + "z")
    with pytest.raises(StillwatchError, match="unknown"):
        render_explain(FULL, "")


def test_the_bar_is_that_of_e_bh_and_ten_times_stricter_for_one_kind_of_link() -> None:
    verdicts = FULL.verdicts
    two, _, one = (c for c in verdicts.campaigns if c.accused)
    held = verdicts.campaigns[-1]
    assert standing.campaign_bar(verdicts, two) == pytest.approx(math.log(37 / (0.05 * 3)))
    assert standing.campaign_bar(verdicts, one) == pytest.approx(math.log(37 / (0.005 * 3)))
    assert standing.campaign_bar(verdicts, held) == pytest.approx(math.log(37 / (0.05 * 4)))


@given(log_e=st.floats(0.01, 700.0))
def test_a_chance_is_never_made_to_look_smaller_than_it_is(log_e: float) -> None:
    words = wording.chance(log_e)
    assert words.startswith("1 in ")
    if "10" not in words or "," in words or "illion" in words:
        number, _, scale = words.removeprefix("1 in ").partition(" ")
        size = {"": 1.0, "million": 1e6, "billion": 1e9, "trillion": 1e12}[scale]
        if number.replace(",", "").replace(".", "").isdecimal() and number.isascii():
            assert float(number.replace(",", "")) * size <= math.exp(log_e) * (1 + 1e-9)


@given(text=st.text(st.characters(exclude_categories=[])))
def test_safe_text_can_be_written_and_holds_no_control_character(text: str) -> None:
    calm = wording.safe(text)
    calm.encode("utf-8")
    assert all(char.isprintable() or char.isspace() for char in calm)
    assert not set(calm) & set("\n\r\t\x1b")


def test_with_a_calibration_the_bar_of_one_account_is_that_of_e_bh_over_all_accounts() -> None:
    report = console_fixture.report(sizes=(), candidates=0, honest=2)
    near, far = (
        replace(item, log_e=nats, campaign=None, accused=False)
        for item, nats in zip(report.verdicts.accounts, (8.0, 2.0), strict=True)
    )
    plain = replace(report.verdicts, accounts=(near, far))
    assert "uncalibrated" in standing.why_not_account(plain, near)
    assert standing.account_bar(plain) == pytest.approx(math.log(1000))
    calibrated = replace(plain, calibrated=True)
    assert standing.account_bar(calibrated) == standing.verdict_bar(calibrated, near) == math.log(3485 / 0.05)
    assert "uncalibrated" not in standing.why_not_account(calibrated, near)
    assert " 11.2 nats are needed" in standing.why_not_account(calibrated, near)
    alone = tuple(replace(near, account=n, log_e=10.9, accused=True) for n in (1, 2))
    passed = replace(calibrated, accounts=(*alone, far))
    assert math.log(1000) <= standing.verdict_bar(passed, alone[0]) <= 10.9
    small = replace(calibrated, figures={"accounts": 3})
    assert standing.account_bar(small) == math.log(1000), "never below log(1/alpha)"


def test_what_never_accuses_is_never_the_first_reason() -> None:
    evidence = console_fixture.report().verdicts.campaigns[0].evidence[0]
    shown = replace(evidence, log_e=9.0, detail={"accuses": 0})
    real = replace(evidence, log_e=1.0, detail={"accuses": 1})
    assert standing.strongest((shown, real)) is real and standing.strongest((shown,)) is None


def test_where_no_row_is_good_nothing_could_be_read_and_the_quarantine_is_named_whole() -> None:
    path = "/var/lib/" + "a-long-folder-name-" * 5 + "/bad.jsonl"
    read = report.InputFile(path="log.jsonl", importer="jsonl", rows=3, good=0, bad=3, quarantine=path)
    nothing = replace(FULL.verdicts, accounts=(), campaigns=(), figures={})
    text = render_text(replace(FULL, verdicts=nothing, inputs=(read,), timeline={}, edges={}), width=40)
    words = " ".join(text.split())
    assert "Nothing could be read: no row is good, 3 are bad" in words
    assert "Nothing found" not in words and "Nothing has to be done" not in words
    assert text.count(path) == 2, "in the lead and beside its input, neither broken"


def test_a_live_report_does_not_say_that_nothing_was_done() -> None:
    scan, live = (" ".join(render_text(replace(FULL, live=on)).split()) for on in (False, True))
    assert "Nothing was blocked" in scan and "Nothing was blocked" not in live
    assert "A person decides. This page was written when traffic was judged" in live
    assert "scan report" in render_html(FULL) and "Nothing was blocked" in render_html(FULL)
    page = render_html(replace(FULL, live=True))
    assert "live report" in page and "scan report" not in page and "Nothing was blocked" not in page
