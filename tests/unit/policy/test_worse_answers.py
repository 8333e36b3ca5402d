"""Where answers may be worse: somebody approved it, it ends, and what is owed to customers is said."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from stillwatch.cli.main import main
from stillwatch.policy.check import disclosures, rule_notes
from stillwatch.policy.config import read_policy
from stillwatch.policy.standing import effect_of
from stillwatch.terms.action import Action
from stillwatch.terms.errors import StillwatchError
from stillwatch.terms.treated import TREATED, facts_of, treatments_for

RULE = {"name": "r", "action": "perturb", "needs": "confirmed", "expires_days": 30, "shadow": False}
LOWERING = [entry.name for entry in TREATED if entry.lowers_quality]
MARKS = {"watermark", "surface", "canary"}
"""Told to all customers, and to no account by itself."""


def _rule(**changes: object) -> dict[str, object]:
    return {"rule": [{**RULE, **changes}]}


@pytest.mark.parametrize("name", LOWERING)
def test_whatever_lowers_quality_needs_a_name_once_it_bites(name: str) -> None:
    for nobody in ({}, {"approved_by": "  "}):
        with pytest.raises(StillwatchError, match="nobody approved"):
            read_policy(_rule(treatments=[name], **nobody))
    assert read_policy(_rule(treatments=[name], approved_by="Ada, head of service")).rules
    assert read_policy({**_rule(treatments=[name]), "approved_by": "Ada"}).rules
    assert read_policy(_rule(treatments=[name], shadow=True)).rules


def test_what_only_gives_less_needs_no_name() -> None:
    for name in (entry.name for entry in TREATED if not entry.lowers_quality):
        assert read_policy(_rule(action="coarsen", treatments=[name])).rules


def test_worse_answers_end_within_ninety_days() -> None:
    with pytest.raises(StillwatchError, match="must end within 90"):
        read_policy(_rule(treatments=["dose"], approved_by="Ada", expires_days=91))
    with pytest.raises(StillwatchError, match="no expires_days"):
        read_policy(_rule(treatments=["dose"], approved_by="Ada", expires_days=0))
    assert read_policy(_rule(treatments=["dose"], approved_by="Ada", expires_days=400, until="2027-01-31")).rules
    assert read_policy(_rule(treatments=["dose"], shadow=True, expires_days=400)).rules


def test_experts_and_watermark_are_one_order_and_stand_apart() -> None:
    with pytest.raises(StillwatchError, match="marks answers as well"):
        read_policy(_rule(treatments=["watermark", "experts"], approved_by="Ada"))


def test_only_rules_that_bite_owe_words_and_each_sentence_once() -> None:
    given = {
        "rule": [
            {**RULE, "name": "a", "treatments": ["dose"], "approved_by": "Ada", "models": ["x"]},
            {**RULE, "name": "b", "treatments": ["dose", "privacy"], "approved_by": "Ada", "models": ["y"]},
            {**RULE, "name": "c", "treatments": ["experts"], "shadow": True},
        ]
    }
    rules = read_policy(given).rules
    assert disclosures(rules, shadow=False) == (facts_of("dose").disclosure, facts_of("privacy").disclosure)
    assert disclosures(rules[2:], shadow=False) == ()
    note = rule_notes(rules, shadow=False)[1]
    assert "perturb (dose, privacy) once a person confirmed" in note and "approved by Ada" in note


def test_config_check_says_who_approved_and_what_is_owed(tmp_path: Path) -> None:
    file = tmp_path / "s.toml"
    file.write_text(
        '[policy]\nshadow = false\napproved_by = "Ada"\n[[policy.rule]]\nname = "r"\naction = "perturb"\n'
        'needs = "confirmed"\nexpires_days = 30\ntreatments = ["dose", "reasoning_strip"]\n'
    )
    said = CliRunner().invoke(main, ["config", "check", str(file)]).output
    assert "approved by Ada" in said
    for name in ("dose", "reasoning_strip"):
        assert facts_of(name).disclosure in said
    file.write_text(file.read_text().replace("shadow = false", "shadow = true"))
    assert "What you owe" not in CliRunner().invoke(main, ["config", "check", str(file)]).output


def test_every_treatment_but_marks_is_told_to_the_account_that_gets_it() -> None:
    for action in ("slow", "coarsen", "perturb"):
        for name in treatments_for(action):
            bare = effect_of(Action(kind=action, rule="r"))
            told = effect_of(Action(kind=action, rule="r", treatments=(name,)))
            assert (told == bare) == (name in MARKS), name
    assert all(entry.disclosure for entry in TREATED)
