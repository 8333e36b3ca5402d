"""From a plan, a TOML file that a person wrote, to the protocol that is signed before the first query.

In: the plan, on whose authority, who answers for it. Out: an `ExamProtocol`, and the plan itself with its probes in the
examination's folder, both bound by digest. Names of materials are filled in, so that an exam is planned by its name.
Left to `examination`: signing and logging. Left to `examinerun`: asking.
"""

import platform
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import msgspec

from stillwatch import __version__
from stillwatch.app.canaries import probes as canary_probes
from stillwatch.app.examination import SEED, Examination, begin, is_plain, write
from stillwatch.forensics.exams import EXAMS
from stillwatch.forensics.exams.examination import Examination as Exam
from stillwatch.forensics.exams.identity import PROBES
from stillwatch.terms.canon import sha256
from stillwatch.terms.errors import StillwatchError
from stillwatch.terms.protocol import (
    Authority,
    ExamProtocol,
    Hypothesis,
    PlannedTest,
    SuspectSaid,
    TermsSaid,
    Value,
)

PLAN: Final = "plan.toml"
PROBES_FOLDER: Final = "probes"
PROBES_DIGEST: Final = "probes sha256"
SUSPECTS: Final = ("texts", "endpoint", "model", "gguf")
ACCESS: Final = {"texts": "texts", "endpoint": "text", "model": "weights", "gguf": "logprobs"}
_ENDING: Final = {"reveal": ".json", "reference": ".npz", "controls": ".npz", "served": ".npz"}


class SuspectPlan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The plan's table on the suspect, and the one on the reference, which must be a model."""

    kind: str
    """One of `SUSPECTS`."""
    where: str
    """Address up to `/v1`, or a path."""
    name: str = ""
    model: str = ""
    """As the endpoint calls it."""
    wire: str = "chat"
    key_env: str = ""
    """Variable of the environment that holds the key; the key itself is never written."""
    logprobs: bool = False
    available: str = ""
    also: tuple[str, ...] = ()
    """For a reference: more models of its kind, taught on other answers; probabilities are averaged over all."""


class BudgetPlan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The plan's table on what may be asked, for the whole examination."""

    queries: int = 1_000
    tokens: int = 1_000_000


class TestPlan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One of `[[tests]]`."""

    id: str
    exam: str
    samples: int
    family: int = 1
    secrets: str = ""
    groups: tuple[str, ...] = ()
    probes: str = ""
    """JSON lines of what to ask, beside the plan; left out where nothing is asked, or the exam brings its own."""
    parameters: dict[str, Any] = msgspec.field(default_factory=dict)


class Plan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file."""

    question: str
    suspect: SuspectPlan
    tests: tuple[TestPlan, ...]
    alpha: str = "1e-6"
    reference: SuspectPlan | None = None
    budget: BudgetPlan = BudgetPlan()
    tokenizer: str = ""
    """Of the model that was marked: a `tokenizer.json` or `.gguf`; without it suspects must give token ids."""
    terms: dict[str, Any] = msgspec.field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanAsk:
    """What a person asks."""

    plan: Path
    out: Path
    """New folder of the examination."""
    state: Path
    """Folder with the ledger."""
    authority: str
    """`owner`, `contract` or `court`."""
    reference: str
    """Of that authority: what a lawyer can look up."""
    by: str
    extra: Mapping[str, str] = field(default_factory=dict)


def plan(ask: PlanAsk) -> Examination:
    """Read a plan, sign the protocol that it makes, and begin the examination's folder.

    Raises:
        StillwatchError: the plan is not sound, or folder or ledger refuses.
    """
    raw = _bytes(ask.plan)
    read = read_plan(raw, ask.plan.name)
    probes = {test.id: _probes(ask.plan.parent, test) for test in read.tests}
    done = begin(ask.state, ask.out, _protocol(read, ask, raw, probes))
    write(ask.out, PLAN, raw)
    for name, content in probes.items():
        if content:
            write(ask.out, f"{PROBES_FOLDER}/{name}.jsonl", content)
    return done


