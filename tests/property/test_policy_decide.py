"""Policy is total, and nothing hard happens to anyone whom no person has judged: for any rules, any account."""

import math
from dataclasses import replace

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from stillwatch.policy.check import rule_faults
from stillwatch.policy.config import PolicyConfig
from stillwatch.policy.decide import DAY, decide
from stillwatch.policy.rule import ENDPOINTS, Rule
from stillwatch.terms.action import ACTIONS, ALLOW, NEEDS_CONFIRMATION, REASONS, VERBS, WORKLOADS, Held, Subject
from stillwatch.terms.errors import StillwatchError

NOW = 1_000_000.0
MOMENTS = st.floats(0.0, 2 * NOW)
FAMILIES = st.lists(st.sampled_from(["payment", "network", "client", "content", "work", "timing"]), unique=True)


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    action = draw(st.sampled_from(ACTIONS))
    some = st.integers(0, 3).map(lambda n: n == 0)
    needs = draw(st.sampled_from(["verdict", "verdict", "confirmed", "confirmed", "none"]))
    if action in NEEDS_CONFIRMATION and draw(st.integers(0, 5)):
        needs = "confirmed"
    until = NOW + 5 if needs == "none" else draw(st.sampled_from([None, None, NOW - 5, NOW + 5]))
    try:
        return Rule(
            name=draw(st.sampled_from("abcdefgh")),
            action=action,
            needs=needs,
            min_log_e=0.0 if needs == "none" else draw(st.sampled_from([0.0, 3.0, 9.0])),
            plans=("free*",) if draw(some) else (),
            models=("large*",) if draw(some) else (),
            endpoints=("chat",) if draw(some) else (),
            workloads=("research",) if draw(some) else (),
            countries=("XA",) if needs == "none" and draw(st.booleans()) else (),
            legal_basis="Law 1",
            reason="because",
            until=until,
            shadow=draw(st.none() | st.booleans()),
            expires_days=draw(st.sampled_from([1.0, 10.0])),
            delay_seconds=1.0 if action == "slow" else 0.0,
        )
    except StillwatchError:
        return Rule(name="fallback", action="mark", expires_days=1.0)


@st.composite
def configs(draw: st.DrawFn) -> PolicyConfig:
    """Any rules that may be in force together: those that would be refused are left out one by one."""
    kept: list[Rule] = []
    for rule in draw(st.lists(rules(), min_size=1, max_size=6)):
        rule = replace(rule, legal_basis=rule.legal_basis if rule.countries else "", name=f"{rule.name}{len(kept)}")
        if not rule_faults([*kept, rule]):
            kept.append(rule)
    return PolicyConfig(shadow=draw(st.booleans()), rules=tuple(kept), approved_by="somebody")


@st.composite
def subjects(draw: st.DrawFn, *, grounded: bool = False) -> Subject:
    """Any account; a grounded one has a verdict in force, and perhaps its confirmation."""
    held = None
    begun, ends = (MOMENTS.map(lambda m: m / 2), MOMENTS.map(lambda m: NOW + 1 + m)) if grounded else (MOMENTS, MOMENTS)
    if grounded or draw(st.booleans()):
        held = Held(
            account="a", log_e=draw(st.floats(0, 20)), accused=grounded or draw(st.booleans()), campaign=None,
            families=tuple(draw(FAMILIES)), since=draw(begun), effective=draw(begun), expires=draw(ends),
        )  # fmt: skip
    return Subject(
        account="a",
        plan=draw(st.sampled_from(["", "free", "free-trial", "paid"])),
        model=draw(st.sampled_from(["", "large-1", "small"])),
        endpoint=draw(st.sampled_from(ENDPOINTS)),
        country=draw(st.sampled_from(["", "XA", "XB"])),
        unmodified=not grounded and draw(st.integers(0, 4)) == 0,
        workload=draw(st.sampled_from(["", *WORKLOADS])),
        quota_left=draw(st.booleans()),
        verified=tuple(
            draw(st.lists(st.sampled_from(["contact", "payment", "organisation", "workload"]), unique=True))
        ),
        held=held,
        decided=draw(st.sampled_from(["", "confirm"] if grounded else ["", *VERBS])),
        decided_at=draw(begun),
        decision_expires=draw(ends),
    )


