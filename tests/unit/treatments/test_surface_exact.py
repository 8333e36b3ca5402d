"""Code and structures keep every byte under the surface mark: thousands of real ones, whole and as they are served."""

import csv
import gzip
import io
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import zstandard

import stillwatch
from stillwatch.treatments.surfaces.sites import Sites

DATA = os.environ.get("STILLWATCH_DATA", "")
needs_data = pytest.mark.skipif(not DATA, reason="set STILLWATCH_DATA to the folder of shared data")
LEAD = "It's the way that this is done, and you'll have to see that it's not the only one.\n\n"


def flipped(text: str) -> str:
    sites = Sites(lambda site: 1 - site.said)
    return sites.feed(text) + sites.end()


def rows(name: str) -> Iterator[dict[str, str]]:
    path = Path(DATA) / name
    with path.open("rb") as file:
        stream = gzip.open(file) if name.endswith(".gz") else zstandard.ZstdDecompressor().stream_reader(file)
        text = io.TextIOWrapper(stream, encoding="utf-8")
        yield from csv.DictReader(text) if name.endswith(".gz") else map(json.loads, text)


def served(code: str, language: str = "python") -> list[str]:
    return [LEAD + f"```{language}\n{code}\n```\n", LEAD + f"{code}\n", code]


def test_the_package_own_source_stays_fenced_and_bare() -> None:
    for path in sorted(Path(stillwatch.__file__).parent.rglob("*.py")):
        fenced = served(path.read_text(encoding="utf-8").replace("```", "'''"))[0]
        assert flipped(fenced) == fenced, path.name


@needs_data
def test_code_of_task_sets_stays_fenced_and_bare() -> None:
    seen = 0
    for row in rows("tasks/humaneval.jsonl.zst"):
        for code in (row["prompt"] + row["canonical_solution"], row["canonical_solution"], row["test"]):
            for text in served(code):
                seen += 1
                assert flipped(text) == text
    for row in rows("attack/codealpaca_2k.jsonl.zst"):
        if "```" not in row["output"]:
            seen += 1
            assert flipped(served(row["output"])[0]) == served(row["output"])[0]
    assert seen > 3_000


@needs_data
def test_tool_calls_and_their_results_stay() -> None:
    seen = 0
    for row in rows("benign/hard_negative/agent_tool_call_sessions.jsonl.zst"):
        for turn in row["conversations"]:
            if turn["from"] in ("function_call", "observation"):  # type: ignore[index]
                seen += 1
                text = turn["value"]  # type: ignore[index]
                assert flipped(text) == text and flipped(LEAD + text) == LEAD + text
    assert seen > 800


@needs_data
def test_structures_stay_whole_and_fenced() -> None:
    seen = 0
    for name in ("tasks/gsm8k_test.jsonl.zst", "attack/alpaca_gpt4_en_demo.jsonl.zst", "tasks/humaneval.jsonl.zst"):
        for i, row in enumerate(rows(name)):
            if i >= 1_000:
                break
            for text in (json.dumps(row), json.dumps(row, indent=2), json.dumps([row], indent=4)):
                seen += 1
                assert flipped(text) == text and flipped(served(text, "json")[0]) == served(text, "json")[0]
    assert seen > 3_000
