"""What of a confirmed campaign may be told to other providers: tokens that are its own, and no crowd's.

In: who carries which tokens, the campaign's accounts. Out: tokens by kind. Cost: one pass over the holdings.
Left to `exchange`: saying it. Left to whoever calls: that a person confirmed the campaign.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from stillwatch.terms.coalition import CROWD_KINDS, LEAST_CROWD, Holding

MOST_BENIGN: Final = 1e-4
"""Largest share of the other accounts that may carry a token too; beyond, it is a common thing, and is not told."""


def publishable_tokens(rows: Iterable[Holding], accounts: Sequence[str]) -> dict[str, bytes]:
    """Return which tokens of a campaign's accounts may be told to others: kind -> tokens, ascending, joined.

    None that more than `MOST_BENIGN` of all other accounts carry; addresses and bands of templates only where at least
    `LEAST_CROWD` of the campaign's accounts carry them. A kind without tokens is left out.

    Args:
        rows: Every holding within one epoch.
        accounts: The campaign's accounts, by id.
    """
    members = set(accounts)
    inside: dict[tuple[str, bytes], set[str]] = {}
    outside: dict[tuple[str, bytes], set[str]] = {}
    others: set[str] = set()
    for one in rows:
        carriers = inside if one.account in members else outside
        carriers.setdefault((one.kind, one.token), set()).add(one.account)
        if one.account not in members:
            others.add(one.account)
    found: dict[str, list[bytes]] = {}
    for (kind, token), carried in inside.items():
        common = len(outside.get((kind, token), ())) > MOST_BENIGN * len(others)
        if not common and not (kind in CROWD_KINDS and len(carried) < LEAST_CROWD):
            found.setdefault(kind, []).append(token)
    return {kind: b"".join(sorted(found[kind])) for kind in sorted(found)}
