"""Judge a log: from a source of events to verdicts with their receipts.

In: an `EventSource`, settings, and optionally a calibration of honest traffic. Out: `Verdicts`.
Without a calibration the reference is the trimmed first half of the log: accounts outside every
candidate. Campaigns are linked on every other block and tested on the blocks between.
Cost: two shared-key queries, one fetch of the events concerned. Left to `policy`: what is done.
"""

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from stillwatch.detect.accounts import HonestScores, Scores, Weighed, score_accounts
from stillwatch.detect.calibration import Calibration
from stillwatch.detect.campaign import Group, Tested, accuse, merge, spoken_for, threshold
from stillwatch.detect.candidates import Candidate
from stillwatch.detect.conduct import conduct_of, outside_of
from stillwatch.detect.config import DetectConfig
from stillwatch.detect.explain import Outside, explain_content, explain_infrastructure
from stillwatch.detect.families import Elsewhere, infrastructure_families
from stillwatch.detect.gather import gather
from stillwatch.detect.grid import block_seconds, fold_of
from stillwatch.detect.hits import Concerned
from stillwatch.detect.parting import parted
from stillwatch.detect.population import STRATA, Fold, Population
from stillwatch.detect.receipt import conclude, flag_figures, with_own, with_scenarios
from stillwatch.detect.record import Around, campaign_record, near_misses
from stillwatch.detect.search import candidates_of, named_rows
from stillwatch.detect.slices import among
from stillwatch.terms.event import EventArray, empty_events
from stillwatch.terms.ports import EventSource, Window
from stillwatch.terms.verdict import AccountVerdict, Campaign, Verdicts

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
    concerned: Concerned
    """Events of all members and of others that carry their keys."""
    folds: tuple[Fold, Fold]
    """Who is active on either."""
    elsewhere: Elsewhere
    """How accounts outside every candidate agree in infrastructure."""
    outside: Outside
    company: IntArray
    """Rows of the sample of outside accounts; without a calibration accounts are scored among them."""
    reference: EventArray
    """Their events up to `middle`; empty with a calibration."""
    middle: float
    """Without a calibration the time up to which is learnt, and from which accounts are judged."""
    rng: np.random.Generator
    """Source of the draws and regroupings, seeded with `config.seed`; used in one order."""


def judge(
    source: EventSource, config: DetectConfig, *, epoch: int | None = None, calibration: Calibration | None = None
) -> Verdicts:
    """Return what the log shows: campaigns, accounts that came closest, and what was looked at.

    Args:
        source: The events, as hashes and sketches.
        config: Error rates, grid and bounds.
        epoch: Key epoch to compare in; the newest when None.
        calibration: Honest traffic to compare with. With one, accounts may be accused alone; without,
            the first half of this log stands in, and they may not.
    """
    span = source.span(epoch)
    if span.n_events == 0:
        return Verdicts(
            campaigns=(), accounts=(), q=config.q, alpha=config.alpha, looked_at=0,
            calibrated=calibration is not None, notes=("no events",), figures={"events": 0, "accounts": 0},
        )  # fmt: skip
    seconds = block_seconds(span.first, span.last, longest=config.block_seconds)
    window = Window(epoch=span.epoch, block_seconds=seconds)
    people = Population.of(source.rollup(window))
    folds = Fold.both(source, people, window)
    candidates = candidates_of(source, people, folds, config)
    bench = _bench(source, config, people, folds, candidates)
    if calibration is not None:
        bench = replace(bench, outside=calibration.outside(people))
    candidates = [part for block in candidates for part in parted(bench.elsewhere, block, config)]
    groups, granted = _granted(bench, [_test(bench, candidate) for candidate in candidates])
    families = [infrastructure_families(bench.elsewhere, group.rows) for group in groups]
    naming, linked = np.random.default_rng([config.seed, 2]), spoken_for(groups, len(people.roll))
    campaigns = tuple(
        campaign_record(people, bench.concerned, group, Around(family, linked, naming))
        for group, family in zip(groups, families, strict=True)
    )
    campaigns = tuple(sorted(campaigns, key=lambda c: (not c.accused, -c.log_e)))
    figures = {
        "events": span.n_events, "accounts": span.n_accounts, "holders": people.n_holders,
        "first": span.first, "last": span.last, "block_seconds": seconds, "epoch": span.epoch,
        "reference_accounts": int(bench.outside.habits.accounts.sum()),
        "strata": {name: int((people.stratum == i).sum()) for i, name in enumerate(STRATA)},
        "thresholds": _thresholds(campaigns, len(candidates), granted, config.q),
    }  # fmt: skip
    campaigns, accounts, more = _with_accounts(bench, campaigns, calibration)
    notes = (HALVES,) if calibration is None else _calibration_notes(calibration, span.last - span.first)
    return Verdicts(
        campaigns=campaigns, accounts=accounts, q=config.q, alpha=config.alpha, looked_at=len(candidates),
        calibrated=calibration is not None, notes=(*people.notes, *notes), figures=figures | more,
    )  # fmt: skip


