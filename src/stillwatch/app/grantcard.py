"""Model cards of licensed students: what was trained, under which grant, signed by who gave it.

In: a student's file, a grant, what is said of the student. Out: a DSSE envelope around an in-toto statement about the
file's digest, signed with the provider's key of grants; and, read again with the public half, what it says.
Whoever meets the student later can tell a licensed one from a stolen one: by digest for the file itself, by the mark of
the grant for what was made from its answers.
Left to `ledger.envelope`: the form. Left to `grants`: the grant.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from stillwatch.app.control import Book
from stillwatch.app.grantkeys import issuer_key
from stillwatch.app.grants import find_grant
from stillwatch.ledger.envelope import opened, sealed, statement
from stillwatch.ledger.signing import PublicKey, SigningKey
from stillwatch.terms.errors import StillwatchError

KIND: Final = "model-card/v1"


def sign_card(book: Book, state: Path, grant: str, student: Path, about: Mapping[str, str]) -> bytes:
    """Return the signed card of a student.

    Args:
        book: The control records.
        state: The state folder, whose master key signs.
        grant: Id of the grant that it was trained under.
        student: Its file, of which the digest is taken.
        about: What is said of it, in words, such as the task and its score.

    Raises:
        StillwatchError: there is no such grant, nothing was used of it, or the file cannot be read.
    """
    record = find_grant(book, grant)
    used = book.grant_use().get(record.id, 0)
    if used <= 0:
        raise StillwatchError(f"grant {record.id}: no token of it was used yet, so no student was trained under it.")
    says = {
        "grant": record.id, "organisation": record.organisation, "models": list(record.models),
        "purposes": list(record.purposes), "student_parameters_max": record.student_parameters,
        "redistribution": record.redistribution, "mark_owner": record.owner, "tokens_used": used,
        "tokens_granted": record.tokens, "about": dict(about),
    }  # fmt: skip
    return sealed(statement({student.name: _digest(student)}, KIND, says), SigningKey(issuer_key(state)))


def read_card(card: bytes, provider: PublicKey, student: Path | None) -> Mapping[str, Any]:
    """Return what a card says, once its signature holds and the student's file, where given, is the one it names.

    Raises:
        StillwatchError: another key signed it, it was altered, or the file is another one.
    """
    said = opened(card, provider, KIND)
    if student is not None:
        wanted = {subject.digest["sha256"] for subject in said.subject}
        if _digest(student) not in wanted:
            raise StillwatchError(f"file {student}: is not the student that the card speaks of; its digest is another.")
    return said.predicate


def provider_key(state: Path) -> PublicKey:
    """Return the public key that this provider's cards are checked with."""
    return SigningKey(issuer_key(state)).public


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:  # a student may be larger than memory
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as problem:
        raise StillwatchError(f"file {path}: cannot be read ({problem.strerror}).") from None
