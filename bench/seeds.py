"""One seed of the detection benchmark: compose it, judge it by every method, count.

In: a seed, sizes, a corpus. Out: one JSON-ready record of counts and labels; no text, no account name.
Cost: for 3,000 honest accounts about a minute on one core and 1.5 GB; nothing is kept afterwards.
Left to `tables`: adding seeds up.
"""

import hashlib
import random
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from bench.mmd import flagged
from bench.phrases import PhraseList
from stillwatch.app.addresses import packaged_addresses
from stillwatch.detect.config import DetectConfig
from stillwatch.detect.judge import judge
from stillwatch.lab.traffic.compose import compose
from stillwatch.lab.traffic.corpus import Corpus
from stillwatch.lab.traffic.plan import INFRASTRUCTURES, PRESETS, CampaignPlan, Traffic, TrafficPlan, Truth
from stillwatch.sketch.keys import KeyRing
from stillwatch.sketch.reduce import Reducer
from stillwatch.store.memory import MemoryStore
from stillwatch.terms.event import EventArray
from stillwatch.terms.exchange import Exchange
from stillwatch.terms.verdict import Verdicts

METHODS: Final = ("stillwatch", "volume", "volume-1%", "phrases-1", "phrases-3", "mmd-pooled", "mmd-account")
"""Stillwatch, then what it is held against in the same run."""
ROTATION: Final = ("E0", "E1", "E1", "E2", "E1", "E3-50", "E0", "E1", "E3-75", "E1", "E0", "E1", "E3-90")
"""Evasions in turn over all campaigns of all seeds: E1 mostly."""
VOLUME: Final = 10_000
"""Requests in `VOLUME_DAYS` above which the volume rule flags an account."""
VOLUME_DAYS: Final = 14.0
BATCH: Final = 2_000
MOST_E2: Final = 200
"""Accounts of an E2 campaign at most: its wordings may not repeat five words anywhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedPlan:
    """What one seed of the benchmark composes."""

    seed: int
    honest: int
    campaigns: int = 5
    largest: int = 1_000
    """Accounts of the largest campaign; sizes are 50 and up, most below 300."""

    @property
    def persistent(self) -> bool:
        """Every fourth seed shuffles the habits of honest accounts."""
        return self.seed % 4 != 0

    def sent(self, traffic: Traffic) -> Traffic:
        """Return the traffic as clients send it: as it was composed."""
        return traffic

    def traffic(self) -> TrafficPlan:
        """Return the plan of the seed's traffic: 14 days, a third of the honest accounts hard negatives."""
        rng = random.Random(self.seed)
        plans = []
        for number in range(self.campaigns):
            evasion = ROTATION[(self.seed * self.campaigns + number) % len(ROTATION)]
            size = round(50 * (self.largest / 50) ** (rng.random() ** 2))
            days = rng.uniform(2.0, 10.0)
            plans.append(
                CampaignPlan(
                    preset=rng.choice(PRESETS),
                    accounts=min(size, MOST_E2) if evasion == "E2" else size,
                    requests=rng.randint(10, 20),
                    evasion=evasion,
                    start_day=rng.uniform(0.0, 14.0 - days),
                    days=days,
                    infrastructure=rng.choice(INFRASTRUCTURES),
                )
            )
        return TrafficPlan(seed=self.seed, honest=self.honest, campaigns=tuple(plans), persistent=self.persistent)


@dataclass(frozen=True, slots=True)
class Reduced:
    """A seed's traffic without its texts."""

    events: EventArray
    names: Mapping[int, str]
    truth: Mapping[str, Truth]
    phrase_hits: Mapping[str, int]
    """Account -> requests that match the phrase list."""
    seconds: dict[str, float]


def run_seed(plan: SeedPlan, corpus: Corpus) -> dict[str, Any]:
    """Compose a seed, judge it by every method, and return the counts."""
    reduced = reduced_of(plan, corpus)
    begun = time.perf_counter()
    store = MemoryStore(reduced.events)
    epoch = max(store.epochs(), key=lambda number: store.span(number).n_events)
    verdicts = judge(store, DetectConfig(), epoch=epoch)
    reduced.seconds["judge"] = time.perf_counter() - begun
    begun = time.perf_counter()
    flags = {"stillwatch": accused_in(verdicts, reduced.names), **_baselines(plan, reduced)}
    reduced.seconds["baselines"] = time.perf_counter() - begun
    return {
        "seed": plan.seed,
        "persistent": plan.persistent,
        "events": len(reduced.events),
        "seconds": {stage: round(value, 1) for stage, value in reduced.seconds.items()},
        "looked_at": verdicts.looked_at,
        "campaigns": _campaigns(plan, reduced.truth, flags),
        "honest": _honest(reduced.truth, flags),
        "reported": _reported(verdicts, reduced),
    }


