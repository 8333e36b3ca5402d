"""Measure what gets past the check of a dossier: bytes changed at random, by somebody without and with the key.

In: a seed. Out: a table: how many changed dossiers were accepted, by who changed them and how. A dossier is made of a
state folder with canaries, keys and a ledger, stamped by an authority made on the spot; about 35 files, 120 kB.
Without the key: one byte flipped, replaced, put in or taken out anywhere. With it: the same, after which
index, statement and seal are made anew, as a cheating maker would.
Exit code 0, or 1 where one was accepted that must not be.
Cost: about 5 ms a change without the key, about 0.1 s with it.

Run: python -m bench.dossier [--seed 6] [--changes 10000] [--resealed 1000] [--json]
"""

import argparse
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from bench.layout import table
from stillwatch.app.dossiercheck import check_dossier, check_files
from stillwatch.app.dossierfiles import (
    ENVELOPE,
    INDEX,
    PAE,
    SEAL,
    SEAL_SIGNATURE,
    SIGNATURE,
    SUMS,
    read_folder,
    sealed_files,
)
from stillwatch.ledger.signing import SigningKey
from stillwatch.stats.intervals import clopper_pearson
from tests.proof_rig import ledger_of, stamped_dossier

OUTER: Final = (INDEX, ENVELOPE, PAE, SIGNATURE, SEAL, SEAL_SIGNATURE, SUMS)
Change = Callable[[bytes, int, random.Random], bytes]
WAYS: Final[dict[str, Change]] = {
    "a bit flipped": lambda raw, at, chance: raw[:at] + bytes([raw[at] ^ 1 << chance.randrange(8)]) + raw[at + 1 :],
    "a byte replaced": lambda raw, at, chance: (
        raw[:at] + bytes([(raw[at] + chance.randrange(1, 256)) % 256]) + raw[at + 1 :]
    ),
    "a byte put in": lambda raw, at, chance: raw[:at] + bytes([chance.randrange(256)]) + raw[at:],
    "a byte taken out": lambda raw, at, chance: raw[:at] + raw[at + 1 :],
}


def changed(files: dict[str, bytes], times: int, chance: random.Random) -> Iterator[tuple[str, str, bytes]]:
    """Yield file, way and new content; half of the changes by size of the file, half with each file alike."""
    names = sorted(files)
    sizes = [len(files[name]) for name in names]
    for n in range(times):
        name = chance.choices(names, weights=sizes)[0] if n % 2 else chance.choice(names)
        way = chance.choice(list(WAYS))
        raw = WAYS[way](files[name], chance.randrange(len(files[name])), chance)
        yield name, way, raw


def without_key(files: dict[str, bytes], times: int, chance: random.Random, key: str) -> tuple[Counter[str], list[str]]:
    """Return how often each way was tried, and the changes that were accepted."""
    tried: Counter[str] = Counter()
    accepted = []
    for name, way, raw in changed(files, times, chance):
        tried[way] += 1
        if raw != files[name] and not check_files({**files, name: raw}, key).problems:
            accepted.append(f"{name}: {way}")
    return tried, accepted


def with_key(
    files: dict[str, bytes], times: int, chance: random.Random, key: SigningKey
) -> tuple[Counter[str], list[str]]:
    """Do the same, sealing anew after each change."""
    content = {name: raw for name, raw in files.items() if name not in OUTER}
    tried: Counter[str] = Counter()
    accepted = []
    for name, way, raw in changed(content, times, chance):
        tried[way] += 1
        anew = sealed_files({**content, name: raw}, key, {})
        if raw != content[name] and not check_files(anew, key.public.fingerprint).problems:
            accepted.append(f"{name}: {way}")
    return tried, accepted


def main() -> None:
    """Parse the arguments, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=6)
    parser.add_argument("--changes", type=int, default=10_000)
    parser.add_argument("--resealed", type=int, default=1_000)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    chance = random.Random(given.seed)
    with tempfile.TemporaryDirectory() as folder:
        root = stamped_dossier(Path(folder))
        key = ledger_of(root).key()
        files = read_folder(root / "dossier")
        start = time.perf_counter()
        assert not check_dossier(root / "dossier", key.public.fingerprint).problems
        took = time.perf_counter() - start
        figures = {
            "without the key": without_key(files, given.changes, chance, key.public.fingerprint),
            "with the key, sealed anew": with_key(files, given.resealed, chance, key),
        }
    report = {
        who: {"tried": sum(tried.values()), "by way": dict(tried), "accepted": accepted}
        for who, (tried, accepted) in figures.items()
    }
    if given.json:
        print(json.dumps({"files": len(files), "bytes": sum(map(len, files.values())), "seconds": took, **report}))
    else:
        print(f"{len(files)} files, {sum(map(len, files.values())):,} bytes; a whole check takes {took:.2f} s.\n")
        rows = [_row(who, tried, accepted) for who, (tried, accepted) in figures.items()]
        print(table(("who changed it", "changes", "rejected", "accepted at most (95 %)"), rows))
        for _, accepted in figures.values():
            print("\n".join(accepted))
    sys.exit(int(any(accepted for _, accepted in figures.values())))


def _row(who: str, tried: Counter[str], accepted: list[str]) -> tuple[str, ...]:
    n = sum(tried.values())
    _, high = clopper_pearson(len(accepted), n)
    return (who, f"{n:,}", f"{1 - len(accepted) / max(1, n):.2%}", f"{float(high):.2e}")


if __name__ == "__main__":
    main()
