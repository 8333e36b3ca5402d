"""The lab attacks the product through its own gateway: repeatable, cached, and it bites where it must."""

from dataclasses import replace
from pathlib import Path

from click.testing import CliRunner

from stillwatch.app.labrun import LabRequest, run_lab, shown
from stillwatch.cli import main
from stillwatch.lab.cell import Row
from stillwatch.lab.plan import find_plan, packaged_folder

REDUCED = """
name = "reduced"
size = {size}
queries = {queries}
accounts = {accounts}

[pace]
a_day = {pace}

[watch]
background = 60

[[defence]]
name = "none"
settings = "{folder}/none.toml"
verdict = "none"

[[defence]]
name = "withhold"
settings = "{folder}/withhold.toml"

[[defence]]
name = "full"
settings = "{folder}/full.toml"
verdict = "earned"

[[cells]]
tasks = ["toy"]
defences = {defences}
attacks = ["soft"]
thieves = {thieves}
"""


def plan(folder: Path, defences: list[str], **values: object) -> str:
    given = {"size": 0.2, "queries": 80, "accounts": 10, "thieves": ["passive"], "pace": 8.0, **values}
    path = folder / "reduced.toml"
    path.write_text(REDUCED.format(folder=packaged_folder(), defences=defences, **given))
    return str(path)


def rows(folder: Path, name: str, out: str) -> list[Row]:
    return [replace(row, seconds=0.0) for row in run_lab(LabRequest(plan=name, out=folder / out)).rows]


def test_withheld_probabilities_cost_honest_users_their_confidence_and_no_answer(tmp_path: Path) -> None:
    undefended, withheld = rows(tmp_path, plan(tmp_path, ["none", "withhold"]), "one")
    assert undefended.spent.queries == withheld.spent.queries == 80
    assert undefended.honest_confidence is not None and undefended.honest_confidence.value < 1e-9
    assert withheld.figures["mistaken_confidence"] == 1.0  # told no probability at all
    assert withheld.figures["mistaken_points"] == 0.0  # and every answer as before
    assert undefended.honest_points is not None and undefended.honest_points.value == 0.0


def test_the_plan_quick_measures_the_same_twice_and_examines_every_student(tmp_path: Path) -> None:
    """The plan as it is packaged, on the task for tests and with fewer requests."""
    text = find_plan("quick").read_text()
    for old, new in (
        ("size = 0.25", "size = 0.2"), ("queries = 900", "queries = 48"), ("accounts = 40", "accounts = 8"),
        ("background = 100", "background = 20"), ('"banking"', '"toy"'),
        ('settings = "', f'settings = "{packaged_folder()}/'),
    ):  # fmt: skip
        assert old in text
        text = text.replace(old, new)
    (tmp_path / "quick.toml").write_text(text)
    first = rows(tmp_path, str(tmp_path / "quick.toml"), "one")
    assert first == rows(tmp_path, str(tmp_path / "quick.toml"), "two")
    assert len(first) == 11
    for row in first:
        assert {one.about for one in row.evidence} == {"mark", "errors"}
        assert all(one.why or one.log_p is not None for one in row.evidence)


def test_the_scorecard_names_the_strategy_that_won_and_what_exams_found(tmp_path: Path) -> None:
    name = plan(tmp_path, ["none"], thieves=["adaptive"])
    Path(name).write_text(Path(name).read_text() + 'strategies = ["clean", "bare", "moving"]\n')
    card = run_lab(LabRequest(plan=name, out=tmp_path / "run"))
    (best,) = card.best
    kept = {row.cell.strategy: row.retained.value for row in card.rows if row.retained is not None}
    assert best.tried == ("clean", "bare", "moving") and best.retained.value == max(kept.values())
    assert next(row for row in card.rows if row.cell.strategy == "moving").figures["waves_used"] == 1.0
    page, table = (tmp_path / "run" / "scorecard.html").read_text(), shown(card, as_json=False)
    assert "evidence on the student" in page and "upper bound" in page
    assert f"`{best.strategy}`" in table and "no mark" in table


def test_a_run_goes_on_where_it_was_and_leaves_no_text_behind(tmp_path: Path) -> None:
    name, out = plan(tmp_path, ["none", "withhold"]), tmp_path / "run"
    first = CliRunner().invoke(main, ["lab", "run", name, "--out", str(out), "--cells", "1"])
    assert first.exit_code == 3, first.output
    assert "1 cells wait" in first.output
    kept = {path: path.stat().st_mtime_ns for path in (out / "cells").iterdir()}
    second = CliRunner().invoke(main, ["lab", "run", name, "--out", str(out)])
    assert second.exit_code == 0, second.output
    assert all(path.stat().st_mtime_ns == when for path, when in kept.items())
    assert len(list((out / "cells").iterdir())) == 2
    written = b"".join(path.read_bytes() for path in out.rglob("*") if path.is_file())
    assert b"wake me up" not in written
    assert not any((out / "state").iterdir())


def test_the_full_defence_finds_the_campaign_and_turns_it_away_and_nobody_honest(tmp_path: Path) -> None:
    name = plan(tmp_path, ["full"], queries=460, accounts=30, pace=5.0)
    (row,) = run_lab(LabRequest(plan=name, out=tmp_path / "run")).rows
    assert row.contained is not None
    assert row.contained.confirmed_days > row.contained.accused_days > 0.0
    assert row.contained.members_held > 0.9
    assert row.contained.honest_held == 0
    assert 0 < row.harvested < 460
    assert row.spent.refused == 460 - row.harvested
    assert row.honest_refused is not None and row.honest_refused.value == 0.0
    assert row.figures["mistaken_refused"] == 1.0


def test_what_the_data_lack_is_left_out_and_said(tmp_path: Path) -> None:
    path = Path(plan(tmp_path, ["none"]))
    path.write_text(path.read_text().replace('tasks = ["toy"]', 'tasks = ["sst2"]'))
    card = run_lab(LabRequest(plan=str(path), out=tmp_path / "run"))
    assert not card.rows
    assert "STILLWATCH_DATA" in card.skipped["sst2 soft"]


def test_economics_names_the_source_of_every_constant_and_every_assumption() -> None:
    import json

    said = CliRunner().invoke(main, ["economics", "--json"])
    assert said.exit_code == 0, said.output
    table = json.loads(said.output)
    assert all(one["source"] and one["kind"] for one in table["constants"].values())
    assert all(figure["assumes"] for figure in table["figures"])
    text = CliRunner().invoke(main, ["economics"])
    assert all(name in text.output for name in table["constants"])


def test_constants_of_ones_own_are_laid_over(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text('[price_input]\nvalue = 0.0\nsource = "contract"\n')
    said = CliRunner().invoke(main, ["economics", "--constants", str(tmp_path / "own.toml")])
    assert "price_input = 0" in said.output and "contract" in said.output
    (tmp_path / "own.toml").write_text("[no_such]\nvalue = 1\n")
    assert CliRunner().invoke(main, ["economics", "--constants", str(tmp_path / "own.toml")]).exit_code == 2
