from pathlib import Path

from stillwatch.app.measures import WAITS, measures_of
from stillwatch.policy.rule import NEEDS
from tests.proof_rig import NOW, made_state


def test_measures_say_what_settings_put_in_force_and_what_is_off(tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text(
        '[policy]\nshadow = false\n[[policy.limit]]\nplan = "*"\nrequests_per_minute = 60\n'
        '[[policy.rule]]\nname = "stop"\naction = "refuse"\nneeds = "confirmed"\n'
        'approved_by = "N. N."\nexpires_days = 9\n'
    )
    found = {one.name: one.state for one in measures_of(tmp_path / "s.toml", tmp_path, NOW)}
    assert found["Rate limit, plan *"] == "60 requests a minute"
    assert found["Rule stop"] == "in force: refuse, waits for a person's confirmation"
    assert found["Evidence vault"] == "off"
    assert "Access by key" not in found


def test_shipped_rules_are_in_force_only_where_a_person_confirmed(tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text("")
    rules = [one for one in measures_of(tmp_path / "s.toml", tmp_path, NOW) if one.name.startswith("Rule ")]
    assert {one.state.partition(":")[0] for one in rules} == {"recorded only", "in force"}
    assert all("waits for a person" in one.state for one in rules if one.state.startswith("in force"))


def test_measures_count_what_was_done(tmp_path: Path) -> None:
    made_state(tmp_path / "state", count=1)
    found = {one.name: one.state for one in measures_of(None, tmp_path / "state", NOW)}
    assert found["Decisions by people"] == "1 confirm" and found["Marks in answers"].startswith("1 epochs")


def test_everything_that_a_rule_may_wait_for_has_words() -> None:
    assert set(NEEDS) <= set(WAITS)
