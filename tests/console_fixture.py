"""A finished scan to draw: three campaigns (60, 400, 25 accounts), six candidates, twenty accounts; seeded."""

import math
import random
from dataclasses import replace

from stillwatch.console import CoverageLine, Edge, ErrorRates, InputFile, MeasuredRate, Prices, Report
from stillwatch.terms.verdict import AccountVerdict, Campaign, Evidence, Verdicts

START = 1_772_323_200.0  # 2026-03-01 00:00 UTC
STEP = 6 * 3600.0
BINS = 28 * 4

NULLS = {
    "one_task": "Members were given one task (a class, a public test set): they send what others of them also send.",
    "chance": "Members carry the shared text no more often than other accounts active at the same time.",
    "own_work": "Members are separate customers who share a tool, an address or a payer: each keeps to own subjects.",
    "one_application": "Members are end users of one application with one system prompt.",
}
CLEARS = {
    "one_task": "The assignment or the public set that the requests come from.",
    "chance": "The shared text also turns up in accounts that have nothing to do with the block.",
    "own_work": "Each account's requests turn out to be about that account's own subjects.",
    "one_application": "",
}


def explanation(name: str, log_e: float, n: int) -> Evidence:
    """One honest explanation with figures."""
    return Evidence(
        scenario=name,
        null=NULLS[name],
        log_e=log_e,
        n=n,
        unit="account",
        detail={"expected": round(n * 0.021, 3), "seen": n - 2, "controls": 2840, "blocks": 14},
        clears=CLEARS[name],
    )


def campaign(
    number: int, size: int, weakest: float, *, accused: bool = True, families: tuple[str, ...] = ("content", "payment")
) -> Campaign:
    """One campaign whose best-fitting explanation stands at `weakest` nats."""
    rng = random.Random(number)
    requests = sum(rng.randint(12, 20) for _ in range(size))
    extra = [0.0, 3.4, 11.2, 190.0] if accused else [0.0, 0.7, 2.2, 4.0]
    names = list(NULLS)[number % 4 :] + list(NULLS)[: number % 4]
    evidence = [explanation(name, weakest + more, size) for name, more in zip(names, extra, strict=True)]
    if accused:
        evidence.append(
            Evidence(
                scenario="S2",
                null="No content is new to the traffic and repeated by many accounts.",
                log_e=weakest + 21.5,
                n=size,
                unit="account",
                detail={"anchors": 14, "median_share": 0.82},
            )
        )
    first = START + (3 + number) * 86400.0
    return Campaign(
        id=f"c-{number:02d}{rng.getrandbits(20):05x}",
        accounts=tuple(number * 100_000 + i for i in range(size)),
        account_log_e=tuple(sorted((rng.gauss(3.0, 1.2) for _ in range(size)), reverse=True)),
        families=families,
        log_e=weakest,
        evidence=tuple(evidence),
        accused=accused,
        requests=requests,
        first_seen=first + 1234,
        last_seen=first + 14 * 86400.0 + 4321,
        tokens_in=requests * 412,
        tokens_out=requests * 983,
        harvest=int(requests * 0.93) if accused else 0,
    )


def account(number: int, log_e: float, requests: int) -> AccountVerdict:
    """One honest account that came close."""
    surface = ("chat", "batch", "agent", "evaluation")[number % 4]
    evidence = Evidence(
        scenario=("S3", "S13", "S1")[number % 3],
        null="The account asks as broadly as honest accounts of its kind do.",
        log_e=log_e,
        n=requests // 7 + 1,
        unit="session",
        detail={"breadth": 0.31, "expected": 0.44},
        clears="A later span in which the account returns to a topic it has asked about before.",
    )
    return AccountVerdict(
        account=number,
        log_e=log_e,
        campaign=None,
        accused=False,
        evidence=(evidence,),
        surface=surface,
        requests=requests,
    )


