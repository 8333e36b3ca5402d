"""`stillwatch scan` on composed traffic: campaigns found, nobody else named, the same answer every time."""

import csv
import json
import os
import shutil
import signal
import time
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from stillwatch.lab.traffic import write_litellm, write_openai
from tests.e2e.command_line import Place, honest, members, traffic, verdicts


@pytest.fixture(scope="module")
def scanned(tmp_path_factory: pytest.TempPathFactory) -> tuple[Place, dict[str, Any]]:
    place = Place(tmp_path_factory.mktemp("scanned"))
    write_litellm(traffic().exchanges, place.folder / "log.jsonl.zst")
    return place, place.scan("log.jsonl.zst", code=1)


def assert_campaign_found(found: dict[str, Any]) -> None:
    accused = {item["account"] for item in found["accused"]}
    assert len(accused & members()) >= 0.85 * len(members())
    assert not accused - members(), "somebody honest was accused"
    assert accused == {name for campaign in found["campaigns"] for name in campaign["accounts"]}


def test_the_json_names_campaigns_and_accused_as_the_input_does(scanned: tuple[Place, dict[str, Any]]) -> None:
    _, found = scanned
    assert_campaign_found(found)
    sent = {x.account: 0 for x in traffic().exchanges}
    for exchange in traffic().exchanges:
        sent[exchange.account] += 1
    for campaign in found["campaigns"]:
        assert {"id", "accounts", "requests", "first_seen", "last_seen", "log_e", "receipt"} <= campaign.keys()
        assert campaign["requests"] == sum(sent[name] for name in campaign["accounts"])
        first, last = (datetime.fromisoformat(campaign[key]) for key in ("first_seen", "last_seen"))
        times = [x.time for x in traffic().exchanges if x.account in campaign["accounts"]]
        assert (first.timestamp(), last.timestamp()) == pytest.approx((min(times), max(times)), abs=60)
        assert campaign["log_e"] >= campaign["threshold"] > 0 and len(campaign["receipt"]) == 32
    ids = {campaign["id"]: campaign["log_e"] for campaign in found["campaigns"]}
    assert all(item["campaign"] in ids and item["log_e"] == ids[item["campaign"]] for item in found["accused"])
    assert found["title"] == "Scan of log.jsonl.zst"
    assert found["run"]["inputs"][0] | {"rows": 0, "good": 0} == {
        "path": "log.jsonl.zst", "importer": "litellm", "rows": 0, "good": 0, "bad": 0, "reasons": {}, "quarantine": "",
    }  # fmt: skip


def test_the_report_folder_says_the_same_as_the_json(scanned: tuple[Place, dict[str, Any]]) -> None:
    place, found = scanned
    out = place.folder / "stillwatch-report"
    assert json.loads((out / "report.json").read_bytes()) == found
    rows = list(csv.DictReader((out / "accounts.csv").read_text().splitlines()))
    assert {row["account"] for row in rows if row["accused"] == "true"} == {a["account"] for a in found["accused"]}
    page = (out / "report.html").read_text()
    assert all(campaign["id"] in page and campaign["receipt"] in page for campaign in found["campaigns"])


def test_the_same_scan_again_reads_nothing_and_says_the_same(scanned: tuple[Place, dict[str, Any]]) -> None:
    place, found = scanned
    files = sorted((place.folder / ".stillwatch").rglob("*.json"))
    before = [file.stat().st_mtime_ns for file in files]
    assert files
    again = place.scan("log.jsonl.zst", code=1)
    assert verdicts(again) == verdicts(found)
    assert sorted((place.folder / ".stillwatch").rglob("*.json")) == files
    assert [file.stat().st_mtime_ns for file in files] == before, "a file was read again"


def test_the_summary_for_people_names_the_campaign_and_the_report(scanned: tuple[Place, dict[str, Any]]) -> None:
    place, found = scanned
    done = place.run("scan", "log.jsonl.zst")
    assert done.returncode == 1
    assert found["campaigns"][0]["id"] in done.stdout.decode()
    assert b"report.html" in done.stdout and b"\x1b" not in done.stdout and done.stderr == b""