def _thresholds(campaigns: tuple[Campaign, ...], looked_at: int, granted: int, q: float) -> dict[str, float]:
    """Return by campaign the nats that its block had to reach."""
    return {
        c.id: round(threshold(looked_at, granted, accused=c.accused, n_families=len(c.families), q=q), 4)
        for c in campaigns
    }


def _granted(bench: Bench, tested: list[Tested]) -> tuple[list[Group], int]:
    """Judge every candidate by itself, then join those about the same accounts; return also how many passed."""
    families = [1 + len(infrastructure_families(bench.elsewhere, item.candidate.rows)) for item in tested]
    flags = accuse(np.array([item.log_e for item in tested]), np.array(families, np.int64), q=bench.config.q)
    judged = [replace(item, granted=bool(flag)) for item, flag in zip(tested, flags, strict=True)]
    return merge(judged), int(flags.sum())


HALVES: Final = (
    "No calibration was given: subjects of honest accounts were learnt from the first half of this log, their volumes, "
    "lifetimes and payers from all of it, leaving out every account that any candidate names. Campaigns are linked and "
    "tested on alternating blocks of the whole log; accounts are accused only as members of a campaign."
)
UNLIKE_SPAN: Final = 2.0
"""A log this many times as long or short as the calibration's is not quite comparable."""


def _calibration_notes(calibration: Calibration, span_seconds: float) -> tuple[str, ...]:
    ratio = max(span_seconds, 1.0) / max(calibration.span_seconds, 1.0)
    unlike = (
        f"The calibration spans {calibration.span_seconds / 86_400:.1f} days and this log {span_seconds / 86_400:.1f}: "
        "scores of accounts are comparable over like spans; calibrate on a like one.",
    )
    alike = 1.0 / UNLIKE_SPAN <= ratio <= UNLIKE_SPAN
    used = f"Compared with a calibration of {sum(calibration.accounts.values())} honest accounts."
    return (used, *calibration.thin, *(() if alike else unlike))


def _with_accounts(
    bench: Bench, campaigns: tuple[Campaign, ...], calibration: Calibration | None
) -> tuple[tuple[Campaign, ...], tuple[AccountVerdict, ...], dict[str, Any]]:
    """Return campaigns and accounts with their evidence by scenario, and what to add to the figures."""
    people, near = bench.people, near_misses(bench.people, campaigns)
    rng = np.random.default_rng([bench.config.seed, 1])  # apart, so that campaigns do not depend on accounts' draws
    if calibration is None:
        weighed = _weigh_shown(bench, campaigns, near, rng)
        return with_scenarios(campaigns, bench.elsewhere, weighed), with_own(near, weighed, bench.config), {}
    everyone = score_accounts(bench.source, people, np.arange(len(people.roll)), bench.window, rng)
    weighed = calibration.scores.weigh(everyone)
    more = {"calibration_accounts": calibration.accounts, "flagged": flag_figures(weighed, bench.config)}
    accounts = conclude(near, weighed, people, bench.config)
    return with_scenarios(campaigns, bench.elsewhere, weighed), accounts, more


def _weigh_shown(
    bench: Bench, campaigns: tuple[Campaign, ...], near: tuple[AccountVerdict, ...], rng: np.random.Generator
) -> Weighed:
    """Weigh the accounts that receipts show, on the second half, against outside accounts on the first."""
    shown = {a for c in campaigns if c.accused for a in c.accounts} | {verdict.account for verdict in near}
    honest = HonestScores.of(Scores.of(bench.reference, bench.people, rng))
    late = replace(bench.window, start=bench.middle)
    rows = bench.people.find(np.array(sorted(shown), np.uint64))
    events = bench.concerned.events
    mine = bench.concerned.of_accounts(rows)
    mine = mine[events["time"][mine] >= bench.middle]
    if len(mine) == 0:
        return honest.weigh(Scores.of(empty_events(), bench.people, rng))
    company = bench.people.accounts[bench.company]
    company = company[~np.isin(company, events["account"][mine])]
    others = bench.source.events(company, late) if len(company) else empty_events()
    both = np.empty(len(mine) + len(others), events.dtype)
    np.take(events, mine, out=both[: len(mine)], mode="clip")  # no second copy: there may be gigabytes
    both[len(mine) :] = others
    return honest.weigh(Scores.of(both, bench.people, rng))


