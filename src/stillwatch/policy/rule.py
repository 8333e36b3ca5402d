"""One rule of policy: for whom, under which verdict, what is ordered, and until when.

In: the fields of a `[[policy.rule]]` table. Out: a frozen `Rule` that cannot be built with a bad value.
What rules mean together is checked in `check`; choosing among them is left to `decide`.
"""

import re
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase
from typing import Final

from stillwatch.terms.action import ACTIONS, WORKLOADS, Subject
from stillwatch.terms.errors import StillwatchError
from stillwatch.terms.treated import facts_of, treatments_for, usual

NEEDS: Final = ("verdict", "confirmed", "coalition", "none")
"""What a rule waits for: a verdict in force, a person's confirmation of one, a match with the coalition, or nothing."""
ENDPOINTS: Final = ("other", "chat", "completions", "responses", "messages", "embeddings")
"""As `terms.event.ENDPOINTS`, which needs NumPy; workers do without. A test holds the two equal."""
MOST_DELAY: Final = 60.0
"""Longest delay of a `slow` rule, in seconds: beyond it clients give up and come back at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Section `[policy.rule]`: one entry of the list `[[policy.rule]]`; the first rule that matches is obeyed."""

    name: str
    """Name of the rule, as decisions and counters print it; lower-case letters, digits, `_` and `-`."""
    action: str
    """What it orders: `allow`, `mark`, `slow`, `challenge`, `coarsen`, `perturb` or `refuse`."""
    needs: str = "verdict"
    """`verdict`: an accusation in force; `confirmed`: a person confirmed it; `coalition`: other providers' warnings
    match the account, which allows no more than `allow`, `mark`, `slow` and `challenge`; `none`: nothing."""
    min_organisations: int = 1
    """With `needs = "coalition"`: verified organisations whose warnings must match; 1 or more."""
    min_log_e: float = 0.0
    """Least evidence of the account's verdict, in nats; 0 or more."""
    plans: tuple[str, ...] = ()
    """Plans it is for, as patterns; empty for all."""
    models: tuple[str, ...] = ()
    """Models it is for, as patterns such as `large-*`; empty for all."""
    endpoints: tuple[str, ...] = ()
    """Endpoints it is for: `chat`, `completions`, `responses`, `messages`, `embeddings`, `other`; empty for all."""
    workloads: tuple[str, ...] = ()
    """Declared workloads it is for; the only way, short of a confirmed verdict, to reach one within its quota."""
    countries: tuple[str, ...] = ()
    """Countries of contract it is for, ISO 3166; needs `legal_basis`, `reason` and `until`."""
    legal_basis: str = ""
    """The law that a rule by country rests on."""
    reason: str = ""
    """Why the rule is there, for the people who run it."""
    until: float | None = None
    """Date on which the rule itself ends; required with `needs = "none"` and with `countries`."""
    shadow: bool | None = None
    """Only record what would have been ordered; `policy.shadow` when left out."""
    expires_days: float = 0.0
    """Days after the verdict took effect, or after it was confirmed, for which the rule may act; above 0."""
    delay_seconds: float = 0.0
    """For `slow`: how long a request waits before it goes upstream; 0 to 60."""
    rate_share: float = 1.0
    """For `slow`: share of its rate limits that the account keeps; above 0, at most 1."""
    treatments: tuple[str, ...] = ()
    """What becomes of request and answer, in this order, such as `["watermark", "withhold"]`; empty for what the
    action usually does. A treatment may stand under its own action and under severer ones that still answer."""
    approved_by: str = ""
    """Who approved that answers may be worse; needed where the rule bites and a treatment lowers quality, unless
    `policy.approved_by` names somebody."""

    def __post_init__(self) -> None:
        said = f"policy rule {self.name!r}"
        for wrong in self._faults():
            raise StillwatchError(f"{said}: {wrong}\nSee docs/reference/policy.md for what a rule may say.")

    @property
    def actions(self) -> tuple[str, ...]:
        """What it can order; always one action."""
        return (self.action,)

    @property
    def needs_confirmation(self) -> bool:
        """Whether it waits for a person."""
        return self.needs == "confirmed"

    @property
    def applied(self) -> tuple[str, ...]:
        """Names of the treatments that it orders."""
        return self.treatments or usual(self.action)

    @property
    def lowers_quality(self) -> bool:
        """Whether answers may be worse under it."""
        return any(facts_of(name).lowers_quality for name in self.applied)

    def is_for(self, subject: Subject) -> bool:
        """Return whether plan, model, endpoint, workload and country fit; verdicts are not looked at."""
        return (
            (not self.endpoints or subject.endpoint in self.endpoints)
            and (not self.workloads or subject.workload in self.workloads)
            and (not self.countries or subject.country in self.countries)
            and _any(self.plans, subject.plan)
            and _any(self.models, subject.model)
        )

    def _faults(self) -> tuple[str, ...]:
        slow = self.action == "slow"
        tests = (
            (re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,63}", self.name), "name: must be 1 to 64 of a-z, 0-9, _ and -."),
            (self.action in ACTIONS, f"action = {self.action!r}: must be one of {', '.join(ACTIONS)}."),
            (self.needs in NEEDS, f"needs = {self.needs!r}: must be one of {', '.join(NEEDS)}."),
            (self.min_organisations >= 1, f"min_organisations = {self.min_organisations}: must be 1 or more."),
            (self.min_organisations == 1 or self.needs == "coalition",
             f"min_organisations belongs to needs = 'coalition'; it has {self.needs!r}."),
            (0.0 <= self.min_log_e < float("inf"), f"min_log_e = {self.min_log_e}: must be 0 or more, in nats."),
            (set(self.endpoints) <= set(ENDPOINTS),
             f"endpoints = {list(self.endpoints)}: must be among {', '.join(ENDPOINTS)}."),
            (set(self.workloads) <= set(WORKLOADS),
             f"workloads = {list(self.workloads)}: must be among {', '.join(WORKLOADS)}."),
            (all(re.fullmatch(r"[A-Z]{2}", c) for c in self.countries),
             f"countries = {list(self.countries)}: must be two capital letters each, as ISO 3166 has them."),
            (0.0 <= self.expires_days < float("inf"), f"expires_days = {self.expires_days}: must be above 0."),
            (0.0 <= self.delay_seconds <= MOST_DELAY, f"delay_seconds = {self.delay_seconds}: must lie in 0 to 60."),
            (0.0 < self.rate_share <= 1.0, f"rate_share = {self.rate_share}: must be above 0, at most 1."),
            (slow or (self.delay_seconds == 0.0 and self.rate_share == 1.0),
             f"delay_seconds and rate_share belong to `slow`; its action is {self.action!r}."),
            (not slow or self.delay_seconds > 0.0 or self.rate_share < 1.0,
             "orders `slow` and slows nothing: give delay_seconds above 0 or rate_share below 1."),
            (set(self.treatments) <= set(treatments_for(self.action)),
             f"treatments = {list(self.treatments)}: for {self.action!r} there is {_listed(self.action)}."),
            (len(set(self.treatments)) == len(self.treatments), "treatments: one of them stands twice."),
            (not {"experts", "watermark"} <= set(self.treatments),
             "treatments: `experts` marks answers as well; leave `watermark` out."),
        )  # fmt: skip
        return tuple(wrong for fine, wrong in tests if not fine)


def _listed(action: str) -> str:
    return ", ".join(treatments_for(action)) or "none"


def _any(patterns: tuple[str, ...], value: str) -> bool:
    return not patterns or any(fnmatchcase(value, pattern) for pattern in patterns)


RULE_FIELDS: Final = tuple(f.name for f in fields(Rule))
"""What a `[[policy.rule]]` table may say."""
