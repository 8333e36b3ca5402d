"""Every example in the docs and in docstrings runs and prints what it says it prints."""

import doctest
import importlib
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
MODULES = [
    ".".join(path.relative_to(top).with_suffix("").parts).removesuffix(".__init__")
    for top, folder in ((ROOT / "src", ROOT / "src" / "stillwatch"), (ROOT, ROOT / "tools" / "gates"))
    for path in sorted(folder.rglob("*.py"))
    if path.stem != "__main__" and ">>>" in path.read_text(encoding="utf-8")
]
PAGES = [path for path in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))) if path.exists()]
WITH_PYTHON = [path for path in PAGES if ">>>" in path.read_text(encoding="utf-8")]
WITH_COMMANDS = [path for path in PAGES if "```console" in path.read_text(encoding="utf-8")]
CONSOLE = re.compile(r"^```console\n(.*?)^```", re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_run(name: str) -> None:
    result = doctest.testmod(importlib.import_module(name), optionflags=FLAGS)
    assert result.failed == 0, f"{result.failed} of {result.attempted} examples in {name} failed; see the output"


@pytest.mark.parametrize("page", WITH_PYTHON, ids=lambda page: page.name)
def test_python_examples_on_pages_run(page: Path) -> None:
    # A fence is no output: blank lines in its place keep the line numbers right.
    text = re.sub(r"^(```|~~~).*$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    example = doctest.DocTestParser().get_doctest(text, {}, page.name, str(page), 0)
    assert doctest.DocTestRunner(optionflags=FLAGS).run(example).failed == 0


@pytest.mark.parametrize("page", WITH_COMMANDS, ids=lambda page: page.name)
def test_commands_on_pages_run(page: Path, tmp_path: Path) -> None:
    blocks = CONSOLE.findall(page.read_text(encoding="utf-8"))
    steps = [step for block in blocks for step in _steps(block) if step[0].startswith("stillwatch ")]
    for command, expected_code, wanted in steps:
        done = _run(command, tmp_path)
        said = f"$ {command}\n{done.stdout}{done.stderr}"
        assert done.returncode == expected_code, f"exit code {done.returncode}, not {expected_code}\n{said}"
        if wanted:
            assert doctest.OutputChecker().check_output(wanted, done.stdout, FLAGS), f"must print:\n{wanted}\n{said}"


def _steps(block: str) -> list[tuple[str, int, str]]:
    """Return (command, exit code, expected output) for each `$` line of a console block."""
    steps: list[tuple[str, int, str]] = []
    for line in block.splitlines(keepends=True):
        if line.startswith("$ "):
            command, _, comment = line[2:].strip().partition("  #")
            code = re.search(r"exit (\d+)", comment)
            steps.append((command.strip(), int(code[1]) if code else 0, ""))
        elif steps:
            command, number, wanted = steps[-1]
            steps[-1] = (command, number, wanted + line)
    return steps


def _run(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "HOME": str(folder), "COLUMNS": "100"}
    program = [sys.executable, "-c", "from stillwatch.cli import main; main(prog_name='stillwatch')"]
    return subprocess.run(
        program + shlex.split(command)[1:], cwd=folder, env=environment, capture_output=True, text=True, timeout=300,
        stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip


def test_a_console_block_is_read_as_written() -> None:
    block = "$ stillwatch scan x.jsonl  # exit 1\none\n...\n$ make run\n"
    assert _steps(block) == [("stillwatch scan x.jsonl", 1, "one\n...\n"), ("make run", 0, "")]
