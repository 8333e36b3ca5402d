"""Compose packaged traffic, scan it, and hold the verdicts against the truth.

In: a seed and a folder. Out: logs and truth as files, the scan's outcome, and a `Score`. Nothing is
precomputed: another seed draws other accounts, campaigns and texts.
Cost: about half a minute on one core.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import orjson

from stillwatch.app.scan import ScanOutcome, ScanRequest, scan
from stillwatch.app.settings import load_settings
from stillwatch.lab.traffic import (
    Traffic,
    TrafficPlan,
    Truth,
    compose,
    default_campaigns,
    demo_plan,
    load_corpus,
    write_litellm,
)
from stillwatch.logs.read import ReadOptions
from stillwatch.terms.verdict import Campaign

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Score:
    """Verdicts held against the truth."""

    members: Mapping[str, int]
    """Accounts of each campaign that sent anything."""
    caught: Mapping[str, int]
    """Of those, how many were accused."""
    labels: Mapping[str, str]
    """What each campaign is."""
    honest: int
    honest_accused: tuple[str, ...]
    """Names of honest accounts that were accused."""
    reported: int
    false_campaigns: int
    """Reported campaigns most of whose accounts are honest."""


def score(campaigns: Iterable[Campaign], names: Mapping[int, str], truth: Mapping[str, Truth]) -> Score:
    """Count members caught and honest accounts accused.

    Args:
        campaigns: Everything that was looked at; only the accused ones count.
        names: Account hash -> name in the input.
        truth: Name -> what the account is.
    """
    hostile = {name: t.campaign for name, t in truth.items() if t.campaign is not None}
    members = Counter(hostile.values())
    accused: set[str] = set()
    reported = false = 0
    for campaign in (c for c in campaigns if c.accused):
        inside = {names[a] for a in campaign.accounts}
        reported += 1
        false += sum(name in hostile for name in inside) * 2 < len(inside)
        accused |= inside
    caught = Counter(hostile[name] for name in accused if name in hostile)
    return Score(
        members=members,
        caught={campaign: caught[campaign] for campaign in members},
        labels={t.campaign: t.habit for t in truth.values() if t.campaign is not None},
        honest=len(truth) - len(hostile),
        honest_accused=tuple(sorted(name for name in accused if name not in hostile)),
        reported=reported,
        false_campaigns=false,
    )


def compose_traffic(seed: int, data: Path | None, honest: int, campaigns: int, out: Path | None) -> Traffic:
    """Compose traffic from the packaged sample or a data folder; write it and its truth when asked."""
    rng = random.Random(seed)
    plan = TrafficPlan(seed=seed, honest=honest, campaigns=default_campaigns(rng, campaigns))
    traffic = compose(plan, load_corpus(data))
    if out is not None:
        write_litellm(traffic.exchanges, out)
        write_truth(traffic, out.with_name(f"{out.name}.truth.json"))
    return traffic


def write_truth(traffic: Traffic, path: Path) -> None:
    """Write what each account is, as JSON: name -> kind, habit, campaign."""
    truth = {
        name: {"kind": t.kind, "habit": t.habit, "campaign": t.campaign} for name, t in sorted(traffic.truth.items())
    }
    path.write_bytes(orjson.dumps(truth, option=orjson.OPT_INDENT_2))


def demo(seed: int, folder: Path, now: float, progress: Progress) -> tuple[ScanOutcome, Score]:
    """Compose, scan and score; files go to `folder`."""
    progress("composing traffic")
    traffic = compose(demo_plan(seed), load_corpus(None))
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / f"traffic-{seed}.jsonl.zst"
    write_litellm(traffic.exchanges, log)
    write_truth(traffic, folder / f"truth-{seed}.json")
    request = ScanRequest(
        paths=(str(log),), state=folder / "state", out=folder / "report",
        reading=ReadOptions(), settings=load_settings(None), now=now,
    )  # fmt: skip
    outcome = scan(request, progress)
    return outcome, score(outcome.report.verdicts.campaigns, outcome.report.names, traffic.truth)
