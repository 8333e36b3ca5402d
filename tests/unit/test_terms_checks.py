"""Checks name the setting, what it is, what it must be; exit codes are part of the promise."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.terms.checks import check_range
from stillwatch.terms.errors import InputTooBad, StillwatchError, StoreBusy


@given(value=st.floats(allow_nan=True), low=st.floats(-1e6, 1e6), width=st.floats(0.1, 1e6))
def test_only_what_lies_strictly_between_passes(value: float, low: float, width: float) -> None:
    high = low + width
    if low < value < high:
        check_range("detect.q", value, low=low, high=high)
        return
    with pytest.raises(StillwatchError) as caught:
        check_range("detect.q", value, low=low, high=high)
    for part in ("detect.q", str(value), "must lie", str(low), str(high)):
        assert part in str(caught.value)


def test_a_bound_that_is_infinite_is_not_named() -> None:
    with pytest.raises(StillwatchError, match=r"x = -1\.0: must lie above 0\.0\."):
        check_range("x", -1.0, low=0.0, high=math.inf)


def test_a_caller_can_tell_the_errors_apart_and_still_catch_them_all() -> None:
    assert (StillwatchError.exit_code, InputTooBad.exit_code, StoreBusy.exit_code) == (2, 3, 2)
    assert issubclass(InputTooBad, StillwatchError) and issubclass(StoreBusy, StillwatchError)
