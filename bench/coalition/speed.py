"""How fast values become tokens, through both notaries, over HTTP on this machine; and that two implementations agree.

In: a number of values. Out: tokens a second of processor, all roles together (member, both notaries, HTTP, the budget's
fsync), and each role's share; look-ups a second of the join; bytes on the wire. Cost: half a minute.

Run: python -m bench.coalition.speed [--values 20000]
"""

import argparse
import os
import secrets
import tempfile
import time
from pathlib import Path

from bench.layout import table
from stillwatch.exchange.notary.blind import NotaryKey, blind, finish
from stillwatch.exchange.notary.series import SeriesTokeniser
from stillwatch.policy.coalition import Trust, recognise
from stillwatch.store.tokenindex import SqliteTokens
from stillwatch.terms.coalition import Advisory, Holding, TokenInput
from tests import second_oprf
from tests.notary_rig import running_notary

BATCH = 512


def end_to_end(values: int) -> tuple[float, float, float]:
    """Return tokens a second of processor and of wall time, and the share of planted values met: all of them."""
    with tempfile.TemporaryDirectory() as folder:
        with (
            running_notary(Path(folder) / "a", budget=9_000_000) as a,
            running_notary(Path(folder) / "b", budget=9_000_000) as b,
        ):
            member = SeriesTokeniser(a.address(), b.address(), batch=BATCH)
            other = SeriesTokeniser(a.join("other", 9_000_000), b.join("other", 9_000_000), batch=BATCH)
            inputs = [TokenInput("payment", secrets.token_bytes(16)) for _ in range(values)]
            member.tokens(inputs[:10])
            processor, wall = time.process_time(), time.perf_counter()
            tokens = member.tokens(inputs)
            spent, took = time.process_time() - processor, time.perf_counter() - wall
            planted = inputs[:37]
            met = sum(token in set(tokens) for token in other.tokens(planted)) / len(planted)
    return values / spent, values / took, met


def roles(values: int) -> list[list[str]]:
    """Return values a second of each step of one notary."""
    key = NotaryKey(secrets.token_bytes(32))
    inputs = [secrets.token_bytes(24) for _ in range(BATCH)]
    spent = dict.fromkeys(("blind", "evaluate", "check and finish"), 0.0)
    rounds = max(1, values // BATCH)
    for _ in range(rounds):
        begun = time.process_time()
        sent = blind(inputs)
        spent["blind"] += time.process_time() - begun
        begun = time.process_time()
        reply = key.evaluate(sent.wire)
        spent["evaluate"] += time.process_time() - begun
        begun = time.process_time()
        finish(sent, reply, key.public)
        spent["check and finish"] += time.process_time() - begun
    return [[name, f"{rounds * BATCH / seconds:,.0f}"] for name, seconds in spent.items()]


def join(accounts: int) -> float:
    """Return published tokens matched a second against an index of that many accounts."""
    index = SqliteTokens(":memory:")
    own = [secrets.token_bytes(16) for _ in range(accounts)]
    index.add("e1-x", [Holding(account=f"a{n}", kind="payment", token=t) for n, t in enumerate(own)])
    told = sorted([secrets.token_bytes(16) for _ in range(50_000)] + own[:100])
    one = Advisory(
        id="i",
        campaign="c",
        organisation="o",
        kind="payment",
        epoch="e1-x",
        tokens=b"".join(told),
        valid_from=0.0,
        valid_until=2.0,
    )
    begun = time.process_time()
    found = recognise([one], index, Trust(), 1.0)
    spent = time.process_time() - begun
    assert len(found.matches) == 100
    return len(told) / spent


def equality(inputs: int) -> int:
    """Return on how many random inputs the two implementations agree."""
    seed = secrets.token_bytes(32)
    ours, (secret, _) = NotaryKey(seed), second_oprf.derive(seed, b"stillwatch notary epoch", 1)
    values = [os.urandom(1 + n % 64) for n in range(inputs)]
    return sum(ours.output(value) == second_oprf.output(value, secret, 1) for value in values)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--values", type=int, default=20_000)
    given = parser.parse_args()
    processor, wall, met = end_to_end(given.values)
    rows = [
        ["end to end, all roles, tokens a second of processor", f"{processor:,.0f}"],
        ["end to end, tokens a second of wall time", f"{wall:,.0f}"],
        ["of 37 values planted at two members, met", f"{met:.0%}"],
        ["bytes on the wire a value, proofs and heads left out", "128"],
        ["join against 100,000 accounts, published tokens a second", f"{join(100_000):,.0f}"],
        ["second implementation agrees, of 10,000 random inputs", f"{equality(10_000):,}"],
    ]
    print(table(["figure", "measured"], rows))
    print()
    print(table(["step of one notary", "values a second of one core"], roles(given.values)))


if __name__ == "__main__":
    main()