def _bench(
    source: EventSource, config: DetectConfig, people: Population, folds: tuple[Fold, Fold], candidates: list[Candidate]
) -> Bench:
    rng, window = np.random.default_rng(config.seed), replace(folds[0].window, fold=None)
    named = named_rows(candidates)
    outside_rows = np.setdiff1d(np.arange(len(people.roll)), named)
    carriers = _carriers(source, people, window, candidates)
    if len(carriers) > MOST_CARRIERS:
        carriers = rng.choice(carriers, MOST_CARRIERS, replace=False)
    rows = np.union1d(named, carriers)
    concerned = gather(source, people, rows, window)
    span_first, span_last = float(people.roll["first"].min()), float(people.roll["last"].max())
    half = replace(window, end=max((span_first + span_last) / 2, np.nextafter(span_first, np.inf)))
    sample = rng.choice(outside_rows, min(config.controls, len(outside_rows)), replace=False)
    reference = source.events(people.roll["account"][sample], half) if len(sample) else empty_events()
    outside = outside_of(people, outside_rows, reference, rng)
    fold = fold_of(concerned["time"], window.block_seconds)
    indexed = Concerned.of(concerned, people.find(concerned["account"]), fold, (c.keys for c in candidates))
    return Bench(source, config, people, window, indexed, folds, Elsewhere.of(people, outside_rows),
                 outside, sample, reference, half.end, rng)  # fmt: skip


def _carriers(source: EventSource, people: Population, window: Window, candidates: list[Candidate]) -> IntArray:
    rows = [np.zeros(0, np.int64)]
    for kind in {kind for c in candidates for kind in c.keys}:
        keys = np.unique(np.concatenate([c.keys[kind] for c in candidates if kind in c.keys]))
        rows.append(people.find(source.carriers(kind, keys, window)["account"]))
    return np.unique(np.concatenate(rows))


def _test(bench: Bench, candidate: Candidate) -> Tested:
    """Weigh a candidate on the fold it was not linked on; on both where it was linked on neither."""
    concerned, people = bench.concerned, bench.people
    mine = concerned.of_accounts(candidate.rows)
    if candidate.origin == "infrastructure":
        if candidate.fold >= 0:
            mine = mine[concerned.fold[mine] == 1 - candidate.fold]
        conduct = conduct_of(candidate, people, concerned.events[mine], bench.rng)
        return Tested(
            candidate, tuple(explain_infrastructure(conduct, bench.outside, _second_respect(bench, candidate)))
        )
    hit = concerned.index.events(candidate.keys)
    both = np.union1d(mine, hit)
    events = concerned.events[both[concerned.fold[both] == 1 - candidate.fold]]
    conduct = conduct_of(candidate, people, events, bench.rng)
    carriers = np.unique(concerned.row[hit[concerned.fold[hit] == 1 - candidate.fold]])
    return Tested(candidate, tuple(explain_content(conduct, _outside(bench, candidate, carriers))))


def _outside(bench: Bench, candidate: Candidate, carriers: IntArray) -> Outside:
    """Count other holders active on the tested fold, and those of them that carry the keys.

    Accounts of the block that this candidate is a part of are no reference: they were linked as it was.
    """
    holder, active = bench.people.holder, bench.folds[1 - candidate.fold].holders
    members = np.unique(holder[np.union1d(candidate.rows, candidate.parted_from)])
    others = len(active) - int(among(members, active)[1].sum())
    hit_holders = len(np.setdiff1d(np.unique(holder[carriers]), members))
    return replace(bench.outside, holders=others, hit_holders=hit_holders)


def _second_respect(bench: Bench, candidate: Candidate) -> tuple[int, int]:
    """Return (members that also agree in the second-best family, members)."""
    found = infrastructure_families(bench.elsewhere, candidate.rows)
    tied = sorted((int(mask.sum()) for mask in found.values()), reverse=True)
    return (tied[1] if len(tied) > 1 else 0, len(candidate.rows))
