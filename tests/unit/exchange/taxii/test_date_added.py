"""Objects of equal time with writers at work: who reads on loses none and gets none twice."""

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stillwatch.exchange.stix.stamps import of_seconds, stamp
from stillwatch.exchange.taxii.envelope import read_item
from stillwatch.exchange.taxii.hub import Hub
from stillwatch.exchange.taxii.hubfile import HubFile
from stillwatch.exchange.taxii.limits import Limits
from stillwatch.exchange.taxii.members import Collection
from stillwatch.exchange.taxii.objects import Item
from tests.taxii_rig import NOW, indicator

WRITERS, ROUNDS, EACH, PAGE = 4, 10, 25, 17
WHOLE = WRITERS * ROUNDS * EACH


def opened(folder: Path) -> tuple[Hub, Collection]:
    hub = Hub(HubFile(folder / "hub.sqlite"), b"s" * 32, Limits(page_size=PAGE))
    hub.register.put_root("r", "R")
    return hub, hub.register.put_collection(Collection(root="r", id="c", title="C", policy="any"))


def items(start: int, count: int) -> list[Item]:
    found = [read_item(indicator(number)) for number in range(start, start + count)]
    return [item for item in found if isinstance(item, Item)]


def by_next(hub: Hub, where: Collection, state: dict[str, str]) -> list[str]:
    query = [("next", state["next"])] if state.get("next") else []
    if not query and state.get("last"):
        query = [("added_after", state["last"])]
    return _page(hub, where, query, state)


def by_time(hub: Hub, where: Collection, state: dict[str, str]) -> list[str]:
    return _page(hub, where, [("added_after", state["last"])] if state.get("last") else [], state)


def by_dropped_filters(hub: Hub, where: Collection, state: dict[str, str]) -> list[str]:
    """As a client does that moves `added_after` along and sends `next` with it."""
    query = [("added_after", state["last"])] if state.get("last") else []
    return _page(hub, where, [*query, *([("next", state["next"])] if state.get("next") else [])], state)


def _page(hub: Hub, where: Collection, query: list[tuple[str, str]], state: dict[str, str]) -> list[str]:
    reply = hub.objects(where, query)
    envelope: dict[str, Any] = json.loads(reply.body)
    state["next"] = envelope.get("next", "")
    state["last"] = reply.headers.get("X-TAXII-Date-Added-Last", state.get("last", ""))
    return [item["id"] for item in envelope.get("objects", [])]


@pytest.mark.parametrize("read", [by_next, by_time, by_dropped_filters])
def test_none_is_lost_and_none_doubled_while_others_write(
    tmp_path: Path, read: Callable[[Hub, Collection, dict[str, str]], list[str]]
) -> None:
    hub, where = opened(tmp_path)
    other = Hub(HubFile(tmp_path / "hub.sqlite"), b"s" * 32, Limits(page_size=PAGE))  # as another process would

    def write(writer: int) -> None:
        for turn in range(ROUNDS):
            mine = hub if writer % 2 else other
            with mine.file.writing():
                mine.shelf.add(where.number, items((writer * ROUNDS + turn) * EACH, EACH), NOW)  # one clock for all

    threads = [threading.Thread(target=write, args=(number,)) for number in range(WRITERS)]
    for thread in threads:
        thread.start()
    found: list[str] = []
    state: dict[str, str] = {}
    idle = 0
    while idle < 2:
        alive = any(thread.is_alive() for thread in threads)
        page = read(hub, where, state)
        found += page
        idle = 0 if page or alive else idle + 1
    for thread in threads:
        thread.join()
    assert len(found) == WHOLE and len(set(found)) == WHOLE
    hub.file.close()
    other.file.close()


def test_every_moment_is_given_out_once_and_grows_whatever_the_clock_does(tmp_path: Path) -> None:
    hub, where = opened(tmp_path)
    second = hub.register.put_collection(Collection(root="r", id="d", title="D", policy="any"))
    for number, clock in enumerate((NOW, NOW, NOW - 3600.0, NOW + 1.0, NOW)):
        with hub.file.writing():
            hub.shelf.add((where if number % 2 else second).number, items(number * 10, 10), clock)
    moments = [row[0] for row in hub.file.rows("SELECT added FROM objects ORDER BY rowid")]
    assert moments == sorted(set(moments)) and len(moments) == 50
    assert (
        moments[0] == of_seconds(NOW) and moments[29] == of_seconds(NOW) + 29 and moments[30] == of_seconds(NOW + 1.0)
    )
    assert stamp(moments[1]).endswith("000001Z")
    hub.file.close()


def test_a_change_that_fails_leaves_nothing(tmp_path: Path) -> None:
    hub, where = opened(tmp_path)
    with pytest.raises(RuntimeError), hub.file.writing():
        hub.shelf.add(where.number, items(0, 5), NOW)
        raise RuntimeError
    assert json.loads(hub.objects(where, []).body) == {}
    with hub.file.writing():
        hub.shelf.add(where.number, items(0, 5), NOW)
    assert len(json.loads(hub.objects(where, []).body)["objects"]) == 5
    hub.file.close()


def test_threads_that_come_and_go_leave_no_connection_behind(tmp_path: Path) -> None:
    hub, where = opened(tmp_path)
    for _ in range(30):
        thread = threading.Thread(target=hub.objects, args=(where, []))
        thread.start()
        thread.join()
    assert len(hub.file._free) == 1
    hub.file.close()
    assert hub.file._free == []
