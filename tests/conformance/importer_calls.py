"""The calls that every importer must bring back, and the plain formats they are written in."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

KEY_HASH = "88dc28d0f030c55ed4ab77ed8faf098196cb1c05df778539800c9f1243fe6b4b"
Json = dict[str, Any]


@dataclass(frozen=True)
class Call:
    """One call, free of any format."""

    account: str
    time: float
    system: str
    turns: tuple[tuple[str, str], ...]
    """Role and text of every turn after the system prompt."""
    answer: str
    tokens_in: int
    tokens_out: int
    model: str = "claude-sonnet-4"
    address: str = "203.0.113.7"
    agent: str = "OpenAI/Python 1.2.3"
    session: str = "s-1"
    seconds: float = 1.5

    @property
    def messages(self) -> list[Json]:
        return [{"role": "system", "content": self.system}, *self.chat]

    @property
    def chat(self) -> list[Json]:
        return [{"role": role, "content": text} for role, text in self.turns]

    @property
    def iso(self) -> str:
        return datetime.fromtimestamp(self.time, UTC).isoformat().replace("+00:00", "Z")

    @property
    def who(self) -> Json:
        return {
            "user_id": self.account,
            "client_ip": self.address,
            "user_agent": self.agent,
            "session_id": self.session,
            "latency_ms": self.seconds * 1e3,
        }


CALLS = (
    Call("alice", 1_760_000_000.0, "Be brief.", (("user", "Why is the sky blue?"),), "Rayleigh scattering.", 21, 5),
    Call(
        "bob",
        1_760_000_100.5,
        "Be kind.",
        (("user", "Héllo, wörld 你好"), ("assistant", "Hello there."), ("user", 'Tell me\nmore, "please"; now')),
        "Grüße,\nand more.",
        40,
        9,
        session="s-2",
    ),
    Call("alice", 1_760_000_050.25, "Be brief.", (("user", "And the sea?"),), "It mirrors the sky.", 20, 6),
)


def jsonl(rows: Sequence[Json]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def as_csv(rows: Sequence[Json], delimiter: str = ",") -> bytes:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


def as_parquet(rows: Sequence[Json]) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(list(rows)), out)
    return out.getvalue()
