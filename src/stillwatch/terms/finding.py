"""What one exam found, with all that a stranger needs to compute it again; and the port that computes it.

In: nothing. Out: frozen records. Real numbers are `terms.canon.exact` text, so that a dossier repeats to the last bit.
A finding is a function of a planned test and of materials (bytes by name) and of nothing else: no clock, no file, no
chance but what is drawn from the revealed seed. That is what `dossier verify` calls once more.
Left to `forensics.exams`: the exams. Left to `forensics.conclusion`: what they come to together.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from stillwatch.terms.protocol import PlannedTest, Value

KINDS: Final = ("mark", "canary", "withheld", "served", "errors", "provenance", "identity")
"""Kinds of evidence. Two kinds are independent in what could forge them; `identity` is triage and has no p-value."""
WHOLE: Final = "suspect"
"""Subject of a finding on the suspect as such and on no account or campaign."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """One thing that a finding was computed from."""

    name: str
    """Path below `materials/`, forward slashes, such as `answers/t1.jsonl`."""
    sha256: str
    size: int
    """Bytes."""
    role: str
    """`texts`, `transcript`, `controls`, `reference`, `served`, `reveal` (opened secrets), `seed`, `tokeniser`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Outcome of one exam for one subject."""

    test: str
    """Id of the planned test."""
    exam: str
    kind: str
    """One of `KINDS`."""
    subject: str = WHOLE
    """`WHOLE`, or the account or campaign that it is about."""
    null: str
    """In words."""
    statistic: str
    """In words."""
    observed: Mapping[str, Value] = field(default_factory=dict)
    """What was counted or computed, by name."""
    n: int
    """Sample size after repeats were removed; `unit` says of what."""
    unit: str
    log_p: str | None = None
    """Natural log of the p-value, `exact` text, finite and at most 0; None for nats, triage or a skipped exam."""
    nats: str | None = None
    """Natural log of the e-value of the bet that the protocol names, `exact` text."""
    least_log_p: str | None = None
    """What `log_p` could have been at most extreme with so many samples; tells too little from not shown."""
    power: str = ""
    """In words, such as `about 40,000 more tokens for p <= 1e-6`."""
    access: str
    """What it needed of the suspect: `texts`, `text`, `logprobs` or `weights`."""
    materials: tuple[Material, ...] = ()
    parameters: Mapping[str, Value] = field(default_factory=dict)
    """As used; equal to those planned."""
    limits: str = ""
    """What it cannot tell, in words."""
    skipped: str = ""
    """Why it was not run or does not count; empty where it does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Acquired:
    """One attempt to get something from a suspect, whether it worked or not."""

    n: int
    """From 1, without gaps."""
    at: str
    """When it ended, ISO 8601 UTC, whole seconds."""
    by: str
    tool: str
    """What asked, with its version."""
    test: str
    """Id of the planned test that it was for."""
    asked: int
    """Requests made, or texts taken."""
    answered: int
    material: str
    """Name of the material that came of it; empty where none did."""
    sha256: str
    """Of that material."""
    note: str = ""
    """What went wrong, without a prompt or an answer."""


class Exam(Protocol):
    """One forensic test; an entry of the catalogue of exams."""

    @property
    def name(self) -> str:
        """As protocol files spell it."""
        ...

    def find(self, test: PlannedTest, materials: Mapping[str, bytes]) -> tuple[Finding, ...]:
        """Return what the materials come to; the same for the same arguments, on every machine and day.

        Args:
            test: The test as planned.
            materials: Content of each material by name, opened secrets and the seed included.
        """
        ...
