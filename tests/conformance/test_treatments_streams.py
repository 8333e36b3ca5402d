"""Every treatment on streams: what is said, joined, does not depend on cuts; signed thought stays whole."""

import itertools
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.gateway.sse import EventEdits
from stillwatch.treatments import TREATMENTS, Occasion, Treatment
from stillwatch.treatments.marks.ring import Ring
from stillwatch.treatments.marks.signer import Marks

Json = dict[str, Any]
THOUGHT = (
    "Okay, so each box has 12 pens. Let me think about that. There are 3 boxes. So there are 36 pens. Hmm, wait. "
    "Two pens are lost. Is that right? The answer is 34."
)
ANSWER = "There are 34 pens. Ask again if you like."
MARKS = Marks(Ring.new(b"r" * 32, 0.0, vocab=1024))
WIRES = ("chat", "completions", "responses", "messages")
every_kind = pytest.mark.parametrize("name", TREATMENTS.names())
CUTS = st.lists(st.integers(1, len(THOUGHT) - 1), max_size=6).map(lambda found: sorted(set(found)))


def _begin(name: str, endpoint: str = "chat", body: Json | None = None) -> Treatment:
    occasion = Occasion(
        key=b"k" * 32, request_id="r", account="a", endpoint=endpoint, marks=MARKS, marked_endpoints=WIRES
    )
    begun = TREATMENTS.get(name).begin(occasion)
    assert begun is not None
    begun.edit_request(body or {"model": "m", "messages": [{"role": "user", "content": "How many?"}], "stream": True})
    return begun


def _pieces(text: str, cuts: list[int]) -> list[str]:
    at = [0, *[cut for cut in cuts if cut < len(text)], len(text)]
    return [text[a:b] for a, b in zip(at[:-1], at[1:], strict=True)]


def _run(treatment: Treatment, events: list[Json]) -> list[Json]:
    return [*(after for event in events for after in treatment.edit_event(event)), *treatment.end_stream()]


def _chat(cuts: list[int], field: str = "reasoning_content") -> list[Json]:
    deltas: list[Json] = [{"role": "assistant", "content": ""}]
    deltas += [{field: piece} for piece in _pieces(THOUGHT, cuts)]
    deltas += [{"content": piece} for piece in _pieces(ANSWER, cuts)]
    choices = [{"index": 0, "delta": delta, "finish_reason": None} for delta in deltas]
    choices.append({"index": 0, "delta": {}, "finish_reason": "stop"})
    return [{"id": "x", "object": "chat.completion.chunk", "choices": [choice]} for choice in choices]


def _chat_said(events: list[Json], field: str) -> str:
    return "".join(c["delta"].get(field) or "" for e in events for c in e["choices"])


