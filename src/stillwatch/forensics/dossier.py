"""What a dossier says beside protocol, findings and materials: one frozen record of which its pages are made.

In: nothing. Out: `DossierFacts` and its parts. All of it is text or whole numbers, so that it has one canonical form.
Left to `app.dossier`: putting it together. Left to `app.dossiercheck`: holding it against the files.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from stillwatch.forensics.conclusion import Conclusion

DOSSIER_VERSION: Final = 1
LIMITS: Final = (
    "A p-value is the chance of such findings if the null holds. It is not the chance that the suspect is innocent.",
    "The findings speak of the texts and answers examined, which are given by digest. That these came from the suspect "
    "rests on the acquisition log and on the person who signed it.",
    "A third party who held the provider's marked answers could have trained the suspect on them. A mark shows whose "
    "answers were learned from, not who asked for them, unless an account's own key or canary is found.",
    "Who planned the protocol may have asked the suspect before. Secrets that could be picked are counted; tests "
    "that could have been planned instead are not.",
    "Where no third party stamped the ledger, its dates are the provider's own word.",
    "What an examination does not show is not shown to be absent.",
)
"""Limits of every dossier; findings add their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Custody:
    """Who held or made something, and when."""

    at: str
    """ISO 8601 UTC."""
    by: str
    what: str
    sha256: str
    """Of what was held or made; empty where it has no digest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One measure by which the provider protects the model."""

    name: str
    state: str
    """What is in force, in words."""
    source: str
    """Where it is set or measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorRate:
    """What is promised of a procedure, and what was measured of it."""

    what: str
    promised: str
    """A decimal, like the next two; empty where there is none."""
    measured: str
    upper: str
    """Upper end of the 95 % interval."""
    n: int
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """What a third party said of when a checkpoint was there."""

    size: int
    """Entries of the ledger that the checkpoint covers."""
    at: str
    by: str
    file: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerSaid:
    """The ledger as the dossier shows it."""

    origin: str
    fingerprint: str
    """SHA-256 of the public key's 32 bytes."""
    size: int
    root: str
    protocol_index: int
    committed: Mapping[str, int]
    """Entries before the protocol commit to so many secrets, by kind."""
    attempts: int
    protocols: int
    """Protocols that may have been about this suspect, this one included."""
    timed: tuple[Timed, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DossierFacts:
    """Everything the pages say beside protocol, findings and acquisition."""

    version: int = DOSSIER_VERSION
    made: str
    by: str
    conclusion: Conclusion
    ledger: LedgerSaid
    error_rates: tuple[ErrorRate, ...]
    limits: tuple[str, ...]
    custody: tuple[Custody, ...]
    measures: tuple[Measure, ...]
    environment: Mapping[str, str]
    packages_sha256: str
    """Of `environment/packages.txt`, every library with its version."""
