"""No text that passes through is kept or shown: canaries planted everywhere are found nowhere."""

import gzip
import subprocess
import time
from pathlib import Path

import pytest

from stillwatch.lab.traffic import write_litellm
from tests.conformance.importer_fixtures import MAPPING, SOURCES
from tests.e2e.canaries import (
    MARK,
    Planter,
    calls,
    from_every_importer,
    leaks,
    other_containers,
    with_everything,
    wrapped,
)
from tests.e2e.command_line import Place, members, traffic


def assert_silent(done: subprocess.CompletedProcess[bytes], planter: Planter) -> None:
    told = (done.stdout + done.stderr).decode(errors="replace").lower()
    said = [where for canary, where in planter.planted.items() if canary in told]
    assert MARK not in told, f"{done.args}: {said[:5]}"


def assert_clean(place: Place, logs: Path) -> None:
    assert leaks(place.folder, apart_from=logs) == []


def test_the_search_finds_a_canary_where_there_is_one(tmp_path: Path) -> None:
    (tmp_path / "a").write_text(f"x{MARK.upper()}1")
    (tmp_path / "b").write_bytes(gzip.compress(MARK.encode()))
    (tmp_path / "c").write_bytes(MARK.encode("utf-16"))
    assert leaks(tmp_path, apart_from=tmp_path / "logs") == ["a", "b", "c"]


def test_no_canary_is_left_by_any_importer_with_good_bad_and_broken_rows(tmp_path: Path) -> None:
    place, planter, logs = Place(tmp_path), Planter(), tmp_path / "logs"
    logs.mkdir()
    from_every_importer(logs, planter)
    with_everything(logs, planter)
    other_containers(logs, planter)
    done = place.run("scan", "logs", "--json")
    assert done.returncode == 3, "the damaged rows should be too many"
    assert_silent(done, planter)
    assert_silent(place.run("scan", "logs", "--max-bad", "1"), planter)
    assert_clean(place, logs)
    used = {path.name.split(".")[0] for path in logs.iterdir()}
    assert {name.replace(" ", "-") for name, source in SOURCES.items() if source[0] != "mapped"} <= used
    assert len(place.quarantined()) > 100 and len(planter.planted) > 2000
    for words in (["explain", "acct1"], ["explain", "nobody"]):
        assert_silent(place.run(*words), planter)


def test_no_canary_is_left_by_a_campaign_that_is_found_and_explained(tmp_path: Path) -> None:
    place, planter, logs = Place(tmp_path), Planter(), tmp_path / "logs"
    logs.mkdir()
    write_litellm(wrapped(traffic().exchanges, planter, members()), logs / "log.jsonl.zst")
    stopped = place.start("scan", "logs")
    time.sleep(1.2)
    stopped.kill()
    stopped.communicate()
    assert_clean(place, logs)
    done = place.run("scan", "logs")
    assert done.returncode == 1, "the campaign was not found, so less of the report was written"
    assert_silent(done, planter)
    for name in sorted(members())[:2]:
        assert_silent(place.run("explain", name), planter)
    assert_clean(place, logs)


@pytest.mark.parametrize("name", ["litellm payload", "plain csv"])
def test_no_canary_is_in_what_goes_wrong(name: str, tmp_path: Path) -> None:
    place, planter, logs = Place(tmp_path), Planter(), tmp_path / "logs"
    logs.mkdir()
    path = logs / "log"
    path.write_bytes(SOURCES[name][1](calls(planter, name, 6)))
    (logs / "mapping.toml").write_text(MAPPING)
    wrong = "anthropic" if name.startswith("litellm") else "litellm"
    for words in (
        ["--importer", wrong],
        ["--importer", "plain", "--account-field", "no.such.field"],
        ["--mapping", "logs/mapping.toml"],
    ):
        assert_silent(place.run("scan", "logs/log", "--max-bad", "0", *words), planter)
    assert_silent(place.run("logs", "map", "logs/log"), planter)
    assert_clean(place, logs)


def test_no_canary_is_left_by_a_mapped_log(tmp_path: Path) -> None:
    place, planter, logs = Place(tmp_path), Planter(), tmp_path / "logs"
    logs.mkdir()
    (logs / "log.csv").write_bytes(SOURCES["mapped csv"][1](calls(planter, "mapped")))
    (logs / "mapping.toml").write_text(MAPPING)
    assert_silent(place.run("scan", "logs/log.csv", "--mapping", "logs/mapping.toml"), planter)
    assert_clean(place, logs)
