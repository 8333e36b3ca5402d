"""The ring keeps its secrets to itself, survives a file, and orders name nobody."""

import json
from dataclasses import replace

import pytest

from stillwatch.terms.errors import StillwatchError
from stillwatch.treatments.marks.order import MarkOrder, read_order, sign
from stillwatch.treatments.marks.ring import Epoch, Ring, TierKey

SECRET, OTHER = bytes(range(32)), bytes(range(100, 132))


def a_ring() -> Ring:
    return Ring.new(SECRET, 10.0, width=2, delta=1.5, vocab=49_152, native_key=7).rotated(OTHER, 20.0, delta=1.0)


def test_ring_comes_back_from_its_file_as_it_was() -> None:
    assert Ring.from_json(a_ring().to_json()) == a_ring()


def test_rotation_keeps_settings_except_those_given_and_every_old_epoch() -> None:
    ring = a_ring()
    assert (ring.current.number, ring.current.delta, ring.current.width) == (2, 1.0, 2)
    assert ring.epoch(1).secret == SECRET and ring.epoch(1).delta == 1.5


def test_no_secret_shows_in_any_repr_or_message() -> None:
    ring = a_ring()
    shown = repr(ring) + repr(ring.current) + repr(ring.current.provider_key()) + str(ring.epochs)
    for secret in (SECRET, OTHER):
        assert secret.hex() not in shown and repr(secret)[2:12] not in shown
    assert str(ring.current.provider_key().a) not in shown
    broken = a_ring().to_json().replace(b'"version": 1', b'"version": 9')
    with pytest.raises(StillwatchError) as caught:
        Ring.from_json(broken)
    assert SECRET.hex() not in str(caught.value) and caught.value.__cause__ is None


@pytest.mark.parametrize("raw", [b"", b"[]", b"{}", b'{"version":1}', b'{"version":1,"epochs":[{}]}', b"\xff", b"null"])
def test_what_is_no_ring_is_refused_in_words(raw: bytes) -> None:
    with pytest.raises(StillwatchError, match="mark ring"):
        Ring.from_json(raw)


@pytest.mark.parametrize("change", [
    {"secret": b"short"}, {"scheme": "red"}, {"width": 0}, {"width": 3}, {"shares": (0.5, 0.5, 0.5)},
    {"shares": (1.5, -0.5, 0.0)}, {"delta": 0.0}, {"delta": float("nan")}, {"native_key": 2**64}, {"number": 0},
    {"made": float("inf")}, {"vocab": -1},
])  # fmt: skip
def test_epoch_out_of_range_is_refused_when_built(change: dict[str, object]) -> None:
    with pytest.raises(StillwatchError, match="mark epoch"):
        replace(a_ring().current, **change)


def test_epochs_out_of_order_or_with_a_used_secret_are_refused() -> None:
    ring = a_ring()
    with pytest.raises(StillwatchError, match="ascending"):
        Ring(tuple(reversed(ring.epochs)))
    with pytest.raises(StillwatchError, match="used before"):
        ring.rotated(SECRET, 30.0)
    with pytest.raises(StillwatchError, match="mark epoch 9"):
        ring.epoch(9)


def test_keys_and_tags_differ_by_kind_name_and_epoch() -> None:
    ring = a_ring()
    keys: set[TierKey] = set()
    tags: set[bytes] = set()
    for epoch in ring.epochs:
        keys.add(epoch.provider_key())
        for name in ("a", "b"):
            keys.add(epoch.account_key(epoch.tag("account", name)))
            keys.add(epoch.campaign_key(epoch.tag("campaign", name)))
            keys.add(epoch.campaign_key(epoch.tag("account", name)))
            tags.update((epoch.tag("account", name), epoch.tag("campaign", name)))
    assert len(keys) == 2 * (1 + 3 * 2) and len(tags) == 8 and {len(tag) for tag in tags} == {16}


def test_commitment_binds_secret_and_settings() -> None:
    epoch = a_ring().epoch(1)
    others = [replace(epoch, delta=epoch.delta + 0.5), replace(epoch, spare=0.5), replace(epoch, width=3 - epoch.width),
              replace(epoch, shares=(1.0, 0.0, 0.0)), replace(epoch, number=7), a_ring().current]  # fmt: skip
    assert len({epoch.commitment, *(other.commitment for other in others)}) == 1 + len(others)
    assert epoch.commitment == replace(epoch, made=9.0).commitment
    assert len(epoch.commitment) == 64


def order_for(epoch: Epoch, **more: object) -> MarkOrder:
    return MarkOrder(epoch=epoch.number, account=epoch.tag("account", "a"), until=100.0, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("campaign", [b"", bytes(range(16))])
def test_order_arrives_as_it_was_signed(campaign: bytes) -> None:
    ring = a_ring()
    order = order_for(ring.current, campaign=campaign, proxy_share=0.25)
    assert read_order(sign(order, ring), ring, 100.0) == order


def test_any_changed_character_voids_an_order() -> None:
    ring = a_ring()
    text = sign(order_for(ring.current), ring)
    for place, character in enumerate(text):
        other = "A" if character != "A" else "B"
        with pytest.raises(StillwatchError, match="mark (order|epoch)"):
            read_order(text[:place] + other + text[place + 1 :], ring, 50.0)


@pytest.mark.parametrize("text", ["", "x", "é" * 94, "=" * 94, "A" * 94, "A" * 93, "A" * 5000])
def test_what_is_no_order_is_refused_in_words(text: str) -> None:
    with pytest.raises(StillwatchError, match="mark (order|epoch)"):
        read_order(text, a_ring(), 0.0)


def test_order_expires_and_holds_under_its_own_ring_only() -> None:
    ring = a_ring()
    text = sign(order_for(ring.current), ring)
    with pytest.raises(StillwatchError, match="expired 1 s ago"):
        read_order(text, ring, 101.0)
    with pytest.raises(StillwatchError, match="signature"):
        read_order(text, Ring((ring.epochs[0], replace(ring.current, secret=bytes(32)))), 50.0)
    with pytest.raises(StillwatchError, match="has 1 only"):
        read_order(text, Ring(ring.epochs[:1]), 50.0)


def test_order_names_nobody() -> None:
    ring = a_ring()
    order = MarkOrder(epoch=2, account=ring.current.tag("account", "acme-industries"), until=1.0)
    assert "acme" not in sign(order, ring) and "acme" not in repr(order)


def test_ring_file_is_plain_json_with_one_entry_an_epoch() -> None:
    read = json.loads(a_ring().to_json())
    assert read["version"] == 1 and [entry["number"] for entry in read["epochs"]] == [1, 2]
    assert read["epochs"][0]["secret"] == SECRET.hex()
