"""Rule 9: each measured number in the README names the command, the seed and the commit that make it.

In: README.md. Out: blocks with a figure, in a section about measurements, that name no source.
A source is a comment in the section: `<!-- source: make bench SEED=1, commit 0123abc -->`. It covers
the blocks above it in its section. Elsewhere the README may state what is promised, not what was measured.
"""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tools.gates.rule import Outcome

MEASURED = re.compile(r"measured|results?\b|benchmarks?\b|figures|how well", re.IGNORECASE)
SOURCE = re.compile(r"<!--\s*source:\s*(?P<command>(?:make|stillwatch) [^,>]*)", re.IGNORECASE)
SEED = re.compile(r"seeds?[ =]*\d+", re.IGNORECASE)
COMMIT = re.compile(r"commit ([0-9a-f]{7,40})\b")


def check(root: Path) -> Outcome:
    """Read the README."""
    readme = root / "README.md"
    if not readme.exists():
        return Outcome(skipped="no README.md yet")
    findings, commits = sourceless(readme.read_text(encoding="utf-8"))
    findings += [f"README.md: commit {c} is not in this repository's history" for c in commits if _unknown(root, c)]
    return Outcome(findings=tuple(findings), note=f"{len(commits)} sources")


def sourceless(text: str) -> tuple[list[str], list[str]]:
    r"""Return what lacks a source, and the commits that the sources name.

    >>> sourceless("## Measured\n\nRecall is 91 %.\n")[0]
    ["README.md:3: 'Recall is 91 %.' has no source; follow it with <!-- source: COMMAND, seed N, commit HASH -->"]
    """
    findings, commits = [], []
    for section in _measured_sections(text):
        waiting: list[tuple[int, str]] = []
        for line, block in _blocks(*section):
            source = SOURCE.search(block)
            if source:
                comment = block[source.start() :].split("-->")[0]
                commit = COMMIT.search(comment)
                if commit and SEED.search(comment):
                    commits.append(commit[1])
                    waiting.clear()
                    continue
                findings.append(f"README.md:{line}: a source must name a command, a seed and a commit")
                waiting.clear()
            elif re.search(r"\d", _prose(block)):
                waiting.append((line, block))
        findings += [
            f"README.md:{line}: {block.splitlines()[0][:60]!r} has no source; "
            "follow it with <!-- source: COMMAND, seed N, commit HASH -->"
            for line, block in waiting
        ]
    return findings, commits


def _measured_sections(text: str) -> Iterator[tuple[int, list[str]]]:
    lines, start, measured = text.splitlines(), 0, False
    for index, line in enumerate([*lines, "# end"]):
        if re.match(r"#{1,6} ", line):
            if measured:
                yield start + 1, lines[start:index]
            start, measured = index, bool(MEASURED.search(line))


def _blocks(first: int, lines: list[str]) -> Iterator[tuple[int, str]]:
    block: list[str] = []
    for number, line in enumerate([*lines[1:], ""], start=first + 1):
        if line.strip():
            block.append(line)
        elif block:
            yield number - len(block), "\n".join(block)
            block = []


def _prose(block: str) -> str:
    """Return the block without code, link targets and comments, whose digits measure nothing."""
    return re.sub(r"`[^`]*`|\]\([^)]*\)|<!--.*?-->", "", block, flags=re.DOTALL)


def _unknown(root: Path, commit: str) -> bool:
    def git(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=False)

    if git("rev-parse", "--is-shallow-repository").stdout.strip() != "false":
        return False  # no repository, or not all of its history: nothing to hold the claim against
    return git("cat-file", "-e", f"{commit}^{{commit}}").returncode != 0
