"""Rebuild the labelled sets that the lab packages, from a data folder of the full layout.

In: the data folder. Out: `src/stillwatch/lab/tasks/data/*.jsonl.zst`, the same bytes every time. Only sets under
permissive licences; every row is kept but those out of scope, as (text, label), each text once.

    python tools/build_labsets.py DATA_FOLDER
"""

import sys
from pathlib import Path

from stillwatch.lab.traffic.sources import FolderSources, pack_lines

TARGET = Path(__file__).parents[1] / "src" / "stillwatch" / "lab" / "tasks" / "data"
SETS = {"banking": ("text", "category"), "clinc": ("text", "intent")}


def build(data: Path) -> None:
    """Write every packaged set."""
    sources = FolderSources(data)
    for name, (text, label) in SETS.items():
        found = {row[text].strip(): row[label] for row in sources.rows(name) if row[label] != "oos"}
        packed = pack_lines([{"text": key, "label": value} for key, value in sorted(found.items())])
        (TARGET / f"{name}.jsonl.zst").write_bytes(packed)
        print(f"{name}: {len(found):,} rows, {len(packed):,} bytes")


if __name__ == "__main__":
    build(Path(sys.argv[1]))
