"""Wrappers differ as promised: between campaigns, and at E2 between any two requests."""

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.lab.traffic.chance import dice
from stillwatch.lab.traffic.lexicon import PATTERNS, SLOTS
from stillwatch.lab.traffic.plan import PRESETS
from stillwatch.lab.traffic.wording import SHINGLE, Draft, Unalike, Wording, shingles
from stillwatch.terms.errors import StillwatchError

WORDS = st.lists(st.sampled_from("alpha beta gamma delta".split()), max_size=12).map(" ".join)


def test_every_pattern_names_slots_that_exist_and_every_slot_is_used() -> None:
    named = {
        slot for patterns in PATTERNS.values() for pattern in patterns for slot in re.findall(r"\{(\w+)\}", pattern)
    }
    assert named == set(SLOTS)
    assert all(len(set(entries)) == len(entries) >= 8 for entries in SLOTS.values())


@pytest.mark.parametrize("preset", [preset for preset in PRESETS if preset != "sweep"])
def test_five_words_in_a_row_of_a_campaign_have_tens_of_thousands_of_forms(preset: str) -> None:
    for pattern in PATTERNS[preset]:
        forms = [len(SLOTS.get(word, "x")) for word in re.findall(r"\w+", pattern)]
        assert min(math.prod(forms[i : i + SHINGLE]) for i in range(len(forms) - SHINGLE + 1)) >= 40_000


@pytest.mark.parametrize("preset", PRESETS)
def test_campaigns_of_one_preset_have_wrappers_of_their_own(preset: str) -> None:
    first, second = (Wording(preset).paragraph(dice(seed, "wrapper"), 6) for seed in (1, 2))
    assert not shingles(first) & shingles(second)


@given(st.lists(st.tuples(WORDS, WORDS), max_size=30))
def test_unalike_never_lets_a_shingle_of_our_own_words_come_back(drafts: list[tuple[str, str]]) -> None:
    unalike = Unalike()
    accepted: list[str] = []
    for own, quoted in drafts:
        try:
            unalike.draw(lambda own=own, quoted=quoted: Draft(own, f"{own}\n\n{quoted}", quoted))  # type: ignore[misc]
        except StillwatchError:
            assert any(shingles(own) & shingles(before) for before in accepted)
        else:
            assert not any(shingles(own) & shingles(before) for before in accepted)
            accepted.append(own)


def test_unalike_gives_up_with_what_to_do_next() -> None:
    unalike = Unalike()
    draft = Draft("one two three four five", "one two three four five", "")
    unalike.draw(lambda: draft)
    with pytest.raises(StillwatchError, match="Plan fewer accounts"):
        unalike.draw(lambda: draft)
