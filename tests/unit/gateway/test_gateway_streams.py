"""Event streams keep their bytes however they are cut, and events are edited whole."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.gateway.sse import Boundaries, EventEdits
from stillwatch.gateway.usage import without_usage

_LINES = st.sampled_from(
    ['data: {"a": "é漢😀"}', "data: [DONE]", "event: ping", ": keepalive", "id: 7", "data: {", "data: }", "data", "x"]
)
_ENDS = st.sampled_from(["\n", "\r\n", "\r"])


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    parts = draw(st.lists(st.tuples(_LINES | st.just(""), _ENDS), max_size=20))
    return "".join(line + end for line, end in parts).encode()


def cut(data: bytes, sizes: list[int]) -> list[bytes]:
    """Cut `data` into chunks of the sizes given, then into single bytes."""
    chunks = []
    for size in sizes:
        chunks.append(data[:size])
        data = data[size:]
    return [chunk for chunk in chunks if chunk] + [data[i : i + 1] for i in range(len(data))]


@given(stream=streams(), sizes=st.lists(st.integers(0, 9), max_size=20))
def test_a_stream_that_is_not_edited_keeps_every_byte(stream: bytes, sizes: list[int]) -> None:
    flow = Boundaries()
    assert b"".join([flow.feed(chunk) for chunk in cut(stream, sizes)] + [flow.end()]) == stream


@given(stream=streams(), sizes=st.lists(st.integers(0, 9), max_size=20))
def test_an_edit_that_changes_nothing_keeps_every_byte(stream: bytes, sizes: list[int]) -> None:
    flow = EventEdits(lambda event: (event,))
    assert b"".join([flow.feed(chunk) for chunk in cut(stream, sizes)] + [flow.end()]) == stream


@given(stream=streams(), sizes=st.lists(st.integers(0, 9), max_size=20))
def test_edited_events_do_not_depend_on_how_the_stream_was_cut(stream: bytes, sizes: list[int]) -> None:
    def edit(event: dict[str, object]) -> tuple[dict[str, object], ...]:
        return ({**event, "edited": True}, event)

    whole, pieces = EventEdits(edit), EventEdits(edit)
    at_once = whole.feed(stream) + whole.end()
    assert b"".join([pieces.feed(chunk) for chunk in cut(stream, sizes)] + [pieces.end()]) == at_once


@given(sizes=st.lists(st.integers(1, 30), max_size=30), end=st.sampled_from([b"\n", b"\r\n"]))
def test_what_is_passed_on_ends_where_an_event_ends(sizes: list[int], end: bytes) -> None:
    stream = (b'data: {"a": 1}' + end + b"data: 2" + end * 2 + b": hm" + end + b"data: 3" + end * 2) * 3
    flow = Boundaries()
    out = b""
    for chunk in cut(stream, sizes):
        out += flow.feed(chunk)
        assert not out or out.endswith((end * 2, b": hm" + end))
    assert out == stream


def test_a_comment_is_passed_on_before_its_event_is_complete() -> None:
    flow = Boundaries()
    assert flow.feed(b": still thinking\nda") == b": still thinking\n"
    assert flow.feed(b"ta: 1\n\n") == b"data: 1\n\n"


def test_an_event_without_end_is_not_held_for_ever() -> None:
    flow = Boundaries()
    assert flow.feed(b"data: " + b"x" * (1 << 20)) != b""


def test_an_event_of_several_data_lines_is_edited_as_one_and_keeps_its_name() -> None:
    flow = EventEdits(lambda event: ({**event, "b": 2},))
    raw = b'event: delta\r\nid: 4\r\ndata: {"a":\r\ndata: 1}\r\n\r\n'
    assert flow.feed(raw) == b'event: delta\r\nid: 4\r\ndata: {"a":1,"b":2}\r\n\r\n'


def test_half_a_surrogate_in_an_event_is_no_way_around_an_edit() -> None:
    flow = EventEdits(lambda event: ({**event, "b": 2},))
    out = flow.feed(b'data: {"a": "\\ud83d"}\n\n')
    assert json.loads(out.removeprefix(b"data: ")) == {"a": "\ud83d", "b": 2}


@pytest.mark.parametrize(
    ("chunk", "left"),
    [
        ({"choices": [], "usage": {"total_tokens": 3}}, None),
        ({"choices": [{"index": 0}], "usage": {"total_tokens": 3}}, {"choices": [{"index": 0}]}),
        ({"choices": [{"index": 0}], "usage": None}, {"choices": [{"index": 0}]}),
        ({"choices": [], "usage": None, "prompt_filter_results": []}, {"choices": [], "prompt_filter_results": []}),
    ],
)
def test_usage_that_was_not_asked_for_is_taken_out_and_nothing_else(
    chunk: dict[str, object], left: dict[str, object] | None
) -> None:
    before = dict(chunk)
    assert without_usage(chunk) == left
    assert chunk == before
