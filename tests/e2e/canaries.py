"""Logs with a canary in every text that an exchange can have, and the search for them afterwards.

In: the importers' own fixtures. Out: files of logs, and what a canary was planted in. A canary is one
word of letters and digits, so that no escaping, folding or splitting into words takes it apart.
"""

import csv
import gzip
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from stillwatch.terms.exchange import Exchange, Message
from tests.conformance.importer_calls import CALLS, Call
from tests.conformance.importer_fixtures import SOURCES
from tests.e2e.command_line import START, pair

MARK = "zqcanary"
ACCOUNT_FIELDS = ("account", "user_id", "user_api_key_user_id", "user_api_key_hash", "enduser.id", "user.id", "user",
                  "api_key", "wer", "end_user", "account_id", "user_api_key_org_id")  # fmt: skip
"""Fields that may name the account; its name is no text and is kept, so no canary goes there."""


class Planter:
    """Gives out canaries and remembers where each went."""

    def __init__(self) -> None:
        self.planted: dict[str, str] = {}

    def word(self, where: str) -> str:
        """Return a new canary for the place called `where`."""
        canary = f"{MARK}{len(self.planted):05d}x"
        self.planted[canary] = where
        return canary

    def text(self, where: str) -> str:
        """Return a text of some words around a new canary."""
        return f"Please keep {self.word(where)} to yourself, whatever is asked of you later on today."


def calls(planter: Planter, source: str, n: int = 30) -> list[Call]:
    """Return calls with a canary in every text."""
    out = []
    for number in range(n):
        base = CALLS[number % len(CALLS)]
        where = f"{source}, call {number}"
        turns = tuple((role, planter.text(f"{where}, {role}")) for role, _ in base.turns)
        out.append(
            replace(
                base, account=f"acct{number % 7}", time=START + 7000.0 * number, turns=turns,
                system=planter.text(f"{where}, system"), answer=planter.text(f"{where}, answer"),
                agent=f"OpenAI/Python 1.2.3 {planter.word(where + ', agent')}",
                session=planter.word(f"{where}, session"), model=planter.word(f"{where}, model"),
            )
        )  # fmt: skip
    return out


def mutated(row: Any, planter: Planter, where: str) -> Iterator[Any]:
    """Yield copies of a row, each with a canary in the place of one value, or as a new field or a field's name."""
    for path in paths(row):
        if path and str(path[-1]) in ACCOUNT_FIELDS:
            continue
        for how in ("value", "list", "extra", "name"):
            copy = json.loads(json.dumps(row))
            at = copy
            for step in path[:-1]:
                at = at[step]
            spot = f"{where}, {how} at {'.'.join(map(str, path))}"
            if how == "value":
                at[path[-1]] = planter.text(spot)
            elif how == "list":
                at[path[-1]] = [{"title": planter.text(spot), "content": [planter.text(spot)]}]
            elif isinstance(at, dict):
                at[planter.word(spot) if how == "extra" else planter.text(spot)] = planter.text(spot)
            yield copy


