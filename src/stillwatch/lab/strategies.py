"""How an adaptive thief goes about a harvest: a small, named set, of which a scorecard reports the best for the thief.

In: a strategy's name. Out: what it changes of evasion, infrastructure, pace and accounts, and how it asks. Each spends
the same budget of requests. Which one wins is known only afterwards: the best of several, taken by what the student
keeps, is an upper bound on what a thief who has to choose beforehand gets.
Left to `client`: giving accounts up. Left to `attacks.adaptive`: how to read what was told, for every adaptive thief.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import exp
from typing import Final

from stillwatch.lab.attacks.harvesting import collected, in_order
from stillwatch.lab.attacks.plain import ALTERNATIVES
from stillwatch.lab.attacks.repeated import Averaged, asked_in_words, averaged
from stillwatch.lab.task import Answer, Ask, Attack, Bench, Client, HarvestRow, Item, Job
from stillwatch.terms.catalog import Catalog

PROBES: Final = 8
"""Items that a thief asks in several wordings to see whether what it is told moves."""
MOVED: Final = 0.01
"""Mean distance of one answer's probability between two wordings from which on it is taken for noise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy:
    """One way of going about it."""

    name: str
    evasion: str = "E2"
    """As `Cell.evasion`."""
    infrastructure: str = "clean"
    """As `Pace.infrastructure`."""
    spread: float = 1.0
    """Times as many accounts, each at as small a part of the pace."""
    waves: int = 1
    """Parts that the accounts come in, each with infrastructure of its own; the next begins when one is given up."""
    bare: bool = False
    """Ask for bare answers only, whatever the attack would ask for."""
    averages: bool = False
    """Look for noise first, and where there is some take the mean over wordings."""


STRATEGIES: Catalog[Strategy] = Catalog(
    "strategy",
    Strategy(name="clean"),
    Strategy(name="cover", evasion="E3-50"),
    Strategy(name="slow", infrastructure="proxy", spread=2.0),
    Strategy(name="bare", bare=True),
    Strategy(name="average", averages=True),
    Strategy(name="moving", infrastructure="shared", waves=2),
)  # fmt: skip
"""Every strategy: nothing shared and no two requests alike; half of them cover; slower from twice the accounts, behind
homes; only what no treatment of probabilities or reasoning touches; the mean of noisy answers; cheap accounts in two
waves, given up at the first refusals."""


class BareClient:
    """`task.Client` that asks for bare answers only."""

    def __init__(self, inner: Client) -> None:
        self._inner = inner

    @property
    def left(self) -> int:
        """Requests that the budget still allows."""
        return self._inner.left

    async def ask(self, item: Item, how: Ask) -> Answer | None:
        """Ask without probabilities and without reasoning."""
        return await self._inner.ask(item, replace(how, logprobs=0, reasoning=False))


async def collect(name: str, attack: Attack, client: Client, bench: Bench, job: Job) -> list[HarvestRow]:
    """Run an attack in the way of a strategy; `name` empty for the attack as it is."""
    strategy = STRATEGIES.get(name) if name else None
    if strategy is not None and strategy.bare:
        return await attack.collect(BareClient(client), bench, job)
    if strategy is not None and strategy.averages and "logprobs" in attack.needs:
        return await _averaged(client, bench, job)
    return await attack.collect(client, bench, job)


async def _averaged(client: Client, bench: Bench, job: Job) -> list[HarvestRow]:
    """Ask a few items in several wordings; go on in that way where what is told moves, else ask each item once."""
    waiting = in_order(bench.pool, job.rng)
    moved, asked = [], waiting[:PROBES]
    rows: list[HarvestRow] = []
    for item in asked:
        answers = await asked_in_words(client, item, job)
        moved += _distances([answer.logprobs[0] for answer in answers if answer.logprobs])
        row = averaged(bench, item, answers)
        rows += [row] if row is not None else []
    noisy = bool(moved) and sum(moved) / len(moved) > MOVED
    job.found["noise_seen"] = int(noisy)
    if noisy:
        return rows + await Averaged().over(client, bench, job, waiting[PROBES:])
    return rows + await collected(client, bench, waiting[PROBES:], Ask(logprobs=ALTERNATIVES))


def _distances(told: list[Mapping[str, float]]) -> list[float]:
    """Return how far the probability of the first wording's likeliest token is off in each of the others."""
    if not told or not told[0]:
        return []
    token = max(told[0], key=lambda name: told[0][name])
    first = exp(told[0][token])
    return [abs(first - exp(one[token])) if token in one else first for one in told[1:]]
