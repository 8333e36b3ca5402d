"""Judge a log: from a source of events to verdicts with their receipts.

In: an `EventSource`, settings, and optionally a calibration of honest traffic. Out: `Verdicts`.
Without a calibration the reference is the trimmed first half of the log: accounts outside every
candidate. Campaigns are linked on every other block and tested on the blocks between.
Cost: two shared-key queries, one fetch of the events concerned. Left to `policy`: what is done.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from stillwatch.detect.campaign import Group, Tested, accuse, merge
from stillwatch.detect.candidates import Candidate, content_candidates, explained, infrastructure_candidates
from stillwatch.detect.conduct import conduct_of, hit_mask, outside_of
from stillwatch.detect.config import DetectConfig
from stillwatch.detect.explain import Outside, explain_content, explain_infrastructure
from stillwatch.detect.families import infrastructure_families
from stillwatch.detect.grid import block_seconds, fold_of
from stillwatch.detect.population import STRATA, Population
from stillwatch.detect.record import campaign_record, near_misses
from stillwatch.terms.event import EventArray, empty_events
from stillwatch.terms.ports import EventSource, RollupArray, Window
from stillwatch.terms.verdict import Verdicts

IntArray = npt.NDArray[np.int64]

MOST_CARRIERS: Final = 60_000
"""Accounts whose events are fetched at most; beyond, carriers that are no members are sampled."""


@dataclass(frozen=True, slots=True)
class Bench:
    """What every candidate is judged with."""

    source: EventSource
    config: DetectConfig
    people: Population
    window: Window
    concerned: EventArray
    """Events of all members and of others that carry their keys."""
    fold: npt.NDArray[np.int8]
    active: tuple[RollupArray, RollupArray]
    """Roll-ups of fold 0 and of fold 1."""
    outside_rows: IntArray
    outside: Outside


def judge(source: EventSource, config: DetectConfig, *, epoch: int | None = None) -> Verdicts:
    """Return what the log shows: campaigns, accounts that came closest, and what was looked at.

    Args:
        source: The events, as hashes and sketches.
        config: Error rates, grid and bounds.
        epoch: Key epoch to compare in; the newest when None.
    """
    span = source.span(epoch)
    if span.n_events == 0:
        return Verdicts(campaigns=(), accounts=(), q=config.q, alpha=config.alpha, looked_at=0, calibrated=False,
                        notes=("no events",), figures={"events": 0, "accounts": 0})  # fmt: skip
    seconds = block_seconds(span.first, span.last, longest=config.block_seconds)
    window = Window(epoch=span.epoch, block_seconds=seconds)
    people = Population.of(source.rollup(window))
    rng = np.random.default_rng(config.seed)
    candidates: list[Candidate] = []
    for fold in (0, 1):
        candidates += content_candidates(source, people, replace(window, fold=fold), config)
    candidates += [c for c in infrastructure_candidates(people, config) if not explained(c, candidates)]
    bench = _bench(source, config, people, window, candidates, rng)
    groups = merge([_test(bench, candidate, rng) for candidate in candidates])
    families = [infrastructure_families(people, group.rows, bench.outside_rows) for group in groups]
    accused = accuse(np.array([g.log_e for g in groups]), np.array([1 + len(f) for f in families], np.int64), q=config.q)
    campaigns = tuple(
        campaign_record(people, bench.concerned, group, family, bool(flag))
        for group, family, flag in zip(groups, families, accused, strict=True)
    )
    campaigns = tuple(sorted(campaigns, key=lambda c: (not c.accused, -c.log_e)))
    figures = {
        "events": span.n_events, "accounts": span.n_accounts, "holders": people.n_holders,
        "first": span.first, "last": span.last, "block_seconds": seconds, "epoch": span.epoch,
        "reference_accounts": int(bench.outside.habits.accounts.sum()),
        "strata": {name: int((people.stratum == i).sum()) for i, name in enumerate(STRATA)},
    }  # fmt: skip
    return Verdicts(campaigns=campaigns, accounts=near_misses(people, campaigns), q=config.q, alpha=config.alpha,
                    looked_at=len(groups), calibrated=False, notes=(*people.notes, HALVES), figures=figures)  # fmt: skip


HALVES: Final = (
    "No calibration was given: honest habits were learnt from the first half of this log, leaving out every account "
    "that any candidate names; accounts are accused only as members of a campaign."
)


def _bench(source: EventSource, config: DetectConfig, people: Population, window: Window,
           candidates: list[Candidate], rng: np.random.Generator) -> Bench:  # fmt: skip
    named = np.unique(np.concatenate([c.rows for c in candidates])) if candidates else np.zeros(0, np.int64)
    outside_rows = np.setdiff1d(np.arange(len(people.roll)), named)
    carriers = _carriers(source, people, window, candidates)
    if len(carriers) > MOST_CARRIERS:
        carriers = rng.choice(carriers, MOST_CARRIERS, replace=False)
    rows = np.union1d(named, carriers)
    concerned = source.events(people.roll["account"][rows], window) if len(rows) else empty_events()
    span_first, span_last = float(people.roll["first"].min()), float(people.roll["last"].max())
    half = replace(window, end=max((span_first + span_last) / 2, np.nextafter(span_first, np.inf)))
    sample = rng.choice(outside_rows, min(config.controls, len(outside_rows)), replace=False)
    reference = source.events(people.roll["account"][sample], half) if len(sample) else empty_events()
    active = tuple(source.rollup(replace(window, fold=fold)) for fold in (0, 1))
    outside = outside_of(people, outside_rows, reference, rng)
    return Bench(source, config, people, window, concerned, fold_of(concerned["time"], window.block_seconds),
                 (active[0], active[1]), outside_rows, outside)  # fmt: skip


def _carriers(source: EventSource, people: Population, window: Window, candidates: list[Candidate]) -> IntArray:
    rows = [np.zeros(0, np.int64)]
    for kind in {kind for c in candidates for kind in c.keys}:
        keys = np.unique(np.concatenate([c.keys[kind] for c in candidates if kind in c.keys]))
        rows.append(people.find(source.carriers(kind, keys, window)["account"]))
    return np.unique(np.concatenate(rows))


def _test(bench: Bench, candidate: Candidate, rng: np.random.Generator) -> Tested:
    """Weigh a candidate on the fold it was not linked on; infrastructure on both."""
    events, people = bench.concerned, bench.people
    if candidate.origin == "infrastructure":
        mine = events[np.isin(people.find(events["account"]), candidate.rows)]
        conduct = conduct_of(candidate, people, mine, rng)
        outside = replace(bench.outside, volumes=people.roll["n_requests"][bench.outside_rows].astype(np.int64))
        return Tested(candidate, tuple(explain_infrastructure(conduct, outside, _second_respect(bench, candidate))))
    tested = bench.fold == 1 - candidate.fold
    conduct = conduct_of(candidate, people, events[tested], rng)
    outside = _outside(bench, candidate, events[tested])
    return Tested(candidate, tuple(explain_content(conduct, outside)))


def _outside(bench: Bench, candidate: Candidate, events: EventArray) -> Outside:
    """Count other holders active on the tested fold, those of them that carry the keys, and volumes."""
    people, roll = bench.people, bench.active[1 - candidate.fold]
    active = people.find(roll["account"])
    members = np.unique(people.holder[candidate.rows])
    others = np.setdiff1d(people.holder[active], members)
    hit = hit_mask(events, candidate.keys)
    carrying = np.unique(people.holder[people.find(np.unique(events["account"][hit]))])
    volumes = roll["n_requests"][np.isin(active, bench.outside_rows)].astype(np.int64)
    return replace(bench.outside, holders=len(others), hit_holders=len(np.setdiff1d(carrying, members)), volumes=volumes)


def _second_respect(bench: Bench, candidate: Candidate) -> tuple[int, int]:
    """Return (members that also agree in the second-best family, members)."""
    found = infrastructure_families(bench.people, candidate.rows, bench.outside_rows)
    tied = sorted((int(mask.sum()) for mask in found.values()), reverse=True)
    return (tied[1] if len(tied) > 1 else 0, len(candidate.rows))
