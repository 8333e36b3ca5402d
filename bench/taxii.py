"""The hub under load: 20,000 objects of equal time with writers at work, rates, and what a token set saves.

In: how many objects. Out: tables. Three readers page by 50 over HTTP while three processes write and one addition of
20,000 objects lands in a single transaction, all under one frozen clock: what is lost or doubled is counted, and the
exit code is 1 where anything is. Cost: about two minutes on a shared core.

Run: python -m bench.taxii [--objects 20000] [--quick] [--json]
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import stix2
import uvicorn
from yarl import URL

from bench.layout import table
from stillwatch.exchange.stix.tokensets import digest_of, pack, unpack
from stillwatch.exchange.stix.write import Author, Confirmed, campaign_of
from stillwatch.exchange.taxii.client import Reach, TaxiiClient
from stillwatch.exchange.taxii.envelope import read_item
from stillwatch.exchange.taxii.hub import Hub
from stillwatch.exchange.taxii.hubfile import HubFile
from stillwatch.exchange.taxii.identify import Doorkeeper
from stillwatch.exchange.taxii.intake import Intake
from stillwatch.exchange.taxii.limits import Limits
from stillwatch.exchange.taxii.members import Collection, Member, Rights, identity_of
from stillwatch.exchange.taxii.objects import Item
from stillwatch.exchange.taxii.server import Server
from stillwatch.terms.account import key_digest

NOW: Final = 1_800_000_000.0
WRITERS, BATCH, PAGE = 3, 50, 50
_PATIENCE: Final = 600
"""Readings in a row that bring nothing, a tenth of a second apart, before what is missing counts as lost."""
WIDE: Final = Limits(page_size=PAGE, max_page_size=1_000, objects_per_day=10**9, requests_per_minute=10**9,
                     objects_per_post=10**6, max_content_length=1 << 30)  # fmt: skip


def indicator(number: int) -> dict[str, Any]:
    """Return one of many alike."""
    at = "2026-11-30T00:00:00.000Z"
    return {"type": "indicator", "spec_version": "2.1", "id": f"indicator--{number:08x}-0000-4000-8000-000000000000",
            "created": at, "modified": at, "pattern": "[ipv4-addr:value = '192.0.2.1']", "pattern_type": "stix",
            "valid_from": at}  # fmt: skip


def opened(folder: Path) -> tuple[Hub, Collection]:
    """Open a hub with one collection, one member and no limits to speak of."""
    hub = Hub(HubFile(folder / "hub.sqlite"), b"s" * 32, WIDE)
    hub.register.put_root("r", "R")
    where = hub.register.put_collection(Collection(root="r", id="c", title="C", policy="any"))
    strict = hub.register.put_collection(Collection(root="r", id="w", title="W"))
    hub.register.put_member(Member(name="m", organisation="M", identity=identity_of("M"), created=0.0,
                                   digest=key_digest("k", b"d")))  # fmt: skip
    for number in (where.number, strict.number):
        hub.register.grant("m", number, Rights(True, True))
    return hub, where


def _items(start: int, count: int) -> list[Item]:
    found = [read_item(indicator(number)) for number in range(start, start + count)]
    return [item for item in found if isinstance(item, Item)]


def _write(folder: Path, number: int, start: int, count: int) -> None:
    hub = Hub(HubFile(folder / "hub.sqlite"), b"s" * 32, WIDE)
    for at in range(start, start + count, BATCH):
        with hub.file.writing():
            hub.shelf.add(number, _items(at, BATCH), NOW)
    hub.file.close()


@contextmanager
def _served(hub: Hub) -> Iterator[str]:
    door = Doorkeeper(hub.register, b"d", per_minute=10**9)
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(Server(hub, door).application(), log_config=None, lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/taxii2/"
    finally:
        server.should_exit = True
        thread.join()


async def _read(url: str, how: str, whole: int) -> tuple[list[str], int]:
    """Read until everything came, by `next` or by `added_after` alone; return ids and pages."""
    found: list[str] = []
    last, pages, idle = "", 0, 0
    async with TaxiiClient(Reach(url=url, key="k", seconds=120.0)) as client:
        root = URL(url).origin() / "r/"
        while idle < _PATIENCE:
            before = len(found)
            async for page in client.pages(root, "c", added_after=last, limit=PAGE):
                found += [item["id"] for item in page.objects]
                last, pages = page.last, pages + 1
                if how == "added_after":
                    break
            idle = idle + 1 if len(found) == before else 0
            if len(found) == before:
                await asyncio.sleep(0.1)
            if len(found) >= whole:
                idle += _PATIENCE // 3  # everything came: look a few times more whether anything comes twice
    return found, pages


def equal_times(objects: int) -> list[dict[str, Any]]:
    """Return for each way of reading what was lost and doubled while all was written."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        hub, where = opened(folder)
        each = objects // 10 // BATCH * BATCH
        whole = objects + WRITERS * each
        out: list[dict[str, Any]] = []

        def reader(url: str, how: str) -> None:
            began = time.perf_counter()
            found, pages = asyncio.run(_read(url, how, whole))
            out.append({
                "read by": how, "objects": whole, "pages": pages, "lost": whole - len(set(found)),
                "doubled": len(found) - len(set(found)), "seconds": time.perf_counter() - began,
            })  # fmt: skip

        with _served(hub) as url:
            readers = [threading.Thread(target=reader, args=(url, how)) for how in ("next", "added_after", "next")]
            spawn = multiprocessing.get_context("spawn")
            writers = [
                spawn.Process(target=_write, args=(folder, where.number, objects + n * each, each))
                for n in range(WRITERS)
            ]
            for one in (*readers, *writers):
                one.start()
            with hub.file.writing():
                hub.shelf.add(where.number, _items(0, objects), NOW)
            for one in (*writers, *readers):
                one.join()
        hub.file.close()
    return sorted(out, key=lambda row: str(row["read by"]))


