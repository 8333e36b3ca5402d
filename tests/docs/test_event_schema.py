"""The published JSON Schema accepts every event there can be and nothing else."""

import json
from pathlib import Path
from typing import Any

import hypothesis.extra.numpy as hnp
import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from stillwatch.terms import event as ev
from stillwatch.terms.event import EVENT_DTYPE, Event, empty_events
from tools.gates import event_schema

ROOT = Path(__file__).resolve().parents[2]
PUBLISHED = json.loads((ROOT / "docs" / "reference" / "event-v1.schema.json").read_text(encoding="utf-8"))
VALIDATOR = Draft202012Validator(PUBLISHED)
BOUNDED = {
    "address_kind": len(ev.ADDRESS_KINDS), "endpoint": len(ev.ENDPOINTS), "finish": len(ev.FINISHES),
}  # fmt: skip


def _as_json(row: Any) -> dict[str, Any]:
    event = Event.from_row(row)
    return orjson.loads(orjson.dumps({"version": event.version, **event.values}))  # type: ignore[no-any-return]


@st.composite
def rows(draw: st.DrawFn) -> Any:
    """Any event: every field anywhere in its own range, whatever the bytes say."""
    raw = draw(hnp.arrays(np.uint8, EVENT_DTYPE.itemsize))
    row = raw.view(EVENT_DTYPE).copy()
    row["time"] = draw(st.floats(-1e12, 1e12))
    row["latency"] = draw(st.floats(-1, 1e6, width=32))
    for name in ("tokens_in", "tokens_out"):
        row[name] = draw(st.integers(-1, 2**31 - 1))
    for name, count in BOUNDED.items():
        row[name] = row[name] % count
    row["sketch"]["asks"] = row["sketch"]["asks"] % (1 << len(ev.ASKS))
    return row


def test_the_schema_is_a_schema_and_is_what_the_code_makes() -> None:
    Draft202012Validator.check_schema(PUBLISHED)
    assert PUBLISHED == event_schema.schema()


@settings(max_examples=50, deadline=None)
@given(row=rows())
def test_every_event_is_valid_and_comes_back_whole_through_json(row: Any) -> None:
    document = _as_json(row[0])
    VALIDATOR.validate(document)
    back = Event(version=document.pop("version"), values=document).to_row()
    assert back.tobytes() == row.tobytes()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("version", 2), ("account", -1), ("account", 2**64), ("account", 1.5), ("account", "u-1"), ("status", None),
        ("endpoint", len(ev.ENDPOINTS)), ("tokens_in", -2), ("prompt", "text"), ("sketch", {}),
    ],
)  # fmt: skip
def test_what_is_no_event_is_refused(name: str, value: Any) -> None:
    document = _as_json(empty_events(1)[0])
    assert VALIDATOR.is_valid(document)
    assert not VALIDATOR.is_valid({**document, name: value})


def test_nothing_is_optional_so_that_a_missing_field_cannot_pass_as_unsaid() -> None:
    document = _as_json(empty_events(1)[0])
    for name in document:
        assert not VALIDATOR.is_valid({k: v for k, v in document.items() if k != name}), name


def test_every_field_says_what_it_means() -> None:
    fields = {**PUBLISHED["properties"], **PUBLISHED["properties"]["sketch"]["properties"]}
    assert all(field.get("description") for field in fields.values())
    page = (ROOT / "docs" / "reference" / "event.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in page for name in EVENT_DTYPE.names or ())
