"""Measure what canaries cost honest answers: whose requests get a line, whose answers an edit, and how much of them.

In: real prompts and, from a data folder, real answers; every template planted, which is the worst case. Out: a table.
With `--teacher`, what the lines do to short answers of SmolLM2-135M: `bench.canaryteacher`.
Exit code 0, or 1 where a request for code, or anything but plain prose, is touched.
Cost: about a minute, and with a teacher the seconds given.

Run: python -m bench.canarycost [--data FOLDER] [--most 3000] [--teacher SECONDS] [--json]
"""

import argparse
import difflib
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bench.layout import table
from stillwatch.lab.traffic.sources import FolderSources, PackagedSources
from stillwatch.terms.canary import CanaryRecord
from stillwatch.treatments import TREATMENTS, Occasion
from stillwatch.treatments.canaries import TEMPLATES, drawn

if TYPE_CHECKING:
    from bench.canaryteacher import Told

PROMPTS: Final[dict[str, Callable[[Any], str]]] = {
    "oasst": lambda row: row["turns"][-1], "koala_arena": lambda row: row["prompt"],
    "roleplay": lambda row: row["instruction"], "gsm8k_train": lambda row: row["question"],
    "mmlu": lambda row: row["question"], "humaneval": lambda row: row["prompt"],
}  # fmt: skip
"""Packaged sources, and where a row has its prompt."""
UNTOUCHED: Final = ("humaneval",)
"""Sources of which no request may be touched."""
CHARS_A_TOKEN: Final = 4.2


@dataclass(frozen=True)
class Cost:
    """What one source's requests and answers lose."""

    source: str
    requests: int
    carried: int
    """Requests whose system prompt gets lines."""
    tokens: float
    """Prompt tokens more in such a request, on average; estimated from characters."""
    answers: int
    edited: int
    """Answers in which a name changed."""
    characters: float
    """Share of all characters of all answers that changed."""
    microseconds: float
    """Time to read one request, on average."""


def canaries() -> tuple[Any, ...]:
    """Return one canary of every template."""
    secret = bytes(32)
    return tuple(
        drawn(
            CanaryRecord(
                id=f"cn_{n}",
                subject="a",
                kind="account",
                accounts=("a",),
                template=form.name,
                alternatives=16,
                nonce=f"{n:032x}",
                commitment="",
                made=0.0,
                expires=1.0,
                by="b",
                reason="r",
                decision=1,
            ),
            secret,
        )
        for n, form in enumerate(TEMPLATES)
    )


def measure(source: str, pairs: Iterable[tuple[str, str]]) -> Cost:
    """Return what a source's (prompt, answer) pairs lose; an empty answer is none."""
    planted, kind = canaries(), TREATMENTS.get("canary")
    requests = carried = answers = edited = changed = characters = 0
    tokens = spent = 0.0
    for prompt, said in pairs:
        one = kind.begin(Occasion(key=bytes(32), account="a", endpoint="chat", canaries=planted))
        assert one is not None
        body = {"messages": [{"role": "user", "content": prompt}]}
        begun = time.perf_counter()
        sent = one.edit_request(body)
        spent += time.perf_counter() - begun
        requests += 1
        if sent is not None:
            carried += 1
            tokens += len(sent["messages"][0]["content"]) / CHARS_A_TOKEN
        if said:
            answer = {"choices": [{"index": 0, "message": {"role": "assistant", "content": said}}]}
            after = one.edit_answer(answer)["choices"][0]["message"]["content"]
            answers, characters = answers + 1, characters + len(said)
            if after != said:
                edited, changed = edited + 1, changed + _changed(said, after)
    return Cost(
        source=source, requests=requests, carried=carried, tokens=tokens / max(carried, 1), answers=answers,
        edited=edited, characters=changed / max(characters, 1), microseconds=1e6 * spent / max(requests, 1),
    )  # fmt: skip


def _changed(before: str, after: str) -> int:
    blocks = difflib.SequenceMatcher(None, before.split(" "), after.split(" "), autojunk=False).get_opcodes()
    words = before.split(" ")
    return sum(len(word) for kind, a, b, _, _ in blocks if kind != "equal" for word in words[a:b])


