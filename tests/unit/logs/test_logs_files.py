"""Files are found, known by their content, told apart, and refused in words that help."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from stillwatch.logs import documents, lines
from stillwatch.logs.catalog import IMPORTERS
from stillwatch.logs.coverage import NEEDS
from stillwatch.logs.lines import numbered
from stillwatch.logs.mapping import FIELDS
from stillwatch.logs.propose import propose_mapping
from stillwatch.logs.quarantine import Quarantine
from stillwatch.logs.read import SUFFIXES, ReadOptions, SourceFile, digest, list_files, open_sources, read_all, total
from stillwatch.terms.errors import StillwatchError

ROW = {"timestamp": 1_760_000_000, "user": "alice", "prompt": "hello", "response": "hi"}


def write(path: Path, content: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")
    os.utime(path, (1_760_003_600, 1_760_003_600))
    return path


def rows(*changes: dict[str, Any]) -> str:
    return "".join(json.dumps({**ROW, **change}) + "\n" for change in changes)


def test_folders_are_walked_in_order_and_named_files_always_read(tmp_path: Path) -> None:
    names = ["b.jsonl", "a.csv.gz", "deep/c.parquet", "d.json.zst", ".hidden/x.jsonl", "readme.md", "odd"]
    for name in names:
        write(tmp_path / name, "x")
    found = [str(path.relative_to(tmp_path)) for path in list_files([tmp_path, tmp_path / "odd", tmp_path / "b.jsonl"])]
    assert found == ["a.csv.gz", "b.jsonl", "d.json.zst", "deep/c.parquet", "odd"]


def test_a_missing_path_and_an_empty_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(StillwatchError, match="no such file or folder"):
        list_files([tmp_path / "nowhere"])
    with pytest.raises(StillwatchError, match="no log file inside"):
        list_files([tmp_path])


def test_the_digest_follows_bytes_and_options_and_nothing_else(tmp_path: Path) -> None:
    one, other = write(tmp_path / "a.jsonl", rows({})), write(tmp_path / "b.jsonl", rows({}))
    assert digest(one) == digest(other) == digest(one, ReadOptions(batch=7))
    mapping = write(tmp_path / "m.toml", '[fields]\naccount = "user"\ntime = "timestamp"\n')
    seen = {digest(one), digest(one, ReadOptions(account_field="x")), digest(one, ReadOptions(since=1.0))}
    seen |= {digest(one, ReadOptions(importer="openai")), digest(one, ReadOptions(mapping=mapping))}
    seen.add(digest(write(tmp_path / "a.jsonl", rows({}, {}))))
    assert len(seen) == 6


def test_an_unknown_file_stops_a_command_only_where_it_was_named(tmp_path: Path) -> None:
    write(tmp_path / "good.jsonl", rows({}))
    foreign = write(tmp_path / "foreign.jsonl", '{"colour": "red"}\n')
    sources = open_sources([tmp_path])
    assert [file.path.name for file in sources.files] == ["good.jsonl"]
    assert list(sources.skipped) == [foreign]
    with pytest.raises(StillwatchError, match="stillwatch logs map foreign.jsonl"):
        open_sources([foreign])
    assert [len(batch) for _, batch in read_all(sources.files)] == [1]
    assert total(sources.files).good == 1


def test_stored_events_are_no_logs(tmp_path: Path) -> None:
    events = write(tmp_path / "events.jsonl", '{"version": 1, "values": {"event_id": 1, "sketch": {}}}\n')
    with pytest.raises(StillwatchError, match="Stillwatch events"):
        open_sources([events])


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"importer": "nothing"}, "unknown"),
        ({"importer": "mapped"}, "needs --mapping"),
        ({"importer": "openai", "mapping": Path("m")}, "takes no mapping"),
        ({"batch": 0}, "at least 1"),
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, Any], word: str) -> None:
    with pytest.raises(StillwatchError, match=word):
        ReadOptions(**options)


def test_a_file_of_nothing_but_damage_is_all_bad_rows(tmp_path: Path) -> None:
    file = SourceFile(write(tmp_path / "bad.jsonl", "{broken\n{also\n"), quarantine=Quarantine(tmp_path / "q"))
    assert list(file.batches()) == []
    assert (file.tally.bad, file.tally.rows, file.tally.bad_share) == (2, 2, 1.0)
    empty = SourceFile(write(tmp_path / "empty.jsonl", ""))
    assert list(empty.batches()) == [] and empty.tally.rows == 0


def test_wrapped_and_pretty_printed_documents_are_opened(tmp_path: Path) -> None:
    items = [ROW, {**ROW, "user": "bob"}]
    for document in (json.dumps({"data": items}), json.dumps({"logs": items}, indent=2), json.dumps(items, indent=2)):
        file = SourceFile(write(tmp_path / "doc.json", document))
        assert [exchange.account for batch in file.batches() for exchange in batch] == ["alice", "bob"]


def test_a_list_with_one_item_a_line_loses_only_the_damaged_one(tmp_path: Path) -> None:
    good = json.dumps(ROW)
    file = SourceFile(write(tmp_path / "list.json", f"[\n{good},\n{{broken,\n{good}\n]\n"))
    assert sum(len(batch) for batch in file.batches()) == 2
    assert file.tally.bad == 1


def test_a_giant_line_is_one_bad_row_and_the_next_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "MAX_LINE", 1000)
    chunks = [b"a\n" + b"x" * 600, b"x" * 600, b"x" * 600 + b"\nb\n", b"c" * 999 + b"\n", b"d"]
    found = [(number, line if isinstance(line, bytes) else "fault") for number, line in numbered(chunks)]
    assert found == [(1, b"a"), (2, "fault"), (3, b"b"), (4, b"c" * 999), (5, b"d")]


def test_a_document_that_is_too_large_is_refused_with_advice(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(documents, "MAX_LINE", 1000)
    spread = json.dumps([ROW] * 40, indent=2)
    found = list(documents.rows_of(write(tmp_path / "big.json", spread)))
    assert len(found) == 1 and "JSONL" in found[0][1].reason  # type: ignore[union-attr]
    one_a_line = "[\n" + ",\n".join([json.dumps(ROW)] * 40) + "\n]"
    found = list(documents.rows_of(write(tmp_path / "big.json", one_a_line)))
    assert [row for _, row in found] == [ROW] * 40


def test_csv_rows_that_do_not_fit_the_header_are_bad_rows(tmp_path: Path) -> None:
    content = 'timestamp,user,prompt,response\n1760000000,alice,"a, ""b""\nc",d\n1760000000,x\n1760000000,bob,e,f\n'
    quarantine = Quarantine(tmp_path / "q")
    file = SourceFile(write(tmp_path / "log.csv", content), quarantine=quarantine)
    exchanges = [exchange for batch in file.batches() for exchange in batch]
    quarantine.close()
    assert [(e.account, e.messages[0].text) for e in exchanges] == [("alice", 'a, "b"\nc'), ("bob", "e")]
    bad = json.loads(quarantine.path.read_text())
    assert (bad["line"], bad["reason"]) == (4, "CSV: row has 2 columns; the header has 4")


def test_a_proposed_mapping_reads_the_file_it_was_made_from(tmp_path: Path) -> None:
    header = "usr;when;frage;antwort;toks\n"
    body = "".join(
        f"a{i % 3};31.12.2023 23:5{i};CANARY a long question {i}?;CANARY a long answer {i}.;12\n" for i in range(6)
    )
    path = write(tmp_path / "log.csv", header + body)
    proposed = propose_mapping(path)
    assert "CANARY" not in proposed
    assert 'account = "usr"  # by its name; in 6 of 6 rows, 3 distinct' in proposed
    assert '\nformat = "%d.%m.%Y %H:%M"' in proposed
    for guess in ("prompt", "answer"):
        assert f"# {guess} = " in proposed
        proposed = proposed.replace(f"# {guess} = ", f"{guess} = ")
    mapping = write(tmp_path / "m.toml", proposed)
    file = SourceFile(path, ReadOptions(mapping=mapping))
    exchanges = [exchange for batch in file.batches() for exchange in batch]
    assert [(e.account, e.messages[0].text, e.answer) for e in exchanges][1] == (
        "a1",
        "CANARY a long question 1?",
        "CANARY a long answer 1.",
    )
    assert exchanges[0].time == 1_704_066_600.0


@pytest.mark.parametrize(
    ("content", "word"),
    [
        ("[fields", "TOML"),
        ('[fields]\naccount = "a"\n', "at least account and time"),
        ('[fields]\naccount = "a"\ntime = "t"\nfoo = "x"\n', "fields.foo"),
        ('[fields]\naccount = "a"\ntime = 3\n', "fields.time"),
        ('[fields]\naccount = "a"\ntime = "t"\n[time]\nunit = "h"\n', "unit"),
        ('delimiter = ";;"\n[fields]\naccount = "a"\ntime = "t"\n', "delimiter"),
        ('format = "xml"\n[fields]\naccount = "a"\ntime = "t"\n', "format"),
        ('wrong = 1\n[fields]\naccount = "a"\ntime = "t"\n', "wrong"),
    ],
)
def test_a_wrong_mapping_is_refused_by_what_is_wrong(content: str, word: str, tmp_path: Path) -> None:
    mapping = write(tmp_path / "m.toml", content)
    with pytest.raises(StillwatchError, match=word):
        SourceFile(write(tmp_path / "a.jsonl", rows({})), ReadOptions(mapping=mapping))


def test_the_pages_name_every_importer_and_every_field_of_a_mapping() -> None:
    docs = Path(__file__).resolve().parents[3] / "docs"
    reference = (docs / "reference" / "logs.md").read_text(encoding="utf-8")
    howto = (docs / "howto" / "map-your-log.md").read_text(encoding="utf-8")
    assert [name for name in IMPORTERS.names() if f"| `{name}` |" not in reference] == []
    assert [name for name in FIELDS if f"`{name}`" not in howto] == []
    assert [suffix for suffix in SUFFIXES if suffix not in reference] == []
    assert [scenario for scenario in NEEDS if scenario not in reference] == []


@pytest.mark.parametrize("form", ["line", "list", "pretty", "cut list", "inner"])
def test_half_a_character_is_mended_wherever_the_row_stands(form: str, tmp_path: Path) -> None:
    row = json.dumps({**ROW, "request": {"messages": [{"role": "user", "content": "an owl \ud83e"}]}})
    inner = json.dumps({**ROW, "request": json.dumps({"messages": [{"role": "user", "content": "an owl \ud83e"}]})})
    whole = json.dumps({"data": [json.loads(row)]}, indent=1)
    content = {"line": row, "list": f"[{row}]", "pretty": whole, "cut list": f"[{row}, {row[:30]}", "inner": inner}[
        form
    ]
    file = SourceFile(write(tmp_path / "log.json", content))
    (read,) = (exchange for batch in file.batches() for exchange in batch)
    assert read.messages[0].text == "an owl \ufffd"
    assert file.tally.bad == (form == "cut list")


@pytest.mark.parametrize(
    "damage", ['"\\ud83e', '{"a": NaN, "b": "\\ud83e"}', '{"b": "\\ud83e"', "[" * 5000 + '"\\ud83e"' + "]" * 5000]
)
def test_half_a_character_makes_no_json_of_what_is_none(damage: str, tmp_path: Path) -> None:
    file = SourceFile(write(tmp_path / "log.jsonl", f"{json.dumps(ROW)}\n{damage}\n"))
    assert sum(len(batch) for batch in file.batches()) == 1 and file.tally.bad >= 1


def test_a_file_name_that_is_no_text_is_spelt_out_in_the_quarantine(tmp_path: Path) -> None:
    with Quarantine(tmp_path / "q.jsonl") as quarantine:
        quarantine.add(os.fsdecode(b"bad\xed\xa0\x80.jsonl"), 1, "row: odd \ud800")
    row = json.loads((tmp_path / "q.jsonl").read_bytes())
    assert row == {"file": r"bad\udced\udca0\udc80.jsonl", "line": 1, "reason": r"row: odd \ud800"}
