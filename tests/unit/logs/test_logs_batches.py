"""Both files of a batch are one set of calls, and one alone is still read."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from stillwatch.logs.read import ReadOptions, open_sources
from stillwatch.terms.exchange import Exchange

MODIFIED = 1_760_000_000.0


def write(path: Path, rows: list[dict[str, Any]] | dict[str, Any]) -> Path:
    lines = rows if isinstance(rows, list) else [rows]
    path.write_text("".join(json.dumps(row) + "\n" for row in lines))
    os.utime(path, (MODIFIED, MODIFIED))
    return path


def openai_batch(folder: Path, name: str, user: str, ids: range) -> tuple[Path, Path]:
    asked, answered = [], []
    for index in ids:
        body = {"model": "gpt-4o", "user": user, "messages": [{"role": "user", "content": f"{name} asks {index}"}]}
        asked.append({"custom_id": f"request-{index}", "method": "POST", "url": "/v1/chat/completions", "body": body})
        answer = {
            "object": "chat.completion",
            "created": 1_759_990_000 + index,
            "choices": [{"message": {"content": f"{name} answers {index}"}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 5, "completion_tokens": 7},
        }
        answered.append({"id": "b", "custom_id": f"request-{index}", "response": {"status_code": 200, "body": answer}})
    answered.reverse()  # results come in any order
    return write(folder / f"{name}_input.jsonl", asked), write(folder / f"{name}_output.jsonl", answered)


def read(*paths: Path, **options: Any) -> tuple[list[Exchange], int]:
    sources = open_sources(paths, ReadOptions(**options))
    exchanges = [exchange for file in sources.files for batch in file.batches() for exchange in batch]
    return exchanges, sum(file.tally.bad for file in sources.files)


def pairs(exchanges: list[Exchange]) -> set[tuple[str, str, str]]:
    return {(e.account, e.messages[0].text if e.messages else "", e.answer) for e in exchanges}


@pytest.mark.parametrize("flip", [False, True])
def test_requests_and_results_are_joined_by_custom_id(tmp_path: Path, flip: bool) -> None:
    files = openai_batch(tmp_path, "b1", "alice", range(5))
    exchanges, bad = read(*(files[::-1] if flip else files))
    assert bad == 0
    assert pairs(exchanges) == {("alice", f"b1 asks {i}", f"b1 answers {i}") for i in range(5)}
    assert {e.time for e in exchanges} == {1_759_990_000.0 + i for i in range(5)}
    assert {(e.tokens_in, e.tokens_out, e.finish, e.endpoint) for e in exchanges} == {(5, 7, "stop", "chat")}


def test_batches_that_use_the_same_ids_are_kept_apart(tmp_path: Path) -> None:
    openai_batch(tmp_path, "first", "alice", range(4))
    openai_batch(tmp_path, "second", "bob", range(4))
    exchanges, _ = read(tmp_path)
    expected = {("alice", f"first asks {i}", f"first answers {i}") for i in range(4)}
    assert pairs(exchanges) == expected | {("bob", f"second asks {i}", f"second answers {i}") for i in range(4)}


def test_requests_alone_have_no_answers_and_take_the_files_time(tmp_path: Path) -> None:
    asked, _ = openai_batch(tmp_path, "b1", "alice", range(3))
    sources = open_sources([asked])
    exchanges = [exchange for batch in sources.files[0].batches() for exchange in batch]
    assert pairs(exchanges) == {("alice", f"b1 asks {i}", "") for i in range(3)}
    assert {e.time for e in exchanges} == {MODIFIED}
    assert sources.files[0].tally.assumed_times == 3


def test_a_batch_without_anybody_is_bad_rows_with_advice(tmp_path: Path) -> None:
    asked, answered = openai_batch(tmp_path, "b1", "", range(3))
    exchanges, bad = read(asked, answered)
    assert (exchanges, bad) == ([], 3)
    exchanges, bad = read(asked, answered, account_field="custom_id")
    assert {e.account for e in exchanges} == {"request-0", "request-1", "request-2"}


@pytest.mark.parametrize("wrapped", [False, True])
def test_message_batches_are_joined(tmp_path: Path, wrapped: bool) -> None:
    params = {"model": "claude-3", "metadata": {"user_id": "carol"}, "max_tokens": 9}
    asked = [
        {"custom_id": f"c{i}", "params": {**params, "messages": [{"role": "user", "content": f"ask {i}"}]}}
        for i in range(3)
    ]
    message = {"type": "message", "stop_reason": "max_tokens", "usage": {"input_tokens": 3, "output_tokens": 4}}
    answered: list[dict[str, Any]] = [
        {"custom_id": f"c{i}", "result": {"type": "succeeded", "message": {**message, "content": content(i)}}}
        for i in range(2)
    ]
    answered.append({"custom_id": "c2", "result": {"type": "errored", "error": {"type": "overloaded_error"}}})
    one = write(tmp_path / "asked.jsonl", {"requests": asked} if wrapped else asked)
    exchanges, bad = read(one, write(tmp_path / "answered.jsonl", answered))
    assert bad == 0
    assert pairs(exchanges) == {("carol", "ask 0", "say 0"), ("carol", "ask 1", "say 1"), ("carol", "ask 2", "")}
    assert [e.finish for e in exchanges] == ["length", "length", "error"]
    assert [e.status for e in exchanges] == [200, 200, 500]
    assert {e.endpoint for e in exchanges} == {"messages"}


def content(index: int) -> list[dict[str, str]]:
    return [{"type": "text", "text": f"say {index}"}]


def test_results_change_the_digest_of_what_they_complete(tmp_path: Path) -> None:
    asked, answered = openai_batch(tmp_path, "b1", "alice", range(3))
    alone = open_sources([asked]).files[0].digest()
    both = open_sources([asked, answered]).files
    assert len(both) == 1
    assert both[0].digest() != alone
