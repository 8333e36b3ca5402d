"""Plans say what is wrong with them, and the ready-made ones stay within what they promise."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.lab.traffic import CampaignPlan, TrafficPlan, default_campaigns, demo_plan, low_and_slow
from stillwatch.lab.traffic.chance import dice
from stillwatch.lab.traffic.honest import HARD, quotas
from stillwatch.lab.traffic.plan import PRESETS
from stillwatch.terms.errors import StillwatchError


@pytest.mark.parametrize(
    ("field", "value"),
    [("preset", "nothing"), ("evasion", "E9"), ("infrastructure", "cloud"), ("accounts", 0), ("days", 0.0)],
)
def test_a_bad_campaign_names_its_field_and_value(field: str, value: object) -> None:
    given_ = {"preset": "answers", "accounts": 5, "requests": 5, field: value}
    with pytest.raises(StillwatchError, match=f"campaign.{field} = {value!r}: must"):
        CampaignPlan(**given_)  # type: ignore[arg-type]


def test_a_bad_plan_names_its_field_and_value() -> None:
    with pytest.raises(StillwatchError, match=r"traffic.hard_share = 1.5: must lie in 0.0..1.0"):
        TrafficPlan(seed=1, honest=10, hard_share=1.5)


@given(st.integers(0, 5_000))
def test_every_hard_negative_gets_a_habit(n: int) -> None:
    counts = quotas(n)
    assert sum(counts.values()) == n
    assert set(counts) <= set(HARD)
    assert n < 100 or set(counts) == set(HARD)


@given(st.integers(0, 1_000), st.integers(0, 20))
def test_default_campaigns_have_50_to_1000_accounts_and_at_most_20_requests(seed: int, n: int) -> None:
    plans = default_campaigns(dice(seed, "campaigns"), n)
    assert len(plans) == n
    assert all(50 <= plan.accounts <= 1_000 and plan.requests <= 20 for plan in plans)
    assert all(plan.start_day + plan.days <= 14.0 + 1e-9 for plan in plans)
    assert len({plan.preset for plan in plans}) == min(n, len(PRESETS))


@given(st.integers(0, 10_000))
def test_the_demo_has_three_unlike_campaigns_within_a_week(seed: int) -> None:
    plan = demo_plan(seed)
    assert plan == demo_plan(seed)
    assert len({campaign.preset for campaign in plan.campaigns}) == 3
    assert [campaign.evasion for campaign in plan.campaigns] == ["E0", "E1", "E3-50"]
    assert all(30 <= c.accounts <= 60 and c.requests <= 20 and c.start_day + c.days <= 7 for c in plan.campaigns)


def test_low_and_slow_stays_at_six_a_day() -> None:
    plan = low_and_slow("reasoning", accounts=100, days=10)
    assert plan.requests == 60 and plan.days == 10
