"""Run a planned examination: ask, log, make materials, open secrets, find, conclude; each step once, however often run.

In: the examination's folder, the state folder, materials that nobody can be asked for. Out: findings and conclusion.
A stop at any moment is gone on from by the same command. Transcripts are kept among the materials and are the only
texts of an examination. Left to `examination`: signing and logging. Left to `examineask`: asking.
"""

from dataclasses import dataclass
from itertools import islice
from pathlib import Path

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
from stillwatch.app.examineask import RunAsk, Told, acquire, attempt, raw_name
from stillwatch.app.examinematerials import Tokenise, answers_of, expected_of, logprobs_of, tokens_of
from stillwatch.app.examineplan import PLAN, Plan, read_plan
from stillwatch.app.examinetwins import opened_twins, score
from stillwatch.app.ledger import reveals
from stillwatch.app.markring import load_ring
from stillwatch.app.opensuspect import load_reference
from stillwatch.app.servedindex import served_of
from stillwatch.forensics.conclusion import Conclusion, conclude
from stillwatch.forensics.exams import EXAMS
from stillwatch.forensics.exams.given import packed
from stillwatch.suspects.texts import TextSuspect
from stillwatch.suspects.transcript import Row, Transcript
from stillwatch.terms.canon import sha256
from stillwatch.terms.errors import StillwatchError
from stillwatch.terms.finding import Finding
from stillwatch.terms.protocol import PlannedTest
from stillwatch.terms.reveal import Reveal


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
        acquire(ask_, found, plan, say)
        score(ask_, found, plan, say)
        _derive(ask_, found, plan)
        _served(ask_, found)
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
            log_attempt(ask_.state, ask_.folder, attempt(ask_.by, owner[0], name, (1, 1), "file given"), raw)
        else:
            keep_material(ask_.folder, name, raw)


def _served(ask_: RunAsk, found: Examination) -> None:
    """Put the contexts that an account was served among the materials, where a test asks for them by account."""
    for test in found.protocol.tests:
        name, account = str(test.parameters.get("served", "")), str(test.parameters.get("account", ""))
        if not name or not account or (ask_.folder / MATERIALS / name).exists():
            continue
        epochs = [test.parameters["epoch"]] if "epoch" in test.parameters else [load_ring(ask_.state).current.number]
        held = served_of(ask_.state, int(str(epochs[0])), account)
        if len(held):
            keep_material(ask_.folder, name, packed(digests=held.digests))


def _derive(ask_: RunAsk, found: Examination, plan: Plan) -> None:
    """Make the materials that come of transcripts and of a reference; those that are there stay."""
    for test in found.protocol.tests:
        rows = _rows(ask_, plan, test)
        if not rows:
            continue
        for need in EXAMS.get(test.exam).needs:
            name = str(test.parameters.get(need.parameter, ""))
            if not name or (ask_.folder / MATERIALS / name).exists():
                continue
            raw = _made(need.parameter, test, rows, plan, ask_.folder)
            if raw is None:
                continue
            if need.role == "transcript":
                note = "made from the transcript" if plan.suspect.kind != "texts" else "texts taken"
                counts = (len(rows), len(rows))
                log_attempt(ask_.state, ask_.folder, attempt(ask_.by, test.id, name, counts, note), raw)
            else:
                keep_material(ask_.folder, name, raw)


def _made(
    parameter: str, test: PlannedTest, rows: list[Row], plan: Plan, folder: Path
) -> bytes | None:  # fmt: skip
    """Return a material by the parameter that names it; None where it cannot be made."""
    if parameter == "tokens":
        return tokens_of(rows, _tokeniser(plan))
    if parameter == "answers":
        return answers_of(rows)
    if plan.reference is None:
        return None
    width = int(str(test.parameters.get("width", 1)))
    if parameter == "expected":
        tokens = read(folder, f"{MATERIALS}/{test.parameters['tokens']}")
        temperature = float(str(test.parameters.get("temperature", "1.0")))
        return expected_of(tokens, load_reference(plan.reference), width=width, temperature=temperature)
    if parameter == "logprobs":
        return logprobs_of(rows, load_reference(plan.reference), width=width)
    return None


def _rows(ask_: RunAsk, plan: Plan, test: PlannedTest) -> list[Row]:
    if plan.suspect.kind == "texts":
        suspect = TextSuspect(path=Path(plan.suspect.where))
        return [Row(one.id, "", one.prompt, (), one.reply) for one in islice(suspect.held(), test.samples)]
    path = ask_.folder / MATERIALS / raw_name(test)
    return list(Transcript.open(path).rows()) if path.exists() else []


def _open(ask_: RunAsk, found: Examination) -> None:
    """Put the secrets that tests open among the materials, as late as can be."""
    todo = [test for test in found.protocol.tests if test.secrets in ("mark-key", "canary", "withheld")]
    todo = [test for test in todo if not (ask_.folder / MATERIALS / str(test.parameters.get("openings", ""))).exists()]
    held = reveals(ask_.state) if todo else []
    for test in todo:
        chosen = [one for one in held if one.item.kind == test.secrets]
        chosen = [one for one in chosen if not test.groups or one.item.group in test.groups]
        if test.secrets == "mark-key":
            number = _epoch(test, chosen)
            chosen += [one for one in held if one.item.kind == "mark-context"]
            chosen = [one for one in chosen if one.facts["epoch"] == number]
        if test.secrets == "withheld":
            chosen = opened_twins(found, chosen)
        if chosen:
            name = str(test.parameters["openings"]).removeprefix("reveal/").removesuffix(".json")
            open_secrets(ask_.folder, name, chosen)


def _epoch(test: PlannedTest, keys: list[Reveal]) -> int:
    """Return the epoch that a test is about: the planned one, or the newest."""
    newest = max((int(str(one.facts["epoch"])) for one in keys), default=0)
    return int(str(test.parameters.get("epoch", newest)))


def _tokeniser(plan: Plan) -> Tokenise | None:
    if not plan.tokenizer:
        return None
    from stillwatch.engines.tokens import load_tokens

    tokens = load_tokens(Path(plan.tokenizer))
    return lambda text: [int(one) for one in tokens.ids(text)]
