"""Run a planned examination: ask, log, make materials, open secrets, find, conclude; each step once, however often run.

In: the examination's folder, the state folder, materials that nobody can be asked for. Out: findings and conclusion.
A stop at any moment is gone on from by the same command. Transcripts are kept among the materials and are the only
texts of an examination. Left to `examination`: signing and logging. Left to `suspects`: asking.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from stillwatch import __version__
from stillwatch.app.examination import (
    MATERIALS,
    Examination,
    finish,
    keep_material,
    load,
    log_attempt,
    materials,
    open_secrets,
    read,
)
from stillwatch.app.examinematerials import Tokenise, answers_of, expected_of, logprobs_of, tokens_of
from stillwatch.app.examineplan import PLAN, PROBES_DIGEST, PROBES_FOLDER, Plan, read_plan
from stillwatch.app.ledger import reveals
from stillwatch.app.opensuspect import load_model, open_suspect
from stillwatch.forensics.conclusion import Conclusion, conclude
from stillwatch.forensics.exams import EXAMS
from stillwatch.ledger.logfile import iso
from stillwatch.suspects.ask import Asked, Budget, ask
from stillwatch.suspects.suspect import Probe, Suspect
from stillwatch.suspects.texts import TextSuspect
from stillwatch.suspects.transcript import Row, Transcript
from stillwatch.terms.canon import sha256
from stillwatch.terms.errors import StillwatchError
from stillwatch.terms.finding import Acquired, Finding
from stillwatch.terms.protocol import PlannedTest
from stillwatch.terms.reveal import Reveal

Told = Callable[[str], None]
TOOL: Final = f"stillwatch {__version__}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunAsk:
    """What a person asks."""

    folder: Path
    state: Path
    by: str
    given: Mapping[str, Path] = field(default_factory=dict)
    """Files to take as materials, by the material's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """What an examination came to."""

    findings: tuple[Finding, ...]
    conclusion: Conclusion
    folder: Path


def run(ask_: RunAsk, say: Told) -> Examined:
    """Run what is left of an examination.

    Args:
        ask_: Folder, state, who, and what is given.
        say: Told how far it has come.

    Raises:
        StillwatchError: plan or probes were changed, the suspect cannot be asked, or the budget ended first.
    """
    found = load(ask_.folder)
    if not found.findings:
        plan = _plan(ask_.folder, found)
        _take(ask_, found)
        _acquire(ask_, found, plan, say)
        _derive(ask_, found, plan)
        _open(ask_, found)
        held = materials(ask_.folder)
        computed = [one for test in found.protocol.tests for one in EXAMS.get(test.exam).find(test, held)]
        found = finish(ask_.state, ask_.folder, computed)
    return Examined(findings=found.findings, conclusion=conclude(found.protocol, found.findings), folder=ask_.folder)


def _plan(folder: Path, found: Examination) -> Plan:
    raw = read(folder, PLAN)
    if found.protocol.code.get(PLAN) != sha256(raw):
        raise StillwatchError(f"examination {folder}: {PLAN} is not the one that was signed; put it back.")
    return read_plan(raw, PLAN)


def _take(ask_: RunAsk, found: Examination) -> None:
    """Keep the files given as materials; what an earlier run kept stays."""
    for name, path in ask_.given.items():
        if (ask_.folder / MATERIALS / name).exists():
            continue
        try:
            raw = path.read_bytes()
        except OSError as problem:
            raise StillwatchError(f"material {name}: {path.name}: {problem.strerror}.") from None
        owner = [test.id for test in found.protocol.tests if name in test.parameters.values()]
        if not owner:
            raise StillwatchError(f"material {name}: no planned test takes one of this name; see protocol.json.")
        if name.split("/")[0] in ("transcript", "texts"):
            log_attempt(ask_.state, ask_.folder, _acquired(ask_.by, owner[0], name, (1, 1), "file given"), raw)
        else:
            keep_material(ask_.folder, name, raw)


def _acquire(ask_: RunAsk, found: Examination, plan: Plan, say: Told) -> None:
    """Ask the suspect what is left to ask, test by test."""
    if plan.suspect.kind == "texts":
        return
    todo = [test for test in found.protocol.tests if PROBES_DIGEST in test.parameters]
    todo = [test for test in todo if not _logged(ask_.folder, _raw(test))]
    if not todo:
        return
    with open_suspect(plan.suspect, plan.tokenizer) as suspect:
        for test in todo:
            _asked(ask_, plan, test, suspect, say)


