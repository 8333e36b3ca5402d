"""When people, cron jobs, production clients and campaigns send.

In: a stream of chance and the corpus' real timings. Out: times in seconds since 1970-01-01 UTC.
People keep the pauses of one person of the timing corpus and the hours of its day, shifted to their
own zone; production clients keep the hourly rates of one real API client.
"""

import random
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from stillwatch.lab.traffic.corpus import Corpus
from stillwatch.lab.traffic.plan import DAY

ZONES: Final = tuple(range(-2, 16))
"""Hours that a person's day runs before that of the timing corpus."""


@dataclass(frozen=True, slots=True)
class Habits:
    """One person's timing: quantiles of the pause before a turn, cumulative weight of each UTC hour."""

    gaps: tuple[int, ...]
    hours: tuple[float, ...]
    weekend: float
    """Weight of a Saturday or Sunday against a working day."""


class Rhythm:
    """Draws times within one window."""

    def __init__(self, corpus: Corpus, start: float, end: float) -> None:
        self.start = start
        self.end = end
        self._corpus = corpus

    def person(self, rng: random.Random, *, zone: int | None = None) -> Habits:
        """Return a person's habits; `zone` keeps a class or a company together."""
        shift = rng.choice(ZONES) if zone is None else zone
        counts = self._corpus.hours
        sharp = rng.uniform(0.8, 1.3)
        weights = [(counts[(hour + shift) % 24] + 1) ** sharp for hour in range(24)]
        return Habits(rng.choice(self._corpus.gaps), tuple(accumulate(weights)), rng.choice((0.2, 0.6, 1.0, 1.4)))

    def sessions(self, rng: random.Random, habits: Habits, n: int) -> list[float]:
        """Return `n` starts of sessions, sorted; people come on some of the days and skip others."""
        days = max(1, int((self.end - self.start) / DAY))
        weights = [habits.weekend if self._weekend(day) else 1.0 for day in range(days)]
        active = {rng.choices(range(days), weights)[0] for _ in range(max(1, round(n * rng.uniform(0.5, 1.0))))}
        ordered = sorted(active)
        return sorted(self._moment(rng, habits, rng.choice(ordered)) for _ in range(n))

    def between(self, rng: random.Random, habits: Habits, n: int, span: tuple[float, float]) -> list[float]:
        """Return `n` starts inside `span`, by the person's hours, sorted."""
        first, last = int((span[0] - self.start) / DAY), max(0, int((span[1] - self.start - 1) / DAY))
        return sorted(self._moment(rng, habits, rng.randint(first, max(first, last))) for _ in range(n))

    def pause(self, rng: random.Random, habits: Habits, written: int) -> float:
        """Return seconds from an answer to the next turn of `written` characters: reading, thinking, typing."""
        return rng.choice(habits.gaps) * rng.uniform(0.7, 1.4) + min(written, 400) / 8

    def runs(self, rng: random.Random, n: int, *, chunk: int) -> list[float]:
        """Return `n` times of a scheduled job: some runs at a fixed hour, each a burst of requests."""
        count = max(1, -(-n // chunk))
        days = (self.end - self.start) / DAY
        every = rng.choice([step for step in (1.0, 1.0, 7.0, 0.25) if count * step <= days] or [days / count])
        hour, lag = rng.randrange(24) * 3600.0, rng.uniform(0, max(1e-3, days - every * count)) // 1
        gap = rng.choice((0.4, 1.0, 2.0, 6.0, 20.0))
        times: list[float] = []
        for run in range(count):
            at = self.start + (lag + run * every) * DAY + hour % (every * DAY) + rng.uniform(0, 90)
            for _ in range(min(chunk, n - len(times))):
                at += rng.expovariate(1 / gap) + 0.05
                times.append(at)
        return times

    def production(self, rng: random.Random, n: int) -> list[float]:
        """Return `n` times, sorted, by the hourly rates of a real client, bursts included."""
        rates = rng.choice(self._corpus.client_rates)
        hours = min(len(rates), int((self.end - self.start) / 3600))
        offset = rng.randrange(max(1, len(rates) - hours + 1))
        weights = [rate + 1e-9 for rate in rates[offset : offset + hours]]
        picked = rng.choices(range(hours), weights, k=n)
        return sorted(self.start + (hour + rng.random()) * 3600 for hour in picked)

    def steady(self, rng: random.Random, n: int, span: tuple[float, float]) -> list[float]:
        """Return `n` times spread evenly over `span` with jitter of up to two steps, sorted."""
        step = (span[1] - span[0]) / max(n, 1)
        return sorted(span[0] + (i + rng.uniform(-1.0, 1.0) % 2) * step for i in range(n))

    def _weekend(self, day: int) -> bool:
        return int((self.start / DAY + day + 3) % 7) >= 5

    def _moment(self, rng: random.Random, habits: Habits, day: int) -> float:
        hour = rng.choices(range(24), cum_weights=habits.hours)[0]
        return self.start + day * DAY + (hour + rng.random()) * 3600
