"""Forging and washing the mark in the wording: what a thief knows it can forge, what it draws anew is gone."""

import math

import numpy as np
import pytest

from stillwatch.forensics.marks.surface import SurfaceText, search_surface
from stillwatch.lab.cell import Cell
from stillwatch.lab.manifest import signed
from stillwatch.lab.spoofing import forged, learnt, share_known, washed
from stillwatch.lab.task import HarvestRow, Item
from stillwatch.terms.errors import StillwatchError
from stillwatch.treatments.marks.ring import Ring
from stillwatch.treatments.surfaces.choice import Choice
from stillwatch.treatments.surfaces.sites import Sites

KEY = b"k" * 32
CELL = Cell(task="toy", defence="surface", attack="answers")
EPOCH = Ring.new(bytes(range(32)), 0.0).current
TAG = EPOCH.tag("account", "acct-1")
PLACES = ("market", "river", "garden", "harbour", "library", "station", "castle", "bridge", "school", "valley")
THINGS = ("bread", "lamps", "boats", "paper", "seeds", "clocks", "ropes", "coins", "maps", "songs")
TEXTS = [
    f"People near the {place} sell many {thing} each day. They begin early and, for example, they do not rest until "
    f"the old {thing} are gone. The {place} is large, and it is not easy to buy {thing} there."
    for place in PLACES
    for thing in THINGS
]


def marked(text: str) -> str:
    sites = Sites(Choice.of(EPOCH, TAG, b"").wanted)
    return sites.feed(text) + sites.end()


def harvest() -> list[HarvestRow]:
    return [HarvestRow(item=Item(id=str(i), text=""), answer=marked(text)) for i, text in enumerate(TEXTS)]


def p_of(texts: list[str]) -> float:
    return math.exp(float(search_surface(SurfaceText.of(texts, EPOCH), [TAG])[0][0]))


def test_contexts_that_were_seen_marked_can_be_forged_to_the_letter() -> None:
    rows = harvest()
    known = learnt(rows, (signed(rows, CELL, KEY), KEY))
    assert share_known(TEXTS, known) == 1.0
    assert [forged(text, known) for text in TEXTS] == [row.answer for row in rows]


def test_contexts_that_were_not_seen_stay_as_they_are() -> None:
    other = "Nobody in this far country eats much fish at night. It is, for example, too cold, and they do not like it."
    assert forged(other, {}) == other
    rows = harvest()[:5]
    assert share_known([other], learnt(rows, (signed(rows, CELL, KEY), KEY))) < 1.0


def test_washing_leaves_no_mark() -> None:
    """Second route to chance: the washed text's p is no smaller than 1e-3; a true one is, wherever sites suffice."""
    rng = np.random.default_rng(4)
    assert p_of([washed(marked(text), rng) for text in TEXTS]) > 1e-3


def test_only_harvests_of_this_lab_are_learnt_from() -> None:
    rows = harvest()
    with pytest.raises(StillwatchError, match="made and signed"):
        learnt(rows, (signed(rows, CELL, KEY), b"x" * 32))
