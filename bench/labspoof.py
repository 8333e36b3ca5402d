"""What a thief can do to the mark in the wording: `python -m bench.labspoof`. Wants `STILLWATCH_DATA`.

In: answers of real models, marked for one account by the shipped treatment's own choice. Out: a Markdown table: by size
of the harvest, how many sites of other texts the thief knows, what a reader says of texts that it forged, of its own
texts left alone, and of marked texts that it washed. Seed 20261130. A minute on one core.
"""

import math
import os
import random
from pathlib import Path

import numpy as np

from bench.layout import table
from bench.marks.surface import rows
from stillwatch.forensics.marks.surface import SurfaceText, search_surface
from stillwatch.lab.cell import Cell
from stillwatch.lab.manifest import signed
from stillwatch.lab.spoofing import forged, learnt, share_known, washed
from stillwatch.lab.task import HarvestRow, Item
from stillwatch.treatments.marks.ring import Epoch, Ring
from stillwatch.treatments.surfaces.choice import Choice
from stillwatch.treatments.surfaces.front import WIDTH
from stillwatch.treatments.surfaces.sites import Sites, sites_of

SEED = 20261130
KEY = b"lab bench" + bytes(23)
SIZES = (100, 300, 1_000, 3_000, 6_000)
FORGED = 500
"""Texts that the thief forges or washes."""


def main() -> None:
    """Print the table."""
    folder = os.environ.get("STILLWATCH_DATA", "")
    if not folder:
        print("Set STILLWATCH_DATA to the folder of shared data.")
        return
    texts = [row["output"] for row in rows(Path(folder) / "attack/alpaca_gpt4_en_demo.jsonl.zst")]
    texts += [row["output"] for row in rows(Path(folder) / "attack/alpaca_en_random9k.jsonl.zst")]
    random.Random(SEED).shuffle(texts)
    epoch = Ring.new(bytes(range(32)), 0.0).current
    tag, rng = epoch.tag("account", "acct-1"), np.random.default_rng(SEED)
    others, pool = texts[:FORGED], texts[FORGED:]
    marked = [_marked(text, epoch, tag) for text in pool[: max(SIZES)]]
    out = []
    print(f"Of {FORGED} texts of its own the reader counts {len_counted(others):,} sites.\n")
    for size in SIZES:
        harvest = [HarvestRow(item=Item(id=str(i), text=""), answer=text) for i, text in enumerate(marked[:size])]
        cell = Cell(task="toy", defence="surface", attack="answers")
        known = learnt(harvest, (signed(harvest, cell, KEY), KEY))
        trials = ([forged(text, known) for text in others], others, marked[:FORGED],
                  [washed(text, rng) for text in marked[:FORGED]])  # fmt: skip
        said = [_read(trial, epoch, tag) for trial in trials]
        out.append([f"{size:,}", f"{100 * share_known(others, known):.1f} %", *said])
    head = ["marked answers harvested", "sites known", "p: forged", "p: own texts", "p: marked", "p: marked, washed"]
    print(table(head, out))


def len_counted(texts: list[str]) -> int:
    """Return how many sites of texts have a whole context."""
    return sum(len(site.context) == WIDTH for text in texts for site in sites_of(text))


def _marked(text: str, epoch: Epoch, tag: bytes) -> str:
    sites = Sites(Choice.of(epoch, tag, b"").wanted)
    return sites.feed(text) + sites.end()


def _read(texts: list[str], epoch: Epoch, tag: bytes) -> str:
    log_p = float(search_surface(SurfaceText.of(texts, epoch), [tag])[0][0])
    return f"1e{log_p / math.log(10):.1f}" if log_p < math.log(1e-4) else f"{math.exp(log_p):.3f}"


if __name__ == "__main__":
    main()
