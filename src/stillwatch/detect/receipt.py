"""Evidence by scenario on the receipts of campaigns and accounts, and who is accused alone.

In: campaigns with the honest explanations weighed, and `Weighed` accounts. Out: the same records with
a line a scenario (S1, S2, ...) beside the explanations. A campaign's own `log_e` is left as it was:
means of members explain it, they do not accuse it. Without a calibration no account is accused alone.
Left to `judge`: which accounts are scored, and against whom.
Source: e-BH, Wang and Ramdas 2022, "False discovery rate control with e-values".
"""

from dataclasses import replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from stillwatch.detect.accounts import SCORED, Weighed
from stillwatch.detect.config import DetectConfig
from stillwatch.detect.families import Elsewhere, infrastructure_nats
from stillwatch.detect.population import STRATA, Population
from stillwatch.detect.scenarios import SCENARIOS
from stillwatch.detect.scenarios.infrastructure import INFRASTRUCTURE
from stillwatch.detect.scenarios.shared_anchor import SHARED_ANCHOR
from stillwatch.stats.evalues import log_threshold, mean_log_e
from stillwatch.stats.multiplicity import e_bh
from stillwatch.terms.verdict import AccountVerdict, Campaign, Evidence

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
UIntArray = npt.NDArray[np.uint64]

CLOSEST: Final = 20
"""Honest accounts that are shown because they came closest."""
RESTATED: Final = {"chance": SHARED_ANCHOR, "strangers": INFRASTRUCTURE}
"""Explanations whose refutation is what a scenario of campaigns says."""


def with_scenarios(campaigns: tuple[Campaign, ...], elsewhere: Elsewhere, weighed: Weighed) -> tuple[Campaign, ...]:
    """Return the campaigns with evidence by scenario added to those that are accused.

    Args:
        campaigns: Everything looked at.
        elsewhere: How accounts outside every candidate agree in infrastructure.
        weighed: Accounts that were scored, those of accused campaigns among them.
    """
    return tuple(
        replace(c, evidence=(*c.evidence, *_campaign_lines(c, elsewhere, weighed))) if c.accused else c
        for c in campaigns
    )


def _campaign_lines(campaign: Campaign, elsewhere: Elsewhere, weighed: Weighed) -> list[Evidence]:
    accounts = np.array(campaign.accounts, np.uint64)
    found = {s.name: e for s, e in zip(SCORED, _members(weighed.find(accounts), weighed), strict=False)}
    for item in campaign.evidence:
        if item.scenario in RESTATED:
            scenario = RESTATED[item.scenario]
            found[scenario.name] = replace(item, scenario=scenario.name, null=scenario.null, clears=scenario.clears)
    if INFRASTRUCTURE.name not in found and len(accounts):
        found[INFRASTRUCTURE.name] = infrastructure_line(elsewhere, elsewhere.people.find(np.sort(accounts)))
    return [found[name] for name in SCENARIOS.names() if name in found]


def _members(index: IntArray, weighed: Weighed) -> list[Evidence]:
    """Return the mean over members as e-values, one line a scenario of accounts; none when none was scored."""
    if len(index) == 0:
        return []
    return [
        Evidence(
            scenario=scenario.name,
            null=scenario.null,
            log_e=round(float(mean_log_e(weighed.log_e[row, index])), 4),
            n=len(index),
            unit="account",
            detail={
                "mean_score": round(float(weighed.scores.values[row, index].mean()), 4),
                "median_p": round(float(np.median(weighed.p[row, index])), 6),
                "honest_accounts": int(weighed.units[index].min()),
                "accuses": int(scenario.accuses),
            },
            clears=scenario.clears,
        )
        for row, scenario in enumerate(SCORED)
    ]


