"""Put measured tables into RESULTS.md, between two marks, under the command, seed and commit that made them.

In: Markdown. Out: the page, rewritten between the marks; what people wrote around them stays.
"""

import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Final

PAGE: Final = Path(__file__).with_name("RESULTS.md")
BEGIN: Final = "<!-- measured: begin -->"
END: Final = "<!-- measured: end -->"


def write(tables: str, seed: int, page: Path = PAGE) -> None:
    """Replace what stands between the marks of `page`.

    Raises:
        SystemExit: the marks are missing.
    """
    put(f"{_source(seed)}\n\n{tables}", (BEGIN, END), page)


def put(text: str, marks: tuple[str, str], page: Path = PAGE) -> None:
    """Replace what stands between two marks of `page`.

    Raises:
        SystemExit: the marks are missing.
    """
    before, begin, rest = page.read_text(encoding="utf-8").partition(marks[0])
    _, end, after = rest.partition(marks[1])
    if not (begin and end):
        raise SystemExit(f"{page.name}: needs the lines {marks[0]} and {marks[1]}; put them where the tables belong.")
    page.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}", encoding="utf-8")


def _source(seed: int) -> str:
    given = [Path(value).name if os.sep in value else value for value in sys.argv[1:]]
    data = "packaged sample" if "--quick" in given else "data folder" if _folder() else "packaged sample"
    return (
        f"Command: `python -m bench {' '.join(given)}`; first seed {seed}; commit {commit()}; texts: {data}.\n"
        f"Machine: {os.cpu_count()} cores shared with other work, {platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}."
    )


def _folder() -> bool:
    return "STILLWATCH_DATA" in os.environ or "--data" in sys.argv


def commit(page: Path = PAGE) -> str:
    """Return the commit, and whether the package was changed since."""
    asked = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=page.parent, capture_output=True, text=True, check=False
    )
    changed = subprocess.run(
        ["git", "status", "--porcelain", ":/src"], cwd=page.parent, capture_output=True, text=True, check=False
    )
    return (asked.stdout.strip() or "unknown") + (", with changes to src not yet committed" if changed.stdout else "")
