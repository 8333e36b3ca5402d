"""The repository as the gates see it: its files, its modules, their syntax trees.

In: the root. Out: paths in a fixed order. Untracked files count, ignored ones do not.
"""

import ast
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CORE = ("terms", "stats", "sketch", "detect", "policy", "treatments", "forensics")
"""Rooms that do no I/O."""


def files(root: Path) -> list[Path]:
    """Return every file that is, or would be, committed; without git, every file that is not hidden."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if listed.returncode == 0:
        found = [root / name for name in listed.stdout.split("\0") if name]
    else:
        found = [p for p in root.rglob("*") if not any(part.startswith(".") for part in p.relative_to(root).parts)]
    return sorted(p for p in set(found) if p.is_file())


def modules(root: Path, *rooms: str) -> list[Path]:
    """Return the Python files of the package, or of some of its rooms only."""
    package = root / "src" / "stillwatch"
    tops = [package / room for room in rooms] if rooms else [package]
    return sorted(path for top in tops for path in top.rglob("*.py"))


def dotted(root: Path, path: Path) -> str:
    """Return the dotted name of a module of the package."""
    parts = path.relative_to(root / "src").with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def parse(path: Path) -> ast.Module:
    """Return the syntax tree of a file."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def where(root: Path, path: Path, line: int = 0) -> str:
    """Return `path:line` as a reader opens it, relative to the root."""
    name = path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()
    return f"{name}:{line}" if line else name
