"""Logs reduced to an event file, then scanned: the same campaigns as a scan of the logs themselves."""

from pathlib import Path

import pytest

from stillwatch.lab.traffic import write_litellm
from tests.e2e.command_line import Place, traffic


@pytest.mark.parametrize("name", ["events.parquet", "events.jsonl.zst"])
def test_a_scan_of_reduced_logs_finds_what_a_scan_of_the_logs_finds(name: str, tmp_path: Path) -> None:
    place = Place(tmp_path)
    write_litellm(traffic().exchanges, place.folder / "log.jsonl.zst")
    logs = place.scan("log.jsonl.zst", code=1)
    done = place.run_here("logs", "reduce", "log.jsonl.zst", "--out", name)
    assert done.exit_code == 0 and f"{len(traffic().exchanges):,} good, 0 bad" in done.stdout
    found = place.scan(name, "--out", "second", code=1)
    sizes = [(len(c["accounts"]), c["requests"], c["log_e"]) for c in logs["campaigns"]]
    assert [(len(c["accounts"]), c["requests"], c["log_e"]) for c in found["campaigns"]] == sizes != []
    assert all(account.startswith("#") for c in found["campaigns"] for account in c["accounts"])
    assert found["run"]["inputs"][0]["importer"] == "events"
    assert place.run_here("scan", name, "--out", "second").exit_code == 1
