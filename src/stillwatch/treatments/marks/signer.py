"""Signed orders for engines: which epoch's keys, for whom, for how long.

In: the ring, and an account with its campaign. Out: the text that travels with the request; it names nobody, since
account and campaign stand in it as keyed tags. Cost: one look-up a request, three HMACs when an order is renewed.
Left to `order`: the text's form and its check. Left to the caller: noting who was marked with what.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from stillwatch.treatments.marks.order import MarkOrder, sign
from stillwatch.treatments.marks.ring import Ring

MOST_ORDERS: Final = 20_000
"""Orders kept ready; beyond, all are made anew."""


@dataclass(frozen=True, slots=True)
class Marked:
    """That an account's answers carry a mark: what a reader must know of to look for it."""

    epoch: int
    account: str
    campaign: str
    """Empty where the account was in none."""


class Marks:
    """Signs orders under the current epoch of one ring."""

    def __init__(self, ring: Ring, *, seconds: float = 600.0, note: Callable[[Marked], None] | None = None) -> None:
        """Take the ring, how long an order holds, and whom to tell, once each, of who is marked."""
        self.ring = ring
        self._seconds = seconds
        self._note = note
        self._known: set[Marked] = set()
        self._ready: dict[tuple[str, str, float, int], str] = {}

    def order(self, account: str, campaign: str, now: float, proxy_share: float = 0.0) -> str:
        """Return the signed order for one request.

        Args:
            account: Account id.
            campaign: Campaign id; empty for none.
            now: Seconds since 1970; an order holds for one to two times `seconds` from here.
            proxy_share: Weight of the proxy in product-of-experts sampling; 0 for none.
        """
        slot = int(now // self._seconds)
        key = (account, campaign, proxy_share, slot)
        text = self._ready.get(key)
        if text is None:
            if len(self._ready) >= MOST_ORDERS:
                self._ready.clear()
            text = self._ready[key] = self._signed(account, campaign, (slot + 2) * self._seconds, proxy_share)
        return text

    def noted(self, account: str, campaign: str) -> None:
        """Note that this account's answers are marked, so that a reader looks for it; the first time only."""
        marked = Marked(self.ring.current.number, account, campaign)
        if self._note is None or marked in self._known:
            return
        if len(self._known) >= 10 * MOST_ORDERS:
            self._known.clear()
        self._note(marked)
        self._known.add(marked)

    def _signed(self, account: str, campaign: str, until: float, proxy_share: float) -> str:
        epoch = self.ring.current
        self.noted(account, campaign)
        order = MarkOrder(
            epoch=epoch.number, account=epoch.tag("account", account),
            campaign=epoch.tag("campaign", campaign) if campaign else b"", until=until, proxy_share=proxy_share,
        )  # fmt: skip
        return sign(order, self.ring)
