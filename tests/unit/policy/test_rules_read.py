"""Rules as a settings file states them: what may be said, and what is refused with what to do instead."""

import math
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from stillwatch.policy import RULES, PolicyConfig, Rule, read_policy
from stillwatch.policy.check import rule_faults, rule_notes
from stillwatch.policy.rule import ENDPOINTS
from stillwatch.terms import event
from stillwatch.terms.action import ACTIONS, NEEDS_CONFIRMATION
from stillwatch.terms.errors import StillwatchError

FILE = """
shadow = false
batch_seconds = 900

[[rule]]
name = "stop"
action = "refuse"
needs = "confirmed"
models = ["large-*"]
expires_days = 60

[[rule]]
name = "embargo"
action = "challenge"
needs = "none"
countries = ["XA"]
legal_basis = "Regulation 1/2027, article 3"
reason = "Contracts with holders in XA need a licence."
until = 2028-01-01

[[rule]]
name = "slow"
action = "slow"
min_log_e = 6.9
plans = ["free*"]
rate_share = 0.25
expires_days = 7
shadow = true

[[limit]]
plan = "free*"
requests_per_minute = 20
"""


def test_a_settings_file_says_all_that_a_rule_can() -> None:
    config = read_policy(tomllib.loads(FILE))
    stop, embargo, slow = config.rules
    assert (stop.action, stop.needs, stop.models, stop.expires_days) == ("refuse", "confirmed", ("large-*",), 60.0)
    assert embargo.until == datetime(2028, 1, 1, tzinfo=UTC).timestamp() and embargo.countries == ("XA",)
    assert slow.rate_share == 0.25 and config.in_shadow(slow) and not config.in_shadow(stop)
    assert config.batch_seconds == 900.0 and config.limits[0].requests_per_minute == 20.0
    assert math.isinf(config.limits[0].tokens_per_minute)


def test_an_empty_table_is_the_shipped_ladder_in_shadow_until_a_person_confirms() -> None:
    config = read_policy({})
    assert config == PolicyConfig() and config.rules == tuple(RULES) and config.shadow
    for rule in config.rules:
        assert config.in_shadow(rule) == (rule.needs != "confirmed")
        assert rule.needs_confirmation or not NEEDS_CONFIRMATION & set(rule.actions)
    assert not config.limits


def test_the_words_for_endpoints_are_those_of_events() -> None:
    assert ENDPOINTS == event.ENDPOINTS


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"action": "mark"}, "'number 1': has no name"),
        ({"name": "a"}, "'a': has no action"),
        ({"name": "A b", "action": "mark"}, "name: must be 1 to 64"),
        ({"name": "a", "action": "block"}, "action = 'block': must be one of allow, mark"),
        ({"name": "a", "action": "mark", "needs": "hunch"}, "needs = 'hunch': must be one of verdict"),
        ({"name": "a", "action": "mark", "when": 1}, "when is unknown"),
        ({"name": "a", "action": "mark", "plans": "free"}, "plans = 'free': must be a list of words"),
        ({"name": "a", "action": "mark", "models": [1]}, "must be a list of words"),
        ({"name": "a", "action": "mark", "endpoints": ["chats"]}, "must be among other, chat"),
        ({"name": "a", "action": "mark", "workloads": ["fun"]}, "must be among evaluation"),
        ({"name": "a", "action": "mark", "countries": ["xa"]}, "two capital letters"),
        ({"name": "a", "action": "mark", "min_log_e": -1}, "min_log_e = -1.0: must be 0 or more"),
        ({"name": "a", "action": "mark", "min_log_e": math.nan}, "must be 0 or more"),
        ({"name": "a", "action": "mark", "expires_days": "7"}, "expires_days = '7': must be a number"),
        ({"name": "a", "action": "mark", "expires_days": True}, "must be a number"),
        ({"name": "a", "action": "mark", "shadow": 1}, "must be true or false"),
        ({"name": "a", "action": "mark", "until": "soon"}, "must be a date such as"),
        ({"name": "a", "action": "mark", "until": 5}, "must be a date such as"),
        ({"name": "a", "action": "mark", "reason": 5}, "must be text in quotes"),
        ({"name": "a", "action": "slow", "expires_days": 7}, "slows nothing"),
        ({"name": "a", "action": "slow", "expires_days": 7, "rate_share": 0.0}, "rate_share = 0.0: must be above 0"),
        ({"name": "a", "action": "slow", "expires_days": 7, "delay_seconds": 900}, "must lie in 0 to 60"),
        ({"name": "a", "action": "mark", "expires_days": 7, "rate_share": 0.5}, "belong to `slow`"),
        ({"name": "a", "action": "coarsen", "expires_days": 7, "treatments": ["perturb"]}, "there is withhold, round"),
        ({"name": "a", "action": "refuse", "needs": "confirmed", "expires_days": 7, "treatments": ["round"]},
         "there is none"),
        ({"name": "a", "action": "mark"}, "has no expires_days"),
        ({"name": "a", "action": "mark", "needs": "none"}, "no end; give `until`"),
        ({"name": "a", "action": "refuse", "expires_days": 7}, "before a person confirmed the verdict"),
        ({"name": "a", "action": "perturb", "needs": "none", "until": "2030-01-01"}, "before a person confirmed"),
        ({"name": "a", "action": "refuse", "needs": "none", "until": "2030-01-01", "countries": ["XA"],
          "legal_basis": "l", "reason": "r"}, "before a person confirmed"),
        ({"name": "a", "action": "mark", "needs": "none", "until": "2030-01-01", "countries": ["XA"]},
         "lacks legal_basis, reason"),
        ({"name": "a", "action": "mark", "expires_days": 7, "countries": ["XA"], "legal_basis": "l", "reason": "r",
          "until": "2030-01-01"}, "country is never evidence"),
        ({"name": "a", "action": "mark", "needs": "confirmed", "min_log_e": 3.0, "expires_days": 7,
          "until": "2030-01-01", "countries": ["XA"], "legal_basis": "l", "reason": "r"}, "country is never evidence"),
        ({"name": "a", "action": "mark", "expires_days": 7, "legal_basis": "l"}, "no countries"),
        ({"name": "a", "action": "mark", "needs": "none", "until": "2030-01-01", "min_log_e": 3.0},
         "there is no evidence"),
    ],
)  # fmt: skip
def test_a_rule_that_breaks_a_promise_is_refused_by_name_with_what_to_do(entry: dict[str, object], said: str) -> None:
    with pytest.raises(StillwatchError) as caught:
        read_policy({"rule": [entry]})
    assert said in str(caught.value)
    assert str(entry.get("name", "number 1")) in str(caught.value)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"rules": []}, "policy.rules: unknown setting; must be one of shadow"),
        ({"rule": {"name": "a"}}, r"write each one under \[\[policy.rule\]\]"),
        ({"limit": [{"plan": 1}]}, "plan = 1: must be text"),
        ({"limit": [{"speed": 1}]}, "speed is unknown"),
        ({"limit": [{"requests_per_minute": 0}]}, "must be above 0"),
        ({"batch_seconds": 0}, "policy.batch_seconds = 0.0"),
        ({"jitter_seconds": -1}, "policy.jitter_seconds"),
        ({"release_share": 1.0}, "policy.release_share"),
        ({"shadow": "no"}, "policy.shadow = 'no': must be true or false"),
    ],
)
def test_other_settings_are_checked_too(table: dict[str, object], said: str) -> None:
    with pytest.raises(StillwatchError, match=said):
        read_policy(table)