def rates(objects: int) -> list[dict[str, Any]]:
    """Return how fast objects are taken and given."""
    with tempfile.TemporaryDirectory() as name:
        hub, where = opened(Path(name))
        intake, member = Intake(hub), hub.register.members()[0]
        out = []
        body = json.dumps({"objects": [indicator(n) for n in range(objects)]}).encode()
        began = time.perf_counter()
        intake.add(member, where, body, NOW)
        out.append({"what": f"{objects} objects added at once, any STIX", "a second": objects / _since(began)})
        strict = hub.register.collections()[1]
        author = Author(identity=member.identity, secret=b"k" * 32)
        few = max(objects // 100, 50)
        told = [
            campaign_of(author, Confirmed(subject=str(n), name="x", networks=("AS64500",)), NOW) for n in range(few)
        ]
        plain = [item for one in told for item in one.objects if item["type"] != "attack-pattern"]
        began = time.perf_counter()
        reply = intake.add(member, strict, json.dumps({"objects": plain}).encode(), NOW)
        assert json.loads(reply.body)["failure_count"] == 0, reply.body[:500]
        out.append({"what": f"{len(plain)} objects added, strictly checked", "a second": len(plain) / _since(began)})
        began, last, pages = time.perf_counter(), "", 0
        while True:
            page = hub.objects(where, [("limit", str(PAGE)), *([("added_after", last)] if last else [])])
            if not page.headers:
                break
            last, pages = page.headers["X-TAXII-Date-Added-Last"], pages + 1
        out.append({"what": f"pages of {PAGE} read, without HTTP", "a second": pages / _since(began)})
        hub.file.close()
    return out


def packing(accounts: int = 24_000, kinds: int = 4) -> list[dict[str, Any]]:
    """Return what the tokens of one campaign take, packed and as indicators of their own."""
    tokens = [os.urandom(16) for _ in range(accounts * kinds)]
    began = time.perf_counter()
    packed = pack(tokens)
    made = time.perf_counter() - began
    began = time.perf_counter()
    unpack(packed, digest_of(packed))
    read = time.perf_counter() - began
    few = 300
    author, singles = Author(identity=identity_of("M"), secret=b"k" * 32), []
    for number in range(few):
        told = Confirmed(subject=str(number), name="x", sets={("payment", "e"): [tokens[number]]})
        singles += [i for i in campaign_of(author, told, NOW).objects if i["type"] == "indicator"]
    began = time.perf_counter()
    for one in singles:
        stix2.parse(one, allow_custom=False)
    each = _since(began) / few
    size = sum(len(json.dumps(one)) for one in singles) / few
    return [
        {"tokens": len(tokens), "as": "one set, packed and read", "bytes": len(packed), "seconds": made + read},
        {"tokens": len(tokens), "as": "indicators, strictly parsed (from 300)", "bytes": int(size * len(tokens)),
         "seconds": each * len(tokens)},
    ]  # fmt: skip


def _since(began: float) -> float:
    return max(time.perf_counter() - began, 1e-9)


def main() -> int:
    """Parse the arguments, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, default=20_000, help="objects in the one transaction")
    parser.add_argument("--quick", action="store_true", help="a tenth of everything")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    objects = given.objects // 10 if given.quick else given.objects
    found = {"equal times": equal_times(objects), "rates": rates(objects), "packing": packing()}
    if given.json:
        print(json.dumps(found, indent=2))
    else:
        for name, rows in found.items():
            shown = [{k: f"{v:,.1f}" if isinstance(v, float) else f"{v}" for k, v in row.items()} for row in rows]
            print(f"## {name}\n")
            print(table(list(shown[0]), [list(row.values()) for row in shown]))
            print()
    return int(any(row["lost"] or row["doubled"] for row in found["equal times"]))


if __name__ == "__main__":
    sys.exit(main())
