"""Live verdicts are those of a scan up to the same moment, and are held under names that last."""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from stillwatch.app.livefolder import EventClock, LiveFolder, read_clock, shared_clock
from stillwatch.app.livejudge import judged_accounts, keep_ids
from stillwatch.app.notices import Notices
from stillwatch.app.report import read_report
from stillwatch.app.scan import ScanRequest, scan
from stillwatch.app.settings import Settings, load_settings
from stillwatch.app.state import master_key
from stillwatch.app.watch import Watcher
from stillwatch.app.watchconfig import WatchConfig
from stillwatch.app.watchstatus import STATUS_NAME, WatchStatus
from stillwatch.gateway.published import Published, read_published
from stillwatch.gateway.segmentfiles import SpoolConfig
from stillwatch.gateway.spool import SpoolWriter
from stillwatch.lab.traffic import write_openai
from stillwatch.logs.read import ReadOptions
from stillwatch.terms.action import Held
from stillwatch.terms.verdict import Campaign, Verdicts
from tests.e2e.command_line import members, traffic
from tests.served_calls import served_of

KEY = bytes(range(32))
HOURS = 3600.0


def settings() -> Settings:
    found = load_settings(None).changed("watch", settle_seconds=0.0, poll_seconds=0.02)
    return found.changed("policy", batch_seconds=0.001, jitter_seconds=0.0)


@dataclass
class Live:
    """A watcher in a thread, on traffic whose clock the test sets."""

    folder: LiveFolder

    def record(self, start: float, end: float) -> None:
        writer = SpoolWriter(self.folder.spool, KEY, "w0", SpoolConfig(write_seconds=0.0, segment_bytes=1 << 18))
        for exchange in sorted(traffic().exchanges, key=lambda x: hash((x.account, x.time))):  # out of order
            if start <= exchange.time < end:
                writer.record(served_of(exchange))
        writer.close()

    def watch(self, now: float, *, generation: int) -> Published:
        """Let a watcher work until it published this generation at event time `now`."""
        stop = threading.Event()
        clock = EventClock(origin=now, started=time.time(), factor=1.0)
        watcher = Watcher(self.folder, settings(), clock, KEY, Notices(role="watcher", as_json=True))
        thread = threading.Thread(target=watcher.run, args=(stop,))
        thread.start()
        try:
            give_up = time.monotonic() + 60.0
            while self.status().published_at == 0.0 or self.status().generation < generation:
                assert time.monotonic() < give_up and thread.is_alive()
                time.sleep(0.05)
                watcher.say()
        finally:
            stop.set()
            thread.join()
        return read_published(self.folder.published)

    def status(self) -> WatchStatus:
        try:
            return msgspec.json.decode((self.folder.run / STATUS_NAME).read_bytes(), type=WatchStatus)
        except FileNotFoundError:
            return WatchStatus()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Return a live gateway's judgements at the middle and at the end, and scans of the same calls till then."""
    place = tmp_path_factory.mktemp("world")
    live = Live(LiveFolder(place / "state").made())
    log = place / "log.jsonl"
    write_openai(traffic().exchanges, log)
    first, last = min(x.time for x in traffic().exchanges), max(x.time for x in traffic().exchanges)
    middle = first + 0.55 * (last - first)
    found: dict[str, Any] = {"live": live, "pages": [], "scans": [], "published": []}
    for number, (start, end) in enumerate([(first, middle), (middle - 1.0, last + 1.0)]):
        live.record(start, end)
        published = live.watch(end + 4 * HOURS if number else end, generation=number)
        found["published"].append(published)
        found["pages"].append(read_report(live.folder.report))
        (place / "other").mkdir(exist_ok=True)
        (place / "other" / "master.key").write_bytes(master_key(live.folder.state))
        request = ScanRequest(
            paths=(str(log),), state=place / "other", out=place / f"report-{number}", settings=settings(),
            reading=ReadOptions(until=published.judged_until),
        )  # fmt: skip
        found["scans"].append(scan(request, lambda _: None).report)
    yield found


@pytest.mark.parametrize("number", [0, 1])
def test_live_and_scan_until_the_same_block_agree(world: dict[str, Any], number: int) -> None:
    live, scanned = world["pages"][number], world["scans"][number]
    assert scanned.verdicts.campaigns, "nothing was found, so nothing was compared"
    named = {c.id: replace(c, id="") for c in live.verdicts.campaigns}
    assert list(named.values()) == [replace(c, id="") for c in scanned.verdicts.campaigns]
    assert [replace(a, campaign=None) for a in live.verdicts.accounts] == [
        replace(a, campaign=None) for a in scanned.verdicts.accounts
    ]
    apart = ("thresholds",)
    figures = ({k: v for k, v in r.verdicts.figures.items() if k not in apart} for r in (live, scanned))
    assert next(figures) == next(figures)
    assert live.names == scanned.names
    assert live.live and not scanned.live
    assert live.timeline.keys() - named.keys() == scanned.timeline.keys() - {c.id for c in scanned.verdicts.campaigns}


