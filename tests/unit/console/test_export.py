"""CSV and JSON: safe in a spreadsheet, true to the published schema, silent about who was not accused."""

import csv
import io
import json
import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.console import to_json, write_csv
from stillwatch.console.export import COLUMNS
from tests import console_fixture

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "report.md"


def schema() -> Any:
    """The schema that docs/reference/report.md publishes."""
    block = re.search(r"```json\n(\{.*?\n\})\n```", PAGE.read_text("utf-8"), re.S)
    assert block, "docs/reference/report.md must hold the schema in a json block"
    return json.loads(block[1])


@pytest.mark.parametrize("sizes", [(60, 400, 25), ()])
def test_the_json_keeps_the_published_schema_through_a_round_trip(sizes: tuple[int, ...]) -> None:
    record = to_json(console_fixture.report(sizes=sizes))
    again = json.loads(json.dumps(record, allow_nan=False))
    jsonschema.Draft202012Validator.check_schema(schema())
    jsonschema.validate(again, schema())
    assert again == record


def test_the_json_reports_accused_campaigns_alone_with_names_as_in_the_input() -> None:
    report = console_fixture.report()
    record = to_json(report)
    accused = [c for c in report.verdicts.campaigns if c.accused]
    assert [c["id"] for c in record["campaigns"]] == [c.id for c in accused]
    assert [c["receipt"] for c in record["campaigns"]] == [c.receipt() for c in accused]
    assert record["campaigns"][0]["accounts"] == [report.names[a] for a in accused[0].accounts]
    assert record["campaigns"][0]["first_seen"] == "2026-03-04T00:20:34Z"
    assert len(record["candidates"]) == 6 and len(record["accused"]) == 485
    assert {row["campaign"] for row in record["accused"]} == {c.id for c in accused}


def test_members_of_groups_that_were_not_accused_are_not_named_unless_they_came_closest() -> None:
    report = console_fixture.report()
    held = {report.name(a) for c in report.verdicts.campaigns if not c.accused for a in c.accounts}
    written = json.dumps(to_json(report)) + write_csv(report)
    held -= {report.name(item.account) for item in report.verdicts.accounts}
    assert held and not [name for name in held if name in written]


def test_a_name_that_utf_8_cannot_carry_is_spelt_out_and_every_other_is_exact() -> None:
    report = console_fixture.report(sizes=(2,), candidates=0, honest=0)
    names = dict(zip(report.names, ("a\ud800", "=1+1 \u202e"), strict=True))
    record = to_json(replace(report, names=names, command="stillwatch scan \udcff.jsonl"))
    json.dumps(record, ensure_ascii=False).encode("utf-8")
    assert record["campaigns"][0]["accounts"] == ["a\\ud800", "=1+1 \u202e"]


def test_a_figure_that_is_not_finite_is_null() -> None:
    report = console_fixture.report(sizes=(3,))
    campaign = replace(report.verdicts.campaigns[0], log_e=-math.inf, account_log_e=(math.nan, 1.0, 2.0))
    record = to_json(replace(report, verdicts=replace(report.verdicts, campaigns=(campaign,), figures={"x": math.inf})))
    json.dumps(record, allow_nan=False)
    assert record["campaigns"][0]["log_e"] is None and record["run"]["figures"] == {"x": None}


@settings(max_examples=60, deadline=None)
@given(name=st.text(st.characters(exclude_categories=[]), min_size=1, max_size=20))
def test_no_text_cell_starts_a_formula_and_every_row_survives(name: str) -> None:
    report = console_fixture.report(sizes=(2,), candidates=0, honest=2)
    campaign = replace(report.verdicts.campaigns[0], id=name)
    accounts = tuple(replace(a, surface=name, campaign=name if a.accused else None) for a in report.verdicts.accounts)
    verdicts = replace(report.verdicts, campaigns=(campaign,), accounts=accounts)
    text = write_csv(replace(report, verdicts=verdicts, names=dict.fromkeys(report.names, name)))
    text.encode("utf-8")
    rows = list(csv.reader(io.StringIO(text)))
    assert rows[0] == list(COLUMNS) and len(rows) == 5
    for row in rows[1:]:
        assert len(row) == len(COLUMNS)
        for cell in (row[0], row[1], row[6], row[7]):
            assert not re.match(r"\s*[=+\-@\t\r\n|]", cell)
    if re.fullmatch(r"\w+", name):
        assert rows[1][0] == name


@pytest.mark.parametrize("name", ["=HYPERLINK(1)", "+1", "-1", "@SUM(1)", " =1", "\u3000=1", "＝1", "|cmd"])
def test_known_formula_starts_are_guarded(name: str) -> None:
    report = console_fixture.report(sizes=(1,), candidates=0, honest=0)
    row = list(csv.reader(io.StringIO(write_csv(replace(report, names=dict.fromkeys(report.names, name))))))[1]
    assert row[0] == "'" + name


def test_a_close_account_says_whether_a_test_at_alpha_flags_it() -> None:
    report = console_fixture.report(sizes=(3,), candidates=0, honest=3)
    first, *rest = report.verdicts.accounts[-3:]
    flagged = replace(first, evidence=tuple(replace(e, detail={**e.detail, "flag": 1}) for e in first.evidence[:1]))
    shown = replace(report, verdicts=replace(report.verdicts, accounts=(flagged, *rest)))
    assert {row["account"]: row["flag"] for row in to_json(shown)["closest"]} == {
        report.name(item.account): item is flagged for item in (flagged, *rest)
    }