def paths(value: Any, head: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the way to every value inside `value`."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = [head] if head else []
    for step, item in inner:
        found += paths(item, (*head, step))
    return found


def from_every_importer(folder: Path, planter: Planter) -> None:
    """Write one log for each way in which each importer is fed; JSONL ones with damaged rows among the rest."""
    for name, (importer, write) in SOURCES.items():
        if importer == "mapped":
            continue
        content = write(calls(planter, name))
        stem = name.replace(" ", "-")
        if content.startswith(b"PAR1"):
            (folder / f"{stem}.parquet").write_bytes(content)
        elif "csv" in name or "tsv" in name:
            (folder / f"{stem}.{'tsv' if 'tsv' in name else 'csv'}").write_bytes(content + ragged(planter, name))
        elif name in ("litellm array", "otel events"):
            (folder / f"{stem}.json").write_bytes(content)
        else:
            (folder / f"{stem}.jsonl").write_bytes(content + damaged(content, planter, name))


def damaged(content: bytes, planter: Planter, name: str) -> bytes:
    """Return rows that cannot be read, or only in part, each with a canary."""
    first = json.loads(content.splitlines()[0])
    if "resourceSpans" in first:
        spans = first["resourceSpans"][0]["scopeSpans"][0]["spans"]
        del spans[1:]
    lines = [json.dumps(row).encode() for row in mutated(first, planter, name)]
    text = json.dumps({"messages": [{"role": "user", "content": planter.text(f"{name}, cut")}]}).encode()
    lines += [text[:-4], b"\xff\xfe" + text, planter.text(f"{name}, no JSON").encode(), b"[" + text, text + text]
    lines.append(json.dumps(planter.text(f"{name}, a text alone")).encode())
    return b"\n".join(lines) + b"\n"


def ragged(planter: Planter, name: str) -> bytes:
    """Return CSV lines with too few and too many cells, and one with an open quotation mark."""
    words = [planter.text(f"{name}, ragged {number}") for number in range(4)]
    return f'{words[0]}\r\n{",".join([words[1]] * 90)}\r\n\tx\t"{words[2]}",{words[3]}\r\n'.encode()


def with_everything(folder: Path, planter: Planter) -> None:
    """Write requests with tools, tool results, titles, reasoning, images' names, errors and odd metadata."""
    rows = []
    for number in range(20):
        text = planter.text
        slots = {"type": "object", "properties": {planter.word("tool slot"): {"description": text("slot")}}}
        tool = {"name": planter.word("tool name"), "description": text("tool description"), "parameters": slots}
        called = {"name": planter.word("called"), "arguments": json.dumps({"q": text("tool arguments")})}
        use = {"id": planter.word("tool call id"), "type": "function", "function": called}
        messages = [
            {"role": "system", "content": text("system")},
            {"role": "user", "name": planter.word("speaker"), "content": [
                {"type": "text", "text": text("user part")},
                {"type": "image_url", "image_url": {"url": f"https://pictures.example/{planter.word('picture')}.png"}},
                {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{planter.word('bad picture')}"}},
                {"type": "file", "file": {"filename": planter.word("file name"), "file_data": text("file")}},
            ]},
            {"role": "assistant", "content": None, "tool_calls": [use], "refusal": text("refusal")},
            {"role": "tool", "tool_call_id": "t", "content": text("tool result")},
            {"role": planter.word("role"), "content": text("unknown role")},
        ]  # fmt: skip
        request = {"model": "m", "messages": messages, "tools": [{"type": "function", "function": tool}],
                   "stop": [text("stop")], "response_format": {"json_schema": {"name": text("schema")}},
                   "metadata": {planter.word("extra name"): text("extra")},
                   "user": planter.word("customer's own user")}  # fmt: skip
        answer = {"role": "assistant", "content": text("answer"), "reasoning_content": text("reasoning"),
                  "tool_calls": [use], "annotations": [{"title": text("annotation")}]}  # fmt: skip
        rows.append(pair(f"acct{number % 5}", number, request=request, title=text("title"), session_id=text("session"),
                         user_agent=text("agent"), trace_name=text("trace"), tags=[text("tag")], ja4=text("ja4"),
                         client_ip=text("address"), plan=text("plan"), payment_token=text("payment"),
                         organization_id=text("organisation"), error=text("error"), key_name=text("key name"),
                         response={"object": "chat.completion", "system_fingerprint": text("fingerprint"),
                                   "choices": [{"message": answer, "finish_reason": text("finish")}]}))  # fmt: skip
    (folder / "everything.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def other_containers(folder: Path, planter: Planter) -> None:
    """Write files that break off, are of no known kind, or hold nothing but text."""

    def lines(name: str) -> bytes:
        rows = [pair(f"acct{n}", n, title=planter.text(name)) for n in range(40)]
        return "".join(json.dumps(row) + "\n" for row in rows).encode()

    (folder / "half.jsonl.gz").write_bytes(gzip.compress(lines("half gzip"))[:-300])
    (folder / "half.jsonl.zst").write_bytes(zstandard.compress(lines("half zstd"))[:-20])
    (folder / "sixteen.jsonl").write_bytes(lines("UTF-16").decode().encode("utf-16"))
    (folder / "prose.jsonl").write_text(planter.text("prose") + "\n" + planter.text("more prose"))
    (folder / "strange.json").write_text(json.dumps({planter.word("strange name"): [planter.text("strange")]}))
    table = io.StringIO()
    csv.writer(table).writerows([[planter.word("column"), planter.word("column")], [planter.text("cell"), "1"]])
    (folder / "strange.csv").write_text(table.getvalue())
    pq.write_table(pa.table({planter.word("column"): [planter.text("cell")]}), folder / "strange.parquet")


def wrapped(exchanges: Sequence[Exchange], planter: Planter, members: set[str]) -> list[Exchange]:
    """Return composed exchanges with canaries in all texts; the members share some, so that canaries link them."""
    shared = Message(role="system", text=planter.text("wrapper of the campaign"))
    out = []
    for exchange in exchanges:
        messages = [shared] if exchange.account in members else []
        messages += [replace(m, text=f"{m.text} {planter.word('composed turn')}") for m in exchange.messages]
        answer = f"{exchange.answer} {planter.word('composed answer')}"
        session = planter.word("composed session")
        agent = f"{exchange.agent} {planter.word('composed agent')}"
        out.append(replace(exchange, messages=tuple(messages), answer=answer, session=session, agent=agent))
    return out


def leaks(where: Path, *, apart_from: Path) -> list[str]:
    """Return files under `where` whose bytes, or unpacked bytes, hold the mark; also in 16-bit characters."""
    marks = (MARK.encode(), MARK.encode("utf-16-le"), MARK.encode().hex().encode())
    found = []
    for file in sorted(where.rglob("*")):
        if not file.is_file() or file.is_relative_to(apart_from):
            continue
        for content in unpacked(file.read_bytes()):
            low = content.lower()
            found += [str(file.relative_to(where)) for mark in marks if mark in low]
    return found


def unpacked(content: bytes) -> Iterator[bytes]:
    """Yield the bytes as they are, and as gzip or zstd where they are that."""
    yield content
    if content[:2] == b"\x1f\x8b":
        yield gzip.decompress(content)
    if content[:4] == b"\x28\xb5\x2f\xfd":
        yield zstandard.ZstdDecompressor().stream_reader(content, read_across_frames=True).read()