def _asked(ask_: RunAsk, plan: Plan, test: PlannedTest, suspect: Suspect, say: Told) -> None:
    transcript = Transcript.open(ask_.folder / MATERIALS / _raw(test))
    budget = Budget(queries=plan.budget.queries, tokens=plan.budget.tokens)
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
            log_attempt(ask_.state, ask_.folder, _acquired(ask_.by, test.id, "", counts, note))
    if last.ended != "done":
        raise StillwatchError(
            f"examination {ask_.folder}: the budget of {last.ended} ended with {last.left} probes left. What was "
            "answered is kept; a new examination may plan more."
        )
    rows = list(transcript.rows())
    log_attempt(ask_.state, ask_.folder, _acquired(ask_.by, test.id, _raw(test), (transcript.asked, len(rows)), ""))


def _derive(ask_: RunAsk, found: Examination, plan: Plan) -> None:
    """Make the materials that come of transcripts and of a reference; those that are there stay."""
    tokenise = _tokeniser(plan)
    for test in found.protocol.tests:
        rows = _rows(ask_, plan, test)
        if not rows:
            continue
        for need in EXAMS.get(test.exam).needs:
            name = str(test.parameters.get(need.parameter, ""))
            if not name or (ask_.folder / MATERIALS / name).exists():
                continue
            raw = _made(need.parameter, test, rows, plan, tokenise, ask_.folder)
            if raw is None:
                continue
            if need.role == "transcript":
                note = "made from the transcript" if plan.suspect.kind != "texts" else "texts taken"
                counts = (len(rows), len(rows))
                log_attempt(ask_.state, ask_.folder, _acquired(ask_.by, test.id, name, counts, note), raw)
            else:
                keep_material(ask_.folder, name, raw)


def _made(
    parameter: str, test: PlannedTest, rows: list[Row], plan: Plan, tokenise: Tokenise | None, folder: Path
) -> bytes | None:  # fmt: skip
    """Return a material by the parameter that names it; None where it cannot be made."""
    if parameter == "tokens":
        return tokens_of(rows, tokenise)
    if parameter == "answers":
        return answers_of(rows)
    if plan.reference is None:
        return None
    width = int(str(test.parameters.get("width", 1)))
    if parameter == "expected":
        tokens = read(folder, f"{MATERIALS}/{test.parameters['tokens']}")
        temperature = float(str(test.parameters.get("temperature", "1.0")))
        return expected_of(tokens, load_model(Path(plan.reference.where)), width=width, temperature=temperature)
    if parameter == "logprobs":
        return logprobs_of(rows, load_model(Path(plan.reference.where)), width=width)
    return None


def _rows(ask_: RunAsk, plan: Plan, test: PlannedTest) -> list[Row]:
    if plan.suspect.kind == "texts":
        suspect = TextSuspect(path=Path(plan.suspect.where))
        return [Row(one.id, "", one.prompt, (), one.reply) for one in suspect.held()][: test.samples]
    path = ask_.folder / MATERIALS / _raw(test)
    return list(Transcript.open(path).rows()) if path.exists() else []


def _open(ask_: RunAsk, found: Examination) -> None:
    """Put the secrets that tests open among the materials, as late as can be."""
    todo = [test for test in found.protocol.tests if test.secrets in ("mark-key", "canary")]
    todo = [test for test in todo if not (ask_.folder / MATERIALS / str(test.parameters.get("openings", ""))).exists()]
    held = reveals(ask_.state) if todo else []
    for test in todo:
        chosen = [one for one in held if one.item.kind == test.secrets]
        chosen = [one for one in chosen if not test.groups or one.item.group in test.groups]
        if test.secrets == "mark-key":
            number = _epoch(test, chosen)
            chosen += [one for one in held if one.item.kind == "mark-context"]
            chosen = [one for one in chosen if one.facts["epoch"] == number]
        if chosen:
            name = str(test.parameters["openings"]).removeprefix("reveal/").removesuffix(".json")
            open_secrets(ask_.folder, name, chosen)


def _epoch(test: PlannedTest, keys: list[Reveal]) -> int:
    """Return the epoch that a test is about: the planned one, or the newest."""
    newest = max((int(str(one.facts["epoch"])) for one in keys), default=0)
    return int(str(test.parameters.get("epoch", newest)))


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


def _tokeniser(plan: Plan) -> Tokenise | None:
    if not plan.tokenizer:
        return None
    from stillwatch.engines.tokens import load_tokens

    tokens = load_tokens(Path(plan.tokenizer))
    return lambda text: [int(one) for one in tokens.ids(text)]


def _raw(test: PlannedTest) -> str:
    return f"transcript/{test.id}.raw.jsonl"


def _logged(folder: Path, name: str) -> bool:
    return any(one.material == name for one in load(folder).acquired)


def _acquired(by: str, test: str, material: str, counts: tuple[int, int], note: str) -> Acquired:
    return Acquired(n=0, at=iso(time.time()), by=by, tool=TOOL, test=test, asked=counts[0], answered=counts[1],
                    material=material, sha256="", note=note)  # fmt: skip
