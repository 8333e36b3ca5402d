"""`stillwatch calibrate`, then `stillwatch scan --calibration`: files, exit codes, and what is said."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from stillwatch.cli import main
from stillwatch.lab.traffic import compose, demo_plan, load_corpus, write_litellm


def run(folder: Path, *arguments: str) -> Result:
    where = ["--state", str(folder / "state"), "--quiet"]
    return CliRunner().invoke(main, [*arguments, *where], catch_exceptions=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("logs")
    for seed in (1, 2):
        write_litellm(compose(demo_plan(seed), load_corpus(None)).exchanges, folder / f"{seed}.jsonl")
    done = run(folder, "calibrate", str(folder / "2.jsonl"), "--out", str(folder / "c.json"), "--json")
    assert done.exit_code == 0, done.output
    (folder / "told.json").write_text(done.stdout, encoding="utf-8")
    return folder


def test_calibrate_says_what_it_learnt_and_warns_of_thin_strata(folder: Path) -> None:
    told = json.loads((folder / "told.json").read_text(encoding="utf-8"))
    assert set(told["accounts"]) == {"chat", "batch", "agent"}
    assert any("agent" in warning and "fewer than 100" in warning for warning in told["warnings"])
    assert {row["combination"] for row in told["stability"][0]["false_alarms"]} == {"product", "average"}


def test_the_same_logs_and_seed_give_the_same_file_and_a_page_to_read(folder: Path) -> None:
    again = run(folder, "calibrate", str(folder / "2.jsonl"), "--out", str(folder / "again.json"))
    assert again.exit_code == 0
    assert "within an account" in again.stdout and "after 30 blocks" in again.stdout
    assert max(map(len, again.stdout.split("\nCalibration:")[0].splitlines())) <= 110
    assert (folder / "again.json").read_bytes() == (folder / "c.json").read_bytes()


def test_a_scan_with_it_says_so_finds_the_campaigns_and_counts_flags(folder: Path) -> None:
    logs, report = str(folder / "1.jsonl"), str(folder / "report")
    done = run(folder, "scan", logs, "--calibration", str(folder / "c.json"), "--out", report, "--json")
    assert done.exit_code == 1
    said = json.loads(done.stdout)
    assert said["run"]["calibrated"] is True
    assert said["run"]["figures"]["flagged"]["of"] == said["run"]["figures"]["accounts"]
    assert any("Compared with a calibration" in note for note in said["run"]["notes"])
    assert {e["scenario"] for e in said["campaigns"][0]["evidence"]} >= {"S1", "S3", "S6", "S10", "S13"}


def test_a_damaged_file_stops_the_scan_before_it_reads(folder: Path) -> None:
    (folder / "bad.json").write_text("{}", encoding="utf-8")
    done = run(folder, "scan", str(folder / "1.jsonl"), "--calibration", str(folder / "bad.json"))
    assert done.exit_code == 2
    assert "bad.json: calibration: damaged" in done.stderr and "stillwatch calibrate" in done.stderr
