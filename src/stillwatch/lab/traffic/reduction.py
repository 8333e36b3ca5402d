"""Reduce traces and address tables to the few numbers that composing needs.

In: rows of the public tables as strings. Out: small rows: typing gaps by person, messages by hour,
hourly rates by API client, address ranges of consumer providers. Left to `rhythm` and `identity`: use.
"""

import ipaddress
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

Row = dict[str, Any]

MAX_GAP: Final = 1800.0
"""A longer pause, in seconds, ends the session."""
PEOPLE: Final = 300
CLIENTS: Final = 40
RANGES: Final = 12
"""Address ranges kept of each provider."""


def _instant(text: str) -> float:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp()


def person_gaps(rows: Iterable[Row]) -> list[Row]:
    """Return, for the people with most turns, the pauses before each of their turns, in seconds.

    A pause runs from the last message of the other side to the person's first after it.
    """
    gaps: dict[str, list[float]] = defaultdict(list)
    last: tuple[str, str, float] | None = None
    for row in rows:
        at = _instant(row["timestamp"])
        if last is not None and last[0] == row["conv"] and last[1] != row["sender"]:
            pause = at - last[2]
            if 1.0 <= pause <= MAX_GAP:
                gaps[row["sender"]].append(pause)
        last = (row["conv"], row["sender"], at)
    busiest = sorted(gaps, key=lambda person: (-len(gaps[person]), person))[:PEOPLE]
    return [{"gaps": _thin(sorted(gaps[person]), 24)} for person in busiest if len(gaps[person]) >= 8]


def _thin(values: list[float], n: int) -> list[int]:
    """Return `n` evenly spaced quantiles, whole seconds."""
    return [round(values[min(len(values) - 1, int((i + 0.5) / n * len(values)))]) for i in range(n)]


def hour_counts(rows: Iterable[Row]) -> list[Row]:
    """Return one row: messages in each hour of the day, 24 counts."""
    counts = [0] * 24
    for row in rows:
        counts[int(row["timestamp"][11:13])] += 1
    return [{"counts": counts}] if any(counts) else []


def client_hours(rows: Iterable[Row]) -> list[Row]:
    """Return, for language clients that live for days, the mean rate in each hour, per second."""
    hours: dict[tuple[str, str], dict[int, float]] = defaultdict(lambda: defaultdict(float))
    for row in rows:
        if row["category"] == "language":
            hours[row["model"], row["client"]][int(row["start_s"]) // 3600] += float(row["rate_per_s"]) / 6
    lasting = [hours[client] for client in sorted(hours) if len(hours[client]) >= 200]
    step = max(1, len(lasting) // CLIENTS)
    return [
        {"rates": [float(f"{rate.get(hour, 0.0):.3g}") for hour in range(336)]} for rate in lasting[::step][:CLIENTS]
    ]


def consumer_ranges(table: Iterable[Row], providers: Iterable[Row]) -> list[Row]:
    """Return the widest IPv4 ranges of each consumer provider: asn, first address, count."""
    known = {row["asn"] for row in providers}
    found: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for row in table:
        if row["asn"] in known:
            first = int(ipaddress.IPv4Address(row["start"]))
            found[row["asn"]].append((int(ipaddress.IPv4Address(row["end"])) - first + 1, first))
    return [
        {"asn": int(asn), "first": first, "count": count}
        for asn in sorted(found, key=int)
        for count, first in sorted(found[asn], reverse=True)[:RANGES]
    ]