def test_the_last_block_that_is_over_is_judged_and_no_later_one(world: dict[str, Any]) -> None:
    for published in world["published"]:
        assert published.judged_until % 60.0 == 0.0
    last = max(x.time for x in traffic().exchanges)
    assert last < world["published"][1].judged_until <= last + 4 * HOURS + 120.0


def test_members_are_held_and_honest_accounts_are_not(world: dict[str, Any]) -> None:
    held = {name for name, one in world["published"][1].held.items() if one.accused}
    assert held == members()


def test_a_campaign_keeps_its_id_from_one_judgement_to_the_next(world: dict[str, Any]) -> None:
    before, after = world["published"]
    accused = {one.campaign for one in after.held.values() if one.accused}
    assert {one.campaign for one in before.held.values() if one.accused} == accused
    assert accused == {c.id for c in world["pages"][1].verdicts.campaigns if c.accused}


def test_counts_go_on_over_a_restart(world: dict[str, Any]) -> None:
    status = world["live"].status()
    assert status.exchanges >= len(traffic().exchanges)
    assert status.judgements == 2 and status.generation == 1
    assert status.lost == status.unreadable == status.judge_failures == 0
    assert sum(status.bad.values()) == 0


def test_nothing_of_the_traffic_is_in_the_state_folder(world: dict[str, Any]) -> None:
    texts = {m.text for x in traffic().exchanges for m in x.messages if len(m.text) > 30}
    content = b"".join(p.read_bytes() for p in world["live"].folder.state.rglob("*") if p.is_file())
    assert not [text for text in texts if text.encode() in content]


def campaign(name: str, accounts: tuple[int, ...], *, accused: bool = True) -> Campaign:
    return Campaign(
        id=name, accounts=accounts, account_log_e=(5.0,) * len(accounts), families=("content",), log_e=9.0, evidence=(),
        accused=accused, requests=1, first_seen=0.0, last_seen=1.0, tokens_in=0, tokens_out=0, harvest=1,
    )  # fmt: skip


def verdicts(*campaigns: Campaign) -> Verdicts:
    needed = {c.id: 6.0 for c in campaigns}
    return Verdicts(campaigns=campaigns, accounts=(), q=0.05, alpha=0.01, looked_at=1, calibrated=False,
                    notes=(), figures={"thresholds": needed})  # fmt: skip


def held(*pairs: tuple[int, str]) -> dict[str, Held]:
    return {
        f"a{n}": Held(account=f"a{n}", log_e=1.0, accused=True, campaign=c, since=0.0, effective=0.0, expires=9.0)
        for n, c in pairs
    }


NAMES = {n: f"a{n}" for n in range(100)}


def test_ids_follow_the_members_and_are_given_once() -> None:
    before = held(*((n, "old") for n in range(10)), *((n, "other") for n in range(10, 14)))
    found = keep_ids(verdicts(campaign("x", tuple(range(8))), campaign("y", (8, 9, 50, 51))), NAMES, before)
    assert [c.id for c in found.campaigns] == ["old", "y"], "one id is not given to two"
    assert found.figures["thresholds"] == {"old": 6.0, "y": 6.0}
    found = keep_ids(verdicts(campaign("x", (0, 1, 10, 11, 12))), NAMES, before)
    assert [c.id for c in found.campaigns] == ["other"]


def test_an_id_in_use_is_not_given_again() -> None:
    before = held((1, "x"), (2, "x"))
    found = keep_ids(verdicts(campaign("y", (1, 2)), campaign("x", (60, 61))), NAMES, before)
    assert sorted(c.id for c in found.campaigns) == ["x", "y"]


def test_an_account_is_said_once_by_its_strongest_accusation() -> None:
    strong, weak = campaign("s", (1, 2)), campaign("w", (2, 3), accused=False)
    found = judged_accounts(verdicts(strong, weak), NAMES)
    assert {name: (one.accused, one.campaign) for name, one in found.items()} == {
        "a1": (True, "s"), "a2": (True, "s"), "a3": (False, None),
    }  # fmt: skip
    assert all(one.threshold == 6.0 for one in found.values())


def test_accounts_without_a_name_are_not_published() -> None:
    assert judged_accounts(verdicts(campaign("s", (1, 200))), NAMES).keys() == {"a1"}


def test_the_event_clock_is_the_same_for_all_and_after_a_restart(tmp_path: Path) -> None:
    folder = LiveFolder(tmp_path).made()
    assert read_clock(folder) == EventClock()
    fast = WatchConfig(time_lapse=600.0, time_origin=1_767_571_200.0)
    clock = shared_clock(folder, fast, 100.0)
    assert clock.at(101.0) == 1_767_571_200.0 + 600.0
    assert shared_clock(folder, fast, 999.0) == read_clock(folder) == clock, "a restart goes on with the same clock"
    assert shared_clock(folder, WatchConfig(), 999.0).at(5.0) == 5.0
