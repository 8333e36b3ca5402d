import math

import pytest

from stillwatch.sketch.keys import EPOCH_SECONDS, KeyRing, epoch_of
from stillwatch.terms.errors import StillwatchError

MASTER = bytes(range(32))


def test_no_key_shows_in_a_repr() -> None:
    ring = KeyRing(b"sixteen or more!")
    assert "sixteen" not in repr(ring)
    keys = ring.for_epoch(2)
    assert keys.secret.hex() not in repr(keys) and str(keys.secret) not in repr(keys)


def test_a_short_master_is_refused_without_being_shown() -> None:
    with pytest.raises(StillwatchError) as refused:
        KeyRing(b"hunter2")
    assert "hunter2" not in str(refused.value) and "16" in str(refused.value)


def test_an_overlap_longer_than_an_epoch_is_refused() -> None:
    with pytest.raises(StillwatchError):
        KeyRing(MASTER, overlap=EPOCH_SECONDS + 1)


def test_events_in_the_overlap_are_hashed_under_both_epochs() -> None:
    ring = KeyRing(MASTER, overlap=10.0)
    start = 5 * EPOCH_SECONDS
    assert ring.epochs_for(start - 1) == (4,)
    assert ring.epochs_for(start) == (5, 4)
    assert ring.epochs_for(start + 9.9) == (5, 4)
    assert ring.epochs_for(start + 10.0) == (5,)
    assert ring.epochs_for(3.0) == (0,)


@pytest.mark.parametrize("time", [math.nan, math.inf, -math.inf, -5.0, 1e300])
def test_a_skewed_clock_gets_an_epoch_that_fits_its_column(time: float) -> None:
    assert 0 <= epoch_of(time) <= 65_535
    assert all(0 <= n <= 65_535 for n in KeyRing(MASTER).epochs_for(time))


def test_hashes_differ_by_epoch_purpose_and_master_and_are_zero_for_nothing_alone() -> None:
    rings = [KeyRing(MASTER), KeyRing(bytes(32))]
    hashes = {
        ring.for_epoch(epoch).hash(purpose, "acme")
        for ring in rings
        for epoch in (1, 2)
        for purpose in ("account", "organisation")
    }
    assert len(hashes) == 8 and 0 not in hashes
    assert KeyRing(MASTER).for_epoch(1).hash("account", "") == 0
    assert 0 < KeyRing(MASTER).for_epoch(1).hash("account", "\ud800") < 2**64


def test_the_same_master_gives_the_same_hash_on_every_machine() -> None:
    assert KeyRing(MASTER).for_epoch(227).hash("account", "acme") == 14530036224798747634
