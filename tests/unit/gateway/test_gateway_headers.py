"""What a caller's headers say is believed as far as it can be, and no further."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.gateway.config import GatewayConfig
from stillwatch.gateway.identity import HeaderReader, Heads, Trust, parse_address
from stillwatch.terms.errors import StillwatchError


def read(*pairs: tuple[str, str], **settings: object) -> Heads:
    config = GatewayConfig(**settings)  # type: ignore[arg-type]
    return HeaderReader(config).read([(name.encode(), value.encode("latin-1")) for name, value in pairs])


@pytest.mark.parametrize(
    ("pairs", "secret", "auth"),
    [
        ([("authorization", "Bearer k")], "k", "bearer"),
        ([("authorization", "bearer  k ")], "k", "bearer"),
        ([("x-api-key", "k")], "k", "x-api-key"),
        ([("authorization", "Bearer a"), ("x-api-key", "b")], "a", "bearer"),
        ([("authorization", "Basic abc"), ("x-api-key", "b")], "b", "x-api-key"),
        ([("authorization", "Basic abc")], "", ""),
        ([], "", ""),
    ],
)
def test_a_key_is_found_in_either_header(pairs: list[tuple[str, str]], secret: str, auth: str) -> None:
    heads = read(*pairs)
    assert (heads.secret, heads.auth) == (secret, auth)
    assert heads.pairs == []


def test_credentials_hops_and_words_about_the_caller_do_not_go_upstream() -> None:
    heads = read(
        ("host", "gateway"), ("authorization", "Bearer k"), ("x-api-key", "k"), ("connection", "keep-alive, x-mine"),
        ("x-mine", "1"), ("transfer-encoding", "chunked"), ("content-length", "3"), ("expect", "100-continue"),
        ("x-forwarded-for", "192.0.2.1"), ("x-forwarded-host", "h"), ("forwarded", "for=1"), ("x-ja4", "t13"),
        ("x-stillwatch-account", "boss"), ("x-real-ip", "192.0.2.1"), ("x-tls", "t13"), ("te", "trailers"),
        ("anthropic-version", "2023-06-01"), ("x-stainless-retry-count", "2"), ("user-agent", "py"),
        ja4_header="x-tls",
    )  # fmt: skip
    assert [name for name, _ in heads.pairs] == ["anthropic-version", "x-stainless-retry-count", "user-agent"]
    assert heads.attempt == 2
    assert heads.length == 3
    assert heads.anthropic
    assert heads.tls == "t13"


@pytest.mark.parametrize(
    ("asked", "sent"),
    [("gzip, deflate", "gzip, deflate"), ("gzip, br, zstd;q=0.5", "gzip, zstd;q=0.5"), ("br", "identity")],
)
def test_only_codings_that_can_be_read_are_asked_of_the_upstream(asked: str, sent: str) -> None:
    assert read(("accept-encoding", asked)).pairs == [("accept-encoding", sent)]


@pytest.mark.parametrize("value", ["-1", "9" * 40, "١٢", "1e3", ""])
def test_a_length_or_count_that_is_none_is_passed_over(value: str) -> None:
    headers = [(b"content-length", value.encode()), (b"x-stainless-retry-count", value.encode())]
    heads = HeaderReader(GatewayConfig()).read(headers)
    assert (heads.length, heads.attempt) == (-1, 0)


def address(peer: str, forwarded: str, **settings: object) -> str:
    config = GatewayConfig(**settings)  # type: ignore[arg-type]
    return Trust(config).address(peer, read(("x-forwarded-for", forwarded)).forwarded)


def test_nobody_is_believed_by_default() -> None:
    assert address("10.0.0.1", "192.0.2.1") == "10.0.0.1"


@pytest.mark.parametrize(
    ("peer", "forwarded", "hops", "found"),
    [
        ("10.0.0.1", "192.0.2.1", 1, "192.0.2.1"),
        ("203.0.113.9", "192.0.2.1", 1, "203.0.113.9"),
        ("10.0.0.1", "6.6.6.6, 192.0.2.1", 1, "192.0.2.1"),
        ("10.0.0.1", "6.6.6.6, 192.0.2.1, 10.0.0.2", 2, "192.0.2.1"),
        ("10.0.0.1", "6.6.6.6, 192.0.2.1, 10.0.0.2", 1, "10.0.0.2"),
        ("10.0.0.1", "6.6.6.6, 192.0.2.1, 10.0.0.2", 9, "192.0.2.1"),
        ("10.0.0.1", "192.0.2.1, rubbish", 3, "10.0.0.1"),
        ("10.0.0.1", "[2001:db8::1]:443", 1, "2001:db8::1"),
        ("10.0.0.1", "192.0.2.7:5000", 1, "192.0.2.7"),
        ("::ffff:10.0.0.1", "192.0.2.1", 1, "192.0.2.1"),
        ("", "192.0.2.1", 1, ""),
    ],
)
def test_forwarded_addresses_count_from_the_right_and_only_from_trusted_proxies(
    peer: str, forwarded: str, hops: int, found: str
) -> None:
    assert address(peer, forwarded, trusted_proxies=("10.0.0.0/8",), forwarded_hops=hops) == found


@given(peer=st.ip_addresses().map(str), forwarded=st.text(max_size=60))
def test_what_an_untrusted_peer_forwards_changes_nothing(peer: str, forwarded: str) -> None:
    trust = Trust(GatewayConfig(trusted_proxies=("10.0.0.0/8",)))
    if not trust.trusts(peer):
        assert trust.address(peer, forwarded.split(",")) == peer


@given(address=st.ip_addresses(), port=st.integers(1, 65535))
def test_every_way_to_write_an_address_is_read(address: object, port: int) -> None:
    bare = str(address)
    shown = f"[{bare}]:{port}" if ":" in bare else f"{bare}:{port}"
    expected = ipaddress.ip_address(bare)
    mapped = expected.ipv4_mapped if isinstance(expected, ipaddress.IPv6Address) else None
    assert parse_address(bare) == parse_address(shown) == (mapped or expected)


@pytest.mark.parametrize(
    "settings",
    [
        {"credentials": "share"},
        {"trusted_proxies": ("10.0.0.1/8",)},
        {"upstream": "localhost:8000"},
        {"max_body_bytes": 0},
        {"read_seconds": 0.0},
        {"upstream_key_header": "cookie"},
        {"forwarded_hops": 0},
        {"max_recorded_bytes": 10},
    ],
)
def test_settings_that_cannot_work_are_refused_by_name(settings: dict[str, object]) -> None:
    with pytest.raises(StillwatchError, match=f"gateway.{next(iter(settings))}"):
        GatewayConfig(**settings)  # type: ignore[arg-type]
