"""What the gateway served is read as an import of the same calls reads it, and no body stops the reading."""

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.lab.traffic import write_litellm
from stillwatch.logs.answers import read_answer
from stillwatch.logs.importer import BadRow
from stillwatch.logs.read import ReadOptions, SourceFile
from stillwatch.logs.served import read_all_served, read_served
from stillwatch.sketch.address import AddressTable
from stillwatch.sketch.keys import KeyRing
from stillwatch.sketch.reduce import Reducer
from stillwatch.terms.event import EventArray
from stillwatch.terms.exchange import Exchange, Message
from stillwatch.terms.served import Served
from tests.e2e.command_line import START, traffic
from tests.served_calls import answer_of, log_row, served_of

CALL = Exchange(
    time=START, account="acct", model="m", endpoint="chat", answer="Ask it.\u2028Or me.", tokens_in=9, tokens_out=3,
    finish="stop", latency=0.25, messages=(Message(role="user", text="How heavy is stone number 1?"),),
)  # fmt: skip


@pytest.fixture(scope="module")
def reducer() -> Reducer:
    return Reducer(KeyRing(bytes(range(32))), AddressTable.empty())


@pytest.fixture(scope="module")
def calls() -> list[Exchange]:
    return list(traffic().exchanges)[:600]


def imported(path: Path) -> list[Exchange]:
    source = SourceFile(path, ReadOptions(batch=100_000))
    return [exchange for batch in source.batches() for exchange in batch]


def same(first: EventArray, second: EventArray) -> bool:
    return first.tobytes() == second.tobytes()


def test_served_calls_give_the_events_of_an_openai_log_bit_for_bit(
    tmp_path: Path, reducer: Reducer, calls: list[Exchange]
) -> None:
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(log_row(call)) + "\n" for call in calls))
    live, bad = read_all_served([served_of(call) for call in calls])
    assert bad == []
    assert same(reducer.reduce_all(live), reducer.reduce_all(imported(tmp_path / "log.jsonl")))


def test_served_calls_give_the_events_of_a_litellm_log_bit_for_bit(
    tmp_path: Path, reducer: Reducer, calls: list[Exchange]
) -> None:
    """Apart from failures: LiteLLM logs 0 tokens for them, the wire says nothing."""
    write_litellm(calls, tmp_path / "log.jsonl")
    live = reducer.reduce(read_all_served([served_of(call) for call in calls])[0])
    logged = reducer.reduce(imported(tmp_path / "log.jsonl"))
    for name in ("tokens_in", "tokens_out"):
        failed = np.flatnonzero(live[name] != logged[name])
        assert (live["status"][failed] >= 400).all() and (live[name][failed] == -1).all()
        live[name][failed] = logged[name][failed]
    assert same(live, logged)


def test_a_stream_gives_the_events_of_the_whole_answer(reducer: Reducer, calls: list[Exchange]) -> None:
    good = [call for call in calls if call.status == 200]
    whole, _ = read_all_served([served_of(call) for call in good])
    streamed, _ = read_all_served([served_of(call, streamed=True) for call in good])
    assert same(reducer.reduce_all(whole), reducer.reduce_all(streamed))


def test_line_separators_inside_an_answer_do_not_cut_it() -> None:
    assert read_served(served_of(CALL, streamed=True)).answer == CALL.answer
    assert read_served(served_of(CALL)).answer == CALL.answer
    logged: dict[str, Any] = {}
    read_answer(served_of(CALL, streamed=True).answer.decode().removeprefix(": keepalive\n\n"), logged)
    assert logged["answer"] == CALL.answer


