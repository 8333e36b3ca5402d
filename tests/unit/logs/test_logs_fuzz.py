"""No row, however odd, stops a scan: it becomes an exchange or one bad row."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stillwatch.logs.catalog import IMPORTERS, detect
from stillwatch.logs.importer import BadRow, Lens
from stillwatch.logs.propose import propose_mapping
from stillwatch.logs.read import ReadOptions, SourceFile
from stillwatch.terms.errors import StillwatchError
from stillwatch.terms.exchange import Exchange

NAMES = (
    "messages role content request response body params input output prompt choices message text type model system "
    "tools tool_calls function name arguments usage prompt_tokens output_tokens finish_reason stop_reason metadata "
    "user user_id api_key timestamp startTime created call_type custom_id result requests model_parameters status "
    "attributes events resourceSpans scopeSpans spans startTimeUnixNano key value stringValue arrayValue resource "
    "gen_ai.system gen_ai.input.messages gen_ai.prompt.0.content llm.model_name llm.input_messages.0.message.role "
    "gen_ai.prompt error image_url source data headers client ip delta parts standard_logging_object context "
    "proxy_server_request request_tags error_information sketch values instructions chunks"
).split()
TEXTS = st.sampled_from(
    [
        "user",
        "assistant",
        "text",
        "tool_use",
        "tool_result",
        "image",
        "image_url",
        "message_start",
        "failure",
        "[{",
        "{}",
    ]
    + ["data:image/png;base64,AAA", "data: {}", "2025-10-09T10:00:00Z", "sk-abc", "/v1/messages", "1e400", "nan", "٣"]
) | st.text(max_size=8)
SCALARS = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | TEXTS
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4)
        | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4).map(lambda value: json.dumps(value))
    ),
    max_leaves=12,
)
ROWS = st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=4), VALUES, max_size=8)
GOOD = {"timestamp": 1_760_000_000, "user_id": "u", "startTime": 1_760_000_000, "call_type": "completion"}
LENS = Lens(modified=1_760_000_000.0, fields={"fields": {"account": ("user_id",), "time": ("timestamp",)}})


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(row=ROWS, who=st.booleans())
def test_claims_and_split_never_raise_and_reading_raises_only_bad_rows(row: dict[str, Any], who: bool) -> None:
    row = {**row, **GOOD} if who else row
    detect([row])
    for importer in IMPORTERS:
        for record in importer.split(row):
            try:
                exchange = importer.read(record, LENS)
            except BadRow as error:
                assert str(error)
            else:
                assert exchange is None or well_formed(exchange)


def well_formed(exchange: Exchange) -> bool:
    assert exchange.account and "\n" not in exchange.account
    assert all(type(message.text) is str for message in exchange.messages)
    assert {message.role for message in exchange.messages} <= {"system", "user", "assistant", "tool"}
    assert type(exchange.answer) is str and type(exchange.tools) is str
    assert -1 <= exchange.tokens_in < 2**31 and -1 <= exchange.tokens_out < 2**31
    assert 100 <= exchange.status <= 599
    assert exchange.finish in ("", "stop", "length", "tool", "refusal", "error")
    assert exchange.endpoint in ("chat", "completions", "responses", "messages", "embeddings", "other")
    assert not exchange.account.startswith("sk-") and not exchange.key_id.startswith("sk-")
    for name in ("organisation", "plan", "tls", "session", "payment", "address", "agent", "model", "key_id"):
        assert type(getattr(exchange, name)) is str, name
    return True


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(content=st.binary(max_size=300) | st.lists(ROWS, max_size=4).map(lambda rows: json.dumps(rows).encode()))
@pytest.mark.parametrize("importer", [None, "openai"])
def test_any_bytes_are_read_to_the_end(content: bytes, importer: str | None, tmp_path: Path) -> None:
    path = tmp_path / "log"
    for head in (b"", b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PAR1", b"\xff\xfe", b"[", b"time,user,prompt\n"):
        path.write_bytes(head + content)
        os.utime(path, (1_760_000_000, 1_760_000_000))
        file = SourceFile(path, ReadOptions(importer=importer))
        try:
            read = sum(len(batch) for batch in file.batches())
        except StillwatchError as error:
            assert "no importer" in str(error) or "events" in str(error)
        else:
            assert file.tally.rows == read + file.tally.bad + file.tally.other
        try:
            proposed = propose_mapping(path)
        except StillwatchError:
            continue
        assert "[fields]" in proposed


def test_deeply_nested_rows_are_bad_rows(tmp_path: Path) -> None:
    path = tmp_path / "deep.jsonl"
    nested = "[" * 900 + "]" * 900
    row = f'{{"timestamp": 1760000000, "user": "u", "messages": [{{"role": "user", "content": {nested}}}]}}\n'
    path.write_text(row + row)
    file = SourceFile(path, ReadOptions(importer="openai"))
    assert sum(len(batch) for batch in file.batches()) + file.tally.bad == 2
