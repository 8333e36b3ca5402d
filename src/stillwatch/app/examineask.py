"""Ask a suspect what an examination planned, within the budget of the whole examination, and log every attempt.

In: the plan, the planned tests, probes that were signed. Out: transcripts among the materials, attempts in the ledger.
What was answered is never asked again. Left to `suspects`: asking. Left to `examinerun`: what comes of it.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from stillwatch import __version__
from stillwatch.app.examination import MATERIALS, Examination, load, log_attempt, read
from stillwatch.app.examineplan import PROBES_DIGEST, PROBES_FOLDER, Plan
from stillwatch.app.opensuspect import open_suspect
from stillwatch.ledger.logfile import iso
from stillwatch.suspects.ask import Asked, Budget, ask
from stillwatch.suspects.suspect import Probe, Suspect
from stillwatch.suspects.transcript import Transcript
from stillwatch.terms.canon import sha256
from stillwatch.terms.errors import StillwatchError
from stillwatch.terms.finding import Acquired
from stillwatch.terms.protocol import PlannedTest

Told = Callable[[str], None]
SCORED: Final = "scored"
"""Folder of a suspect's losses as they came, by test."""
TOOL: Final = f"stillwatch {__version__}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunAsk:
    """What a person asks."""

    folder: Path
    state: Path
    by: str
    given: Mapping[str, Path] = field(default_factory=dict)
    """Files to take as materials, by the material's name."""
    vault_key: Path | None = None
    """File of the vault's private key, for exams that need the vault."""
    passphrase: str = field(default="", repr=False)
    """Of that file; empty for none."""


def acquire(ask_: RunAsk, found: Examination, plan: Plan, say: Told) -> None:
    """Ask the suspect what is left to ask, test by test."""
    if plan.suspect.kind == "texts":
        return
    todo = [test for test in found.protocol.tests if PROBES_DIGEST in test.parameters]
    todo = [test for test in todo if not _logged(ask_.folder, raw_name(test))]
    if not todo:
        return
    with open_suspect(plan.suspect, plan.tokenizer) as suspect:
        for test in todo:
            _asked(ask_, plan, test, suspect, say)


def _asked(ask_: RunAsk, plan: Plan, test: PlannedTest, suspect: Suspect, say: Told) -> None:
    transcript = Transcript.open(ask_.folder / MATERIALS / raw_name(test))
    budget = left_for(ask_, plan, test)
    last = Asked(asked=0, answered=0, failed=0, spent=0, left=0)
    problem = ""
    try:
        for last in ask(suspect, _probes(ask_.folder, test), transcript, budget, lambda: iso(time.time())):
            say(f"{test.id}: {last.answered} answered, {last.left} left, {last.spent:,} tokens")
    except StillwatchError as error:
        problem = str(error)
        raise
    finally:
        if problem or last.ended != "done":
            note = "asking ended early" if problem else f"ended by {last.ended or 'a stop'}"
            counts = (last.asked, last.answered)
            log_attempt(ask_.state, ask_.folder, attempt(ask_.by, test.id, "", counts, note))
    if last.ended != "done":
        raise StillwatchError(
            f"examination {ask_.folder}: the budget of {last.ended} ended with {last.left} probes left. What was "
            "answered is kept; a new examination may plan more."
        )
    rows = list(transcript.rows())
    log_attempt(ask_.state, ask_.folder, attempt(ask_.by, test.id, raw_name(test), (transcript.asked, len(rows)), ""))


def left_for(ask_: RunAsk, plan: Plan, test: PlannedTest) -> Budget:
    """Return what the other tests of the examination have left of its budget.

    Raises:
        StillwatchError: nothing is left.
    """
    others = [path for path in (ask_.folder / MATERIALS / "transcript").glob("*.raw.jsonl")
              if path != ask_.folder / MATERIALS / raw_name(test)]  # fmt: skip
    held = [Transcript.open(path) for path in others]
    scored = [scored_spent(path) for path in (ask_.folder / SCORED).glob("*.jsonl") if path.stem != test.id]
    queries = plan.budget.queries - sum(one.asked for one in held) - sum(asked for asked, _ in scored)
    tokens = plan.budget.tokens - sum(one.spent for one in held) - sum(spent for _, spent in scored)
    if queries < 1 or tokens < 1:
        raise StillwatchError(f"examination {ask_.folder}: its budget was spent before test {test.id}; plan another.")
    return Budget(queries=queries, tokens=tokens)


def scored_spent(path: Path) -> tuple[int, int]:
    """Return questions and tokens that a file of scored pairs stands for; none where it is not there."""
    try:
        rows = [msgspec.json.decode(line) for line in path.read_bytes().splitlines(keepends=True) if line[-1:] == b"\n"]
    except FileNotFoundError:
        return 0, 0
    return 2 * len(rows), sum(int(row["spent"]) for row in rows)


def _probes(folder: Path, test: PlannedTest) -> list[Probe]:
    name = f"{PROBES_FOLDER}/{test.id}.jsonl"
    raw = read(folder, name)
    if sha256(raw) != test.parameters[PROBES_DIGEST]:
        raise StillwatchError(f"examination {folder}: {name} is not what was signed; put it back.")
    out = []
    for number, line in enumerate(raw.splitlines(), 1):
        try:
            row = msgspec.json.decode(line)
            row.setdefault("id", f"p{number}")
            out.append(msgspec.convert(row, Probe))
        except (msgspec.MsgspecError, AttributeError):
            raise StillwatchError(f"probes {name}, line {number}: must have `prompt` or `tokens`.") from None
    return out[: test.samples]


def raw_name(test: PlannedTest) -> str:
    """Return the material that holds a test's transcript as it came."""
    return f"transcript/{test.id}.raw.jsonl"


def _logged(folder: Path, name: str) -> bool:
    return any(one.material == name for one in load(folder).acquired)


def attempt(by: str, test: str, material: str, counts: tuple[int, int], note: str) -> Acquired:
    """Return the record of an attempt, to be logged; `counts` are asked and answered."""
    return Acquired(n=0, at=iso(time.time()), by=by, tool=TOOL, test=test, asked=counts[0], answered=counts[1],
                    material=material, sha256="", note=note)  # fmt: skip
