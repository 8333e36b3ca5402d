"""The trail in the ledger, the dashboard's metrics, and the commands for people and tokens."""

import json
import re
from pathlib import Path

import pytest

from stillwatch.app.ledger import make_ledger
from stillwatch.app.trailledger import commit_trail, contradicted
from stillwatch.store import trail
from tests.console_rig import Rig, rigged
from tests.e2e.command_line import Place

ROOT = Path(__file__).parents[3]


def test_a_trail_that_was_made_anew_is_contradicted_by_the_ledger(tmp_path: Path) -> None:
    with rigged(tmp_path) as rig:
        people = rig.state.people
        assert commit_trail(people, tmp_path) is None, "no ledger, nothing to tell"
        make_ledger(tmp_path)
        index = commit_trail(people, tmp_path)
        assert index is not None and commit_trail(people, tmp_path) is None, "told once while nothing changes"
        rig.signed_in("analyst").send("/decide", subject=rig.member(), verb="dismiss", reason="r", kind="account")
        later = commit_trail(people, tmp_path)
        assert later is not None and later > index and contradicted(people, tmp_path) is None
        assert f"entry {later}" in rig.signed_in("viewer").get("/trail")
        _make_anew(rig)
        assert people.trail_broken() is None, "its own chain holds"
        assert contradicted(people, tmp_path) == index


def _make_anew(rig: Rig) -> None:
    """Do what the file's owner could: change an entry, and seal everything after it again."""
    run = rig.state.book.rows
    run("DROP TRIGGER trail_sealed")
    run("UPDATE trail SET subject = 'nobody' WHERE number = 2")
    before = trail.START
    for entry in reversed(trail.entries(run, limit=10_000)):
        made = trail.digest_of(type(entry)(**{**{n: getattr(entry, n) for n in entry.__slots__}, "before": before}))
        run("UPDATE trail SET before = ?, digest = ? WHERE number = ?", (before, made, entry.number))
        before = made


def test_people_and_tokens_are_kept_from_the_command_line(tmp_path: Path) -> None:
    place = Place(tmp_path)
    done = place.run_here("console", "users", "add", "ada", "--role", "admin", "--no-password")
    assert done.exit_code == 0 and "ada is added: admin." in done.stdout
    assert place.run_here("console", "users", "add", "bo", "--no-password").exit_code == 0
    assert "bo is changed: analyst." in place.run_here("console", "users", "role", "bo", "analyst").stdout
    made = json.loads(place.run_here("console", "tokens", "make", "bo", "--role", "analyst", "--json").stdout)
    assert made["secret"].startswith("swc_") and made["role"] == "analyst"
    refused = place.run_here("console", "tokens", "make", "bo", "--role", "admin")
    assert refused.exit_code == 2 and "above bo's own" in refused.stderr
    assert place.run_here("console", "users", "disable", "ada").exit_code == 2, "the last admin"
    assert place.run_here("console", "users", "disable", "bo").exit_code == 0
    listed = place.run_here("console", "tokens", "list").stdout
    assert "ended" in listed and made["secret"] not in listed
    checked = place.run_here("console", "audit", "--check")
    assert checked.exit_code == 0 and "the chain holds" in checked.stdout
    trail_told = place.run_here("console", "audit", "--json").stdout
    assert made["secret"] not in trail_told
    assert all(entry["by"].startswith("system user ") for entry in json.loads(trail_told))
    kept = b"".join(p.read_bytes() for p in (tmp_path / ".stillwatch").rglob("*") if p.is_file())
    assert made["secret"].encode() not in kept


@pytest.mark.parametrize("name", ["grafana-gateway.json"])
def test_the_dashboard_asks_for_metrics_that_there_are(name: str) -> None:
    board = json.loads((ROOT / "deploy" / name).read_text())
    asked = {m for p in board["panels"] for t in p["targets"] for m in re.findall(r"stillwatch_\w+", t["expr"])}
    page = (ROOT / "docs" / "reference" / "gateway.md").read_text()
    source = " ".join(p.read_text() for p in (ROOT / "src/stillwatch").glob("gateway/*.py"))
    source += (ROOT / "src/stillwatch/app/admin.py").read_text()
    for metric in asked:
        short = re.sub(r"^stillwatch_(gateway_)?", "", metric).removesuffix("_bucket").removesuffix("_total")
        parts = short.removeprefix("watcher_").removeprefix("spool_")
        assert parts in source or metric in page, metric