def _ever_confirmed(subject: Subject) -> bool:
    return subject.decided == "confirm" and NOW < subject.decision_expires


@given(configs(), subjects())
@settings(max_examples=200)
def test_every_subject_gets_exactly_one_action_that_is_whole(config: PolicyConfig, subject: Subject) -> None:
    action = decide(subject, config, NOW)
    assert action.kind in ACTIONS and action.reason in REASONS
    assert 0.0 < action.rate_share <= 1.0 and 0.0 <= action.delay_seconds <= 60.0
    assert (action.rule == "") == (action == ALLOW)
    assert action == decide(subject, config, NOW)
    if action.kind == "challenge":
        assert action.ask and action.ask not in subject.verified
    if action.kind != "allow":
        assert NOW < action.expires < math.inf  # everything ends


@given(configs(), subjects() | subjects(grounded=True))
@settings(max_examples=150)
def test_nobody_is_refused_or_perturbed_whom_no_person_confirmed(config: PolicyConfig, subject: Subject) -> None:
    action = decide(subject, config, NOW)
    if action.kind in NEEDS_CONFIRMATION:
        assert _ever_confirmed(subject) and not subject.unmodified


@given(st.lists(rules(), min_size=1, max_size=4), st.sampled_from(sorted(NEEDS_CONFIRMATION)))
def test_no_settings_can_hold_a_rule_that_does_not_wait_for_a_person(others: list[Rule], action: str) -> None:
    hasty = Rule(name="hasty", action=action, needs="verdict", expires_days=1.0)
    with pytest.raises(StillwatchError, match="before a person confirmed"):
        PolicyConfig(rules=(*others, hasty))


@given(configs(), subjects(grounded=True))
def test_a_promise_of_unmodified_answers_beats_every_rule(config: PolicyConfig, subject: Subject) -> None:
    assert decide(replace(subject, unmodified=True), config, NOW) == ALLOW


@given(configs(), subjects(grounded=True), st.sampled_from(["dismiss", "release"]))
def test_who_was_dismissed_or_released_is_allowed(config: PolicyConfig, subject: Subject, verb: str) -> None:
    assert decide(replace(subject, decided=verb), config, NOW) == ALLOW


@pytest.mark.parametrize("kind", ACTIONS)
def test_the_tests_above_reach_every_kind_of_action(kind: str) -> None:
    find(
        st.tuples(configs(), subjects(grounded=True)),
        lambda pair: decide(pair[1], pair[0], NOW).kind == kind,
        settings=settings(max_examples=20_000, database=None, phases=[Phase.generate]),
    )


@given(configs(), subjects(grounded=True), st.sampled_from(["none", "not yet", "lapsed", "cleared", "decision over"]))
@settings(max_examples=200)
def test_without_a_verdict_in_force_only_rules_that_need_none_speak(
    config: PolicyConfig, subject: Subject, why: str
) -> None:
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


@given(configs(), subjects(grounded=True), st.sampled_from(WORKLOADS))
@settings(max_examples=150)
def test_a_declared_workload_within_its_quota_meets_only_rules_for_it(
    config: PolicyConfig, subject: Subject, workload: str
) -> None:
    named = {rule.name: rule for rule in config.rules}
    action = decide(replace(subject, workload=workload, quota_left=True), config, NOW)
    if action != ALLOW:
        assert workload in named[action.rule].workloads or named[action.rule].needs == "confirmed"


@given(configs(), subjects(grounded=True), st.floats(0.0, 400.0))
@settings(max_examples=150)
def test_every_measure_ends_by_the_date_that_was_told(config: PolicyConfig, subject: Subject, days: float) -> None:
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


@given(configs(), subjects())
@settings(max_examples=150)
def test_country_changes_nothing_but_rules_by_country(config: PolicyConfig, subject: Subject) -> None:
    action = decide(subject, config, NOW)
    elsewhere = decide(replace(subject, country="XB"), config, NOW)
    by_country = {rule.name for rule in config.rules if rule.countries}
    assert action.rule in by_country or action == elsewhere
