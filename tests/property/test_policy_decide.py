"""Policy is total, and nothing hard happens to anyone whom no person has judged: for any rules, any account."""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.policy.check import rule_faults
from stillwatch.policy.config import PolicyConfig
from stillwatch.policy.decide import DAY, decide
from stillwatch.policy.rule import ENDPOINTS, Rule
from stillwatch.terms.action import ACTIONS, ALLOW, NEEDS_CONFIRMATION, REASONS, VERBS, WORKLOADS, Held, Subject
from stillwatch.terms.errors import StillwatchError

NOW = 1_000_000.0
Case = tuple[PolicyConfig, Subject]
FAMILIES = ("payment", "network", "client", "content", "work", "timing")
PROOFS = ("contact", "payment", "organisation", "workload")
SEEDS = st.integers(0, 2**63)
"""Rules and accounts are drawn by `random` from one number: a draw of Hypothesis for each of their forty fields made
every example a hundred times dearer, and most of them orders to nobody."""


def some(rng: Random, values: Sequence[str]) -> tuple[str, ...]:
    return tuple(rng.sample(values, rng.randint(0, len(values))))


def a_moment(rng: Random, low: float, high: float) -> float:
    """A moment in a span, now and then at its very end or at the moment of the request."""
    edges = [edge for edge in (low, high, NOW, NOW - 0.1, NOW + 0.1) if low <= edge <= high]
    return rng.choice(edges) if rng.random() < 0.25 else rng.uniform(low, high)


def a_rule(rng: Random) -> Rule:
    action = rng.choice(ACTIONS)
    needs = rng.choice(["verdict", "verdict", "confirmed", "confirmed", "none"])
    if action in NEEDS_CONFIRMATION and rng.random() < 0.85:
        needs = "confirmed"
    try:
        return Rule(
            name=rng.choice("abcdefgh"),
            action=action,
            needs=needs,
            min_log_e=0.0 if needs == "none" else rng.choice([0.0, 3.0, 9.0]),
            plans=("free*",) if rng.random() < 0.25 else (),
            models=("large*",) if rng.random() < 0.25 else (),
            endpoints=("chat",) if rng.random() < 0.25 else (),
            workloads=("research",) if rng.random() < 0.25 else (),
            countries=("XA",) if needs == "none" and rng.random() < 0.5 else (),
            legal_basis="Law 1",
            reason="because",
            until=NOW + 5 if needs == "none" else rng.choice([None, None, NOW - 5, NOW, NOW + 5]),
            shadow=rng.choice([None, True, False]),
            expires_days=rng.choice([1.0, 10.0]),
            delay_seconds=1.0 if action == "slow" else 0.0,
        )
    except StillwatchError:
        return Rule(name="fallback", action="mark", expires_days=1.0)


def a_config(rng: Random) -> PolicyConfig:
    """Any rules that may be in force together: those that would be refused are left out one by one."""
    kept: list[Rule] = []
    for rule in [a_rule(rng) for _ in range(rng.randint(1, 6))]:
        rule = replace(rule, legal_basis=rule.legal_basis if rule.countries else "", name=f"{rule.name}{len(kept)}")
        if not rule_faults([*kept, rule]):
            kept.append(rule)
    return PolicyConfig(shadow=rng.random() < 0.5, rules=tuple(kept), approved_by="somebody")


def an_account(rng: Random, *, grounded: bool) -> Subject:
    """Any account; a grounded one has a verdict in force, and perhaps its confirmation."""
    begins, ends = (NOW, NOW + 1) if grounded else (2 * NOW, 0.0)
    held = None
    if grounded or rng.random() < 0.5:
        held = Held(
            account="a", log_e=rng.uniform(0, 20), accused=grounded or rng.random() < 0.5, campaign=None,
            families=some(rng, FAMILIES), since=a_moment(rng, 0, begins), effective=a_moment(rng, 0, begins),
            expires=a_moment(rng, ends, 3 * NOW),
        )  # fmt: skip
    return Subject(
        account="a",
        plan=rng.choice(["", "free", "free-trial", "paid"]),
        model=rng.choice(["", "large-1", "small"]),
        endpoint=rng.choice(ENDPOINTS),
        country=rng.choice(["", "XA", "XB"]),
        unmodified=not grounded and rng.random() < 0.2,
        workload=rng.choice(["", "", *WORKLOADS]),
        quota_left=rng.random() < 0.5,
        verified=some(rng, PROOFS) if rng.random() < 0.5 else (),
        held=held,
        decided=rng.choice(["", "confirm", "confirm"] if grounded else ["", *VERBS]),
        decided_at=a_moment(rng, 0, begins),
        decision_expires=a_moment(rng, ends, 3 * NOW),
    )


def case(seed: int, *, grounded: bool | None = None) -> tuple[PolicyConfig, Subject]:
    """Rules and an account, which is grounded in two of three cases where not said otherwise."""
    rng = Random(seed)
    return a_config(rng), an_account(rng, grounded=rng.random() < 0.67 if grounded is None else grounded)


def grounded(seed: int) -> tuple[PolicyConfig, Subject]:
    return case(seed, grounded=True)


CASES = SEEDS.map(case)
GROUNDED = SEEDS.map(grounded)


def _ever_confirmed(subject: Subject) -> bool:
    return subject.decided == "confirm" and NOW < subject.decision_expires


