"""Traffic of the demonstration as events, and scores of made-up honest accounts."""

from functools import cache

import numpy as np

from stillwatch.app.addresses import packaged_addresses
from stillwatch.detect.accounts import SCORED, Scores
from stillwatch.detect.population import STRATA, Population
from stillwatch.lab.traffic import compose, demo_plan, load_corpus
from stillwatch.sketch.keys import KeyRing
from stillwatch.sketch.reduce import Reducer
from stillwatch.terms.event import EventArray
from stillwatch.terms.ports import ROLLUP_DTYPE


@cache
def traffic(seed: int) -> EventArray:
    """Return a week of composed traffic with campaigns in it, of its main epoch; not to be written to."""
    exchanges = list(compose(demo_plan(seed), load_corpus(None)).exchanges)
    events = Reducer(KeyRing(b"k" * 32), packaged_addresses()).reduce_all(exchanges)
    epochs, counts = np.unique(events["epoch"], return_counts=True)
    events = events[events["epoch"] == epochs[counts.argmax()]]
    events.flags.writeable = False
    return events


def made_scores(rng: np.random.Generator, n: int, *, distinct: int = 1000) -> Scores:
    """Return scores of `n` exchangeable accounts: skewed, tied, and alike across scenarios within an account."""
    oddness = rng.normal(size=n)
    drawn = 0.7 * oddness + 0.7 * rng.normal(size=(len(SCORED), n))
    values = np.floor(np.clip(drawn, 0.0, None) * distinct) / distinct
    accounts = np.sort(rng.choice(2**62, n, replace=False)).astype(np.uint64)
    return Scores(accounts, rng.choice(len(STRATA), n, p=[0.6, 0.3, 0.1]), values)


def people_of(scores: Scores) -> Population:
    """Return a population of these accounts, each its own holder."""
    roll = np.zeros(len(scores.account), ROLLUP_DTYPE)
    roll["account"], roll["n_requests"] = scores.account, 10
    return Population(roll, np.arange(len(roll)), scores.stratum, len(roll), ())
