"""Only what a person confirmed is told, of accounts that it still holds for, and of crowds only what a crowd shares."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stillwatch.app.coalition import _tokens_of
from stillwatch.app.coalitionconfig import CoalitionConfig
from stillwatch.app.coalitionitems import Items, read_items
from stillwatch.app.coalitionmember import author_of, reach_of
from stillwatch.app.coalitionpublish import Ask, Publisher, check_tellable
from stillwatch.app.coalitionsay import Dispute, Sight, dispute, sight, withdraw
from stillwatch.app.coalitionstanding import ENDED, RELEASED, unsupported
from stillwatch.exchange.stix.extension import ID
from stillwatch.exchange.stix.write import Author, Confirmed, campaign_of, revoked
from stillwatch.exchange.taxii.received import Received
from stillwatch.store.controlmemory import MemoryControl
from stillwatch.terms.account import Decision
from stillwatch.terms.errors import StillwatchError
from tests.taxii_rig import NOW

ACME = "identity--372be783-ba0b-5088-86a9-fffae4e5c0a0"
ACCOUNTS = tuple(f"acct-{n}" for n in range(25))
OWN = Author(identity=ACME, secret=b"k" * 32)
CONFIG = CoalitionConfig(url="https://hub.example/taxii2/", organisation=ACME)


def decision(**more: Any) -> Decision:
    made: dict[str, Any] = {
        "subject": "c-1", "kind": "campaign", "accounts": ACCOUNTS, "verb": "confirm", "by": "ann",
        "reason": "A secret reason.", "at": NOW - 10.0, "expires": NOW + 1000.0, "receipt": "0" * 32,
    }  # fmt: skip
    return Decision(**{**made, **more})


def lines(count: int = 25, *, kind: str = "payment", outsiders: int = 0) -> Iterator[str]:
    """One token that `count` accounts share, and one each of their own."""
    names = [*ACCOUNTS[:count], *(f"honest-{n}" for n in range(outsiders))]
    for number, name in enumerate(names):
        yield json.dumps({"account": name, "kind": kind, "epoch": "684-ab", "token": "ff" * 16})
        yield json.dumps({"account": name, "kind": kind, "epoch": "684-ab", "token": f"{number:032x}"})


@pytest.fixture
def received(tmp_path: Path) -> Iterator[Received]:
    made = Received(tmp_path / "coalition.sqlite")
    yield made
    made.close()


def told_of(received: Received, decisions: list[Decision], items: Items, **ask: Any) -> Any:
    book = MemoryControl()
    for one in decisions:
        book.add_decision(one)
    publisher = Publisher(Author(identity=ACME, secret=b"k" * 32), CONFIG, received)
    asked = Ask(**{"subject": "c-1", "by": "ann", **ask})
    return publisher.write(book, asked, lambda accounts: _tokens_of(items, accounts), items, NOW)


@pytest.mark.parametrize(
    ("decisions", "why"),
    [
        ([], "no person's confirmation"),
        ([decision(subject="c-2")], "no person's confirmation"),
        ([decision(expires=NOW - 1.0)], "no person's confirmation"),
        ([decision(verb="dismiss")], "no person's confirmation"),
        ([decision(), decision(verb="release", at=NOW - 5.0)], "no person's confirmation"),
        ([decision(receipt="")], "without a verdict"),
        ([decision(), decision(subject="x", kind="account", verb="dismiss", at=NOW - 5.0)], "every account of it"),
    ],
)  # fmt: skip
def test_without_a_persons_confirmation_nothing_is_told(
    received: Received, decisions: list[Decision], why: str
) -> None:
    with pytest.raises(StillwatchError, match=why):
        told_of(received, decisions, read_items(lines()))


def test_what_is_told_is_the_campaigns_own_and_says_nothing_of_whom(received: Received) -> None:
    told, written = told_of(received, [decision()], read_items(lines(outsiders=3)))
    assert told.tokens == {"payment": 25} and told.decision == 1 and not told.sent  # not the one that outsiders carry
    text = json.dumps(told.objects)
    for secret in ("acct-", "honest-", "c-1", "A secret reason", "ann"):
        assert secret not in text
    assert len(written.blobs) == 1 and b"\xff" * 16 not in next(iter(written.blobs.values()))


def test_an_account_that_was_released_is_left_out(received: Received) -> None:
    after = decision(subject="acct-3", kind="account", accounts=("acct-3",), verb="release", at=NOW - 1.0)
    told, _ = told_of(received, [decision(), after], read_items(lines()))
    assert told.tokens == {"payment": 24} and told.left_out == 1  # what it shares with the others is no longer theirs


@pytest.mark.parametrize("kind", ["address", "template"])
def test_of_a_crowd_only_what_twenty_accounts_share(received: Received, kind: str) -> None:
    told, _ = told_of(received, [decision()], read_items(lines(20, kind=kind)))
    assert told.tokens == {kind: 1}
    item = next(i for i in told.objects if i["type"] == "indicator")
    assert item["extensions"][ID]["at_least_accounts"] == 20
    with pytest.raises(StillwatchError, match="nothing of it may be told"):
        told_of(received, [decision()], read_items(lines(19, kind=kind)))


def test_networks_are_told_where_twenty_accounts_use_them(received: Received) -> None:
    rows = [json.dumps({"account": a, "kind": "network", "value": "as64500"}) for a in ACCOUNTS[:20]]
    rows += [json.dumps({"account": a, "kind": "network", "value": "203.0.113.0/24"}) for a in ACCOUNTS[:19]]
    told, _ = told_of(received, [decision()], read_items(rows))
    patterns = [i["pattern"] for i in told.objects if i["type"] == "indicator"]
    assert told.networks == 1 and patterns == ["[autonomous-system:number = 64500]"]


@pytest.mark.parametrize(
    "row",
    [
        "x", "[]", "{}", '{"account": ""}', '{"account": "a"}', '{"account": "a", "kind": "payment", "token": "00"}',
        '{"account": "a", "kind": "payment", "epoch": "e", "token": "00"}', '{"account": 7, "kind": "payment"}',
        '{"account": "a", "kind": "payment", "epoch": "e", "value": "DE00 1234"}',
        '{"account": "a", "kind": "surname", "epoch": "e", "token": "00000000000000000000000000000000"}',
        '{"account": "a", "kind": "network", "value": "192.0.2.7"}', '{"account": "a", "kind": "network"}',
    ],
)  # fmt: skip
def test_a_line_that_is_wrong_is_named_by_number_and_not_repeated(row: str) -> None:
    with pytest.raises(StillwatchError) as told:
        read_items(["", next(lines()), row])
    assert "DE00" not in str(told.value) and "192.0.2" not in str(told.value)
    assert "line 3" in str(told.value) or "network" in str(told.value)


@pytest.mark.parametrize("ask", [{"description": "They pay $3"}, {"name": "Our customer"}, {"by": ""}])
def test_words_that_may_not_be_told_stop_it(received: Received, ask: dict[str, str]) -> None:
    with pytest.raises(StillwatchError):
        told_of(received, [decision()], read_items(lines()), **ask)


def test_publishing_again_makes_versions_and_all_of_it_can_be_withdrawn(received: Received) -> None:
    first, _ = told_of(received, [decision()], read_items(lines()))
    own = [i for i in first.objects if "created_by_ref" in i]
    received.put_own(own, "c-1", "ann", NOW)
    again, _ = told_of(received, [decision()], read_items(lines()))
    assert [i["id"] for i in again.objects] == [i["id"] for i in first.objects]
    for name in ("c-1", first.campaign):
        gone = withdraw(received, OWN, name, NOW + 1.0)
        assert gone.subject == "c-1" and {i["id"] for i in gone.written.objects} == {i["id"] for i in own}
        assert all(i["revoked"] and i["modified"] > i["created"] for i in gone.written.objects)
    received.put_own(withdraw(received, OWN, "c-1", NOW + 1.0).written.objects, "c-1", "ann", NOW)
    with pytest.raises(StillwatchError, match="withdrawn before"):
        withdraw(received, OWN, "c-1", NOW + 2.0)
    with pytest.raises(StillwatchError, match="nothing of this name"):
        withdraw(received, OWN, "c-9", NOW)


def test_sightings_and_disputes_are_of_others_warnings_that_were_pulled(received: Received) -> None:
    told, _ = told_of(received, [decision()], read_items(lines()))
    other, own = Author(identity=ACME.replace("3", "4"), secret=b"o" * 32), Author(identity=ACME, secret=b"k" * 32)
    item = next(i for i in told.objects if i["type"] == "indicator")
    with pytest.raises(StillwatchError, match="pull"):
        sight(received, other, Sight(indicator=item["id"]), NOW)
    received.take("h", "c", told.objects, "")
    assert sight(received, other, Sight(indicator=item["id"], count=250), NOW).objects[0]["count"] == 100
    with pytest.raises(StillwatchError, match="own"):
        sight(received, own, Sight(indicator=item["id"]), NOW)
    said = dispute(received, other, Dispute(subject=told.campaign, why="A school.", case="c-7"), NOW)
    assert said.objects[0]["opinion"] == "strongly-disagree"
    check_tellable(said)
    with pytest.raises(StillwatchError):
        check_tellable(dispute(received, other, Dispute(subject=told.campaign, why="They pay $3"), NOW))
    with pytest.raises(StillwatchError, match="campaign or indicator"):
        dispute(received, other, Dispute(subject="opinion--1", why="x"), NOW)


def verified(name: str, voice: bool = True) -> dict[str, Any]:
    from stillwatch.exchange.stix import extension

    return {"type": "identity", "spec_version": "2.1", "id": name, "created": "2026-01-01T00:00:00.000Z",
    "name": name[-4:],
            "modified": f"2026-01-0{1 + voice}T00:00:00.000Z", "created_by_ref": extension.AUTHOR,
            "extensions": {ID: {"extension_type": "property-extension", "verified": voice}}}  # fmt: skip


def test_only_verified_organisations_have_a_voice_and_a_dispute_takes_force_away(received: Received) -> None:
    told, written = told_of(received, [decision()], read_items(lines()))
    received.take("h", "c", told.objects, "")
    assert received.all() == ()
    received.take("h", "c", [verified(ACME)], "")
    for digest in received.wanted(NOW):
        received.put_set(digest, written.blobs[digest])
    only = received.all()[0]
    assert only.in_force(NOW + 1.0) and only.organisation == ACME and len(only.split()) == 26
    assert only.campaign == told.campaign and only.epoch == "684-ab" and only.kind == "payment"
    other = Author(identity=ACME.replace("3", "4"), secret=b"o" * 32)
    said = dispute(received, other, Dispute(subject=told.campaign, why="A school."), NOW).objects
    received.take("h", "c", said, "")
    assert received.all()[0].disputed_by == ()  # nobody verified who says so
    received.take("h", "c", [verified(other.identity)], "")
    assert received.all()[0].disputed_by == (other.identity,) and not received.all()[0].in_force(NOW + 1.0)
    later = {**said[0], "revoked": True, "modified": "2099-01-01T00:00:00.000Z"}
    received.take("h", "c", [later], "")
    assert received.all()[0].in_force(NOW + 1.0)
    received.put_own([i for i in told.objects if "created_by_ref" in i], "c-1", "ann", NOW)
    received.take("h", "c", withdraw(received, OWN, "c-1", NOW + 5.0).written.objects, "")
    gone = received.all()[0]
    assert gone.revoked and gone.tokens == b"" and not gone.in_force(NOW + 1.0)


@pytest.mark.parametrize(
    "values",
    [
        {"url": "hub"}, {"url": "ftp://x/"}, {"organisation": "Acme"}, {"level": "red"}, {"days": 0.0}, {"days": 91.0},
        {"poll_seconds": 301.0}, {"poll_seconds": 0.0}, {"page": 0}, {"certificate": "x"},
    ],
)  # fmt: skip
def test_settings_out_of_range_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(StillwatchError):
        CoalitionConfig(**values)


def test_what_is_missing_to_reach_a_hub_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STILLWATCH_COALITION_KEY", raising=False)
    for config, why in (
        (CoalitionConfig(), "url is empty"), (replace(CONFIG, url="http://hub.example/taxii2/"), "https"),
        (CONFIG, "no key"), (replace(CONFIG, key_file=str(tmp_path / "none")), "cannot be read"),
        (replace(CONFIG, key_file=__file__, ca_file=__file__), "cannot be used"),
    ):  # fmt: skip
        with pytest.raises(StillwatchError, match=why):
            reach_of(config)
    monkeypatch.setenv("STILLWATCH_COALITION_KEY", "swc-secret")
    assert "swc-secret" not in repr(reach_of(CONFIG))
    with pytest.raises(StillwatchError, match="organisation"):
        author_of(CoalitionConfig(), tmp_path)
    assert asyncio.iscoroutinefunction(Publisher.send)


def test_nobody_elses_word_ties_a_warning_to_a_campaign(received: Received) -> None:
    told, written = told_of(received, [decision()], read_items(lines()))
    received.take("h", "c", [*told.objects, verified(ACME), verified(ACME.replace("3", "4"))], "")
    for digest, body in written.blobs.items():
        received.put_set(digest, body)
    other = Author(identity=ACME.replace("3", "4"), secret=b"o" * 32)
    theirs = campaign_of(other, Confirmed(subject="x", name="x", networks=("AS1",)), NOW)
    gone = revoked(next(i for i in theirs.objects if i["type"] == "campaign"), NOW)
    item = next(i for i in told.objects if i["type"] == "indicator")
    tie = {**next(i for i in theirs.objects if i["type"] == "relationship"), "relationship_type": "indicates",
           "source_ref": item["id"], "target_ref": gone["id"], "modified": "2099-01-01T00:00:00.000Z"}  # fmt: skip
    received.take("h", "c", [gone, tie], "")
    assert received.all()[0].campaign == told.campaign and received.all()[0].in_force(NOW + 1.0)


def test_what_is_not_told_any_more_is_withdrawn_with_the_next_publication(received: Received) -> None:
    first, _ = told_of(received, [decision()], read_items([*lines(), *lines(20, kind="address")]))
    assert set(first.tokens) == {"payment", "address"}
    received.put_own([i for i in first.objects if "created_by_ref" in i], "c-1", "ann", NOW)
    again, _ = told_of(received, [decision()], read_items(lines()))
    gone = [i for i in again.objects if i.get("revoked") is True]
    assert [i["extensions"][ID]["token_kind"] for i in gone if i["type"] == "indicator"] == ["address"]
    assert {i["type"] for i in gone} == {"indicator", "relationship"}


def test_a_campaign_that_was_withdrawn_can_be_told_anew_as_another(received: Received) -> None:
    first, _ = told_of(received, [decision()], read_items(lines()))
    received.put_own([i for i in first.objects if "created_by_ref" in i], "c-1", "ann", NOW)
    received.put_own(withdraw(received, OWN, "c-1", NOW + 1.0).written.objects, "c-1", "ann", NOW)
    again, _ = told_of(received, [decision()], read_items(lines()))
    assert again.campaign != first.campaign and not any(i.get("revoked") for i in again.objects)


def test_ones_own_can_be_withdrawn_from_what_was_pulled(received: Received) -> None:
    rows = [json.dumps({"account": a, "kind": "network", "value": "AS64500"}) for a in ACCOUNTS]
    told, _ = told_of(received, [decision()], read_items([*lines(), *rows]))
    own = {i["id"] for i in told.objects if "created_by_ref" in i}
    received.take("h", "c", told.objects, "")
    assert {i["id"] for i in withdraw(received, OWN, told.campaign, NOW + 1.0).written.objects} == own
    item = next(i["id"] for i in told.objects if i["type"] == "indicator")
    assert [i["id"] for i in withdraw(received, OWN, item, NOW + 1.0).written.objects] == [item]
    other = Author(identity=ACME.replace("3", "4"), secret=b"o" * 32)
    with pytest.raises(StillwatchError, match="nothing of this name"):
        withdraw(received, other, told.campaign, NOW)


@pytest.mark.parametrize(
    ("after", "why"),
    [
        ([], ""), ([decision(verb="release", at=NOW + 5.0)], ENDED), ([decision(at=NOW + 5.0)], ""),
        ([decision(subject="acct-3", kind="account", accounts=("acct-3",), verb="dismiss", at=NOW + 5.0)], RELEASED),
        ([decision(subject="acct-3", kind="account", accounts=("acct-3",), verb="dismiss", at=NOW - 5.0)], ""),
    ],
)  # fmt: skip
def test_what_has_lost_its_ground_is_named(received: Received, after: list[Decision], why: str) -> None:
    book = MemoryControl()
    for one in (decision(), *after):
        book.add_decision(one)
    told, _ = told_of(received, [decision()], read_items(lines()))
    received.put_own([i for i in told.objects if "created_by_ref" in i], "c-1", "ann", NOW)
    assert unsupported(book, received, NOW + 10.0) == ({"c-1": why} if why else {})
    assert unsupported(book, received, NOW + 2000.0) == {"c-1": ENDED}


def test_tokens_of_an_expired_warning_are_forgotten(received: Received) -> None:
    told, written = told_of(received, [decision()], read_items(lines()))
    received.take("h", "c", told.objects, "")
    for digest, body in written.blobs.items():
        received.put_set(digest, body)
    assert received.forget_expired(NOW + 46 * 86_400.0) == 0
    assert received.forget_expired(NOW + 48 * 86_400.0) == 1 and received.wanted(NOW + 48 * 86_400.0) == ()
