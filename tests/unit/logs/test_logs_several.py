"""Several prompts in one request are several events, from a log as from the wire."""

import json
from pathlib import Path
from typing import Any

import pytest

from stillwatch.lab.traffic.plan import DEMO_START
from stillwatch.logs.read import ReadOptions, SourceFile
from stillwatch.logs.served import read_all_served
from stillwatch.sketch.address import AddressTable
from stillwatch.sketch.keys import KeyRing
from stillwatch.sketch.reduce import Reducer
from stillwatch.terms.event import EventArray
from stillwatch.terms.exchange import Exchange
from tests.served_calls import log_row, served_of

CALL = Exchange(time=DEMO_START, account="acct", model="m", endpoint="completions", latency=0.25)
PROMPTS = [
    "How heavy is stone one of the nine on the hill?",
    "And how heavy is the second one?",
    "Which is the oldest?",
]


def body(prompt: Any, **more: Any) -> dict[str, Any]:
    return {"model": "m", "prompt": prompt, **more}


def answer(texts: list[str]) -> dict[str, Any]:
    choices = [{"index": place, "text": text, "finish_reason": "stop"} for place, text in enumerate(texts)]
    usage = {"prompt_tokens": 31, "completion_tokens": 10}
    return {"object": "text_completion", "model": "m", "choices": choices, "usage": usage}


def stream(texts: list[str]) -> bytes:
    chunks = [
        {"object": "text_completion", "choices": [{"index": place, "text": half}]}
        for part in (0, 1)
        for place, text in enumerate(texts)
        for half in [text[: len(text) // 2] if part == 0 else text[len(text) // 2 :]]
    ]
    chunks.append({"object": "text_completion", "choices": [], "usage": answer([])["usage"]})
    return b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks)


def events(exchanges: list[Exchange]) -> EventArray:
    return Reducer(KeyRing(bytes(range(32))), AddressTable.empty()).reduce_all(exchanges)


def imported(path: Path, request: dict[str, Any], response: dict[str, Any]) -> list[Exchange]:
    row = {**log_row(CALL), "path": "/v1/completions", "request": request, "response": response}
    (path / "log.jsonl").write_text(json.dumps(row) + "\n")
    source = SourceFile(path / "log.jsonl", ReadOptions())
    found = [exchange for batch in source.batches() for exchange in batch]
    assert (source.tally.rows, source.tally.good, source.tally.bad) == (len(found), len(found), 0)
    return found


@pytest.mark.parametrize("streamed", [False, True])
def test_each_prompt_is_an_event_with_its_own_answer(streamed: bool, tmp_path: Path) -> None:
    given = answer(["Ten.", "Twelve pounds.", "The ninth."])
    wire = stream([choice["text"] for choice in given["choices"]]) if streamed else json.dumps(given).encode()
    served = served_of(
        CALL, endpoint="completions", request=json.dumps(body(PROMPTS)).encode(), streamed=streamed, answer=wire
    )
    live, bad = read_all_served([served])
    assert bad == [] and [x.messages[-1].text for x in live] == PROMPTS
    assert [x.answer for x in live] == ["Ten.", "Twelve pounds.", "The ninth."]
    assert [x.tokens_in for x in live] == [11, 10, 10] and sum(x.tokens_out for x in live) == 10
    logged = imported(tmp_path, body(PROMPTS), given)
    for name in ("account", "content", "issued", "anchors", "tokens_in", "tokens_out", "turns", "endpoint"):
        left, right = (
            rows["sketch"][name] if name in (rows["sketch"].dtype.names or ()) else rows[name]
            for rows in (events(live), events(logged))
        )
        assert left.tolist() == right.tolist(), name
    assert len(set(events(live)["event_id"].tolist())) == 3


def test_of_several_answers_to_each_prompt_the_first_counts(tmp_path: Path) -> None:
    found = imported(tmp_path, body(PROMPTS[:2], n=2), answer(["a", "b", "c", "d"]))
    assert [x.answer for x in found] == ["a", "c"]


@pytest.mark.parametrize(
    ("prompt", "n"),
    [
        ("one", 1), (["one"], 1), ([5, 6, 7], 1), ([[5, 6], [7, 8]], 2), (["one", [7, 8], "three"], 3), ([], 1),
        (["", "x"], 1),
    ],
)  # fmt: skip
def test_prompts_are_told_apart_in_every_shape_that_servers_take(prompt: Any, n: int, tmp_path: Path) -> None:
    assert len(imported(tmp_path, body(prompt), answer(["a"]))) == n


def test_however_many_prompts_there_are_none_goes_unread(tmp_path: Path) -> None:
    prompts = [f"prompt number {chr(97 + n % 26)}{chr(97 + n // 26 % 26)}{chr(97 + n // 676)}" for n in range(2_000)]
    found = imported(tmp_path, body(prompts), answer(["a"]))
    assert len(found) == 1_024
    assert "\n".join(x.messages[-1].text for x in found) == "\n".join(prompts)


def test_what_is_to_follow_the_answer_is_asked_as_well(tmp_path: Path) -> None:
    (found,) = imported(tmp_path, body("def add(", suffix="return the sum"), answer(["a"]))
    assert found.messages[-1].text == "def add(\nreturn the sum"
    assert len(imported(tmp_path, body(PROMPTS, suffix="end"), answer(["a"] * 3))) == 3


def test_inputs_of_an_embedding_are_one_event(tmp_path: Path) -> None:
    row = {**log_row(CALL), "endpoint": "/v1/embeddings", "request": {"model": "m", "input": PROMPTS}, "response": {}}
    (tmp_path / "log.jsonl").write_text(json.dumps(row) + "\n")
    (found,) = [x for batch in SourceFile(tmp_path / "log.jsonl", ReadOptions()).batches() for x in batch]
    assert found.endpoint == "embeddings" and found.messages[-1].text == "\n".join(PROMPTS)
