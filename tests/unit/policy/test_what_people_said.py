"""Decisions, step-up, standing and the dry run: who decided, what is asked, what is told, who would be touched."""

from typing import Any

import pytest

from stillwatch.policy import PolicyConfig, Rule, decide
from stillwatch.policy.decide import DAY
from stillwatch.policy.decisions import in_force, latest
from stillwatch.policy.simulate import Past, dry_run, dry_run_lines
from stillwatch.policy.standing import appeal_id, sentence, standing_of
from stillwatch.policy.step_up import ASKS, least_ask
from stillwatch.terms.account import Decision
from stillwatch.terms.action import Held, Subject

NOW = 1_800_000_000.0
KEY = b"k" * 32


def _decision(at: float, verb: str, *accounts: str, **more: Any) -> Decision:
    usual: dict[str, Any] = {"subject": accounts[0], "kind": "account", "by": "me", "reason": "r", "expires": at + 100}
    return Decision(accounts=accounts, verb=verb, at=at, **{**usual, **more})


def _held(log_e: float = 20.0, account: str = "a", **more: Any) -> Held:
    usual: dict[str, Any] = {
        "accused": True,
        "campaign": "c",
        "since": NOW - 2,
        "effective": NOW - 1,
        "expires": NOW + 1e7,
    }
    return Held(account=account, log_e=log_e, **{**usual, **more})


def test_the_latest_decision_holds_whatever_the_order_in_which_they_are_read() -> None:
    made = [_decision(1, "confirm", "a", id=1), _decision(5, "release", "a", id=2), _decision(3, "dismiss", "a", id=3)]
    assert latest(made)["a"].verb == latest(reversed(made))["a"].verb == "release"
    assert latest([_decision(1, "confirm", "a", id=1), _decision(1, "dismiss", "a", id=2)])["a"].verb == "dismiss"


def test_when_a_decision_lapses_the_one_before_it_does_not_come_back() -> None:
    made = [_decision(1, "confirm", "a", expires=1e9), _decision(5, "release", "a", expires=50.0)]
    assert in_force(made, 49.0)["a"].verb == "release"
    assert in_force(made, 50.0) == {}


def test_a_decision_on_a_campaign_holds_for_the_accounts_it_lists() -> None:
    made = [_decision(1, "confirm", "a", "b", subject="campaign-1", kind="campaign"), _decision(2, "release", "b")]
    found = in_force(made, 10.0)
    assert (found["a"].verb, found["b"].verb) == ("confirm", "release")
    assert set(found) == {"a", "b"}
    alone = Decision(subject="z", kind="account", accounts=(), verb="confirm", by="m", reason="r", at=1, expires=9)
    assert in_force([alone], 2.0)["z"].verb == "confirm"


@pytest.mark.parametrize(
    ("families", "verified", "ask"),
    [
        ((), (), "organisation"),
        (("network",), (), "contact"),
        (("client", "network"), (), "contact"),
        (("payment",), (), "payment"),
        (("content", "work"), (), "workload"),
        (("content", "payment"), (), "organisation"),
        (("content", "payment"), ("payment",), "workload"),
        (("content", "payment"), ("payment", "workload"), ""),
        (("something new",), ("payment",), "organisation"),
        (("content", "payment", "network"), ("organisation",), ""),
    ],
)
def test_step_up_asks_for_the_least_that_clears_and_never_again(
    families: tuple[str, ...], verified: tuple[str, ...], ask: str
) -> None:
    assert least_ask(families, verified) == ask
    assert ask == "" or (ask in ASKS and ask not in verified)


def test_standing_tells_the_severest_measure_on_any_model() -> None:
    rules = (
        Rule(name="big", action="refuse", needs="confirmed", models=("large-*",), shadow=False, expires_days=9.0),
        Rule(name="rest", action="coarsen", needs="confirmed", treatments=("round",), shadow=False, expires_days=9.0),
    )
    subject = Subject(account="a", held=_held(), decided="confirm", decided_at=NOW, decision_expires=NOW + 1e7)
    told = standing_of(subject, PolicyConfig(rules=rules), NOW, KEY)
    assert told.state == "refused" and told.expires == NOW + 9 * DAY
    told = standing_of(subject, PolicyConfig(rules=rules[1:]), NOW, KEY)
    assert told.state == "restricted" and "rounded" in told.effect


def test_what_changes_nothing_for_the_account_leaves_it_in_good_standing() -> None:
    subject = Subject(account="a", held=_held())
    assert standing_of(subject, PolicyConfig(), NOW, KEY).state == "good"
    marks = PolicyConfig(shadow=False, rules=(Rule(name="m", action="mark", expires_days=9.0),))
    assert decide(subject, marks, NOW).bites
    assert standing_of(subject, marks, NOW, KEY).state == "good"


def test_a_refusal_is_one_paragraph_that_a_person_can_follow() -> None:
    subject = Subject(account="acme-77", held=_held(), decided="confirm", decided_at=NOW, decision_expires=NOW + 1e7)
    said = sentence(standing_of(subject, PolicyConfig(), NOW, KEY))
    assert "\n" not in said and "  " not in said and len(said) < 500
    for part in ("This account is refused since 2027-01-15", "It ends by ", "What you can do:", "Appeal id: ap_",
                 "GET /v1/account/standing"):  # fmt: skip
        assert part in said
    assert "acme" not in said


def test_the_appeal_id_is_one_a_measure_and_keyed() -> None:
    assert appeal_id("a", NOW, KEY) == appeal_id("a", NOW, KEY)
    others = {appeal_id("b", NOW, KEY), appeal_id("a", NOW + 1, KEY), appeal_id("a", NOW, b"other")}
    assert len(others | {appeal_id("a", NOW, KEY)}) == 4


def _history() -> list[Past]:
    confirmed = {"decided": "confirm", "decided_at": NOW, "decision_expires": NOW + DAY}
    return [
        Past(subject=Subject(account="thief", held=_held(account="thief"), **confirmed), requests=500, at=NOW),
        Past(subject=Subject(account="odd", held=_held(5.0, "odd")), requests=40, at=NOW),
        Past(subject=Subject(account="odd", held=_held(5.0, "odd")), requests=2, at=NOW + 5),
        Past(subject=Subject(account="honest"), requests=1_000, at=NOW),
        Past(subject=Subject(account="promised", held=_held(), unmodified=True), requests=7, at=NOW),
    ]


def test_the_dry_run_says_whom_each_rule_would_have_touched_and_loses_no_request() -> None:
    found = {one.rule: one for one in dry_run(_history(), PolicyConfig())}
    assert found["confirmed-strong"].accounts == ("thief",) and found["confirmed-strong"].unconfirmed == 0
    assert (found["accused"].accounts, found["accused"].requests, found["accused"].unconfirmed) == (("odd",), 42, 1)
    assert found["accused"].shadow and found[""].accounts == ("honest", "promised")
    assert sum(one.requests for one in found.values()) == 1_549
    assert [one.rule for one in dry_run([], PolicyConfig())][:-1] == [rule.name for rule in PolicyConfig().rules]


def test_the_dry_run_can_be_made_as_if_nothing_were_in_shadow_and_prints_no_account() -> None:
    found = dry_run(_history(), PolicyConfig(), bite=True)
    assert not any(one.shadow for one in found)
    lines = dry_run_lines(found)
    assert "accused: mark: 1 accounts, 42 requests (1 unconfirmed)" in lines
    assert not any("thief" in line or "odd" in line for line in lines)
