"""How outside accounts are spread: the arranged answers are those of going through everybody."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.detect.crowd import EVEN_BAND, SPANS, Crowd

LIVES = st.lists(st.tuples(st.integers(1, 30), st.integers(0, 50), st.integers(0, 50)), max_size=60)


def crowd(rows: list[tuple[int, int, int]]) -> tuple[Crowd, np.ndarray, np.ndarray]:
    volumes = np.array([row[0] for row in rows], np.int64)
    lives = np.array([(row[1], row[1] + row[2]) for row in rows], float).reshape(-1, 2)
    return Crowd.of(volumes, lives), volumes, lives


@given(LIVES, st.integers(1, 31))
def test_the_fullest_band_is_the_one_a_search_finds(rows: list[tuple[int, int, int]], least: int) -> None:
    arranged, volumes, _ = crowd(rows)
    others = volumes[volumes >= least]
    held = max((int(((others >= v) & (others <= v * math.exp(2 * EVEN_BAND))).sum()) for v in others), default=0)
    assert arranged.in_band(least) == (held, len(others))


@given(LIVES, st.integers(1, 40), st.integers(0, 120))
def test_the_fullest_span_is_the_one_a_search_finds(rows: list[tuple[int, int, int]], twice: int, span: int) -> None:
    arranged, volumes, lives = crowd(rows)
    ratio = volumes / max(twice / 2, 1.0)
    others = lives[(ratio >= 0.5) & (ratio <= 2.0)]
    held = max((int(((others[:, 0] >= f) & (others[:, 1] <= f + span)).sum()) for f in others[:, 0]), default=0)
    assert len(others) < SPANS
    assert arranged.in_span(twice / 2, float(span)) == (held, len(others))


def test_a_large_crowd_is_looked_at_in_some_places_only_and_those_are_fixed() -> None:
    rng = np.random.default_rng(5)
    first = np.sort(rng.random(5_000) * 1e6)
    lives = np.stack([first, first + rng.random(5_000) * 1e6], axis=1)
    arranged = Crowd.of(np.full(5_000, 10), lives[rng.permutation(5_000)])
    places = lives[:: 5_000 // SPANS, 0]
    for span in (0.0, 1e4, 5e5, 3e6):
        held = max(int(((lives[:, 0] >= f) & (lives[:, 1] <= f + span)).sum()) for f in places)
        assert arranged.in_span(10.0, span) == (held, 5_000)
