"""What a source gave is counted, added up and said in terms of scenarios."""

import json
from pathlib import Path

import msgspec
import pytest

from stillwatch.logs.coverage import NEEDS, coverage
from stillwatch.logs.quarantine import Quarantine
from stillwatch.logs.tally import Tally
from stillwatch.terms.exchange import Exchange, Message


def exchange(*turns: tuple[str, str], **more: object) -> Exchange:
    messages = tuple(Message(role=role, text=text) for role, text in turns)
    return Exchange(time=10.0, account="a", messages=messages, **more)  # type: ignore[arg-type]


def tally_of(*exchanges: Exchange) -> Tally:
    tally = Tally(rows=len(exchanges))
    tally.add(exchanges)
    return tally


def runs(tally: Tally) -> set[str]:
    return {entry.scenario for entry in coverage(tally) if entry.can_run}


def test_a_source_without_texts_only_feeds_what_needs_none() -> None:
    tally = tally_of(exchange(address="203.0.113.7"))
    assert runs(tally) == {"S6"}
    missing = {entry.scenario: entry.missing for entry in coverage(tally)}
    assert missing["S2"] == ("text of user turns",)
    assert missing["S10"] == ("earlier assistant turns in the request", "text of answers")
    assert missing["S6"] == ()


def test_a_source_without_identity_cannot_feed_shared_infrastructure() -> None:
    tally = tally_of(exchange(("user", "x"), ("assistant", "y"), ("user", "z"), answer="w"))
    assert runs(tally) == set(NEEDS) - {"S6"}
    assert "payment token or client address or user agent or JA4" in coverage(tally)[3].missing[0]


def test_times_that_were_assumed_do_not_count_as_times() -> None:
    tally = tally_of(exchange(("user", "x")))
    tally.assumed_times = 1
    assert "S3" not in runs(tally) and "S2" in runs(tally)


def test_nothing_read_feeds_nothing() -> None:
    assert runs(Tally()) == set()
    assert {entry.share for entry in coverage(Tally())} == {0.0}


def test_merging_adds_up_and_keeps_the_span() -> None:
    one, other = tally_of(exchange(("user", "x"))), tally_of(exchange(plan="p"), exchange())
    other.refuse("time: a text that is no time")
    one.importer, other.importer = "openai", "litellm"
    other.first, other.last = 3.0, 40.0
    whole = Tally()
    for part in (one, other, Tally()):
        whole.merge(part)
    assert (whole.rows, whole.good, whole.bad, whole.first, whole.last) == (3, 3, 1, 3.0, 40.0)
    assert (whole.fields["user_text"], whole.fields["plan"], whole.reasons) == (1, 1, {"time": 1})
    assert whole.importer == "litellm+openai"
    assert whole.bad_share == pytest.approx(1 / 3)


def test_a_tally_can_be_kept_as_json() -> None:
    for tally in (Tally(), tally_of(exchange(("user", "x")))):
        kept = msgspec.json.decode(msgspec.json.encode(tally), type=Tally)
        assert coverage(kept) == coverage(tally)
        assert (kept.rows, kept.first, kept.last) == (tally.rows, tally.first, tally.last)
        kept.merge(tally)
        assert kept.good == 2 * tally.good


def test_a_quarantine_file_exists_only_once_there_is_a_bad_row(tmp_path: Path) -> None:
    with Quarantine(tmp_path / "new" / "bad.jsonl") as quarantine:
        assert not quarantine.path.exists()
        quarantine.add("log", 3, "time: null")
        quarantine.add("log", 9, "account: a list")
    rows = [json.loads(line) for line in quarantine.path.read_text().splitlines()]
    assert rows[0] == {"file": "log", "line": 3, "reason": "time: null"}
    assert len(rows) == quarantine.count == 2