def infrastructure_line(elsewhere: Elsewhere, rows: IntArray) -> Evidence:
    """Return how much more members share payers, networks and clients than accounts outside do, averaged."""
    against = infrastructure_nats(elsewhere, rows)
    return Evidence(
        scenario=INFRASTRUCTURE.name,
        null=INFRASTRUCTURE.null,
        log_e=round(float(mean_log_e(np.array(list(against.values())))), 4) if against else 0.0,
        n=len(rows),
        unit="account",
        detail={f"nats_{name}": round(value, 2) for name, value in against.items()},
        clears=INFRASTRUCTURE.clears,
    )


def with_own(
    accounts: tuple[AccountVerdict, ...], weighed: Weighed, config: DetectConfig
) -> tuple[AccountVerdict, ...]:
    """Return the verdicts with each account's own evidence by scenario beside what its campaign shows."""
    out = []
    for verdict in accounts:
        found = weighed.find(np.array([verdict.account], np.uint64))
        lines = weighed.lines(int(found[0]), config.alpha) if len(found) else ()
        out.append(replace(verdict, evidence=(*verdict.evidence, *lines)))
    return tuple(out)


def accused_alone(weighed: Weighed, people: Population, config: DetectConfig) -> BoolArray:
    """Return which scored accounts are accused on their own: e-BH at q over every account of the log.

    Evidence below log(1/alpha) is staked at nothing, which leaves an e-value: nobody is accused alone
    on less than one honest account in 1/alpha shows.
    """
    own = weighed.own
    staked = np.where(own >= log_threshold(config.alpha), own, -np.inf)
    return e_bh(staked, config.q, looked_at=len(people.roll)) & np.isfinite(staked)


def conclude(
    near: tuple[AccountVerdict, ...], weighed: Weighed, people: Population, config: DetectConfig
) -> tuple[AccountVerdict, ...]:
    """Return the verdicts of a calibrated run: accused with campaigns, accused alone, then the closest honest ones.

    Args:
        near: Members of campaigns and near misses, accused first.
        weighed: All accounts, scored.
        people: The population.
        config: Error rates.
    """
    nats = weighed.own

    def own(index: int, accused: bool) -> AccountVerdict:
        return replace(_own_verdict(index, weighed, people, nats, config.alpha), accused=accused)

    hashes, strongest = weighed.scores.account, np.argsort(-nats, kind="stable")
    first = [verdict for verdict in with_own(near, weighed, config) if verdict.accused]
    members = np.array([verdict.account for verdict in first], np.uint64)
    granted = accused_alone(weighed, people, config) & ~np.isin(hashes, members)
    alone = [own(int(i), True) for i in strongest[granted[strongest]]]
    named = {verdict.account for verdict in first + alone}
    closest = [verdict for verdict in with_own(near, weighed, config) if verdict.account not in named]
    shown = np.array([verdict.account for verdict in first + alone + closest], np.uint64)
    others = strongest[~np.isin(hashes[strongest], shown)][: max(CLOSEST - len(closest), 0)]
    return (*first, *alone, *closest, *(own(int(i), False) for i in others))


def _own_verdict(index: int, weighed: Weighed, people: Population, own: FloatArray, alpha: float) -> AccountVerdict:
    account = int(weighed.scores.account[index])
    row = int(people.find(np.array([account], np.uint64))[0])
    return AccountVerdict(
        account=account,
        log_e=round(float(own[index]), 4),
        campaign=None,
        accused=False,
        evidence=weighed.lines(index, alpha),
        surface=STRATA[int(people.stratum[row])],
        requests=int(people.roll["n_requests"][row]),
    )


def flag_figures(weighed: Weighed, config: DetectConfig) -> dict[str, Any]:
    """Return how many accounts a test at alpha flags, and of how many, per stratum; a flag accuses nobody."""
    flagged = weighed.flags(config.alpha)
    return {
        "alpha": config.alpha,
        "accounts": int(flagged.sum()),
        "of": len(flagged),
        "strata": {
            name: {"flagged": int((flagged & (weighed.scores.stratum == i)).sum()),
                   "scored": int((weighed.scores.stratum == i).sum())}
            for i, name in enumerate(STRATA)
        },
    }  # fmt: skip