def edges_of(item: Campaign) -> tuple[Edge, ...]:
    """Anchors that most share, payment tokens in clusters, a few networks."""
    rng = random.Random(item.id)
    size = len(item.accounts)
    anchors = [f"content:{rng.getrandbits(20):05x}" for _ in range(4)]
    cards = [f"payment:{rng.getrandbits(20):05x}" for _ in range(max(2, size // 14))]
    nets = [f"network:{rng.getrandbits(20):05x}" for _ in range(max(2, size // 25))]
    lines = []
    for i in range(size):
        lines += [Edge(i, anchor, 2.0) for anchor in anchors if rng.random() < 0.6]
        if "payment" in item.families:
            lines.append(Edge(i, cards[min(i * len(cards) // size, len(cards) - 1)], 4.0))
        if "network" in item.families and rng.random() < 0.5:
            lines.append(Edge(i, rng.choice(nets), 1.0))
    return tuple(lines)


def timeline_of(item: Campaign) -> tuple[int, ...]:
    """Requests per six hours."""
    rng = random.Random(item.id)
    counts = [0] * BINS
    low, high = int((item.first_seen - START) // STEP), int((item.last_seen - START) // STEP)
    for _ in range(item.requests):
        counts[min(max(int(rng.triangular(low, high)), 0), BINS - 1)] += 1
    return tuple(counts)


def name_of(account_hash: int) -> str:
    """What the input called it."""
    return f"user-{random.Random(account_hash).getrandbits(40):010x}"


def report(sizes: tuple[int, ...] = (60, 400, 25), *, candidates: int = 6, honest: int = 20) -> Report:
    """The whole scan."""
    families = (("content", "payment"), ("content", "network", "client"), ("content",))
    found = [campaign(i, n, 38.0 - 9 * i, families=families[i % 3]) for i, n in enumerate(sizes)]
    weak = [
        campaign(
            10 + i,
            6 + 5 * i,
            4.4 - 1.7 * i if i else 11.0,
            accused=False,
            families=("content", "network") if i else ("payment", "network"),
        )
        for i in range(candidates)
    ]
    close = [account(900_000 + i, 5.1 - 0.55 * i, 40 + 31 * i) for i in range(honest)]
    for i, held in enumerate(weak[: min(honest, 4)]):  # an account that was linked stands and falls with its group
        linked = {"account": held.accounts[0], "log_e": held.log_e, "campaign": held.id, "evidence": held.evidence}
        close[-1 - i] = replace(close[-1 - i], **linked)
    members = [
        AccountVerdict(
            account=a, log_e=value, campaign=c.id, accused=True, evidence=(), surface="chat", requests=12 + a % 9
        )
        for c in found
        for a, value in zip(c.accounts, c.account_log_e, strict=True)
    ]
    every = [c.accounts for c in found + weak]
    hashes = [a for group in every for a in group] + [item.account for item in close]
    return Report(
        verdicts=Verdicts(
            campaigns=tuple(found + weak),
            accounts=tuple(members + close),
            q=0.05,
            alpha=0.001,
            looked_at=37,
            calibrated=False,
            notes=("Half of the span served as history; 12 accounts were trimmed from it.",),
            figures={
                "events": 184_220,
                "accounts": 3485,
                "blocks": 28,
                "controls": 2840,
                "history_span": [START, START + 14 * 86400],
                "judged_span": [START + 14 * 86400, START + 28 * 86400],
            },
        ),
        names={a: name_of(a) for a in hashes},
        title="gateway logs, March 2026",
        made_at=START + 30 * 86400 + 31_000,
        version="0.1.0",
        command="stillwatch scan logs/ --since 2026-03-01",
        inputs=(
            InputFile(path="logs/march-a.jsonl.gz", importer="litellm", rows=120_000, good=120_000, bad=0),
            InputFile(
                path="logs/march-b.jsonl",
                importer="openai",
                rows=64_251,
                good=64_220,
                bad=31,
                reasons={"no time stamp": 19, "not JSON": 12},
                quarantine="stillwatch-out/quarantine.jsonl",
            ),
        ),
        coverage=(
            CoverageLine(scenario="S2", can_run=True),
            CoverageLine(scenario="S6", can_run=True, share=0.714),
            CoverageLine(scenario="S10", can_run=False, missing=("assistant turns", "answers"), share=0.0),
            CoverageLine(scenario="S13", can_run=True),
        ),
        timeline={
            **{c.id: timeline_of(c) for c in found},
            "all": tuple(int(1600 + 700 * math.sin(i / 4 * 2 * math.pi) + 9 * i) for i in range(BINS)),
        },
        timeline_start=START,
        timeline_step=STEP,
        edges={c.id: edges_of(c) for c in found},
        prices=Prices(dollars_in=3.0, dollars_out=15.0, source="public price list", as_of="2026-02-01"),
        error=ErrorRates(
            q=0.05,
            alpha=0.001,
            measured=(
                MeasuredRate(
                    what="Reported campaigns that were honest",
                    promised=0.05,
                    measured=0.0,
                    upper=0.029,
                    n=102,
                    source="bench/RESULTS.md",
                ),
                MeasuredRate(
                    what="Honest accounts flagged, chat",
                    promised=0.01,
                    measured=0.0083,
                    upper=0.0121,
                    n=2010,
                    source="bench/RESULTS.md",
                ),
            ),
        ),
    )
