"""What one account's requests look like: the numbers that account scenarios score.

In: events of some accounts. Out: `Features`, parallel arrays, one entry an account.
Every number is a share or a rank of the account's own requests, so volume alone moves none; none
reads country or language.
Cost: one pass over the events. Left to `scenarios`: what is unusual.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stillwatch.detect.conduct import neighbours, openings, ranks, tie
from stillwatch.terms.event import ASKS, EventArray

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Features:
    """One entry an account, accounts ascending; shares lie in [0, 1]."""

    account: npt.NDArray[np.uint64]
    requests: IntArray
    reasoning: FloatArray
    """Share of requests that ask for written-out reasoning and for it in tags, or by parameter."""
    breadth: FloatArray
    """Likeness rank `u` among neighbours times the share of single-turn requests; 0 when unknown."""
    foreign: FloatArray
    """Share of requests whose history holds answers, none of them given to this account."""
    variants: FloatArray
    """Different contents for each layout, as 1 - layouts/contents."""


def features_of(events: EventArray, rng: np.random.Generator) -> Features:
    """Return the features of every account in `events`.

    Args:
        events: All events of these accounts in one window.
        rng: Source of the likeness regroupings.
    """
    accounts, index = np.unique(events["account"], return_inverse=True)
    n = np.bincount(index, minlength=len(accounts))
    asks = events["sketch"]["asks"]
    reasoning = ((asks >> ASKS.index("reasoning")) & 1) * (1 + ((asks >> ASKS.index("tags")) & 1)) / 2
    single = np.bincount(index, weights=events["turns"] <= 1, minlength=len(accounts)) / n
    return Features(
        account=accounts,
        requests=n.astype(np.int64),
        reasoning=np.bincount(index, weights=reasoning, minlength=len(accounts)) / n,
        breadth=_breadth(events, accounts, rng) * single,
        foreign=np.bincount(index, weights=foreign_history(events), minlength=len(accounts)) / n,
        variants=_variants(events, index, len(accounts)),
    )


def foreign_history(events: EventArray) -> npt.NDArray[np.bool_]:
    """Return which events carry answers in their history, none of which was given to their account.

    Accounts none of whose answers were recorded are left out: nothing can be foreign to them.
    """
    account, sketch = events["account"], events["sketch"]
    given = np.unique(tie(account, sketch["issued"])[sketch["issued"] != 0])
    told = np.isin(account, account[sketch["issued"] != 0])
    said = sketch["chain"] != 0
    known = np.isin(tie(account[:, None], sketch["chain"]), given) & said
    return np.asarray(said.any(axis=1) & ~known.any(axis=1) & told)


def _breadth(events: EventArray, accounts: npt.NDArray[np.uint64], rng: np.random.Generator) -> FloatArray:
    opening = events[openings(events)]
    out = np.zeros(len(accounts))
    for group in neighbours(opening):
        names, sizes, u = ranks(opening[group], rng)
        enough = sizes >= 5
        out[np.searchsorted(accounts, names[enough])] = u[enough]
    return out


def _variants(events: EventArray, index: IntArray, n: int) -> FloatArray:
    def distinct(field: str) -> FloatArray:
        known = events["sketch"][field] != 0
        pairs = np.unique(np.stack([index[known].astype(np.uint64), events["sketch"][field][known]], axis=1), axis=0)
        return np.bincount(pairs[:, 0].astype(np.int64), minlength=n).astype(np.float64)

    contents, layouts = distinct("content"), np.minimum(distinct("head"), distinct("tail"))
    share: FloatArray = 1.0 - np.divide(layouts, contents, out=np.ones(n), where=contents >= 5)
    return share.clip(0.0, 1.0)