def test_who_asked_comes_from_the_gateway_and_never_from_the_body() -> None:
    body = {
        "model": "m", "messages": [{"role": "user", "content": "x"}], "user": "victim", "account_id": "victim",
        "user_id": "victim", "organization": "victim", "api_key": "victim", "plan": "victim", "timestamp": 1.0,
        "metadata": {"user_api_key_user_id": "victim", "client_ip": "10.9.9.9", "ja4": "victim", "session_id": "s1"},
    }  # fmt: skip
    read = read_served(served_of(CALL, request=json.dumps(body).encode()))
    assert "victim" not in repr(replace(read, messages=())) + read.key_id + read.payment + read.address
    assert (read.account, read.time, read.address) == ("acct", START, "")
    assert read.session == "s1", "the conversation is the caller's to name"


def test_a_stored_conversation_counts_as_turns(reducer: Reducer) -> None:
    body = {"model": "m", "input": "And then?"}
    further = {**body, "previous_response_id": "resp_1"}
    calls = [served_of(CALL, endpoint="responses", request=json.dumps(b).encode()) for b in (body, further)]
    assert reducer.reduce([read_served(call) for call in calls])["turns"].tolist() == [1, 2]


def test_a_litellm_payload_is_read_by_its_importer(tmp_path: Path, reducer: Reducer, calls: list[Exchange]) -> None:
    write_litellm(calls[:50], tmp_path / "log.jsonl")
    served = [
        Served(time=time.time(), request_id="r", endpoint="other", account="", status=200, kind="litellm", request=line)
        for line in (tmp_path / "log.jsonl").read_bytes().splitlines()
    ]
    live, bad = read_all_served(served)
    assert bad == []
    assert same(reducer.reduce(live), reducer.reduce(imported(tmp_path / "log.jsonl")))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"request": b"not JSON at all"}, {"messages": (), "answer": CALL.answer}),
        ({"request": b""}, {"messages": ()}),
        ({"request": b"[1, 2]"}, {"messages": ()}),
        ({"answer": b""}, {"answer": "", "tokens_out": -1, "finish": ""}),
        ({"answer": b"<html>502 Bad Gateway</html>", "status": 502}, {"answer": "", "status": 502}),
        ({"answer": json.dumps(answer_of(CALL)).encode()[:90], "status": 499}, {"answer": "", "status": 499}),
        ({"answer": b'{"error": {"message": "no", "code": 400}}', "status": 429}, {"status": 429, "finish": "error"}),
        ({"streamed": True, "answer": b'{"error": {"message": "no"}}', "status": 500}, {"answer": "", "status": 500}),
        ({"streamed": True, "answer": b"data: \xff\xfe\n\ndata: [DONE]\n\n"}, {"answer": ""}),
    ],
)
def test_a_body_that_says_little_leaves_its_fields_empty(changes: dict[str, Any], says: dict[str, Any]) -> None:
    read = read_served(served_of(CALL, **changes))
    assert {name: getattr(read, name) for name in says} == says
    assert read.account == "acct"


