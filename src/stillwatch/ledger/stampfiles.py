"""Timestamps beside the file that they are of: kept after they were checked, and checked again when they are read.

In: a file, an authority's answer and its root certificates. Out: `NAME.1.tsr` and `NAME.1.pem` beside it, and what
each says. Each is checked twice: by this package's libraries and, where there is one, by the `openssl` program.
Left to `stamps`: one check. Left to whoever reads: whether the authority is one to trust; compare its root.
"""

from dataclasses import dataclass
from pathlib import Path

from stillwatch.ledger import openssl, stamps
from stillwatch.terms.errors import StillwatchError


@dataclass(frozen=True, slots=True, kw_only=True)
class StampFile:
    """One timestamp of a file."""

    response: str
    """Name of the file with the authority's answer."""
    roots: str
    """Name of the file with its certificates."""
    at: str
    """What it states, ISO 8601 UTC; empty where it does not hold."""
    by: str
    by_openssl: bool
    """Whether the `openssl` program agreed; False also where there is none."""
    problem: str = ""
    """Why it does not hold; empty where it does."""


def keep_stamp(path: Path, response: bytes, roots: bytes) -> StampFile:
    """Check an authority's answer on a file and keep it beside the file.

    Raises:
        StillwatchError: it does not hold; nothing is kept.
    """
    stamps.check(response, path.read_bytes(), stamps.read_roots(roots))
    number = 1
    while path.with_name(f"{path.name}.{number}.tsr").exists():
        number += 1
    answer, certificates = path.with_name(f"{path.name}.{number}.tsr"), path.with_name(f"{path.name}.{number}.pem")
    certificates.write_bytes(stamps.plain_roots(roots))
    answer.write_bytes(response)
    found = stamp_file(path, answer)
    if found.problem:
        answer.unlink()
        certificates.unlink()
        raise StillwatchError(f"timestamp of {path.name}: {found.problem}.")
    return found


def stamp_files(path: Path) -> tuple[StampFile, ...]:
    """Return what lies beside a file, each checked anew."""
    return tuple(stamp_file(path, answer) for answer in sorted(path.parent.glob(f"{path.name}.*.tsr")))


def stamp_file(path: Path, answer: Path) -> StampFile:
    """Return what one timestamp of a file says, checked twice."""
    roots = answer.with_suffix(".pem")
    names = {"response": answer.name, "roots": roots.name}
    try:
        found = stamps.check(answer.read_bytes(), path.read_bytes(), stamps.read_roots(roots.read_bytes()))
    except OSError as problem:
        return StampFile(**names, at="", by="", by_openssl=False, problem=f"{answer.name}: {problem.strerror}")
    except StillwatchError as problem:
        return StampFile(**names, at="", by="", by_openssl=False, problem=str(problem))
    agreed = openssl.holds(openssl.stamp_command(path.name, answer.name, roots.name), path.parent)
    missed = openssl.present() and not agreed
    return StampFile(
        **names, at=found.at.strftime("%Y-%m-%dT%H:%M:%SZ"), by=found.by, by_openssl=agreed,
        problem="the openssl program does not agree" if missed else "",
    )  # fmt: skip
