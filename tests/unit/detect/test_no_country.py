"""Where somebody connects from, and in which language, changes no verdict."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from stillwatch.detect.calibration import calibrate
from stillwatch.detect.config import DetectConfig
from stillwatch.detect.judge import judge
from stillwatch.store.memory import MemoryStore
from stillwatch.terms.event import EVENT_DTYPE, SKETCH_DTYPE, EventArray
from stillwatch.terms.verdict import Verdicts
from tests.unit.detect.honest import traffic


@cache
def verdicts_of(change: str) -> Verdicts:
    """Judge the traffic, changed or not, with a calibration, so that accounts are weighed alone too."""
    calibration = calibrate(MemoryStore(CHANGES[change](traffic(2))), DetectConfig())
    return judge(MemoryStore(CHANGES[change](traffic(1))), DetectConfig(), calibration=calibration)


def other_countries(events: EventArray) -> EventArray:
    """Give each AS number another one of those in use."""
    moved = events.copy()
    names, index = np.unique(events["asn"], return_inverse=True)
    moved["asn"] = np.random.default_rng(1).permutation(names)[index]
    return moved


def no_country(events: EventArray) -> EventArray:
    moved = events.copy()
    moved["asn"] = 0
    return moved


def other_networks(events: EventArray) -> EventArray:
    """Move every network elsewhere, of the same kind, all its accounts together.

    The new hashes keep the order of the old: an account that uses two networks equally often counts
    with the larger hash, which says nothing of where it is.
    """
    moved = other_countries(events)
    names, index = np.unique(events["network"], return_inverse=True)
    fresh = np.sort(np.random.default_rng(3).choice(2**62, len(names), replace=False)).astype(np.uint64)
    moved["network"] = np.where(events["network"] != 0, (fresh + np.uint64(1))[index], 0)
    return moved


def other_scripts(events: EventArray) -> EventArray:
    """Deal the style of writing, where script and language show most, out among all accounts anew."""
    moved = events.copy()
    accounts, index = np.unique(events["account"], return_inverse=True)
    first = np.zeros(len(accounts), np.int64)
    first[index] = np.arange(len(events))
    dealt = np.random.default_rng(2).permutation(first)
    moved["sketch"]["style"] = events["sketch"]["style"][dealt[index]]
    return moved


CHANGES = {"none": lambda events: events} | {
    change.__name__: change for change in (other_countries, no_country, other_networks, other_scripts)
}


@pytest.mark.parametrize("change", [name for name in CHANGES if name != "none"])
def test_no_verdict_changes(change: str) -> None:
    assert any(campaign.accused for campaign in verdicts_of("none").campaigns)
    before, after = verdicts_of("none"), verdicts_of(change)
    assert after.accounts == before.accounts
    assert replace(after, accounts=()) == replace(before, accounts=())


def test_no_field_of_an_event_names_a_country_or_a_language() -> None:
    for name in (*(EVENT_DTYPE.names or ()), *(SKETCH_DTYPE.names or ())):
        assert not any(word in name.lower() for word in ("country", "nation", "lang", "locale", "region", "script"))
