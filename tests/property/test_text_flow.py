"""Text flow: whatever a protocol and a network make of an answer, its text is edited as if it had come whole."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.treatments.flow import ANSWER, REASONING, TextEdit, TextFlow

Json = dict[str, Any]
TEXTS = st.text(st.sampled_from("abcé🦊 \n"), max_size=30)


class Swap:
    """Exchanges every `ab` for `<AB>`: holds an `a` back until it knows what follows."""

    def __init__(self) -> None:
        self.held = ""

    def feed(self, text: str) -> str:
        data = (self.held + text).replace("ab", "<AB>")
        self.held = "a" if data.endswith("a") else ""
        return data[: len(data) - len(self.held)]

    def end(self) -> str:
        held, self.held = self.held, ""
        return held


class Whole:
    """Holds everything back, and gives it backwards."""

    def __init__(self) -> None:
        self.held = ""

    def feed(self, text: str) -> str:
        self.held += text
        return ""

    def end(self) -> str:
        held, self.held = self.held, ""
        return held[::-1]


def done(text: str, edit: TextEdit) -> str:
    return edit.feed(text) + edit.end()


def cut(text: str, sizes: list[int]) -> list[str]:
    parts, at = [], 0
    for size in sizes:
        parts.append(text[at : at + size])
        at += size
    return [*parts, text[at:]]


def chat_events(texts: list[str], thoughts: list[str], sizes: list[int], last_in_final: bool) -> list[Json]:
    """Several choices, their pieces interleaved; reasoning before the answer."""
    base = {"id": "c", "object": "chat.completion.chunk", "usage": None}
    streams = []
    for index, (text, thought) in enumerate(zip(texts, thoughts, strict=True)):
        mine = [{"reasoning_content": part} for part in cut(thought, sizes)]
        mine += [{"content": part} for part in cut(text, sizes)]
        chunks: list[Json] = [
            {"index": index, "delta": delta, "finish_reason": None, "logprobs": None} for delta in mine
        ]
        if last_in_final:
            chunks[-1]["finish_reason"] = "stop"
        else:
            chunks.append({"index": index, "delta": {}, "finish_reason": "stop", "logprobs": None})
        streams.append(chunks)
    mixed = [chunk for row in zip(*streams, strict=True) for chunk in row]
    return [{**base, "choices": [chunk]} for chunk in mixed] + [{**base, "choices": [], "usage": {"total_tokens": 3}}]


def said(events: tuple[Json, ...] | list[Json], name: str, index: int) -> str:
    return "".join(
        choice["delta"].get(name) or "" for event in events for choice in event["choices"] if choice["index"] == index
    )


@pytest.mark.parametrize("edit", [Swap, Whole])
@given(
    texts=st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=3), sizes=st.lists(st.integers(0, 5), max_size=6),
    final=st.booleans(), channels=st.sampled_from([(ANSWER,), (REASONING,), (ANSWER, REASONING)]),
)  # fmt: skip
@settings(max_examples=60)
def test_chat_streams_join_to_the_edited_text_of_each_choice(
    edit: Any, texts: list[tuple[str, str]], sizes: list[int], final: bool, channels: tuple[str, ...]
) -> None:
    flow = TextFlow(lambda channel: edit(), channels=channels)
    before = chat_events([t for t, _ in texts], [r for _, r in texts], sizes, final)
    after = [out for event in before for out in flow.edit_event(event)]
    assert flow.end_stream() == ()
    for index, (text, thought) in enumerate(texts):
        assert said(after, "content", index) == (done(text, edit()) if ANSWER in channels else text)
        assert said(after, "reasoning_content", index) == (done(thought, edit()) if REASONING in channels else thought)
        mine = [c for e in after for c in e["choices"] if c["index"] == index]
        assert [c["finish_reason"] for c in mine][-1] == "stop"
        assert all(c["finish_reason"] is None for c in mine[:-1])
        if text:
            first = next(i for i, c in enumerate(mine) if c["delta"].get("content"))
            assert not any(c["delta"].get("reasoning_content") for c in mine[first + 1 :])
    assert after[-1]["usage"] == {"total_tokens": 3} and all(e["usage"] is None for e in after[:-1])


@given(text=TEXTS, sizes=st.lists(st.integers(0, 5), max_size=8))
@settings(max_examples=60)
def test_completions_streams_join_to_the_edited_text(text: str, sizes: list[int]) -> None:
    flow = TextFlow(lambda channel: Swap())
    parts = [{"choices": [{"index": 0, "text": part, "finish_reason": None}]} for part in cut(text, sizes)]
    parts.append({"choices": [{"index": 0, "text": "", "finish_reason": "length"}]})
    after = [out for event in parts for out in flow.edit_event(event)]
    assert "".join(choice["text"] for event in after for choice in event["choices"]) == done(text, Swap())


def message_events(blocks: list[tuple[str, str]], sizes: list[int]) -> list[Json]:
    """Anthropic blocks of text and thinking, one after the other."""
    events: list[Json] = [{"type": "message_start", "message": {"type": "message", "content": []}}]
    for index, (kind, text) in enumerate(blocks):
        name = "thinking" if kind == "thinking" else "text"
        events.append({"type": "content_block_start", "index": index, "content_block": {"type": kind, name: ""}})
        for part in cut(text, sizes):
            delta = {"type": f"{name}_delta", name: part}
            events.append({"type": "content_block_delta", "index": index, "delta": delta})
        if kind == "thinking":
            sealed = {"type": "signature_delta", "signature": "sealed"}
            events.append({"type": "content_block_delta", "index": index, "delta": sealed})
        events.append({"type": "content_block_stop", "index": index})
    return [*events, {"type": "message_delta", "delta": {"stop_reason": "end_turn"}}, {"type": "message_stop"}]


@pytest.mark.parametrize("edit", [Swap, Whole])
@given(
    blocks=st.lists(st.tuples(st.sampled_from(["text", "thinking"]), TEXTS), min_size=1, max_size=4),
    sizes=st.lists(st.integers(0, 5), max_size=6),
)
@settings(max_examples=60)
def test_messages_streams_join_to_the_edited_text_of_each_block(
    edit: Any, blocks: list[tuple[str, str]], sizes: list[int]
) -> None:
    flow = TextFlow(lambda channel: edit(), channels=(ANSWER, REASONING))
    after = [out for event in message_events(blocks, sizes) for out in flow.edit_event(event)]
    for index, (kind, text) in enumerate(blocks):
        mine = [event for event in after if event.get("index") == index]
        assert mine[0]["type"] == "content_block_start" and mine[-1]["type"] == "content_block_stop"
        name = "thinking" if kind == "thinking" else "text"
        kinds = [event["delta"]["type"] for event in mine[1:-1]]
        assert "".join(event["delta"].get(name, "") for event in mine[1:-1]) == done(text, edit())
        assert kinds.count("signature_delta") == (kind == "thinking")
        assert kind != "thinking" or kinds[-1] == "signature_delta"
    assert [event["type"] for event in after[-2:]] == ["message_delta", "message_stop"]


def response_events(texts: list[str], sizes: list[int]) -> list[Json]:
    """Responses with a message an item; each text is said again four times."""
    events: list[Json] = [{"type": "response.created", "response": {"id": "r", "output": []}}]
    items = []
    for index, text in enumerate(texts):
        where = {"item_id": f"m{index}", "output_index": index, "content_index": 0}
        part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
        item = {"type": "message", "role": "assistant", "content": [part]}
        events.append({"type": "response.content_part.added", **where, "part": {**part, "text": ""}})
        for piece in cut(text, sizes):
            events.append({"type": "response.output_text.delta", **where, "delta": piece, "logprobs": []})
        events.append({"type": "response.output_text.done", **where, "text": text, "logprobs": []})
        events.append({"type": "response.content_part.done", **where, "part": part})
        events.append({"type": "response.output_item.done", "output_index": index, "item": item})
        items.append(item)
    events.append({"type": "response.completed", "response": {"id": "r", "output": items}})
    return [{**event, "sequence_number": i} for i, event in enumerate(events)]


@pytest.mark.parametrize("edit", [Swap, Whole])
@given(texts=st.lists(TEXTS, min_size=1, max_size=3), sizes=st.lists(st.integers(0, 5), max_size=6))
@settings(max_examples=60)
def test_responses_streams_say_again_what_their_pieces_joined_to(edit: Any, texts: list[str], sizes: list[int]) -> None:
    flow = TextFlow(lambda channel: edit())
    after = [out for event in response_events(texts, sizes) for out in flow.edit_event(event)]
    for index, text in enumerate(texts):
        wanted = done(text, edit())
        mine = [event for event in after if event.get("output_index") == index]
        assert "".join(event["delta"] for event in mine if event["type"].endswith(".delta")) == wanted
        whole = [event["text"] for event in mine if event["type"] == "response.output_text.done"]
        whole += [event["part"]["text"] for event in mine if event["type"] == "response.content_part.done"]
        whole += [e["item"]["content"][0]["text"] for e in mine if e["type"] == "response.output_item.done"]
        assert [*whole, after[-1]["response"]["output"][index]["content"][0]["text"]] == [wanted] * 4
    numbers = [event["sequence_number"] for event in after]
    assert numbers == sorted(numbers) and set(numbers) == set(range(len(response_events(texts, sizes))))


def test_a_stream_that_breaks_off_still_gives_what_was_held() -> None:
    flow = TextFlow(lambda channel: Whole())
    for part in ("one ", "two"):
        flow.edit_event({"choices": [{"index": 0, "delta": {"content": part}, "finish_reason": None}]})
    assert said(flow.end_stream(), "content", 0) == "owt eno" and flow.end_stream() == ()


@pytest.mark.parametrize("fault", [{"type": "error", "error": {"message": "no"}}, {"error": {"message": "no"}}])
def test_an_error_in_the_stream_comes_after_what_was_held(fault: Json) -> None:
    flow = TextFlow(lambda channel: Whole())
    flow.edit_event({"choices": [{"index": 0, "delta": {"content": "held"}, "finish_reason": None}]})
    after = flow.edit_event(fault)
    assert said(after[:-1], "content", 0) == "dleh" and after[-1] is fault


def test_text_beside_probabilities_or_citations_can_be_left_alone() -> None:
    flow = TextFlow(lambda channel: Whole(), only_bare=True)
    entries = {"content": [{"token": "ab", "logprob": -0.1}]}
    beside = {"choices": [{"index": 0, "delta": {"content": "ab"}, "logprobs": entries, "finish_reason": None}]}
    assert flow.edit_event(beside) == (beside,)
    cited = {"type": "output_text", "text": "ab", "annotations": [{"start_index": 0, "end_index": 2}]}
    answer = {"output": [{"type": "message", "content": [cited]}]}
    assert flow.edit_answer(answer) is answer
    empty = {"choices": [{"index": 0, "message": {"content": "ab"}, "logprobs": {"content": None}}]}
    assert flow.edit_answer(empty)["choices"][0]["message"]["content"] == "ba"


@given(text=TEXTS)
def test_an_edit_that_changes_nothing_leaves_the_very_objects(text: str) -> None:
    class Same:
        def feed(self, text: str) -> str:
            return text

        def end(self) -> str:
            return ""

    flow = TextFlow(lambda channel: Same(), channels=(ANSWER, REASONING))
    events = [*chat_events([text], [text], [1, 2], True), *message_events([("text", text)], [3])]
    for event in [*events, *response_events([text], [2])]:
        copy = json.dumps(event)
        assert [id(out) for out in flow.edit_event(event)] == [id(event)] and json.dumps(event) == copy
