"""Rebuild the packaged traffic sample from a data folder of the full layout.

In: the data folder. Out: `src/stillwatch/lab/traffic/data/*.jsonl.zst` and `NOTICE.md`, the same bytes
every time. Only sources under permissive licences are taken, and of them only the fields that the
composer reads.

    python tools/build_sample.py DATA_FOLDER
"""

import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from stillwatch.lab.traffic.pools import is_free, is_medical
from stillwatch.lab.traffic.sources import FolderSources, pack_lines

TARGET = Path(__file__).parents[1] / "src" / "stillwatch" / "lab" / "traffic" / "data"
BUDGET = 1_500_000
"""Most bytes that the sample may have, packed."""

Row = dict[str, Any]
Pick = Callable[[list[Row]], list[Row]]


def some(rows: list[Row], n: int) -> list[Row]:
    """Return `n` rows drawn with a fixed seed, in their order."""
    if len(rows) <= n:
        return rows
    return [rows[i] for i in sorted(random.Random(20260101).sample(range(len(rows)), n))]


def fields(*names: str, n: int = 1_000_000, where: Callable[[Row], bool] | None = None) -> Pick:
    """Return a pick of `n` rows for which `where` holds, cut down to the named fields."""

    def pick(rows: list[Row]) -> list[Row]:
        kept = [row for row in rows if where is None or where(row)]
        return [{name: row[name] for name in names} for row in some(kept, n)]

    return pick


def _mmlu(rows: list[Row]) -> list[Row]:
    free = [row for row in rows if is_free(row["question"])]
    medical = some([row for row in rows if is_medical(row["subject"]) and row["question"].endswith("?")], 520)
    general = some([row for row in free if not is_medical(row["subject"])], 2400)
    choices = some([row for row in rows if not is_free(row["question"]) and not is_medical(row["subject"])], 350)
    short = [{"subject": row["subject"], "question": row["question"]} for row in (*medical, *general)]
    return short + [{key: row[key] for key in ("subject", "question", "A", "B", "C", "D")} for row in choices]


def _toolformer(rows: list[Row]) -> list[Row]:
    """Keep the tool's name and the request; the tool's description is the same thousands of times."""
    kept = []
    for row in some([row for row in rows if row["instruction"].count("\n") >= 2], 1600):
        lines = row["instruction"].split("\n")
        kept.append({"instruction": "\n".join((lines[0], lines[1], lines[-1])), "input": row["input"]})
    return kept


def _solutions(rows: list[Row]) -> list[Row]:
    keys = ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification")
    return [
        {"question": row["question"], **{key: {"solution": row[key]["solution"]} for key in keys}}
        for row in some(rows, 260)
    ]


def _restaurant(rows: list[Row]) -> list[Row]:
    return [{"userInput": {"text": row["userInput"]["text"]}} for row in some(rows, 1500)]


def _networks(n: int, longest: int) -> Pick:
    def pick(rows: list[Row]) -> list[Row]:
        return some([row for row in rows if int(row["cidr"].rpartition("/")[2]) <= longest], n)

    return pick


def _consumer(rows: list[Row]) -> list[Row]:
    kept: dict[int, list[Row]] = {}
    for row in rows:
        kept.setdefault(row["asn"], []).append(row)
    return [row for asn in sorted(kept) for row in kept[asn][:4]]


def _usual_client(row: Row) -> bool:
    return row["application"] in ("", "Chromium Browser", "Mozilla Firefox", "Safari") and (
        bool(row["application"]) or row["library"] in ("Python", "GoLang")
    )


def _suites(rows: list[Row]) -> list[Row]:
    keep = ("mt_bench", "vicuna_bench", "llm_judge_templates", "self_instruct_user_oriented_252")
    return [{"suite": row["suite"], "turns": row["turns"][:1]} for row in rows if row["suite"] in keep]