def _messages(cuts: list[int], *, signed: bool) -> list[Json]:
    start = {"type": "thinking", "thinking": "", "signature": ""}
    events: list[Json] = [{"type": "message_start", "message": {"type": "message", "content": []}}]
    events.append({"type": "content_block_start", "index": 0, "content_block": start})
    events += [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": piece}}
        for piece in _pieces(THOUGHT, cuts)
    ]
    if signed:
        seal = {"type": "signature_delta", "signature": "sealed"}
        events.append({"type": "content_block_delta", "index": 0, "delta": seal})
    events.append({"type": "content_block_stop", "index": 0})
    events.append({"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}})
    events += [
        {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": piece}}
        for piece in _pieces(ANSWER, cuts)
    ]
    events.append({"type": "content_block_stop", "index": 1})
    events.append({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}})
    return [*events, {"type": "message_stop"}]


def _rebuilt(events: list[Json]) -> list[Json]:
    """What the official client makes of a stream: blocks by number, without gaps."""
    blocks: list[Json] = []
    for event in events:
        if event["type"] == "content_block_start":
            assert event["index"] == len(blocks), "a gap in the numbers of blocks breaks the official client"
            blocks.append(dict(event["content_block"]))
        elif event["type"] == "content_block_delta":
            for name in ("thinking", "text", "signature"):
                if name in event["delta"]:
                    block = blocks[event["index"]]
                    block[name] = block.get(name, "") + event["delta"][name]
    return blocks


def _responses(cuts: list[int]) -> list[Json]:
    where = {"item_id": "rs", "output_index": 0, "summary_index": 0}
    item = {"type": "reasoning", "id": "rs", "summary": [{"type": "summary_text", "text": THOUGHT}]}
    said = {"type": "message", "content": [{"type": "output_text", "text": ANSWER, "annotations": []}]}
    kind = "response.reasoning_summary_text"
    return [
        {"type": "response.output_item.added", "output_index": 0, "item": {**item, "summary": []}},
        *({"type": f"{kind}.delta", **where, "delta": piece} for piece in _pieces(THOUGHT, cuts)),
        {"type": f"{kind}.done", **where, "text": THOUGHT},
        {"type": "response.reasoning_summary_part.done", **where, "part": item["summary"][0]},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        *(
            {"type": "response.output_text.delta", "output_index": 1, "content_index": 0, "delta": piece}
            for piece in _pieces(ANSWER, cuts)
        ),
        {"type": "response.output_text.done", "output_index": 1, "content_index": 0, "text": ANSWER},
        {"type": "response.completed", "response": {"id": "r", "output": [item, said]}},
    ]


@every_kind
@given(CUTS)
@settings(max_examples=25, deadline=None)
def test_reasoning_and_answer_of_a_chat_joined_are_those_of_the_whole(name: str, cuts: list[int]) -> None:
    for field in ("reasoning_content", "reasoning"):
        events = _run(_begin(name), _chat(cuts, field))
        message = {"role": "assistant", "content": ANSWER, field: THOUGHT}
        whole = _begin(name).edit_answer({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]})
        for said in (field, "content"):
            assert _chat_said(events, said) == (whole["choices"][0]["message"].get(said) or "")


@every_kind
@given(CUTS, st.booleans(), st.booleans())
@settings(max_examples=25, deadline=None)
def test_messages_streamed_and_rebuilt_are_those_of_the_whole(
    name: str, cuts: list[int], signed: bool, tools: bool
) -> None:
    body: Json = {"model": "m", "messages": [], "stream": True, **({"tools": [{"name": "f"}]} if tools else {})}
    blocks = _rebuilt(_run(_begin(name, "messages", body), _messages(cuts, signed=signed)))
    thinking = {"type": "thinking", "thinking": THOUGHT, "signature": "sealed" if signed else ""}
    answer = {"type": "message", "content": [thinking, {"type": "text", "text": ANSWER}]}
    assert blocks == _begin(name, "messages", body).edit_answer(answer)["content"]
    if name.startswith("reasoning") and signed:
        assert [block for block in blocks if block["type"] == "thinking"] == ([thinking] if tools else [])


@every_kind
@given(CUTS)
@settings(max_examples=25, deadline=None)
def test_responses_say_the_same_in_pieces_and_as_a_whole(name: str, cuts: list[int]) -> None:
    events = _run(_begin(name, "responses"), _responses(cuts))
    reasoning = "".join(e["delta"] for e in events if e["type"].endswith("summary_text.delta"))
    done = [e for e in events if e["type"].endswith("summary_text.done")]
    final = events[-1]["response"]["output"]
    assert reasoning == done[0]["text"] == final[0]["summary"][0]["text"]
    answer = "".join(e["delta"] for e in events if e["type"] == "response.output_text.delta")
    assert answer == final[1]["content"][0]["text"]


@every_kind
def test_a_stream_that_breaks_off_gives_what_was_held(name: str) -> None:
    events = _run(_begin(name), _chat([20, 60])[:4])
    assert _chat_said(events, "content") == ""
    if name in ("reasoning_summary", "reasoning_conclusion"):
        assert "34" in _chat_said(events, "reasoning_content")


@pytest.mark.parametrize("name", ["reasoning_strip", "reasoning_summary", "reasoning_conclusion"])
def test_parts_that_are_signed_or_encrypted_are_kept_whole_or_taken_out_whole(name: str) -> None:
    parts = [
        {"type": "reasoning.text", "index": 0, "text": THOUGHT[:40]},
        {"type": "reasoning.text", "index": 0, "text": THOUGHT[40:]},
        {"type": "reasoning.text", "index": 0, "text": None, "signature": "sealed"},
        {"type": "reasoning.encrypted", "index": 1, "data": "sealed"},
    ]
    for tools in (True, False):
        body: Json = {"model": "m", "messages": [], **({"tools": [{}]} if tools else {})}
        treatment = _begin(name, "chat", body)
        deltas: list[Json] = [*({"reasoning_details": [part]} for part in parts), {"content": ANSWER}]
        events = _run(treatment, [{"choices": [{"index": 0, "delta": delta}]} for delta in deltas])
        found = [p for e in events for c in e["choices"] for p in c["delta"].get("reasoning_details", ())]
        text = [part for part in found if part["type"] == "reasoning.text"]
        assert [(part["text"], part["signature"]) for part in text] == ([(THOUGHT, "sealed")] if tools else [])
        assert [part["data"] for part in found if part["type"] == "reasoning.encrypted"] == ["sealed"]


@pytest.mark.parametrize("name", ["reasoning_strip", "withhold"])
def test_signed_thinking_is_asked_for_without_its_text(name: str) -> None:
    body = {"model": "m", "messages": [], "thinking": {"type": "adaptive"}, "tools": [{}]}
    treatment = TREATMENTS.get(name).begin(Occasion(key=b"k" * 32, endpoint="messages"))
    assert treatment is not None
    sent = treatment.edit_request(body)
    assert sent is not None and sent["thinking"] == {"type": "adaptive", "display": "omitted"}
    answer = {"type": "message", "content": [{"type": "thinking", "thinking": "", "signature": "sealed"}]}
    assert treatment.edit_answer(answer) is answer


@every_kind
@given(CUTS, st.lists(st.integers(1, 4_000), max_size=12))
@settings(max_examples=15, deadline=None)
def test_through_the_gateway_s_event_stream_no_cut_of_bytes_matters(name: str, cuts: list[int], at: list[int]) -> None:
    wire = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in _chat(cuts)) + b"data: [DONE]\n\n"
    told = []
    for places in ([], sorted({one for one in at if one < len(wire)})):
        treatment = _begin(name)
        flow = EventEdits(treatment.edit_event, rest=treatment.end_stream)
        ends = [0, *places, len(wire)]
        told.append(b"".join(flow.feed(wire[a:b]) for a, b in itertools.pairwise(ends)) + flow.end())
    assert told[0] == told[1] and told[0].endswith(b"data: [DONE]\n\n")
