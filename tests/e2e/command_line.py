"""The real `stillwatch` in a process of its own, and logs for it to read.

A command runs with its own home, temporary and working folder, so that a test sees every file it makes.
"""

import contextlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

import stillwatch
from stillwatch.cli import main
from stillwatch.lab.traffic import CampaignPlan, Traffic, TrafficPlan, compose, load_corpus
from stillwatch.terms.exchange import Exchange

PROGRAM = (sys.executable, "-c", "from stillwatch.cli import main; main()")
START = 1_767_571_200.0


@dataclass(frozen=True)
class Place:
    """A folder that a command may write to, with all that it wrote."""

    folder: Path

    def start(self, *words: str | Path) -> subprocess.Popen[bytes]:
        """Start the command and return it running."""
        for name in ("home", "tmp"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        return subprocess.Popen(self.command(*words), cwd=self.folder, env=self.environment(), stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE)  # fmt: skip

    def command(self, *words: str | Path) -> list[str]:
        """Return the words that start the command in a process."""
        return [*PROGRAM, *map(str, words)]

    def environment(self) -> dict[str, str]:
        """Return what such a process finds around it."""
        source = str(Path(stillwatch.__file__).parents[1])
        env = {k: v for k, v in os.environ.items() if not k.startswith("STILLWATCH")}
        env |= {"PYTHONPATH": source, "HOME": str(self.folder / "home"), "TMPDIR": str(self.folder / "tmp"),
                "PYTHONUTF8": "1", "COLUMNS": "100"}  # fmt: skip
        return env

    def run(self, *words: str | Path) -> subprocess.CompletedProcess[bytes]:
        """Run the command to its end."""
        process = self.start(*words)
        out, err = process.communicate(timeout=120)
        assert b"Traceback" not in err, err.decode(errors="replace")
        return subprocess.CompletedProcess(words, process.returncode, out, err)

    def run_here(self, *words: str) -> Result:
        """Run the command in this process, which saves a second of imports."""
        env = {name: None for name in os.environ if name.startswith("STILLWATCH")} | {"COLUMNS": "100"}
        with contextlib.chdir(self.folder):
            done = CliRunner().invoke(main, [*words], prog_name="stillwatch", env=env)
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done

    def scan(self, *words: str | Path, code: int | None = None) -> dict[str, Any]:
        """Scan and return what `--json` prints; the exit code must be `code` where one is given."""
        done = self.run_here("scan", *map(str, words), "--json")
        assert code is None or done.exit_code == code, (done.exit_code, done.stderr)
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def quarantined(self) -> list[dict[str, Any]]:
        """Return every row of every quarantine file."""
        files = sorted((self.folder / ".stillwatch").rglob("*.bad.jsonl"))
        return [json.loads(line) for file in files for line in file.read_bytes().splitlines()]


@cache
def traffic() -> Traffic:
    """Return five days of a hundred honest accounts, and one campaign of seventy."""
    campaign = CampaignPlan(preset="reasoning", accounts=70, requests=18, evasion="E0", start_day=0.5, days=4.0)
    plan = TrafficPlan(seed=3, honest=100, campaigns=(campaign,), days=5.0, chat_requests=16, job_requests=40)
    return compose(plan, load_corpus(None))


def members() -> set[str]:
    """Return the names of the campaign's accounts."""
    return {name for name, truth in traffic().truth.items() if truth.campaign is not None}


def honest() -> list[Exchange]:
    """Return what the honest accounts sent."""
    hostile = members()
    return [exchange for exchange in traffic().exchanges if exchange.account not in hostile]


def pair(account: str, number: int, **more: Any) -> dict[str, Any]:
    """Return one OpenAI request with its answer, told apart by `number`."""
    row = {
        "timestamp": datetime.fromtimestamp(START + 600.0 * number, UTC).isoformat(),
        "user_id": account,
        "request": {"model": "m", "messages": [{"role": "user", "content": f"How heavy is stone number {number}?"}]},
        "response": {
            "object": "chat.completion",
            "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Ask it."}}],
            "usage": {"prompt_tokens": 9, "completion_tokens": 3},
        },
    }
    return {**row, **more}


def write_rows(path: Path, rows: list[Any]) -> Path:
    """Write rows as JSONL; texts and bytes are written as they are."""
    lines = [row if isinstance(row, bytes) else json.dumps(row).encode() for row in rows]
    path.write_bytes(b"\n".join(lines) + b"\n")
    return path


def verdicts(found: dict[str, Any]) -> dict[str, Any]:
    """Return the part of a scan's JSON that must not change when it is run again."""
    return {key: found[key] for key in ("campaigns", "candidates", "accused", "closest", "headline")}
