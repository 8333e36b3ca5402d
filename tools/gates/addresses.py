"""No committed file knows the machine it was written on, and every requirement is pinned by hash.

In: the text of every committed file but packaged data. Out: paths of home folders, file addresses,
package hosts; requirements without an exact version and a hash.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from tools.gates.rule import Outcome
from tools.gates.tree import files, where

DATA = re.compile(r"(^|/)data/|\.(png|ico|woff2|gz|zst|parquet|npz)$")
"""Packaged data are other people's words and are not judged."""
# Bracketed letters keep this file from finding itself.
MACHINE = (
    (re.compile(r"[f]ile:///?\w"), "an address of a file on one machine"),
    (re.compile(r"(?<![\w.~<{}])/(?:[r]oot|[h]ome|[U]sers|[w]ork|[o]pt|[v]ar/tmp|[t]mp)/\w"), "a path of one machine"),
    (
        re.compile(r"[p]ythonhosted\.org|\b[p]ypi\.org|[r]egistry\.npmjs|[d]eb\.debian\.org"),
        "a package host",
    ),
    (re.compile(r"--(?:extra-)?[i]ndex-url|--[f]ind-links|--[t]rusted-host"), "an option that names a package host"),
)
ALLOWED = re.compile(r"--no-emit-(?:index-url|find-links)")


def check(root: Path) -> Outcome:
    """Read every committed text file and every lock file."""
    findings: list[str] = []
    for path in files(root):
        name = path.relative_to(root).as_posix()
        if DATA.search(name):
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        findings += [f"{where(root, path, line)}: holds {what}" for line, what in machine_marks(text)]
    locks = sorted((root / "requirements").glob("*.txt"))
    if not locks:
        findings.append("requirements/: holds no lock file; run `make lock`")
    for lock in locks:
        findings += [f"{where(root, lock)}: {what}" for what in unpinned(lock.read_text(encoding="utf-8"))]
    return Outcome(findings=tuple(findings), note=f"{len(locks)} lock files")


def machine_marks(text: str) -> Iterator[tuple[int, str]]:
    """Yield (line, what it holds) for each mark of a machine or a package host.

    >>> list(machine_marks("see ./shared/notes.md"))
    []
    """
    for number, line in enumerate(text.splitlines(), start=1):
        for pattern, what in MACHINE:
            if pattern.search(ALLOWED.sub("", line)):
                yield number, what


def unpinned(text: str) -> Iterator[str]:
    r"""Yield what is wrong with a lock file.

    >>> list(unpinned("six==1.17.0 \\\n    --hash=sha256:" + "0" * 64))
    []
    >>> list(unpinned("six>=1"))
    ["'six>=1': must be name==version with at least one sha256 hash"]
    """
    for entry in re.sub(r"\\\n", " ", text).splitlines():
        entry = entry.strip()
        if not entry or entry.startswith("#"):
            continue
        if "://" in entry or entry.startswith("-"):
            yield f"{entry[:40]!r}: a lock file holds names, versions and hashes only"
        elif not re.match(r"[A-Za-z0-9._-]+==\S+( ;[^#]*?)?\s+--hash=sha256:[0-9a-f]{64}", entry):
            yield f"{entry[:40]!r}: must be name==version with at least one sha256 hash"
