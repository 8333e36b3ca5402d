"""Plans say what is run; what they cannot mean is refused with its name."""

from pathlib import Path

import pytest

from stillwatch.app.settings import load_settings
from stillwatch.lab.plan import PACKAGED, find_plan, packaged_folder, read_plan
from stillwatch.terms.errors import StillwatchError

HEAD = '[[defence]]\nname = "none"\nsettings = "none.toml"\nverdict = "none"\n'
CELLS = '[[cells]]\ntasks = ["banking"]\ndefences = ["none"]\nattacks = ["soft"]\n'


def written(folder: Path, text: str) -> Path:
    (folder / "none.toml").write_text("[policy]\nshadow = true\n")
    (folder / "plan.toml").write_text(text)
    return folder / "plan.toml"


@pytest.mark.parametrize("name", PACKAGED)
def test_packaged_plans_can_be_read_and_their_settings_are_the_products(name: str) -> None:
    plan = read_plan(find_plan(name))
    assert plan.cells
    assert len(set(plan.cells)) == len(plan.cells)
    for defence in plan.defences.values():
        load_settings(defence.settings)


def test_every_packaged_settings_file_is_one_of_the_product() -> None:
    for path in packaged_folder().glob("*.toml"):
        if not path.name.startswith("plan-"):
            load_settings(path)


def test_an_adaptive_thief_words_every_request_anew_unless_the_plan_says_otherwise(tmp_path: Path) -> None:
    plan = read_plan(written(tmp_path, HEAD + CELLS + 'thieves = ["passive", "adaptive"]\n'))
    assert [cell.evasion for cell in plan.cells] == ["E0", "E2"]
    assert plan.adaptive.pace.infrastructure == "clean"


@pytest.mark.parametrize(("text", "said"), [
    (CELLS, "defence 'none' is not in the plan"),
    (HEAD + CELLS.replace("banking", "bank"), "task 'bank'"),
    (HEAD + CELLS.replace("soft", "loud"), "attack 'loud'"),
    (HEAD + CELLS + "colour = 1\n", "colour"),
    (HEAD + CELLS + 'removal = ["magic"]\n', "magic"),
    (HEAD + CELLS + 'evasion = "E9"\n', "E9"),
    ("size = 2.0\n" + HEAD + CELLS, "size"),
    (HEAD.replace("none.toml", "gone.toml") + CELLS, "gone.toml"),
    (HEAD + CELLS + "[watch]\njudge_hours = 0\n", "judge_hours = 0: must be above 0"),
    (HEAD + CELLS + "[watch]\nbackground = 1.5\n", "background"),
    (HEAD + CELLS + '[pace]\na_day = "8"\n', "a_day"),
    (HEAD + CELLS + "[adaptive]\na_day = nan\n", "a_day"),
    (HEAD + CELLS + "queries = 100.5\n", "queries"),
    ("nonsense", "not TOML"),
])  # fmt: skip
def test_what_a_plan_cannot_mean_is_refused_by_name(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(StillwatchError, match=said):
        read_plan(written(tmp_path, text))


def test_a_plan_that_is_not_there_is_told_what_there_is() -> None:
    with pytest.raises(StillwatchError, match="quick"):
        find_plan("no-such-plan")
