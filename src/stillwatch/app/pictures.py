"""What the report draws: traffic over time, and who shares what.

In: a store and verdicts. Out: counts by time bin and graph edges, without names or text.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np

from stillwatch.console.report import ALL_TRAFFIC, Edge
from stillwatch.terms.ports import EventSource, Window
from stillwatch.terms.verdict import Campaign, Verdicts

BINS: Final = 120
"""Time bins of a line."""
DRAWN: Final = 400
"""Accounts of a campaign that its graph looks at."""
MOST_EVENTS: Final = 2_000_000
"""Events beyond which the whole traffic is drawn from a sample of accounts."""


def timeline_of(store: EventSource, verdicts: Verdicts) -> tuple[Mapping[str, tuple[int, ...]], float, float]:
    """Return (counts by campaign and for all traffic, start of the first bin, bin width in seconds)."""
    figures = verdicts.figures
    if not figures.get("events"):
        return {ALL_TRAFFIC: (0,)}, 0.0, 3600.0
    window = Window(epoch=figures["epoch"])
    start, end = figures["first"], figures["last"]
    step = max((end - start) / BINS, 1.0)
    edges = start + step * np.arange(BINS + 1)
    edges[-1] += step  # the last event stands on the last edge
    lines = {}
    roll = store.rollup(window)
    accounts, scale = roll["account"], 1.0
    if figures["events"] > MOST_EVENTS:
        accounts = accounts[:: int(np.ceil(figures["events"] / MOST_EVENTS))]
        scale = figures["events"] / max(int(roll["n_requests"][np.isin(roll["account"], accounts)].sum()), 1)
    whole = np.histogram(store.events(accounts, window)["time"], edges)[0] * scale
    lines[ALL_TRAFFIC] = tuple(int(round(x)) for x in whole)
    for campaign in (c for c in verdicts.campaigns if c.accused):
        mine = store.events(np.array(campaign.accounts, np.uint64), window)
        lines[campaign.id] = tuple(int(x) for x in np.histogram(mine["time"], edges)[0])
    return lines, start, step


def edges_of(store: EventSource, verdicts: Verdicts) -> Mapping[str, tuple[Edge, ...]]:
    """Return for each campaign the links between its accounts and what several of them share."""
    if not verdicts.figures.get("events"):
        return {}
    window = Window(epoch=verdicts.figures["epoch"])
    return {c.id: _edges(store, c, window) for c in verdicts.campaigns if c.accused}


def _edges(store: EventSource, campaign: Campaign, window: Window) -> tuple[Edge, ...]:
    accounts = np.array(campaign.accounts[:DRAWN], np.uint64)
    events = store.events(accounts, window)
    index = {int(account): number for number, account in enumerate(campaign.accounts)}
    out: list[Edge] = []
    fields = {"payment": events["payment"], "network": events["network"], "content": events["sketch"]["head"]}
    for kind, values in fields.items():
        pairs, counts = np.unique(np.stack([values, events["account"]], axis=1), axis=0, return_counts=True)
        names, sharing = np.unique(pairs[:, 0], return_counts=True)
        common = names[(sharing >= 3) & (names != 0)]
        strongest = common[np.argsort(-sharing[np.searchsorted(names, common)], kind="stable")][:12]
        for (value, account), n in zip(pairs, counts, strict=True):
            if value in strongest:
                out.append(Edge(index[int(account)], f"{kind}:{int(value):016x}"[: len(kind) + 5], float(n)))
    return tuple(out)