SAMPLE: dict[str, tuple[Pick, str, str, str]] = {
    "oasst": (fields("turns"), "LAION-AI/Open-Assistant, model_eval/manual/data; issacting93/Convo-topo", "Apache-2.0",
              "first turns and follow-ups; addresses, keys and numbers replaced by markers"),
    "koala_arena": (fields("prompt"), "gpt4life/alpagasus, koala_test_set; lmarena/arena-hard-auto", "Apache-2.0",
                    "prompts only; addresses, keys and numbers replaced by markers"),
    "seeds": (fields("lang", "instruction", "instances", where=lambda row: row["source"] == "self-instruct"),
              "yizhongw/self-instruct, seed tasks", "Apache-2.0", "fields left out"),
    "generation": (fields("lang", "text", where=lambda row: row["source"] == "tatsu-lab/stanford_alpaca"),
                   "tatsu-lab/stanford_alpaca, prompt.txt", "Apache-2.0", "unchanged text"),
    "camel": (fields("side", "role"), "camel-ai/camel, data/ai_society role lists", "Apache-2.0", "unchanged"),
    "roleplay": (fields("instruction", "input", n=1900), "teknium1/GPTeacher, role-play", "MIT",
                 "drawn; answers left out"),
    "toolformer": (_toolformer, "teknium1/GPTeacher, toolformer", "MIT",
                   "drawn; tool descriptions and answers left out"),
    "gsm8k_train": (fields("question", n=2000), "openai/grade-school-math", "MIT", "drawn; answers left out"),
    "gsm8k_test": (fields("question", n=500), "openai/grade-school-math", "MIT", "drawn; answers left out"),
    "gsm8k_solutions": (_solutions, "openai/grade-school-math, example model solutions", "MIT", "drawn"),
    "math_cot": (fields("instruction", n=500), "AGI-Edgerunners/LLM-Adapters, math_data.json", "ODC-By 1.0",
                 "drawn; answers left out"),
    "mmlu": (_mmlu, "hendrycks/test (MMLU), as in anchen1011/FireAct", "MIT",
             "drawn; most choices and all answers left out"),
    "humaneval": (fields("prompt"), "openai/human-eval, as in THU-BPM/MarkLLM", "MIT", "prompts only"),
    "banking": (fields("text", n=4500), "PolyAI-LDN/task-specific-datasets, banking77", "CC BY 4.0",
                "drawn; labels left out"),
    "clinc": (fields("text", n=4500), "clinc/oos-eval, clinc150", "CC BY 3.0",
              "drawn; labels left out"),
    "restaurant": (_restaurant, "PolyAI-LDN/task-specific-datasets, restaurant8k", "CC BY 4.0",
                   "drawn; labels left out"),
    "eval_suites": (_suites, "lm-sys/FastChat (MT-bench, Vicuna, judge prompts); yizhongw/self-instruct", "Apache-2.0",
                    "first turns only"),
    "agents": (fields("conversations", "tools", where=lambda row: row["lang"] == "en"),
               "hiyouga/LLaMA-Factory, glaive_toolcall_en_demo", "Apache-2.0", "fields left out"),
    "gaps": (lambda rows: rows, "chitchat_dataset (BYU PERCEPTION lab)", "MIT",
             "reduced to quantiles of pauses by person"),
    "hours": (lambda rows: rows, "chitchat_dataset (BYU PERCEPTION lab)", "MIT", "reduced to messages by hour"),
    "client_rates": (lambda rows: rows, "alibaba/ServeGen", "Apache-2.0", "reduced to hourly rates of some clients"),
    "consumer": (_consumer, "IP Geolocation by DB-IP (db-ip.com) and NRO, npm @ip-location-db/asn", "CC BY 4.0",
                 "the widest ranges of some consumer providers"),
    "datacentre": (_networks(500, 22), "X4BNet/lists_vpn", "MIT", "drawn"),
    "vpn": (_networks(150, 26), "X4BNet/lists_vpn", "MIT", "drawn"),
    "browsers": (fields("userAgent", "weight", n=400), "npm user-agents (Intoli)", "BSD-2-Clause", "drawn"),
    "sdks": (fields("user_agent_pattern"), "user agents as public SDKs send them", "facts", "none"),
    "ja4": (fields("application", "library", "ja4", where=_usual_client),
            "FoxIO-LLC/ja4, JA4 column of ja4plus-mapping.csv", "BSD-3-Clause (JA4)", "other columns left out"),
}  # fmt: skip
"""File -> how rows are picked, source, licence, changes."""

HEAD = """# Sources of the packaged sample

Every file was made by `tools/build_sample.py`. Each keeps the licence of its source; the changes made
to it stand beside it. No file is under a non-commercial, share-alike or unclear licence. The addresses
belong to others: they are strings in simulated logs, and nothing is ever sent to them.

| file | source | licence | changes |
| --- | --- | --- | --- |
"""


def main(folder: Path) -> int:
    """Write the sample; return 1 when it is over its budget."""
    sources = FolderSources(folder)
    TARGET.mkdir(parents=True, exist_ok=True)
    total = 0
    notice = HEAD
    for name, (pick, origin, licence, changes) in SAMPLE.items():
        packed = pack_lines(pick(sources.rows(name)))
        (TARGET / f"{name}.jsonl.zst").write_bytes(packed)
        total += len(packed)
        notice += f"| `{name}.jsonl.zst` | {origin} | {licence} | {changes} |\n"
        print(f"{len(packed):>9,} {name}")
    (TARGET / "NOTICE.md").write_text(notice, encoding="utf-8")
    print(f"{total:>9,} of {BUDGET:,} bytes")
    return int(total > BUDGET)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python tools/build_sample.py DATA_FOLDER")
    sys.exit(main(Path(sys.argv[1])))
