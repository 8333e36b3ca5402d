"""Every importer: the same calls come out, whatever wrote them; damage is reported and stops nothing."""

import gzip
import json
import os
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import zstandard

from stillwatch.logs.catalog import IMPORTERS
from stillwatch.logs.quarantine import Quarantine
from stillwatch.logs.read import ReadOptions, SourceFile
from stillwatch.terms.exchange import Exchange
from tests.conformance.importer_calls import CALLS, Call
from tests.conformance.importer_fixtures import MAPPING, SOURCES

MODIFIED = CALLS[-1].time + 3600.0
VARIANTS = list(SOURCES)


def source(folder: Path, variant: str, content: bytes | None = None, **options: object) -> SourceFile:
    path = folder / "log"
    path.write_bytes(SOURCES[variant][1](CALLS) if content is None else content)
    os.utime(path, (MODIFIED, MODIFIED))
    if SOURCES[variant][0] == "mapped":
        options["mapping"] = folder / "mapping.toml"
        (folder / "mapping.toml").write_text(MAPPING)
    return SourceFile(path, ReadOptions(**options), Quarantine(folder / "bad.jsonl"))  # type: ignore[arg-type]


def read(file: SourceFile) -> list[Exchange]:
    exchanges = [exchange for batch in file.batches() for exchange in batch]
    assert file.quarantine is not None
    file.quarantine.close()
    return exchanges


def bad(folder: Path) -> list[dict[str, object]]:
    path = folder / "bad.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def assert_same(call: Call, exchange: Exchange) -> None:
    turns = [(message.role, message.text) for message in exchange.messages]
    assert turns == [("system", call.system), *call.turns]
    assert exchange.account == call.account
    assert exchange.time == pytest.approx(call.time, abs=1e-3)
    assert (exchange.answer, exchange.tokens_in, exchange.tokens_out) == (call.answer, call.tokens_in, call.tokens_out)
    assert (exchange.address, exchange.agent, exchange.session) == (call.address, call.agent, call.session)
    assert (exchange.model, exchange.finish, exchange.status) == (call.model, "stop", 200)
    assert exchange.parameters["temperature"] == 0.7
    assert exchange.latency == pytest.approx(call.seconds, abs=1e-3)


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_same_calls_come_out_of_every_source(variant: str, tmp_path: Path) -> None:
    file = source(tmp_path, variant)
    exchanges = read(file)
    assert bad(tmp_path) == []
    assert file.tally.importer == SOURCES[variant][0]
    assert len(exchanges) == len(CALLS)
    for call, exchange in zip(CALLS, exchanges, strict=True):
        assert_same(call, exchange)
    assert file.tally.rows == file.tally.good + file.tally.other
    assert file.tally.fields["user_text"] == len(CALLS)
    assert file.tally.fields["assistant_turns"] == 1


def test_every_importer_has_a_source_here() -> None:
    assert {importer for importer, _ in SOURCES.values()} == set(IMPORTERS.names())


@pytest.mark.parametrize("variant", VARIANTS)
def test_an_endpoint_is_told(variant: str, tmp_path: Path) -> None:
    expected = {"anthropic": "messages"}.get(SOURCES[variant][0], "chat")
    expected = "responses" if variant == "openai responses" else expected
    assert {exchange.endpoint for exchange in read(source(tmp_path, variant))} == {expected}


