"""The catalogue keeps its order, refuses a name twice, and says what there is when asked for what is not."""

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.terms.catalog import Catalog
from stillwatch.terms.errors import StillwatchError

NAMES = st.lists(st.text("abcdefgh", min_size=1, max_size=4), unique=True, max_size=8)


def catalog(names: list[str]) -> Catalog[Any]:
    return Catalog("importer", *(SimpleNamespace(name=name) for name in names))


@given(names=NAMES)
def test_entries_come_in_the_order_they_were_written(names: list[str]) -> None:
    made = catalog(names)
    assert made.names() == names == [entry.name for entry in made]
    assert len(made) == len(names)
    assert all(made.get(name).name == name for name in names)


@given(names=NAMES.filter(bool), index=st.integers(0, 7))
def test_a_name_stands_once(names: list[str], index: int) -> None:
    with pytest.raises(StillwatchError, match="stands twice"):
        catalog([*names, names[index % len(names)]])


def test_an_unknown_name_is_answered_with_those_there_are() -> None:
    with pytest.raises(StillwatchError, match=r"importer 'csv': unknown; must be one of openai, litellm\."):
        catalog(["openai", "litellm"]).get("csv")
