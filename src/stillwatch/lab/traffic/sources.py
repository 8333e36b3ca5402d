"""Read the corpus files: the packaged sample, or a data folder of the full layout.

In: a source name such as `gsm8k_train`. Out: its rows as dictionaries. A source that a place does
not have gives no rows: the packaged sample holds permissively licensed sources only.
Cost: 0.1 s a megabyte packed. Left to `corpus`: what the rows mean.
"""

import csv
import gzip
import io
from importlib import resources
from pathlib import Path
from typing import Any, Final, Protocol

import orjson
import zstandard

from stillwatch.lab.traffic import reduction
from stillwatch.terms.errors import StillwatchError

Row = dict[str, Any]

FULL: Final = {
    "alpaca": "attack/alpaca_en_random9k.jsonl.zst",
    "alpaca_gpt4": "attack/alpaca_gpt4_en_demo.jsonl.zst",
    "alpaca_zh": "attack/alpaca_gpt4_zh_demo.jsonl.zst",
    "codealpaca": "attack/codealpaca_2k.jsonl.zst",
    "roleplay": "attack/gpteacher_roleplay.jsonl.zst",
    "toolformer": "attack/gpteacher_toolformer.jsonl.zst",
    "math_cot": "attack/math_zero_shot_cot.jsonl.zst",
    "seeds": "attack/bootstrap_seed_tasks.jsonl.zst",
    "generation": "attack/generation_templates.jsonl.zst",
    "camel": "attack/camel_roles.jsonl.zst",
    "batch_jobs": "benign/hard_negative/templated_batch_jobs.jsonl.zst",
    "eval_suites": "benign/hard_negative/llm_eval_suites.jsonl.zst",
    "restaurant": "benign/hard_negative/restaurant8k_booking_utterances.jsonl.zst",
    "agents": "benign/hard_negative/agent_tool_call_sessions.jsonl.zst",
    "sharegpt": "benign/organic/sharegpt_user_turns.jsonl.zst",
    "sharegpt_answers": "benign/organic/sharegpt_full_sample.jsonl.zst",
    "instructwild": "benign/organic/instructwild_user_prompts.jsonl.zst",
    "oasst": "benign/organic/oasst_prompts.jsonl.zst",
    "dolly": "benign/organic/dolly_3k_human_written.jsonl.zst",
    "koala_arena": "benign/organic/user_prompts_koala_arena_hard_v01.jsonl.zst",
    "gsm8k_train": "tasks/gsm8k_train.jsonl.zst",
    "gsm8k_test": "tasks/gsm8k_test.jsonl.zst",
    "gsm8k_solutions": "tasks/gsm8k_example_model_solutions.jsonl.zst",
    "math_word": "tasks/math_word_problems.jsonl.zst",
    "boolq": "tasks/boolq.jsonl.zst",
    "arc": "tasks/arc_challenge.jsonl.zst",
    "banking": "tasks/banking77.csv.gz",
    "clinc": "tasks/clinc150_full.csv.gz",
    "sst2": "tasks/sst2_binary.csv.gz",
    "ag_news": "tasks/ag_news_test.csv.gz",
    "humaneval": "tasks/humaneval.jsonl.zst",
    "mbpp": "tasks/mbpp_plus_prompts.jsonl.zst",
    "mmlu": "tasks/mmlu_test.csv.gz",
    "wmt": "tasks/wmt16_de_en_validation.jsonl.zst",
    "cnn": "tasks/cnn_dailymail_test_200.jsonl.zst",
    "datacentre": "network/datacenter_ipv4.csv.gz",
    "vpn": "network/vpn_ipv4.csv.gz",
    "browsers": "network/browser_user_agents_2k.jsonl.zst",
    "sdks": "network/sdk_user_agents.csv.gz",
    "ja4": "network/ja4_known_clients.csv.gz",
}
"""Source name -> path in a data folder of the full layout."""

CHITCHAT: Final = "traces/human_chat_timing_chitchat.csv.gz"
CLIENT_RATES: Final = "traces/servegen_client_rates.csv.gz"
ASN_TABLE: Final = "network/asn_ipv4.csv.gz"
CONSUMER_ASNS: Final = "network/asn_consumer_isp.csv.gz"


class Sources(Protocol):
    """A place that holds corpus files."""

    @property
    def name(self) -> str:
        """Short name of the place, without its path."""
        ...

    def rows(self, source: str) -> list[Row]:
        """Return the rows of `source`, in file order; none when the place lacks it."""
        ...


class PackagedSources:
    """The sample inside the package; see `data/NOTICE.md` for each file's source and licence."""

    name = "packaged sample"

    def rows(self, source: str) -> list[Row]:
        """Return the rows of `source`; none when the sample lacks it."""
        file = resources.files("stillwatch.lab.traffic") / "data" / f"{source}.jsonl.zst"
        return parse_lines(file.read_bytes()) if file.is_file() else []


class FolderSources:
    """A data folder of the full layout; traces and address tables are reduced as they are read."""

    name = "data folder"

    def __init__(self, folder: Path) -> None:
        if not (folder / FULL["koala_arena"]).is_file():
            raise StillwatchError(
                f"corpus folder {folder.name!r}: holds no {FULL['koala_arena']}; must have the layout that "
                "docs/reference/traffic.md describes.\nLeave the folder out to use the packaged sample."
            )
        self._folder = folder

    def rows(self, source: str) -> list[Row]:
        """Return the rows of `source`, one of `FULL` or a reduced table; none when it is absent."""
        if source == "gaps":
            return reduction.person_gaps(self._table(CHITCHAT))
        if source == "hours":
            return reduction.hour_counts(self._table(CHITCHAT))
        if source == "client_rates":
            return reduction.client_hours(self._table(CLIENT_RATES))
        if source == "consumer":
            return reduction.consumer_ranges(self._table(ASN_TABLE), self._table(CONSUMER_ASNS))
        path = self._folder / FULL[source]
        if not path.is_file():
            return []
        if path.name.endswith(".csv.gz"):
            return self._table(FULL[source])
        return parse_lines(path.read_bytes())

    def _table(self, name: str) -> list[Row]:
        path = self._folder / name
        if not path.is_file():
            return []
        with gzip.open(path, "rt", encoding="utf-8", newline="") as lines:
            return list(csv.DictReader(lines))


def parse_lines(packed: bytes) -> list[Row]:
    """Return the rows of a zstd-packed JSONL file."""
    with zstandard.ZstdDecompressor().stream_reader(io.BytesIO(packed)) as reader:
        return [orjson.loads(line) for line in reader.read().splitlines() if line]


def pack_lines(rows: list[Row]) -> bytes:
    """Return the rows as zstd-packed JSONL, level 19, equal bytes for equal rows."""
    return zstandard.ZstdCompressor(level=19).compress(b"".join(orjson.dumps(row) + b"\n" for row in rows))
