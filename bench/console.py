"""Pages of the console over synthetic tables: 100,000 accounts, 1,000 campaigns, 10,000,000 events.

In: a seed and sizes. Out: a table: the processor time that the server spends on each page, what it takes alone, when
eight people ask at once, and first after a decision, when what is remembered is made anew; and what a publication
takes, which the watcher pays.
The events are numbers in the tables: pages read none, and their summaries are made where traffic is judged.
Cost: about five minutes on two cores; the server is a process of its own.

Run: python -m bench.console [--seed 1] [--accounts 100000] [--campaigns 1000] [--repeats 20] [--json]
"""

import argparse
import http.client
import json
import multiprocessing
import os
import random
import socket
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote

from bench.layout import table
from stillwatch.app.consoledoor import ConsoleDoor, NewPerson, add_person
from stillwatch.app.consolepages import Judged, publish_pages
from stillwatch.app.consolestate import ConsoleState
from stillwatch.app.livefolder import LiveFolder
from stillwatch.app.settings import Settings
from stillwatch.console.records import Skeleton
from stillwatch.console.report import Edge, ErrorRates, Prices, Report
from stillwatch.gateway.published import Published, write_published
from stillwatch.terms.account import AccountRecord, Decision, KeyRecord
from stillwatch.terms.action import Held
from stillwatch.terms.verdict import AccountVerdict, Campaign, Evidence, Verdicts

DAY = 86_400.0
EVENTS = 10_000_000
BUDGET_SECONDS = 1.0
PEOPLE_AT_ONCE = 8
DECIDED = 300
"""Campaigns that are decided on before anything is measured."""


def evidence(rng: random.Random, nats: float, n: int) -> tuple[Evidence, ...]:
    """Return four honest explanations."""
    return tuple(
        Evidence(scenario=name, null=f"Members are explained by {name.replace('_', ' ')}.",
                 log_e=nats + rng.random() * 9, n=n, unit="account",
                 detail={"expected": 2.1, "seen": n, "controls": 2_000},
                 clears="A later span in which they differ.")
        for name in ("chance", "one_task", "own_work", "strangers")
    )  # fmt: skip