def read_plan(raw: bytes, name: str) -> Plan:
    """Return a plan.

    Raises:
        StillwatchError: it is no such file; what is wrong is named, nothing of it is repeated.
    """
    try:
        found = msgspec.convert(tomllib.loads(raw.decode("utf-8")), Plan)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise StillwatchError(f"plan {name}: is no TOML file ({problem}).") from None
    except msgspec.ValidationError as problem:
        raise StillwatchError(f"plan {name}: {problem}. See docs/howto/examine.md for a plan that is whole.") from None
    for one in (found.suspect, *([found.reference] if found.reference else [])):
        if one.kind not in SUSPECTS:
            raise StillwatchError(f"plan {name}, kind = {one.kind!r}: must be one of {', '.join(SUSPECTS)}.")
    for test in found.tests:
        if not is_plain(test.id) or "/" in test.id:
            raise StillwatchError(
                f"plan {name}, tests.id = {test.id[:40]!r}: must be letters, digits, dots, dashes and underscores; "
                "files are named after it."
            )
    if found.reference is not None and found.reference.kind != "model":
        raise StillwatchError(f"plan {name}, reference.kind = {found.reference.kind!r}: must be `model`.")
    return found


def named_materials(test: TestPlan) -> dict[str, Value]:
    """Return a test's parameters with the name of every material that was left out."""
    exam: Exam = EXAMS.get(test.exam)
    given: dict[str, Value] = {name: tuple(v) if isinstance(v, list) else v for name, v in test.parameters.items()}
    for need in exam.needs:
        if need.role == "seed":
            given.setdefault(need.parameter, SEED)
        elif not need.optional:
            ending = ".npz" if need.parameter == "logprobs" else _ENDING.get(need.role, ".jsonl")
            given.setdefault(need.parameter, f"{need.role}/{test.id}-{need.parameter}{ending}")
    return given


def _protocol(read: Plan, ask: PlanAsk, raw: bytes, probes: Mapping[str, bytes]) -> ExamProtocol:
    tests, hypotheses = [], {}
    for test in read.tests:
        exam: Exam = EXAMS.get(test.exam)
        parameters = named_materials(test) | ({PROBES_DIGEST: sha256(probes[test.id])} if probes[test.id] else {})
        parameters.setdefault("alpha", read.alpha)
        claim = f"The suspect learned from our answers, as {exam.name} shows it."
        hypotheses[exam.name] = Hypothesis(id=exam.name, null=exam.null, claim=claim)
        tests.append(
            PlannedTest(id=test.id, exam=exam.name, hypothesis=exam.name, statistic=exam.statistic, unit=exam.unit,
                        parameters=parameters, samples=test.samples, family=test.family, secrets=test.secrets,
                        groups=test.groups)
        )  # fmt: skip
    suspect = read.suspect
    access = "logprobs" if suspect.kind == "endpoint" and suspect.logprobs else ACCESS[suspect.kind]
    said = SuspectSaid(name=suspect.name or suspect.model or Path(suspect.where).name, access=access,
                       where=suspect.where, available=suspect.available)  # fmt: skip
    return ExamProtocol(
        question=read.question, suspect=said, hypotheses=tuple(hypotheses.values()), tests=tuple(tests),
        authority=Authority(kind=ask.authority, reference=ask.reference, by=ask.by), alpha=read.alpha,
        seed="", code=_code(raw), by=ask.by, made="",
        terms=msgspec.convert(read.terms, TermsSaid) if read.terms else TermsSaid(),
    )  # fmt: skip


def _code(raw: bytes) -> dict[str, str]:
    found = {name: version(name) for name in ("numpy", "scipy")}
    return {"stillwatch": __version__, "python": platform.python_version(), PLAN: sha256(raw), **found}


def _probes(folder: Path, test: TestPlan) -> bytes:
    if test.probes:
        return _bytes(folder / test.probes)
    if test.exam == "canary":
        rows: list[dict[str, object]] = [{"id": one["probe"], "prompt": one["ask"]} for one in canary_probes()]
    elif test.exam == "identity":
        rows = [{"id": f"q{i}", "prompt": question} for i, question in enumerate(PROBES)]
    else:
        return b""
    return b"".join(msgspec.json.encode(row) + b"\n" for row in rows)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as problem:
        raise StillwatchError(f"plan: {path.name}: {problem.strerror}.") from None
