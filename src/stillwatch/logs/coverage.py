"""Which scenarios a source can feed, and which it cannot because fields are missing.

In: a `Tally`. Out: one `Coverage` a scenario. Cost: nothing that counts.
The needs stand here as data; the scenarios themselves are the business of `detect`.
"""

from dataclasses import dataclass

from stillwatch.logs.tally import Tally

MIN_SHARE = 0.05
"""Least share of rows with what a scenario needs, for it to run."""

NEEDS: dict[str, tuple[str, tuple[tuple[str, ...], ...]]] = {
    "S1": ("requests for hidden reasoning", (("user_text",),)),
    "S2": ("anchors shared across accounts", (("user_text",),)),
    "S3": ("breadth without memory", (("user_text",), ("time",))),
    "S6": ("shared infrastructure", (("payment", "address", "agent", "tls"),)),
    "S10": ("transcripts that were never issued", (("assistant_turns",), ("answer",))),
    "S13": ("sweep over variations", (("user_text",),)),
}
"""Scenario -> title, and fields that it needs: all groups, any field within a group."""

WORDS = {
    "user_text": "text of user turns",
    "assistant_turns": "earlier assistant turns in the request",
    "answer": "text of answers",
    "payment": "payment token",
    "address": "client address",
    "agent": "user agent",
    "tls": "JA4 TLS fingerprint",
    "time": "time of the request",
}
"""Field -> how the report names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """Whether one scenario can run on a source."""

    scenario: str
    title: str
    can_run: bool
    share: float
    """Share of good rows that have what it needs, at most; in [0, 1]."""
    missing: tuple[str, ...]
    """Fields that no more than `MIN_SHARE` of the rows have, in words; empty when it can run."""
    weak: tuple[str, ...]
    """Fields that it can do without, but that would add to it."""


def coverage(tally: Tally) -> list[Coverage]:
    """Return one `Coverage` a scenario, in the order of `NEEDS`."""
    return [_cover(name, title, groups, tally) for name, (title, groups) in NEEDS.items()]


def _share(tally: Tally, field: str) -> float:
    given = tally.fields.get(field, 0) - (tally.assumed_times if field == "time" else 0)
    return given / tally.good if tally.good else 0.0


def _cover(name: str, title: str, groups: tuple[tuple[str, ...], ...], tally: Tally) -> Coverage:
    shares = [max(_share(tally, field) for field in group) for group in groups]
    missing = tuple(
        " or ".join(WORDS[field] for field in group)
        for group, share in zip(groups, shares, strict=True)
        if share <= MIN_SHARE
    )
    weak = tuple(
        WORDS[field] for group in groups if len(group) > 1 for field in group if _share(tally, field) <= MIN_SHARE
    )
    return Coverage(
        scenario=name,
        title=title,
        can_run=not missing,
        share=min(shares),
        missing=missing,
        weak=() if missing else weak,
    )
