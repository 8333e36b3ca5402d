"""Add seeds up into tables, with intervals: Markdown, so that RESULTS.md can hold what the terminal shows.

In: records of `seeds.run_seed`. Out: text. Recall has a 95 % interval from drawing whole campaigns anew,
because members of one campaign are caught or missed together; false alarms and the false discovery
rate have exact one-sided 95 % upper bounds.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from bench.layout import ceiling, down, interval, table, up
from bench.seeds import METHODS
from stillwatch.stats.intervals import BootstrapConfig, bootstrap_interval, clopper_pearson, ratio_upper

NOMINAL: Final = 0.01
"""Rate promised for accounts, `detect.alpha`."""
MISSED: Final = 0.5
"""A campaign of which a smaller share is caught is listed as missed."""
FEWEST: Final = 5
"""Campaigns below which drawing them anew says nothing: no interval then."""
EVASIONS: Final = ("E0", "E1", "E2", "E3-50", "E3-75", "E3-90", "E4-turn", "E4-answer", "E4-system")
STRATA: Final = ("chat", "batch", "agent", "evaluation")
Record = dict[str, Any]


def render(records: Sequence[Record]) -> str:
    """Return every table."""
    campaigns = [campaign for record in records for campaign in record["campaigns"]]
    parts = [
        _size(records),
        _goals(records),
        _recall("evasion", campaigns, EVASIONS),
        _recall("preset", campaigns, sorted({c["preset"] for c in campaigns})),
        _recall("infrastructure", campaigns, sorted({c["infrastructure"] for c in campaigns})),
        _discoveries(records),
        _precision(records),
        _false_alarms(records),
        _by_habit(records),
        _misses(campaigns),
        _false_campaigns(records),
        _mixed(records),
    ]
    return "\n\n".join(parts)


def recall(campaigns: Sequence[Record], method: str) -> tuple[float, float, float]:
    """Return the share of members caught and its 95 % interval; NaN where there are too few campaigns to tell."""
    if not campaigns:
        return math.nan, math.nan, math.nan
    counts = np.array([[c["caught"][method], c["members"]] for c in campaigns], np.float64)
    share = float(counts[:, 0].sum() / counts[:, 1].sum())
    if len(counts) < FEWEST:
        return share, math.nan, math.nan
    config = BootstrapConfig(resamples=1_000)
    low, high = bootstrap_interval(
        counts, lambda rows: float(rows[:, 0].sum() / rows[:, 1].sum()), np.random.default_rng(0), config=config
    )
    return share, low, high


def _size(records: Sequence[Record]) -> str:
    accounts = sum(h["accounts"] for r in records for h in r["honest"])
    members = sum(c["members"] for r in records for c in r["campaigns"])
    shuffled = sum(not r["persistent"] for r in records)
    return (
        f"{len(records)} seeds ({records[0]['seed']} to {records[-1]['seed']}, {shuffled} with shuffled habits), "
        f"{sum(r['events'] for r in records):,} events, {accounts:,} honest accounts, "
        f"{sum(len(r['campaigns']) for r in records)} campaigns of {members:,} accounts, "
        f"{sum(r['looked_at'] for r in records):,} hypotheses looked at."
    )


def _goals(records: Sequence[Record]) -> str:
    """Hold the run against what the project set out to reach."""
    plain = [c for r in records for c in r["campaigns"] if c["evasion"] in ("E0", "E1")]
    reported = [found for r in records for found in r["reported"]]
    false = sum(found["hostile"] * 2 < found["accounts"] for found in reported)
    share, low, high = recall(plain, "stillwatch")
    fdr = float(ratio_upper(false, len(reported), 1.0))
    rows = [
        ["campaigns reported", ">= 100", str(len(reported)), _met(len(reported) >= 100)],
        ["member recall at E0 and E1", ">= 85 %", down(share) + interval(low, high), _met(share >= 0.85)],
        ["false discovery rate, 95 % upper bound", "<= 5 %", up(fdr), _met(fdr <= 0.05)],
    ]
    for label, chosen in _kinds(records):
        chat = [h for r in chosen for h in r["honest"] if h["stratum"] == "chat"]
        if label != "all" and chat:
            k, n = sum(h["accused"]["stillwatch"] for h in chat), sum(h["accounts"] for h in chat)
            bound = float(ratio_upper(k, n, NOMINAL))
            name = f"chat, {label} habits: realised over nominal, 95 % upper bound"
            rows.append([name, "<= 1.5", f"{ceiling(bound, 3):.3f}", _met(bound <= 1.5)])
    return "### Goals\n\n" + table(["figure", "goal", "measured", "met"], rows)


def _met(reached: bool) -> str:
    return "yes" if reached else "no"


def _recall(name: str, campaigns: Sequence[Record], values: Sequence[str]) -> str:
    rows = []
    groups = [(value, [c for c in campaigns if c[name] == value]) for value in values]
    if name == "evasion":
        groups.insert(2, ("E0 and E1", [c for c in campaigns if c["evasion"] in ("E0", "E1")]))
    for value, chosen in groups:
        if not chosen:
            continue
        found = sum(c["caught"]["stillwatch"] >= MISSED * c["members"] for c in chosen)
        ends = interval(*(float(end) for end in clopper_pearson(found, len(chosen))))
        row = [value, f"{found} of {len(chosen)}{ends}", str(sum(c["members"] for c in chosen))]
        for method in METHODS:
            share, low, high = recall(chosen, method)
            row.append(down(share) + (interval(low, high) if method == METHODS[0] else ""))
        rows.append(row)
    head = [name, "campaigns found", "members", *METHODS]
    return f"### Member recall by {name}\n\n" + table(head, rows)


def _discoveries(records: Sequence[Record]) -> str:
    rows = []
    for label, chosen in _kinds(records):
        reported = [found | {"seed": r["seed"]} for r in chosen for found in r["reported"]]
        false = sum(found["hostile"] * 2 < found["accounts"] for found in reported)
        distinct = len({(f["seed"], f["mostly"]) for f in reported if f["hostile"] * 2 >= f["accounts"]})
        composed = sum(len(r["campaigns"]) for r in chosen)
        bound = up(float(ratio_upper(false, len(reported), 1.0)))
        rows.append([label, str(composed), str(len(reported)), str(distinct), str(false), bound])
    head = ["habits", "composed", "reported", "true ones named", "false", "FDR, 95 % upper bound"]
    return "### Campaigns that Stillwatch reports\n\n" + table(head, rows)


def _precision(records: Sequence[Record]) -> str:
    rows = []
    for method in METHODS:
        hostile = sum(c["caught"][method] for r in records for c in r["campaigns"])
        honest = sum(h["accused"][method] for r in records for h in r["honest"])
        everyone = sum(h["accounts"] for r in records for h in r["honest"])
        flagged = hostile + honest
        if flagged:
            low, high = (float(end) for end in clopper_pearson(hostile, flagged))
            precision = down(hostile / flagged) + interval(low, high)
        else:
            precision = "flags nobody"
        rows.append([method, str(flagged), precision, str(honest), up(honest / everyone, 2)])
    head = ["method", "accounts flagged", "of them hostile", "honest flagged", "of all honest"]
    return "### Account precision\n\n" + table(head, rows)


def _kinds(records: Sequence[Record]) -> list[tuple[str, list[Record]]]:
    kinds = [
        ("persistent", [r for r in records if r["persistent"]]),
        ("shuffled", [r for r in records if not r["persistent"]]),
        ("all", list(records)),
    ]
    return [(label, chosen) for label, chosen in kinds if chosen]


def _false_alarms(records: Sequence[Record]) -> str:
    rows = []
    for label, chosen in _kinds(records):
        if label == "all":
            continue
        honest = [h for r in chosen for h in r["honest"]]
        for stratum in (*STRATA, "all"):
            inside = [h for h in honest if stratum in (h["stratum"], "all")]
            if not inside:
                continue
            n, units = (sum(h[what] for h in inside) for what in ("accounts", "units"))
            k, k_units = (sum(h[what]["stillwatch"] for h in inside) for what in ("accused", "accused_units"))
            bound, bound_units = float(ratio_upper(k, n, NOMINAL)), float(ratio_upper(k_units, units, NOMINAL))
            others = [up(sum(h["accused"][method] for h in inside) / n, 2) for method in METHODS[1:]]
            rows.append(
                [label, stratum, str(n), str(k), f"{ceiling(k / n / NOMINAL, 3):.3f}", f"{ceiling(bound, 3):.3f}",
                 f"{k_units} of {units}", f"{ceiling(bound_units, 3):.3f}", *others]
            )  # fmt: skip
    head = ["habits", "stratum", "honest", "accused", "ratio", "upper", "groups once", "upper, groups", *METHODS[1:]]
    return (
        "### Honest accounts accused\n\nRatio: realised over nominal rate (nominal 1 %), then its 95 % upper bound; "
        "then the same with a class, company or application counted once. "
        "Other methods: share of honest accounts flagged.\n\n" + table(head, rows)
    )


def _by_habit(records: Sequence[Record]) -> str:
    total: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for record in records:
        for h in record["honest"]:
            row = total[h["stratum"], h["habit"]]
            row["accounts"] += h["accounts"]
            for method in METHODS:
                row[method] += h["accused"][method]
    rows = []
    for (stratum, habit), count in sorted(total.items()):
        n = count["accounts"]
        bound = up(float(ratio_upper(count["stillwatch"], n, 1.0)), 2)
        others = [up(count[method] / n, 2) for method in METHODS[1:]]
        rows.append([stratum, habit, str(n), str(count["stillwatch"]), bound, *others])
    head = ["stratum", "habit", "honest", "accused", "95 % upper", *METHODS[1:]]
    return "### Honest accounts accused, by habit\n\n" + table(head, rows)


def _misses(campaigns: Sequence[Record]) -> str:
    rows = [
        [c["campaign"], c["preset"], c["evasion"], c["infrastructure"], str(c["members"]), down(share)]
        for c in campaigns
        if (share := c["caught"]["stillwatch"] / c["members"]) < MISSED
    ]
    if not rows:
        return "### Misses\n\nNo campaign with less than half of its members accused."
    head = ["seed:campaign", "preset", "evasion", "infrastructure", "members", "accused"]
    return f"### Misses: campaigns with less than half of their members accused ({len(rows)})\n\n" + table(head, rows)


def _false_campaigns(records: Sequence[Record]) -> str:
    rows = [
        [str(r["seed"]), "persistent" if r["persistent"] else "shuffled", f["mostly"], str(f["accounts"]),
         str(f["hostile"]), str(f["log_e"]), ", ".join(f["families"])]
        for r in records
        for f in r["reported"]
        if f["hostile"] * 2 < f["accounts"]
    ]  # fmt: skip
    if not rows:
        return "### False campaigns\n\nNone was reported."
    head = ["seed", "habits", "mostly", "accounts", "hostile", "nats", "families"]
    return "### False campaigns\n\n" + table(head, rows)


def _mixed(records: Sequence[Record]) -> str:
    rows = [
        [str(r["seed"]), f["mostly"], str(f["accounts"]), str(f["accounts"] - f["hostile"])]
        for r in records
        for f in r["reported"]
        if f["hostile"] < f["accounts"] <= 2 * f["hostile"]
    ]
    if not rows:
        return "### Honest accounts inside true campaigns\n\nNone."
    head = ["seed", "campaign", "accounts", "honest among them"]
    return f"### Honest accounts inside true campaigns ({len(rows)} campaigns)\n\n" + table(head, rows)
