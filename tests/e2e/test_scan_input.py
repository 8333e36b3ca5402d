"""Input that is bad, odd or nobody's: told by exit code, quarantine and message, and never silently dropped."""

import csv
import os
from pathlib import Path

import pytest

from stillwatch.logs.read import open_sources
from tests.e2e.command_line import START, Place, pair, traffic, write_rows

ODD_NAMES = ("o'brien", 'say "hi"', "zoë", "🦉 night owl", "日本", "a/b\\c", "=1+1", "<b>bold</b>", "{{7*7}}")


def test_too_many_bad_rows_give_3_and_still_a_report(tmp_path: Path) -> None:
    place = Place(tmp_path)
    rows: list[object] = [pair(f"u{n % 3}", n) for n in range(30)]
    rows[4] = b'{"cut": "of'
    rows[9] = {**pair("u1", 9), "timestamp": "yesterday at noon"}
    write_rows(tmp_path / "log.jsonl", rows)
    found = place.scan("log.jsonl", code=3)
    assert (tmp_path / "stillwatch-report" / "report.html").exists()
    told = found["run"]["inputs"][0]
    assert (told["rows"], told["good"], told["bad"]) == (30, 28, 2)
    assert sum(told["reasons"].values()) == 2
    bad = place.quarantined()
    assert [(row["file"], row["line"]) for row in bad] == [("log.jsonl", 5), ("log.jsonl", 10)]
    assert all(row["reason"] and set(row) == {"file", "line", "reason"} for row in bad)
    assert "noon" not in str(bad) and os.path.exists(tmp_path / told["quarantine"])
    again = place.run("scan", "log.jsonl", "--max-bad", "0.1")
    assert again.returncode == 0 and again.stderr == b"" and b"28" in again.stdout


def test_names_of_any_characters_come_back_as_they_were(tmp_path: Path) -> None:
    """Odd names are members of a campaign here, so that every output has to write them."""
    place = Place(tmp_path)
    hostile = sorted(name for name, truth in traffic().truth.items() if truth.campaign)
    renamed = dict(zip(hostile, ODD_NAMES, strict=False))
    rows = [pair(renamed.get(x.account, x.account), 0, payment_token=x.payment, client_ip=x.address,
                 timestamp=x.time, request={"model": x.model, "messages": [{"role": m.role, "content": m.text}
                                                                           for m in x.messages]})
            for x in traffic().exchanges]  # fmt: skip
    folder = tmp_path / 'it\'s "odd" 🦉'
    folder.mkdir()
    path = write_rows(folder / "zoë log.jsonl", rows)
    found = place.scan(path, code=1)
    accused = {item["account"] for item in found["accused"]}
    caught = [name for name in ODD_NAMES if name in accused]
    assert len(caught) >= 0.7 * len(ODD_NAMES)
    assert "<b>bold</b>" not in (tmp_path / "stillwatch-report" / "report.html").read_text()
    for name in caught[:2]:
        told = place.run("explain", name)
        assert told.returncode == 0 and found["campaigns"][0]["id"].encode() in told.stdout


@pytest.mark.parametrize("where", ["account", "prompt"])
def test_half_a_character_in_a_row_hides_nothing(where: str, tmp_path: Path) -> None:
    rows = [pair(f"u{n % 3}", n) for n in range(20)]
    if where == "account":
        rows[5]["user_id"] = "half\ud800pair"
    else:
        rows[5]["request"]["messages"][0]["content"] += " cut \ud83e"
    write_rows(tmp_path / "log.jsonl", rows)
    source = open_sources([tmp_path / "log.jsonl"]).files[0]
    read = [exchange for batch in source.batches() for exchange in batch]
    assert len(read) == 20 and source.tally.bad == 0
    kept = read[5].account if where == "account" else read[5].messages[0].text
    assert "\ufffd" in kept and not any("\ud800" <= character <= "\udfff" for character in kept)


def test_a_file_name_that_is_no_text_works(tmp_path: Path) -> None:
    place = Place(tmp_path)
    try:
        path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/bad\xed\xa0\x80.jsonl"))
        write_rows(path, [b'{"cut": "of', *(pair("u", n) for n in range(9))])
    except OSError:
        pytest.skip("this file system takes no such name")
    found = place.scan(tmp_path, "--max-bad", "0.1", code=0)
    assert found["run"]["figures"]["events"] == 9 and found["run"]["inputs"][0]["bad"] == 1
    assert [(Path(row["file"]).name, row["line"]) for row in place.quarantined()] == [
        ("bad\\udced\\udca0\\udc80.jsonl", 1)
    ]
    assert place.run("scan", tmp_path).returncode == 3


def test_a_csv_is_mapped_edited_and_scanned(tmp_path: Path) -> None:
    place = Place(tmp_path)
    with (tmp_path / "calls.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["kunde", "zeitpunkt", "frage", "antwort"])
        for number, x in enumerate(traffic().exchanges[:400]):
            writer.writerow([x.account, f"{START + 900.0 * number:.0f}", x.messages[-1].text, x.answer])
    unknown = place.run("scan", "calls.csv")
    assert unknown.returncode == 2 and b"logs map" in unknown.stderr
    proposed = place.run("logs", "map", "calls.csv")
    assert proposed.returncode == 0 and proposed.stderr == b""
    draft = proposed.stdout.decode()
    assert "[fields]" in draft and "kunde" in draft and "zeitpunkt" in draft
    chosen = 'account = "kunde"\ntime = "zeitpunkt"\nprompt = "frage"\nanswer = "antwort"\n'
    lines = [line for line in draft.splitlines() if not line.startswith(("account", "time", "prompt", "answer"))]
    (tmp_path / "mapping.toml").write_text("\n".join(lines).replace("[fields]\n", f"[fields]\n{chosen}", 1))
    found = place.scan("calls.csv", "--mapping", "mapping.toml", code=0)
    assert found["run"]["figures"]["events"] == 400
    assert found["run"]["figures"]["accounts"] == len({x.account for x in traffic().exchanges[:400]})
    assert found["run"]["inputs"][0]["importer"] == "mapped"


def test_what_a_folder_holds_besides_logs_is_said_not_silent(tmp_path: Path) -> None:
    place = Place(tmp_path)
    logs = tmp_path / "logs"
    logs.mkdir()
    write_rows(logs / "log.jsonl", [pair("u", n) for n in range(9)])
    write_rows(logs / "other.jsonl", [{"alpha": 1}, {"beta": 2}])
    found = place.scan("logs", code=0)
    assert any("other.jsonl" in note for note in found["run"]["notes"])
    assert [Path(item["path"]).name for item in found["run"]["inputs"]] == ["log.jsonl"]


def test_the_same_row_in_two_files_is_counted_once(tmp_path: Path) -> None:
    place = Place(tmp_path)
    rows = [pair(f"u{n % 3}", n) for n in range(30)]
    write_rows(tmp_path / "a.jsonl", rows)
    write_rows(tmp_path / "b.jsonl", [*rows[10:], pair("u1", 99)])
    assert place.scan("a.jsonl", "b.jsonl", code=0)["run"]["figures"]["events"] == 31
