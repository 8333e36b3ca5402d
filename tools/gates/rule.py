"""What a gate is: a promise in words and a function that looks for what breaks it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one gate found."""

    findings: tuple[str, ...] = ()
    """What breaks the promise; each names a file, what it holds and what it must hold."""
    note: str = ""
    """What a reader may want to know although nothing is broken."""
    skipped: str = ""
    """Why there was nothing to look at; empty when there was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One promise of the house and the gate that keeps it."""

    name: str
    promise: str
    check: Callable[[Path], Outcome]
    """Takes the root of the repository."""