def report_of(seed: int, accounts: int, campaigns: int) -> Report:
    """Return a report of that size."""
    rng, now = random.Random(seed), time.time()
    bounds = [accounts * i // campaigns for i in range(campaigns + 1)]
    found, verdicts, edges, timeline = [], [], {}, {"all": tuple(rng.randint(50_000, 120_000) for _ in range(120))}
    for number in range(campaigns):
        members = range(bounds[number] + 1, bounds[number + 1] + 1)
        nats = 60.0 * (1.0 - number / campaigns) + 8.0
        name, n = f"c-{number:05x}", len(members)
        weighed = evidence(rng, nats, n)
        found.append(Campaign(
            id=name, accounts=tuple(members), account_log_e=tuple(3.0 for _ in members),
            families=("content", "payment"), log_e=nats, evidence=weighed, accused=True, requests=18 * n,
            first_seen=now - 9 * DAY, last_seen=now - DAY,
            tokens_in=9_000 * n, tokens_out=20_000 * n, harvest=17 * n,
        ))  # fmt: skip
        verdicts += [
            AccountVerdict(account=a, log_e=nats, campaign=name, accused=True, evidence=weighed, surface="chat",
                           requests=18)
            for a in members
        ]  # fmt: skip
        edges[name] = tuple(Edge(i, f"payment:{i % 7:05x}", 2.0) for i in range(min(n, 400)))
        timeline[name] = tuple(rng.randint(0, 40) for _ in range(120))
    figures = {"events": EVENTS, "accounts": accounts, "first": now - 14 * DAY, "last": now, "epoch": 1,
               "thresholds": {c.id: 7.5 for c in found}}  # fmt: skip
    return Report(
        verdicts=Verdicts(campaigns=tuple(found), accounts=tuple(verdicts), q=0.05, alpha=1e-3, looked_at=2 * campaigns,
                          calibrated=True, notes=(), figures=figures),
        names={a: f"acct-{a:07d}" for a in range(1, accounts + 1)}, title="", made_at=now, version="", command="",
        inputs=(), coverage=(), timeline=timeline, timeline_start=now - 14 * DAY, timeline_step=14 * DAY / 120,
        edges=edges, prices=Prices(dollars_in=3.0, dollars_out=15.0, source="list", as_of=""),
        error=ErrorRates(q=0.05, alpha=1e-3), live=True,
    )  # fmt: skip


def fill(folder: Path, report: Report) -> dict[str, float]:
    """Fill a state folder; return what the parts that the watcher pays for took, seconds."""
    now, names = time.time(), list(report.names.values())
    live = LiveFolder(folder).made()
    held = {}
    for campaign in report.verdicts.campaigns:
        for account in campaign.accounts:
            name = report.names[account]
            held[name] = Held(account=name, log_e=campaign.log_e, accused=True, campaign=campaign.id,
                              families=campaign.families, since=now - DAY, effective=now - DAY / 2,
                              expires=now + 7 * DAY)  # fmt: skip
    published = Published(generation=1, made_at=now, judged_until=now, held=held)
    write_published(live.published, published)
    state = ConsoleState(folder, Settings())
    try:
        with state.book.changing():
            for number, name in enumerate(names):
                state.book.put_account(AccountRecord(account=name, plan="free"))
                state.book.put_key(KeyRecord(key_id=f"k_{number}", digest=f"{number:064x}", account=name, created=now))
            for campaign in report.verdicts.campaigns[:DECIDED]:
                state.book.add_decision(Decision(
                    subject=campaign.id, kind="campaign", accounts=tuple(report.names[a] for a in campaign.accounts),
                    verb="confirm", by="ada", reason="seen", at=now - 60, expires=now + 30 * DAY, receipt="r",
                ))  # fmt: skip
        for role in ("admin", "analyst"):
            add_person(state.people, NewPerson(name=role, role=role), now)
        skeletons = {c.id: (Skeleton(key="3fa9c1", accounts=len(c.accounts), requests=c.requests),)
                     for c in report.verdicts.campaigns}  # fmt: skip
        week = [(a, 9) for a in report.names]
        began = time.perf_counter()
        publish_pages(state.index, Judged(report=report, published=published, skeletons=skeletons, week=week))
        first = time.perf_counter() - began
        began = time.perf_counter()
        publish_pages(state.index, Judged(report=report, published=published, skeletons=skeletons, week=week))
        return {"publication": first, "publication again": time.perf_counter() - began}
    finally:
        state.close()


def _serve(folder: Path, listener: socket.socket) -> None:
    import uvicorn

    from stillwatch.app.consoleserve import _warm, open_console
    from stillwatch.console.web import console_app

    state = ConsoleState(folder, Settings())
    console = open_console(state)
    _warm(state, console.views)
    app = console_app(console)
    uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, lifespan="off")).run(sockets=[listener])


def pages(report: Report) -> dict[str, str]:
    """Return the address of each page."""
    campaign, member = report.verdicts.campaigns[500 % len(report.verdicts.campaigns)], len(report.names) // 2
    name = report.names[member]
    return {
        "overview": "/", "campaigns": "/campaigns",
        "campaigns, deep": f"/campaigns?start={len(report.verdicts.campaigns) - 50}",
        "campaign": f"/campaign?id={quote(campaign.id)}",
        "its accounts, further": f"/members?id={campaign.id}&start=50",
        "accounts": "/accounts", "accounts, deep": f"/accounts?after={len(report.names) - 60}",
        "accounts by name": f"/accounts?starts={name[:9]}", "account": f"/account?name={quote(name)}",
        "queue": "/queue",
        "decisions": "/decisions", "appeals": "/appeals", "policy and simulator": "/policy",
        "keys and canaries": "/keys", "audit trail": "/trail", "people": "/people",
    }  # fmt: skip


