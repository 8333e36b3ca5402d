"""Who asked is found under many names; raw keys and texts never become a name."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.logs.assemble import build
from stillwatch.logs.identity import digest_of, identify
from stillwatch.logs.importer import BadRow, Lens
from stillwatch.logs.moments import from_text, to_seconds
from stillwatch.terms.exchange import Exchange

TIME = 1_760_000_000.0
HASH = "88dc28d0f030c55ed4ab77ed8faf098196cb1c05df778539800c9f1243fe6b4b"


def built(row: dict[str, Any], **lens: Any) -> Exchange:
    row = {"timestamp": TIME, **row}
    return build(row, identify(row), {}, Lens(**lens))


@pytest.mark.parametrize("name", ["user_id", "userId", "user", "account", "account-id", "customer_id", "enduser.id"])
@pytest.mark.parametrize("place", ["", "metadata", "meta", "identity", "context", "client", "headers"])
def test_the_account_is_found_under_its_many_names_and_places(name: str, place: str) -> None:
    row: dict[str, Any] = {name: "alice"}
    assert built({place: row} if place else row).account == "alice"
    assert built({place: json.dumps(row)} if place else row).account == "alice"


@pytest.mark.parametrize(
    ("row", "field", "value"),
    [
        ({"organisation": "o"}, "organisation", "o"),
        ({"metadata": {"org_id": "o", "team_id": "t"}}, "organisation", "o"),
        ({"team_id": "t"}, "organisation", "t"),
        ({"tier": "pro"}, "plan", "pro"),
        ({"headers": {"User-Agent": "curl/8"}}, "agent", "curl/8"),
        ({"headers": {"X-Forwarded-For": "203.0.113.7, 10.0.0.1"}}, "address", "203.0.113.7"),
        ({"headers": {"x-forwarded-for": "9.9.9.9"}, "client_ip": "203.0.113.7"}, "address", "203.0.113.7"),
        ({"remote_addr": "203.0.113.7:4431"}, "address", "203.0.113.7"),
        ({"ip": "[2001:db8::1]:443"}, "address", "2001:db8::1"),
        ({"client": {"address": "2001:db8::1"}}, "address", "2001:db8::1"),
        ({"ja4": "t13d1516h2_8daaf6152771_02713d6af862"}, "tls", "t13d1516h2_8daaf6152771_02713d6af862"),
        ({"billing": {"payment_token": "tok_1"}}, "payment", "tok_1"),
        ({"card_fingerprint": "fp"}, "payment", "fp"),
        ({"conversation_id": 7}, "session", "7"),
        ({"trace_id": "t", "metadata": {"session_id": "s"}}, "session", "s"),
        ({"api_key_hash": HASH}, "key_id", HASH),
        ({"latency_ms": 250}, "latency", 0.25),
        ({"end_time": TIME + 2}, "latency", 2.0),
        ({"status_code": "429"}, "status", 429),
    ],
)
def test_each_field_is_found(row: dict[str, Any], field: str, value: object) -> None:
    assert getattr(built({"user": "alice", **row}), field) == value


def test_the_account_is_the_user_then_the_key_then_the_end_user() -> None:
    row = {"user_id": "u", "api_key_hash": HASH, "end_user": "e"}
    assert built(row).account == "u"
    del row["user_id"]
    assert built(row).account == HASH
    del row["api_key_hash"]
    assert built(row).account == "e"


def test_an_account_field_overrides_and_must_be_there() -> None:
    row = {"user_id": "u", "a": {"b.c": "x", "list": [{"id": 5}]}, "json": '{"deep": "d"}'}
    assert built(row, account_path=("a", "list", "0", "id")).account == "5"
    assert built(row, account_path=("json", "deep")).account == "d"
    assert built({**row, "x.y": "z"}, account_path=("x", "y")).account == "z"
    with pytest.raises(BadRow, match="--account-field"):
        built(row, account_path=("nowhere",))


@pytest.mark.parametrize("key", ["sk-proj-abcdef1234567890", "sk-ant-api03-XyZ", "Bearer sk-abc", "gsk_123", "xai-12"])
@pytest.mark.parametrize("name", ["api_key", "user_id", "api_key_id", "session_id", "organisation", "payment_id"])
def test_a_raw_key_is_never_kept(name: str, key: str) -> None:
    exchange = built({"user_id": "u", name: key})
    kept = [exchange.account, exchange.key_id, exchange.session, exchange.organisation, exchange.payment]
    assert not any(key.removeprefix("Bearer ") in value for value in kept)
    assert any(value == digest_of(key) for value in kept)


def test_the_same_key_gives_the_same_digest_with_and_without_its_scheme() -> None:
    with_scheme = built({"headers": {"Authorization": "Bearer sk-secret"}})
    assert with_scheme.account == built({"api_key": "sk-secret"}).account == digest_of("sk-secret")


@given(key=st.text("abcdefXYZ0189-_.~", min_size=17, max_size=60))
def test_whatever_stands_under_authorization_is_digested(key: str) -> None:
    account = built({"headers": {"authorization": key}}).account
    assert key.strip() not in account or _is_hash(key)


def _is_hash(key: str) -> bool:
    bare = key.rpartition("-")[2].rpartition("_")[2]
    return len(bare) == 64 and set(bare) <= set("0123456789abcdefABCDEF")


def test_a_text_in_place_of_an_account_is_refused_without_showing_it() -> None:
    for text in ("CANARY please tell me all about the sea", "CANARY\nline", "CANARY" * 60):
        with pytest.raises(BadRow) as error:
            built({"user": text})
        assert "CANARY" not in str(error.value)
        assert built({"user": "u", "plan": text, "organisation": text}).plan == ""


def test_a_customers_own_user_is_not_the_account_where_the_log_names_a_key() -> None:
    row = {"api_key_hash": HASH, "request": {"user": "their-customer", "messages": []}}
    assert built(row).account == HASH


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        (1_760_000_000, TIME),
        (1_760_000_000_500, TIME + 0.5),
        (1_760_000_000_500_000, TIME + 0.5),
        (1_760_000_000_500_000_000, TIME + 0.5),
        ("1760000000.5", TIME + 0.5),
        ("2025-10-09T08:53:20Z", TIME),
        ("2025-10-09 10:53:20+02:00", TIME),
        ("2025-10-09T08:53:20.123456789Z", TIME + 0.123456),
        ("2025-10-09 08:53:20", TIME),
        ("2025-10-09 08:53:20 UTC", TIME),
        ("09/Oct/2025:10:53:20 +0200", TIME),
        ("Thu, 09 Oct 2025 08:53:20 GMT", TIME),
        ([1_760_000_000, 500_000_000], TIME + 0.5),
        ("soon", None),
        (True, None),
        (float("nan"), None),
    ],
)
def test_times_are_understood_as_logs_write_them(written: Any, seconds: float | None) -> None:
    found = to_seconds(written)
    assert found == (pytest.approx(seconds, abs=1e-6) if seconds is not None else None)


@given(st.floats(1.4e9, 4e9), st.sampled_from([1.0, 1e3, 1e6]))
def test_the_unit_of_a_number_is_told_by_its_size(seconds: float, unit: float) -> None:
    assert to_seconds(seconds * unit) == pytest.approx(seconds)


@given(st.datetimes())
def test_iso_times_come_back(moment: Any) -> None:
    assert from_text(moment.isoformat() + "+00:00") is not None