def _pairs(data: Path | None, most: int) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    packaged = PackagedSources()
    for name, prompt in PROMPTS.items():
        yield name, [(prompt(row), "") for row in packaged.rows(name)][:most]
    if data is None:
        print("No data folder (--data or STILLWATCH_DATA): answers are not measured.", file=sys.stderr)
        return
    folder = FolderSources(data)
    yield "dolly", [(row["instruction"], row["output"]) for row in folder.rows("dolly") if not row["input"]][:most]
    talks = [row["conversations"] for row in folder.rows("sharegpt_answers")]
    opening = [t[:2] for t in talks if [turn["from"] for turn in t[:2]] == ["human", "gpt"]]
    yield "sharegpt", [(asked["value"], said["value"]) for asked, said in opening][:most]


def _asked_teacher(sources: list[tuple[str, list[tuple[str, str]]]], seconds: float, seed: int) -> "list[Told]":
    from bench.canaryteacher import told

    planted, kind = canaries(), TREATMENTS.get("canary")

    def edit(body: dict[str, Any]) -> dict[str, Any] | None:
        one = kind.begin(Occasion(key=bytes(32), account="a", endpoint="chat", canaries=planted))
        assert one is not None
        return one.edit_request(body)

    return told(edit, [prompt for _, pairs in sources for prompt, _ in pairs], seconds, seed)


def _teacher_table(asked: "list[Told]") -> str:
    rows = []
    for one in asked:
        kept = [
            f"{one.same} of {one.carried}",
            f"{one.prompt_tokens:.0f}",
            f"{one.tokens[0]:.1f} to {one.tokens[1]:.1f}",
        ]
        low, high = 100 * one.difference[1], 100 * one.difference[2]
        counted = one.group == "a given word"
        right = f"{one.right[0]} to {one.right[1]}" if counted else "-"
        change = f"{100 * one.difference[0]:+.1f} ({low:+.1f} to {high:+.1f})" if counted else "-"
        name = f"{one.named[1]} to {one.named[2]} of {one.named[0]}"
        rest = (*kept, right, change, name, str(one.repeated)) if one.carried else ("same request", *("-",) * 6)
        rows.append((one.group, one.system, str(one.items), str(one.carried), *rest))
    head = ("asked", "system prompt", "n", "carry", "same answer", "prompt tokens", "answer tokens", "right", "points",
            "name shown", "line repeated")  # fmt: skip
    return table(head, rows)


def main() -> None:
    """Parse the arguments, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="data folder; default $STILLWATCH_DATA")
    parser.add_argument("--most", type=int, default=3000, help="prompts a source")
    parser.add_argument("--teacher", type=float, default=0.0, metavar="SECONDS", help="ask a real teacher so long")
    parser.add_argument("--seed", type=int, default=1, help="of the items that a teacher is asked")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    data = given.data or (Path(os.environ["STILLWATCH_DATA"]) if "STILLWATCH_DATA" in os.environ else None)
    sources = list(_pairs(data, given.most))
    found = [measure(source, pairs) for source, pairs in sources]
    asked = _asked_teacher(sources, given.teacher, given.seed) if given.teacher > 0.0 else []
    if given.json:
        print(json.dumps([asdict(one) for one in found] + [asdict(one) for one in asked], indent=2))
    else:
        rows = [
            (one.source, f"{one.requests:,}", f"{100 * one.carried / max(one.requests, 1):.1f} %", f"{one.tokens:.0f}",
             f"{one.answers:,}", f"{100 * one.edited / max(one.answers, 1):.2f} %", f"{100 * one.characters:.4f} %",
             f"{one.microseconds:.0f}")
            for one in found
        ]  # fmt: skip
        head = ("prompts", "n", "carry", "tokens more", "answers", "edited", "characters", "microseconds")
        print(table(head, rows))
        if asked:
            print(f"\n{_teacher_table(asked)}")
    sys.exit(any(one.source in UNTOUCHED and one.carried for one in found))


if __name__ == "__main__":
    main()