def _rule(name: str, **more: object) -> Rule:
    return Rule(**{"name": name, "action": "mark", "expires_days": 7.0, **more})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("first", "then", "hidden"),
    [
        ({}, {}, True),
        ({"plans": ("free*",)}, {}, False),
        ({"plans": ("free*",)}, {"plans": ("free-trial",)}, True),
        ({"plans": ("free*",)}, {"plans": ("free-*",)}, False),  # patterns against patterns: not claimed
        ({"models": ("*",)}, {"models": ("a*", "b")}, True),
        ({"endpoints": ("chat", "messages")}, {"endpoints": ("chat",)}, True),
        ({"min_log_e": 9.0}, {}, False),
        ({}, {"min_log_e": 9.0}, True),
        ({}, {"expires_days": 30.0}, False),
        ({"until": 5e9}, {}, False),
        ({}, {"until": 5e9}, True),
        ({}, {"workloads": ("research",)}, False),
        ({"needs": "confirmed"}, {}, False),
        ({}, {"needs": "confirmed", "expires_days": 90.0, "action": "refuse"}, True),
        ({"action": "challenge"}, {}, False),
    ],
)
def test_a_rule_that_an_earlier_one_hides_is_named(
    first: dict[str, object], then: dict[str, object], hidden: bool
) -> None:
    rules = (_rule("first", **first), _rule("then", **then))
    found = [fault for fault in rule_faults(rules) if "hidden" in fault]
    assert bool(found) == hidden
    assert not hidden or ("'then'" in found[0] and "'first'" in found[0])


def test_two_rules_of_one_name_are_refused() -> None:
    with pytest.raises(StillwatchError, match="the name stands twice"):
        PolicyConfig(rules=(_rule("a", plans=("x",)), _rule("a", plans=("y",))))


def test_each_rule_says_in_one_line_whether_it_bites_and_when_it_ends() -> None:
    notes = rule_notes(tuple(RULES), shadow=True)
    assert len(notes) == len(RULES)
    for rule, note in zip(RULES, notes, strict=True):
        assert note.startswith(f"{rule.name}: {rule.action} ") and f"for {rule.expires_days:g} days" in note
        assert ("shadow: recorded only" in note) == (rule.shadow is not False)


def test_the_example_in_the_reference_is_a_policy_that_may_be_in_force() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "reference" / "policy.md").read_text(encoding="utf-8")
    example = page.split("```toml\n")[1].split("```")[0]
    config = read_policy(tomllib.loads(example)["policy"])
    assert [rule.name for rule in config.rules] == ["stop-large", "stop-rest", "licence", "free-tier"]


def test_the_reference_lists_the_shipped_ladder_and_every_action() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "reference" / "policy.md").read_text(encoding="utf-8")
    for rule in RULES:
        row = next(line for line in page.splitlines() if line.startswith(f"| `{rule.name}` |"))
        assert f"`{rule.action}`" in row and f"| {rule.expires_days:g} |" in row
        assert row.endswith({False: "| no |", True: "| yes |", None: "| as `policy.shadow` |"}[rule.shadow])
    assert all(f"\n| `{action}` |" in page for action in ACTIONS)
