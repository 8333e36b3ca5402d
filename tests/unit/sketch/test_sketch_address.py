import ipaddress
from importlib.resources import files

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.sketch.address import AddressTable
from stillwatch.sketch.network import parse_address
from stillwatch.sketch.ranges import Ranges
from stillwatch.terms.errors import StillwatchError
from stillwatch.terms.event import ADDRESS_KINDS

TABLE = AddressTable.from_ranges(
    kinds=[("44.0.0.0/8", "datacentre"), ("44.5.0.0/16", "vpn"), ("2600:1f00::/24", "datacentre")],
    asns=[("44.0.0.0", "44.127.255.255", 64500), ("2600:1f00::", "2600:1fff::", 64501)],
    tor=["44.5.1.1", "2600:1f00::7"],
)


def kinds(*addresses: str, table: AddressTable = TABLE) -> list[str]:
    return [ADDRESS_KINDS[kind] for kind in table.lookup(addresses)[1]]


def test_the_narrower_and_later_range_wins_and_tor_exits_are_exact() -> None:
    got = kinds("44.1.1.1", "44.5.1.2", "44.5.1.1", "45.0.0.1", "2600:1f00::8", "2600:1f00::7", "2a00::1")
    assert got == ["datacentre", "vpn", "tor", "consumer", "datacentre", "tor", "consumer"]


@pytest.mark.parametrize("address", ["10.0.0.1", "127.0.0.1", "::1", "fe80::1%eth0", "100.64.0.1", "192.168.1.1:80",
                                     "203.0.113.5", "fd00::1", "224.0.0.1"])  # fmt: skip
def test_private_addresses_link_nobody(address: str) -> None:
    asn, kind, networks = TABLE.lookup([address])
    assert (asn[0], ADDRESS_KINDS[kind[0]], networks) == (0, "private", [""])


@pytest.mark.parametrize(
    "address", ["", "-", "home", "1.2.3", "1.2.3.256", "::g", "[", "1.2.3.4.5", "\ud800", "9" * 999]
)
def test_malformed_addresses_are_unknown(address: str) -> None:
    asn, kind, networks = TABLE.lookup([address])
    assert (asn[0], kind[0], networks) == (0, 0, [""])


def test_spellings_of_one_address_agree() -> None:
    texts = ["44.5.1.2", "44.5.1.2:443", "::ffff:44.5.1.2", "[::ffff:44.5.1.2]:443", " 44.5.1.2, 10.0.0.1"]
    assert {parse_address(text) for text in texts} == {(4, int(ipaddress.ip_address("44.5.1.2")))}
    assert TABLE.lookup(texts)[2] == ["44.5.1.0/24"] * 5


def test_an_empty_table_calls_public_addresses_unknown() -> None:
    assert kinds("44.1.1.1", "10.0.0.1", table=AddressTable.empty()) == ["unknown", "private"]


def test_a_table_comes_back_from_its_bytes() -> None:
    again = AddressTable.from_npz_bytes(TABLE.to_npz_bytes())
    addresses = ["44.1.1.1", "44.5.1.1", "2600:1f00::7", "2600:1f0f::1", "9.9.9.9"]
    for got, expected in zip(again.lookup(addresses), TABLE.lookup(addresses), strict=True):
        assert list(got) == list(expected)
    assert again.to_npz_bytes() == TABLE.to_npz_bytes()
    assert AddressTable.from_npz_bytes(AddressTable.empty().to_npz_bytes()).tor == frozenset()


@pytest.mark.parametrize("cut", [0, 10, 200])
def test_damaged_bytes_are_refused_in_words(cut: int) -> None:
    with pytest.raises(StillwatchError, match="cannot be read"):
        AddressTable.from_npz_bytes(TABLE.to_npz_bytes()[:cut])


@pytest.mark.parametrize(
    "fields",
    [{"kinds": [("x/8", "vpn")]}, {"kinds": [("1.0.0.0/8", "moon")]}, {"kinds": [("1.0.0.0", "vpn")]},
     {"kinds": [("1.0.0.0/99", "vpn")]}, {"asns": [("1.0.0.0", "::1", 3)]}, {"tor": ["?"]}],
)  # fmt: skip
def test_lists_that_cannot_be_read_are_refused(fields: dict) -> None:  # type: ignore[type-arg]
    with pytest.raises(StillwatchError):
        AddressTable.from_ranges(**fields)


def test_the_packed_table_is_small_and_holds_no_as_numbers() -> None:
    packed = (files("stillwatch.app") / "data" / "addresses.npz").read_bytes()
    table = AddressTable.from_npz_bytes(packed)
    assert len(packed) < 400_000 and len(table.asn4) == len(table.asn6) == 0
    assert len(table.kind4) > 10_000 and len(table.kind6) > 1_000 and len(table.tor) > 1_000
    assert table.to_npz_bytes() == packed


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 20), st.integers(0, 3)), max_size=12))
def test_painted_ranges_answer_like_painting_by_hand(strokes: list[tuple[int, int, int]]) -> None:
    wall = np.zeros(100, int)
    for low, size, value in strokes:
        wall[low : low + size + 1] = value
    ranges = Ranges.painted([(low, low + size, value) for low, size, value in strokes])
    assert ranges.at(np.arange(100, dtype=np.uint64)).tolist() == wall.tolist()
    again = Ranges.from_arrays("r", ranges.to_arrays("r"))
    assert again.first.tolist() == ranges.first.tolist() and again.last.tolist() == ranges.last.tolist()
