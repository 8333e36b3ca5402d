"""What the report draws: traffic over time, and who shares what.

In: a store and verdicts. Out: counts by time bin and graph edges, without names or text.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np

from stillwatch.console.report import ALL_TRAFFIC, Edge
from stillwatch.terms.event import EventArray
from stillwatch.terms.ports import EventSource, Window
from stillwatch.terms.verdict import Campaign, Verdicts

BINS: Final = 120
"""Time bins of a line."""
DRAWN: Final = 400
"""Accounts of a campaign that its graph looks at."""
AT_ONCE: Final = 300_000
"""Requests of campaigns that are fetched at a time; a larger campaign is fetched by itself."""
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
    accused = [(c, c.accounts) for c in verdicts.campaigns if c.accused]
    for campaign, mine in by_campaign(store, accused, window):
        lines[campaign.id] = tuple(int(x) for x in np.histogram(mine["time"], edges)[0])
    return lines, start, step


def edges_of(store: EventSource, verdicts: Verdicts) -> Mapping[str, tuple[Edge, ...]]:
    """Return for each campaign the links between its accounts and what several of them share."""
    if not verdicts.figures.get("events"):
        return {}
    window = Window(epoch=verdicts.figures["epoch"])
    drawn = [(c, c.accounts[:DRAWN]) for c in verdicts.campaigns if c.accused]
    return {campaign.id: _edges(campaign, events) for campaign, events in by_campaign(store, drawn, window)}


def by_campaign(
    store: EventSource, asked: Sequence[tuple[Campaign, tuple[int, ...]]], window: Window
) -> Iterator[tuple[Campaign, EventArray]]:
    """Yield each campaign with the events of the accounts asked about; one question for many campaigns.

    A question costs the store nearly the same for one campaign as for many: accounts are spread over all of it.
    """
    said = np.cumsum([campaign.requests for campaign, _ in asked])
    for batch in np.split(np.arange(len(asked)), np.flatnonzero(np.diff(said // AT_ONCE)) + 1):
        accounts = [np.array(asked[number][1], np.uint64) for number in batch]
        events = store.events(np.unique(np.concatenate([np.zeros(0, np.uint64), *accounts])), window)
        order = np.argsort(events["account"], kind="stable")
        ascending = events["account"][order]
        for number, wanted in zip(batch, accounts, strict=True):
            begin, end = np.searchsorted(ascending, wanted, "left"), np.searchsorted(ascending, wanted, "right")
            mine = [order[first:last] for first, last in zip(begin, end, strict=True)]
            yield asked[number][0], events[np.sort(np.concatenate([order[:0], *mine]))]


def _edges(campaign: Campaign, events: EventArray) -> tuple[Edge, ...]:
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