def reduced_of(plan: SeedPlan, corpus: Corpus) -> Reduced:
    """Compose a seed's traffic and reduce it to events."""
    begun = time.perf_counter()
    traffic = plan.sent(compose(plan.traffic(), corpus))
    composed = time.perf_counter()
    reducer = Reducer(KeyRing(hashlib.blake2b(str(plan.seed).encode(), digest_size=32).digest()), packaged_addresses())
    phrases, hits, names = PhraseList(), Counter[str](), dict[int, str]()
    parts = []
    for batch in _batches(traffic.exchanges):
        events = reducer.reduce(batch)
        parts.append(events)
        for account, exchange in zip(events["account"].tolist(), batch, strict=True):
            names[account] = exchange.account
    reducing = time.perf_counter()
    for exchange in traffic.exchanges:
        hits[exchange.account] += phrases.matches(exchange)
    seconds = {
        "compose": composed - begun, "reduce": reducing - composed, "phrases": time.perf_counter() - reducing,
    }  # fmt: skip
    return Reduced(np.concatenate(parts), names, dict(traffic.truth), hits, seconds)


def _batches(exchanges: list[Exchange]) -> Iterable[list[Exchange]]:
    for low in range(0, len(exchanges), BATCH):
        yield exchanges[low : low + BATCH]


def accused_in(verdicts: Verdicts, names: Mapping[int, str]) -> set[str]:
    """Return everyone accused: members of reported campaigns, and accounts accused on their own."""
    inside = {names[a] for campaign in verdicts.campaigns if campaign.accused for a in campaign.accounts}
    return inside | {names[v.account] for v in verdicts.accounts if v.accused}


def _baselines(plan: SeedPlan, reduced: Reduced) -> dict[str, set[str]]:
    events, names = reduced.events, reduced.names
    accounts, requests = np.unique(events["account"], return_counts=True)
    honest = {account: reduced.truth[name].campaign is None for account, name in names.items()}
    clean = np.array([honest[int(account)] for account in accounts])
    limit = VOLUME * plan.traffic().days / VOLUME_DAYS
    favoured = float(np.quantile(requests[clean], 0.99))
    mmd = flagged(events["sketch"]["projection"], events["account"], honest, np.random.default_rng(plan.seed))
    hits = reduced.phrase_hits
    return {
        "volume": {names[int(a)] for a in accounts[requests > limit]},
        "volume-1%": {names[int(a)] for a in accounts[requests > favoured]},
        "phrases-1": {name for name, count in hits.items() if count >= 1},
        "phrases-3": {name for name, count in hits.items() if count >= 3},
        "mmd-pooled": {names[a] for a in mmd["pooled"]},
        "mmd-account": {names[a] for a in mmd["account"]},
    }


def _campaigns(plan: SeedPlan, truth: Mapping[str, Truth], flags: Mapping[str, set[str]]) -> list[dict[str, Any]]:
    """Count the members of each campaign and those that each method flags."""
    members: dict[str, set[str]] = defaultdict(set)
    labels = {}
    for name, what in truth.items():
        if what.campaign is not None:
            members[what.campaign].add(name)
            labels[what.campaign] = what.habit
    rows = []
    for campaign, inside in sorted(members.items()):
        preset, evasion, infrastructure = labels[campaign].split(" ")
        short = campaign.removesuffix(labels[campaign]).strip()
        caught = {method: len(inside & flags[method]) for method in METHODS}
        rows.append(
            {
                "campaign": f"{plan.seed}: {short}", "preset": preset, "evasion": evasion,
                "infrastructure": infrastructure, "members": len(inside), "caught": caught,
            }
        )  # fmt: skip
    return rows


def _honest(truth: Mapping[str, Truth], flags: Mapping[str, set[str]]) -> list[dict[str, Any]]:
    """Count honest accounts and those flagged, by stratum and habit; then once more with a group as one unit."""
    people: dict[tuple[str, str], list[str]] = defaultdict(list)
    for name, what in truth.items():
        if what.campaign is None:
            people[what.stratum, what.habit].append(name)
    rows = []
    for (stratum, habit), names in sorted(people.items()):
        accused = {method: sorted(flags[method].intersection(names)) for method in METHODS}
        rows.append(
            {
                "stratum": stratum, "habit": habit, "accounts": len(names), "units": _units(names, truth),
                "accused": {method: len(found) for method, found in accused.items()},
                "accused_units": {method: _units(found, truth) for method, found in accused.items()},
            }
        )  # fmt: skip
    return rows


def _units(names: Iterable[str], truth: Mapping[str, Truth]) -> int:
    return len({truth[name].group or name for name in names})


def _reported(verdicts: Verdicts, reduced: Reduced) -> list[dict[str, Any]]:
    """Return who stands in each reported campaign: how many, how many hostile, mostly of what."""
    rows = []
    for campaign in (c for c in verdicts.campaigns if c.accused):
        who = [reduced.truth[reduced.names[a]] for a in campaign.accounts]
        most = Counter(t.campaign or f"honest {t.habit}" for t in who).most_common(1)[0][0]
        rows.append(
            {
                "accounts": len(who), "hostile": sum(t.campaign is not None for t in who), "mostly": most,
                "log_e": round(campaign.log_e, 2), "families": list(campaign.families),
            }
        )  # fmt: skip
    return rows
