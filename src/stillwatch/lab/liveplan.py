"""What `stillwatch run` sends: honest accounts and one campaign, small enough for the wire of a laptop.

In: a seed and the start of the window. Out: a `TrafficPlan` whose first `REPLAYED_DAYS` are replayed
in time-lapse; what comes after is sent at an even pace while a person decides.
Sizing: over 30 seeds every campaign was found whole by the end of the replay and nobody honest was
accused (tests/unit/lab/test_liveplan.py repeats it on some); half of this traffic is too little for E1.
"""

from typing import Final

from stillwatch.lab.traffic import CampaignPlan, TrafficPlan
from stillwatch.lab.traffic.chance import dice

REPLAYED_DAYS: Final = 7.0
FURTHER_DAYS: Final = 3.0
"""Days composed beyond the replay, so that the campaign can go on while a person decides."""
HONEST: Final = 160
PRESETS: Final = ("bootstrap", "reasoning", "grading", "tools", "sweep")
"""`answers` and `replay` are left to the bench as in `demo_plan`; `roleplay` needs more traffic than this."""


def live_plan(seed: int, start: float) -> TrafficPlan:
    """Return `HONEST` honest accounts and a campaign of 36 to 54, from `start` (seconds since 1970) on.

    >>> plan = live_plan(1, 0.0)
    >>> plan.honest, len(plan.campaigns), plan.days
    (160, 1, 10.0)
    """
    rng = dice(seed, "live")
    days = REPLAYED_DAYS + FURTHER_DAYS
    begins = rng.uniform(0.2, 0.8)
    campaign = CampaignPlan(
        preset=rng.choice(PRESETS),
        accounts=rng.randint(36, 54),
        requests=22,
        evasion=rng.choice(("E0", "E1")),
        start_day=begins,
        days=days - begins,
        infrastructure=rng.choice(("shared", "proxy")),
    )
    return TrafficPlan(
        seed=seed, honest=HONEST, campaigns=(campaign,), start=start, days=days, chat_requests=24, job_requests=60
    )