def compressed(content: bytes) -> Iterator[tuple[str, bytes]]:
    yield "gzip", gzip.compress(content)
    yield (
        "gzip of two members",
        gzip.compress(content[: len(content) // 2]) + gzip.compress(content[len(content) // 2 :]),
    )
    yield "zstd", zstandard.compress(content)
    yield "zstd of two frames", zstandard.compress(content[:50]) + zstandard.compress(content[50:])


@pytest.mark.parametrize("variant", [name for name in VARIANTS if "parquet" not in name])
def test_compressed_and_recoded_files_read_the_same(variant: str, tmp_path: Path) -> None:
    content = SOURCES[variant][1](CALLS)
    encodings = [
        ("BOM", b"\xef\xbb\xbf" + content),
        ("UTF-16", content.decode().encode("utf-16")),
        ("UTF-16 big end first", b"\xfe\xff" + content.decode().encode("utf-16-be")),
    ]
    if b"\r\n" not in content:  # CSV is written so from the start
        encodings.append(("CRLF", content.replace(b"\n", b"\r\n")))
    for name, packed in [*compressed(content), *encodings]:
        exchanges = read(source(tmp_path, variant, packed))
        assert bad(tmp_path) == [], name
        for call, exchange in zip(CALLS, exchanges, strict=True):
            assert_same(call, exchange)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_truncated_file_gives_what_was_whole_and_one_bad_row(variant: str, tmp_path: Path) -> None:
    content = SOURCES[variant][1](CALLS)
    many = content if content.count(b"\n") < 3 else content
    file = source(tmp_path, variant, many[: len(many) - 40])
    exchanges = read(file)
    rows = bad(tmp_path)
    assert len(rows) == file.tally.bad == 1
    whole_file_formats = ("otel", "litellm parquet", "plain parquet")
    assert len(exchanges) == (0 if variant.startswith(whole_file_formats) and variant != "otel flat" else 2)
    for call, exchange in zip(CALLS, exchanges, strict=False):
        assert_same(call, exchange)


@pytest.mark.parametrize("variant", [name for name in VARIANTS if "parquet" not in name])
@pytest.mark.parametrize("packing", ["gzip", "zstd"])
def test_a_half_compressed_file_gives_everything_before_the_cut(variant: str, packing: str, tmp_path: Path) -> None:
    rng = random.Random(7)  # answers that do not compress away, so that the cut falls between calls
    calls = [replace(call, answer=rng.randbytes(200).hex()) for call in CALLS * 300]
    content = SOURCES[variant][1](calls)
    packed = gzip.compress(content, 1) if packing == "gzip" else zstandard.compress(content, 1)
    file = source(tmp_path, variant, packed[: int(len(packed) * 0.7)])
    if file.options.mapping is None:
        file = SourceFile(file.path, ReadOptions(importer=SOURCES[variant][0]), file.quarantine)
    exchanges = read(file)
    assert "file ends inside a compressed block" in str(bad(tmp_path)[-1]["reason"])
    assert file.tally.bad == 1
    if not variant.startswith("otel") or variant == "otel flat":
        assert len(exchanges) > 100
    for call, exchange in zip(calls, exchanges, strict=False):
        assert_same(call, exchange)


LINES = [name for name in VARIANTS if not any(word in name for word in ("parquet", "csv", "tsv", "array", "otel"))]


@pytest.mark.parametrize("variant", [*LINES, "otel flat"])
def test_one_bad_line_is_one_bad_row_with_file_line_and_reason(variant: str, tmp_path: Path) -> None:
    lines = SOURCES[variant][1](CALLS).splitlines()
    damaged = [lines[0], b'{"broken": ', lines[1], b'{"caf\xe9": 1}', b"[1, 2]", b'"text"', b"", b"null", lines[2]]
    file = source(tmp_path, variant, b"\n".join(damaged))
    assert [exchange.account for exchange in read(file)] == [call.account for call in CALLS]
    rows = bad(tmp_path)
    assert [row["line"] for row in rows] == [2, 4, 5, 6, 6, 8]
    assert {row["file"] for row in rows} == {str(file.path)}
    assert "UTF-8" in str(rows[1]["reason"])
    assert (file.tally.good, file.tally.bad) == (3, 6)


@pytest.mark.parametrize("variant", VARIANTS)
def test_duplicates_and_disorder_are_passed_on_as_they_come(variant: str, tmp_path: Path) -> None:
    calls = (CALLS[2], CALLS[0], CALLS[0], CALLS[1], CALLS[2])
    exchanges = read(source(tmp_path, variant, SOURCES[variant][1](calls)))
    assert [exchange.time for exchange in exchanges] == pytest.approx([call.time for call in calls], abs=1e-3)
    assert exchanges[1] == exchanges[2]


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("skew", [-15 * 365.25 * 86400, 3 * 86400])
def test_times_of_a_wrong_clock_are_bad_rows(variant: str, skew: float, tmp_path: Path) -> None:
    odd = Call(**{**CALLS[0].__dict__, "time": CALLS[0].time + skew})
    file = source(tmp_path, variant, SOURCES[variant][1]((CALLS[1], odd, CALLS[2])))
    assert len(read(file)) == 2
    assert [str(row["reason"]).partition(":")[0] for row in bad(tmp_path)] == ["time"]
    assert file.tally.reasons == {"time": 1}


@pytest.mark.parametrize("variant", VARIANTS)
def test_since_and_until_count_what_they_leave_out(variant: str, tmp_path: Path) -> None:
    file = source(tmp_path, variant, since=CALLS[0].time + 1, until=CALLS[1].time)
    assert [exchange.time for exchange in read(file)] == pytest.approx([CALLS[2].time], abs=1e-3)
    assert (file.tally.good, file.tally.outside, file.tally.bad) == (1, 2, 0)


@pytest.mark.parametrize("variant", VARIANTS)
def test_batches_have_the_size_that_was_asked_for(variant: str, tmp_path: Path) -> None:
    file = source(tmp_path, variant, SOURCES[variant][1](CALLS * 3), batch=4)
    assert [len(batch) for batch in file.batches()] == [4, 4, 1]
    assert sum(len(batch) for batch in file.batches()) == file.tally.good == 9  # read anew, not added up


@pytest.mark.parametrize("variant", VARIANTS)
def test_an_account_field_names_the_account(variant: str, tmp_path: Path) -> None:
    field = {
        "litellm": "model",
        "openai": "session_id",
        "anthropic": "session_id",
        "otel": "spanId",
        "plain": "session_id",
        "mapped": "lauf",
    }[SOURCES[variant][0]]
    field = "context.span_id" if variant == "otel flat" else field
    accounts = {exchange.account for exchange in read(source(tmp_path, variant, account_field=field))}
    assert accounts in ({"s-1", "s-2"}, {"claude-sonnet-4"}, {"00" * 8}, {"0x2"})


def planted(name: str) -> Call:
    return Call(
        account="carol",
        time=CALLS[0].time,
        system=f"CANARY-system-{name}",
        turns=(("user", f"CANARY-user-{name}"), ("assistant", f"CANARY-assistant-{name}"), ("user", "CANARY-last")),
        answer=f"CANARY-answer-{name}",
        tokens_in=1,
        tokens_out=1,
    )


@pytest.mark.parametrize("variant", VARIANTS)
def test_no_text_reaches_quarantine_repr_or_tally(variant: str, tmp_path: Path) -> None:
    content = SOURCES[variant][1]([planted(str(index)) for index in range(4)])
    cuts = [content, content[:-30], content.replace(b"1760000000", b"99"), content.replace(b"2025", b"1970")]
    cuts += [content.replace(b"carol", b"CANARY " * 50), content.replace(b'"role"', b'"CANARY"')]
    cuts += [content.replace(b'"content": "', b'"content": 7, "CANARY": "'), content[:200] + b"\xff" + content[200:]]
    shown = ""
    for cut in cuts:
        try:
            file = source(tmp_path, variant, cut)
            exchanges = read(file)
        except Exception as error:
            shown += repr(error) + str(error)
            continue
        shown += repr(exchanges) + repr([exchange.messages for exchange in exchanges])
        shown += repr(file) + repr(file.tally) + repr(file.options)
        shown += json.dumps(bad(tmp_path))
    assert "CANARY" not in shown


FORCED = [("litellm", "otel flat"), ("openai", "otel flat"), ("anthropic", "otel flat"), ("otel", "litellm payload"),
          ("plain", "otel flat")]  # fmt: skip


@pytest.mark.parametrize(("importer", "variant"), FORCED)
def test_a_forced_importer_refuses_rows_that_hold_nothing_of_its_own(
    importer: str, variant: str, tmp_path: Path
) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(SOURCES[variant][1](CALLS))
    with Quarantine(tmp_path / "bad.jsonl") as quarantine:
        file = SourceFile(path, ReadOptions(importer=importer), quarantine)
        assert list(file.batches()) == []
    assert file.tally.bad == file.tally.rows > 0
    assert all(row["reason"] for row in bad(tmp_path))


@pytest.mark.parametrize("variant", [name for name, source in SOURCES.items() if source[0] != "mapped"])
def test_forcing_the_right_importer_changes_nothing(variant: str, tmp_path: Path) -> None:
    importer = SOURCES[variant][0]
    content = SOURCES[variant][1](CALLS)
    free, forced = source(tmp_path, variant, content), source(tmp_path, variant, content, importer=importer)
    assert read(free) == read(forced)
    assert (free.tally.bad, free.tally.other) == (forced.tally.bad, forced.tally.other)