def test_a_stream_that_was_cut_keeps_what_came() -> None:
    whole = served_of(CALL, streamed=True).answer
    cut = read_served(served_of(CALL, streamed=True, answer=whole[: len(whole) // 2], status=499, disconnected=True))
    assert cut.answer and CALL.answer.startswith(cut.answer) and cut.status == 499


def test_a_mid_stream_error_does_not_change_the_status_the_caller_got() -> None:
    chunk = b'data: {"choices":[{"index":0,"delta":{"content":"A"}}]}\n\n'
    stream = chunk + b'data: {"error":{"message":"x","code":500}}\n\n'
    assert read_served(served_of(CALL, streamed=True, answer=stream)).status == 200


def test_bad_exchanges_are_counted_with_a_reason_that_holds_no_text() -> None:
    secret = "canary-in-the-turns"
    bad = [
        served_of(CALL, account=f"{secret} " * 9),
        served_of(CALL, time=5.0),
        served_of(CALL, kind="litellm", request=secret.encode()),
    ]
    good, reasons = read_all_served([*bad, served_of(CALL)])
    assert len(good) == 1 and len(reasons) == 3
    assert secret not in "".join(reasons)


ASKED = {"model": "m", "messages": [{"role": "user", "content": "How heavy is stone number 1?"}]}


@pytest.mark.parametrize(
    "request_body",
    [
        json.dumps(ASKED).encode("utf-16"),
        json.dumps(ASKED).encode("utf-32"),
        b"\xef\xbb\xbf" + json.dumps(ASKED).encode(),
        json.dumps({**ASKED, "temperature": float("nan")}).encode(),
        json.dumps({**ASKED, "note": float("inf")}).encode(),
        json.dumps(ASKED).encode()[:-1] + b', "seed": ' + b"9" * 400 + b"}",
        json.dumps(ASKED).encode()[:-1] + b', "note": 1e999}',
        json.dumps(ASKED).encode()[:-1] + b', "note": ' + b"[" * 900 + b"]" * 900 + b"}",
        json.dumps({**ASKED, "messages": [None, *ASKED["messages"], 7]}).encode(),
        json.dumps({**ASKED, "model": "m" * 5_000}).encode(),
        json.dumps({**ASKED, "prompt": "another", "input": "another"}).encode(),
    ],
    ids=["utf-16", "utf-32", "mark", "nan", "infinity", "long number", "large number", "deep", "odd turns", "long name",
         "decoys"],
)  # fmt: skip
def test_no_caller_writes_its_requests_so_that_the_server_reads_them_and_the_watcher_does_not(
    request_body: bytes, reducer: Reducer
) -> None:
    """Each of these is taken by servers written in Python, and passed on by the gateway as it is."""
    (exchange,), bad = read_all_served([served_of(CALL, request=request_body)])
    assert bad == [] and [m.text for m in exchange.messages] == ["How heavy is stone number 1?"]
    plain = reducer.reduce([read_served(served_of(CALL, request=json.dumps(ASKED).encode()))])
    assert (reducer.reduce([exchange])["sketch"]["anchors"] == plain["sketch"]["anchors"]).all()


@pytest.mark.parametrize(
    ("endpoint", "field"), [("completions", "prompt"), ("responses", "input"), ("embeddings", "input")]
)
def test_a_field_that_the_endpoint_does_not_read_hides_nothing(endpoint: str, field: str, tmp_path: Path) -> None:
    decoys = {"messages": [{"role": "user", "content": "decoy"}], "prompt": "decoy", "input": "decoy"}
    body = {**decoys, field: "How heavy is stone number 1?"}
    read = read_served(served_of(CALL, endpoint=endpoint, request=json.dumps(body).encode()))
    assert [m.text for m in read.messages] == ["How heavy is stone number 1?"]
    row = {**log_row(CALL), "endpoint": f"/v1/{endpoint}", "request": body}
    (tmp_path / "log.jsonl").write_text(json.dumps(row) + "\n")
    (logged,) = imported(tmp_path / "log.jsonl")
    assert logged.messages == read.messages, "nor in a log"


def test_a_time_that_cannot_be_right_is_refused() -> None:
    with pytest.raises(BadRow, match="time"):
        read_served(served_of(CALL, time=5.0))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from("messages role content choices delta usage input tools type model error text".split()), inner,
        max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(request=JSON, answer=JSON, streamed=st.booleans(), raw=st.binary(max_size=40))
def test_no_body_however_odd_stops_the_watcher(request: Any, answer: Any, streamed: bool, raw: bytes) -> None:
    told = json.dumps(answer).encode()
    given = [
        served_of(CALL, request=json.dumps(request).encode(), streamed=streamed,
                  answer=b"data: " + told + b"\n\n" if streamed else told),
        served_of(CALL, request=raw, answer=raw, streamed=streamed),
    ]  # fmt: skip
    good, reasons = read_all_served(given)
    assert len(good) + len(reasons) == 2
    Reducer(KeyRing(bytes(32)), AddressTable.empty()).reduce_all(good)
