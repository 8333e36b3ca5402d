"""Dossiers, scorecards and controls: what each says, and how far it was checked; never a material, never a text."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class DossierLine:
    """One dossier of the list."""

    name: str
    """Of its folder."""
    suspect: str
    made: str
    """ISO 8601 UTC, as it says."""
    by: str
    headline: str
    """The conclusion in a few words, as its own findings give it."""
    verdict: str
    """`shown`, `not shown`, `too little`; empty where it cannot be read."""
    alpha: str
    """Error rate that was promised, as the protocol spells it."""
    family: int
    """Hypotheses that Holm went over."""
    rejected: int
    problem: str = ""
    """Why it cannot be read; empty where it can."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DossierList:
    """Dossiers, newest first."""

    folder: str
    """Name of the setting that says where they lie."""
    set: bool
    """Whether there is such a folder, or one was named."""
    others: int
    """Entries of the folder that are no dossiers."""
    items: list[DossierLine]


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingLine:
    """One finding of a dossier."""

    test: str
    exam: str
    about: str
    """The suspect as such, or an account or campaign."""
    null: str
    statistic: str
    sample: str
    p: str
    """Empty for a bet, for triage, and for what was not counted."""
    p_adjusted: str
    """After Holm, and multiplied by the protocols on this suspect."""
    rejected: bool
    needs: str
    """What it needed of the suspect, and how much it can tell with so many samples."""
    limits: str
    skipped: str
    """Why it does not count; empty where it does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SealState:
    """Whether the files of a dossier are those that were sealed."""

    state: str
    """`holds`, `broken`, or `not checked` where it is too large for a page."""
    key: str
    """Fingerprint of the key that sealed it."""
    own: bool
    """Whether that is the key of this state folder's ledger."""
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DossierPage:
    """One dossier."""

    line: DossierLine
    words: str
    """The conclusion in one sentence that claims no more than was computed."""
    question: str
    authority: str
    access: str
    where: str
    attempts: int
    protocols: int
    """Protocols that may have been about this suspect; every p-value was multiplied by it."""
    timestamps: list[str]
    """Third parties' times and names."""
    findings: list[FindingLine]
    limits: list[str]
    seal: SealState
    verify: str
    """The command that computes every number again."""
    files: list[str]
    """What can be fetched: pages and records, no material."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScorecardLine:
    """One scorecard of the list."""

    id: str
    """12 hex digits that stand for its path."""
    name: str
    """Path of its folder."""
    plan: str
    version: str
    """Of Stillwatch, that made it."""
    made: float
    rows: int
    waiting: int
    """Cells that are left for the next run."""
    words: list[str]
    """One sentence a task: what is kept without a defence, and whether the full one halves it."""
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScorecardList:
    """Scorecards of the lab, newest first."""

    folder: str
    set: bool
    items: list[ScorecardLine]


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ScorecardRow:
    """One attack on one defence, its mean over seeds."""

    task: str
    defence: str
    attack: str
    thief: str
    seeds: int
    retained: Interval | None
    """Share of the teacher's lead that the student keeps."""
    fidelity: Interval | None
    safeguards: Interval | None
    queries: float
    harvested: float
    stopped: str
    """Day on which the campaign was stopped; `never`, or `-` where nobody watched."""
    honest_points: Interval | None
    """Accuracy that honest users lose, percentage points; negative where they gain."""
    honest_refused: Interval | None
    honest_confidence: Interval | None
    proof: str
    """What an examiner would find on the student: the strongest exam with its p-value; `-` where none was tried."""
    exams: list[str]
    """Every exam of the student with its p-value, or why it could say nothing; over seeds the weakest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CostLine:
    """What a share of the lead costs the thief, dollars at the disclosed scale."""

    task: str
    retained: float
    answers: float
    undefended: float
    contained: float | None
    campaigns: float
    hidden: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ScorecardPage:
    """One scorecard."""

    line: ScorecardLine
    items: list[ScorecardRow]
    skipped: dict[str, str]
    """Task and attack -> why it could not be run."""
    notes: list[str]
    costs: list[CostLine]
    assumptions: list[str]
    files: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlLine:
    """One control that auditors cite, and what answers it here."""

    control: str
    name: str
    framework: str
    """With its release."""
    status: str
    capability: str
    state: str
    """`in force`, `shadow`, `off` or `gap`."""
    evidence: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class CompliancePage:
    """This installation held against controls; every mapping is ours."""

    read: str
    """Day on which the catalogue of controls was read."""
    states: dict[str, int]
    items: list[ControlLine]