def test_explain_speaks_of_campaigns_members_and_refuses_strangers(scanned: tuple[Place, dict[str, Any]]) -> None:
    place, found = scanned
    campaign = found["campaigns"][0]
    told = place.run("explain", campaign["id"])
    assert told.returncode == 0
    text = told.stdout.decode()
    assert campaign["receipt"] in text and all(name in text for name in campaign["accounts"])
    member = place.run("explain", campaign["accounts"][0])
    assert member.returncode == 0
    assert campaign["id"] in member.stdout.decode() and "not accused" not in member.stdout.decode().splitlines()[0]
    told_of = {name for c in found["campaigns"] for name in c["accounts"]} | {
        item["account"] for item in found["closest"]
    }
    quiet = next(x.account for x in traffic().exchanges if x.account not in told_of)
    unheld = place.run("explain", quiet)
    assert unheld.returncode == 0 and b"not accused" in unheld.stdout.splitlines()[0]
    sent = sum(x.account == quiet for x in traffic().exchanges)
    assert f"{sent} request" in unheld.stdout.decode() and b"nothing is held against it" in unheld.stdout
    assert place.run("explain", quiet, "--state", "elsewhere").returncode == 2
    assert not (place.folder / "elsewhere").exists(), "asking makes no key"
    near = campaign["accounts"][0][:-1] + "?"
    unknown = place.run("explain", near)
    assert unknown.returncode == 2 and unknown.stdout == b""
    assert near in unknown.stderr.decode() and campaign["accounts"][0] in unknown.stderr.decode()
    nowhere = place.run("explain", "x", "--out", "nowhere")
    assert nowhere.returncode == 2 and b"no report" in nowhere.stderr


def test_openai_pairs_packed_or_plain_give_the_campaign_too(tmp_path: Path) -> None:
    place = Place(tmp_path)
    (tmp_path / "logs").mkdir()
    half = len(traffic().exchanges) // 2
    write_openai(traffic().exchanges[:half], tmp_path / "logs" / "a.jsonl.gz")
    write_openai(traffic().exchanges[half:], tmp_path / "logs" / "b.jsonl")
    found = place.scan("logs", code=1)
    assert_campaign_found(found)
    assert {item["importer"] for item in found["run"]["inputs"]} == {"openai"}
    assert found["title"] == "Scan of 2 files in logs/"


def test_honest_traffic_ends_with_nothing_found(tmp_path: Path) -> None:
    place = Place(tmp_path)
    write_openai(honest(), tmp_path / "log.jsonl")
    found = place.scan("log.jsonl", code=0)
    assert found["campaigns"] == found["accused"] == []


def test_since_and_until_bound_what_is_read_and_are_scans_of_their_own(tmp_path: Path) -> None:
    place = Place(tmp_path)
    write_litellm(traffic().exchanges, tmp_path / "log.jsonl")
    times = [exchange.time for exchange in traffic().exchanges]
    day_two = "2026-01-06"
    start = datetime.fromisoformat(day_two + "T00:00+00:00").timestamp()
    late = place.scan("log.jsonl", "--since", day_two, "--until", "2026-01-08T12:00Z")
    inside = sum(start <= t < start + 2.5 * 86_400 for t in times)
    assert late["run"]["figures"]["events"] == inside < len(times)
    before = place.scan("log.jsonl", "--until", str(min(times)), code=0)
    assert before["run"]["figures"]["events"] == 0 and before["campaigns"] == []


def test_the_account_field_decides_who_is_judged(tmp_path: Path) -> None:
    place = Place(tmp_path)
    renamed = [replace(x, plan=f"team {x.account[::-1]}") for x in traffic().exchanges]
    write_litellm(renamed, tmp_path / "log.jsonl")
    found = place.scan("log.jsonl", "--account-field", "metadata.plan", code=1)
    accused = {item["account"] for item in found["accused"]}
    assert accused and accused <= {f"team {name[::-1]}" for name in members()}


def at_work(pid: int, state: Path) -> bool:
    """Return whether a process has the engine of a store in the state folder open: it is past its imports."""
    try:
        opened = [os.readlink(one) for one in Path(f"/proc/{pid}/fd").iterdir()]
        return any(one.startswith(str(state)) and "/clickhouse/" in one for one in opened)
    except OSError:
        return False


def test_a_scan_stopped_anywhere_goes_on_to_the_same_verdicts(
    scanned: tuple[Place, dict[str, Any]], tmp_path: Path
) -> None:
    whole, found = scanned
    place = Place(tmp_path)
    (tmp_path / ".stillwatch").mkdir()
    shutil.copy(whole.folder / "log.jsonl.zst", tmp_path)
    shutil.copy(whole.folder / ".stillwatch" / "master.key", tmp_path / ".stillwatch")
    # after the store was opened: while reading, and while judging
    for how, moment in ((signal.SIGKILL, 0.2), (signal.SIGINT, 0.3), (signal.SIGKILL, 0.7)):
        process = place.start("scan", "log.jsonl.zst", "--json")
        deadline = time.monotonic() + 30
        while not at_work(process.pid, tmp_path / ".stillwatch") and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(moment)
        process.send_signal(how)
        _, err = process.communicate(timeout=60)
        assert b"Traceback" not in err, err.decode()
    assert verdicts(place.scan("log.jsonl.zst", code=1)) == verdicts(found)