@given(CASES)
@settings(max_examples=600)
def test_every_subject_gets_exactly_one_action_that_is_whole(case: Case) -> None:
    config, subject = case
    action = decide(subject, config, NOW)
    assert action.kind in ACTIONS and action.reason in REASONS
    assert 0.0 < action.rate_share <= 1.0 and 0.0 <= action.delay_seconds <= 60.0
    assert (action.rule == "") == (action == ALLOW)
    assert action == decide(subject, config, NOW)
    if action.kind == "challenge":
        assert action.ask and action.ask not in subject.verified
    if action.kind != "allow":
        assert NOW < action.expires < math.inf  # everything ends


@given(CASES)
@settings(max_examples=600)
def test_nobody_is_refused_or_perturbed_whom_no_person_confirmed(case: Case) -> None:
    config, subject = case
    action = decide(subject, config, NOW)
    if action.kind in NEEDS_CONFIRMATION:
        assert _ever_confirmed(subject) and not subject.unmodified


@given(SEEDS, st.sampled_from(sorted(NEEDS_CONFIRMATION)))
def test_no_settings_can_hold_a_rule_that_does_not_wait_for_a_person(seed: int, action: str) -> None:
    rng = Random(seed)
    others = [a_rule(rng) for _ in range(rng.randint(1, 4))]
    hasty = Rule(name="hasty", action=action, needs="verdict", expires_days=1.0)
    with pytest.raises(StillwatchError, match="before a person confirmed"):
        PolicyConfig(rules=(*others, hasty))


@given(GROUNDED)
def test_a_promise_of_unmodified_answers_beats_every_rule(case: Case) -> None:
    config, subject = case
    assert decide(replace(subject, unmodified=True), config, NOW) == ALLOW


@given(GROUNDED, st.sampled_from(["dismiss", "release"]))
def test_who_was_dismissed_or_released_is_allowed(case: Case, verb: str) -> None:
    config, subject = case
    assert decide(replace(subject, decided=verb), config, NOW) == ALLOW


@pytest.mark.parametrize("draw", [case, grounded])
def test_the_tests_above_reach_every_kind_of_action(draw: Callable[[int], Case]) -> None:
    """By far: each in at least 1 % of what is drawn (of 3,000, at most 1 in a million sets of draws would say less)."""
    drawn = [draw(seed) for seed in range(3_000)]
    met = Counter(decide(subject, config, NOW).kind for config, subject in drawn)
    assert min(met[kind] for kind in ACTIONS) >= 30, met


@given(GROUNDED, st.sampled_from(["none", "not yet", "lapsed", "cleared", "decision over"]))
@settings(max_examples=400)
def test_without_a_verdict_in_force_only_rules_that_need_none_speak(case: Case, why: str) -> None:
    config, subject = case
    held = subject.held
    assert held is not None
    absent = {
        "none": None, "not yet": replace(held, effective=NOW + 0.1), "lapsed": replace(held, expires=NOW),
        "cleared": replace(held, accused=False), "decision over": None,
    }[why]  # fmt: skip
    decided = ("confirm", NOW) if why == "decision over" else ("", 0.0)
    subject = replace(subject, held=absent, decided=decided[0], decision_expires=decided[1])
    named = {rule.name: rule for rule in config.rules}
    action = decide(subject, config, NOW)
    assert action == ALLOW or named[action.rule].needs == "none"


@given(GROUNDED, st.sampled_from(WORKLOADS))
@settings(max_examples=400)
def test_a_declared_workload_within_its_quota_meets_only_rules_for_it(case: Case, workload: str) -> None:
    config, subject = case
    named = {rule.name: rule for rule in config.rules}
    action = decide(replace(subject, workload=workload, quota_left=True), config, NOW)
    if action != ALLOW:
        assert workload in named[action.rule].workloads or named[action.rule].needs == "confirmed"


@given(GROUNDED, st.floats(0.0, 400.0))
@settings(max_examples=400)
def test_every_measure_ends_by_the_date_that_was_told(case: Case, days: float) -> None:
    config, subject = case
    first = decide(subject, config, NOW)
    if first.kind != "allow":
        assert decide(subject, config, first.expires + days * DAY).rule != first.rule


def test_a_verdict_that_outlasts_its_confirmation_is_told_with_the_later_end() -> None:
    rule = Rule(name="mark", action="mark", expires_days=10.0)
    held = Held(
        account="a",
        campaign=None,
        accused=True,
        since=0.0,
        effective=NOW - 10 * DAY + 2.0,
        expires=NOW + 9 * DAY,
        log_e=9.0,
    )
    subject = Subject(
        account="a", held=held, decided="confirm", decided_at=NOW - 10 * DAY + 1.0, decision_expires=NOW + 1.0
    )  # fmt: skip
    config = PolicyConfig(rules=(rule,))
    assert decide(subject, config, NOW).expires == NOW + 2.0
    assert decide(subject, config, NOW + 1.5).rule == "mark", "the verdict still stands when the decision is over"
    assert decide(subject, config, NOW + 2.0) == ALLOW


@given(CASES)
@settings(max_examples=400)
def test_country_changes_nothing_but_rules_by_country(case: Case) -> None:
    config, subject = case
    action = decide(subject, config, NOW)
    elsewhere = decide(replace(subject, country="XB"), config, NOW)
    by_country = {rule.name for rule in config.rules if rule.countries}
    assert action.rule in by_country or action == elsewhere