def fetch(port: int, cookie: str, path: str) -> float:
    """Return the seconds that one page takes."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    began = time.perf_counter()
    try:
        connection.request("GET", path, headers={"cookie": f"stillwatch_console={cookie}"})
        answer = connection.getresponse()
        content = answer.read()
        assert answer.status == 200, (path, answer.status, content[:200])
        return time.perf_counter() - began
    finally:
        connection.close()


def measure(folder: Path, report: Report, repeats: int) -> dict[str, dict[str, float]]:
    """Return by page: first, median and worst alone, worst of eight at once, and first after a decision; seconds."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    port = int(listener.getsockname()[1])
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(folder, listener), daemon=True)
    process.start()
    state = ConsoleState(folder, Settings())
    try:
        cookie = ConsoleDoor(state).begin("admin", "bench")
        _until_up(port)
        found: dict[str, dict[str, float]] = {}
        for number, (name, path) in enumerate(pages(report).items()):
            first = fetch(port, cookie, path)
            used = _cpu(process.pid)
            alone = [fetch(port, cookie, path) for _ in range(repeats)]
            used = (_cpu(process.pid) - used) / repeats
            with ThreadPoolExecutor(PEOPLE_AT_ONCE) as pool:
                together = list(pool.map(lambda p: fetch(port, cookie, p), [path] * (2 * PEOPLE_AT_ONCE)))
            _decide(state, report, number)
            found[name] = {
                "first": first, "cpu": used, "median": statistics.median(alone), "worst": max(alone),
                "at once": max(together),
                "after a decision": fetch(port, cookie, path),
            }  # fmt: skip
        return found
    finally:
        state.close()
        process.terminate()
        process.join()
        listener.close()


def _cpu(process: int | None) -> float:
    """Return the processor seconds that a process has used."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _decide(state: ConsoleState, report: Report, number: int) -> None:
    now, campaign = time.time(), report.verdicts.campaigns[-1 - number]
    accounts = tuple(report.names[a] for a in campaign.accounts)
    state.book.add_decision(Decision(
        subject=campaign.id, kind="campaign", accounts=accounts, verb="confirm", by="bo", reason="seen", at=now,
        expires=now + DAY, receipt="r",
    ))  # fmt: skip


def _until_up(port: int) -> None:
    for _ in range(600):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/healthz")
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.1)
        finally:
            connection.close()
    sys.exit("the console did not come up")


def main() -> None:
    """Parse the arguments, run, print; exit code 1 where a page takes longer than its budget."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, usual in (("seed", 1), ("accounts", 100_000), ("campaigns", 1_000), ("repeats", 20)):
        parser.add_argument(f"--{name}", type=int, default=usual)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        report = report_of(asked.seed, asked.accounts, asked.campaigns)
        published = fill(Path(made), report)
        size = LiveFolder(Path(made)).pages.stat().st_size / 1e6
        found: dict[str, Any] = measure(Path(made), report, asked.repeats)
    worst = max(max(row.values()) for row in found.values())
    if asked.json:
        print(json.dumps({"pages": found, "publication": published, "index_megabytes": size}, indent=1))
    else:
        head = (
            "page",
            "processor, s",
            "first, s",
            "median, s",
            "worst, s",
            "worst of 8 at once, s",
            "after a decision, s",
        )
        shown = ("cpu", "first", "median", "worst", "at once", "after a decision")
        rows = [(name, *(f"{row[key]:.3f}" for key in shown)) for name, row in found.items()]
        print(table(head, rows))
        print(f"publication {published['publication']:.1f} s, again {published['publication again']:.1f} s; "
              f"index {size:.0f} MB")  # fmt: skip
    sys.exit(worst > BUDGET_SECONDS)


if __name__ == "__main__":
    main()
