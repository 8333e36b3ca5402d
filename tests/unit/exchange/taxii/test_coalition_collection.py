"""A coalition's collection takes one's own, complete, dated, marked warnings, whatever a member sends."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from stillwatch.exchange.stix import atlas, extension, tlp
from stillwatch.exchange.stix.tokensets import digest_of, pack
from stillwatch.exchange.stix.write import Author, Confirmed, Written, campaign_of, opinion_of, revoked, sighting_of
from stillwatch.exchange.taxii.limits import Limits
from stillwatch.exchange.taxii.members import identity_of
from tests.taxii_rig import NOW, WARNINGS, Rig, is_error, rig

INBOX = f"/second/collections/{WARNINGS}/objects/"
TOKENS = [bytes([n]) * 16 for n in range(5)]
Change = Callable[[dict[str, Any]], Any]


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Rig]:
    with rig(tmp_path) as made:
        yield made


def author(name: str = "Acme") -> Author:
    return Author(identity=identity_of(name), secret=name.encode() * 8)


def warning(now: float = NOW, name: str = "Acme", subject: str = "c-1", **more: Any) -> Written:
    sets = {("payment", "684-ab"): TOKENS, ("address", "684-ab"): TOKENS}
    told = Confirmed(**{"subject": subject, "name": "Sweep", "sets": sets, "networks": ("AS64500",), **more})
    return campaign_of(author(name), told, now)


def send(hub: Rig, written: Written, key: str = "key-acme") -> dict[str, Any]:
    for digest, body in written.blobs.items():
        put = hub.ask("PUT", f"/second/blobs/{digest}/", body, key=key, Content_Type="application/octet-stream")
        assert put.status_code in (200, 201), put.text
    response = hub.ask("POST", INBOX, {"objects": list(written.objects)}, key=key)
    assert response.status_code == 202, response.text
    return dict(response.json())


def only(written: Written, kind: str, **having: Any) -> dict[str, Any]:
    return next(
        dict(item) for item in written.objects
        if item["type"] == kind and all(item.get(name) == value for name, value in having.items())
    )  # fmt: skip


def own(item: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = item["extensions"][extension.ID]
    return found


def with_own(item: dict[str, Any], **values: Any) -> dict[str, Any]:
    content = {**own(item), **values}
    return {**item, "extensions": {extension.ID: {k: v for k, v in content.items() if v is not None}}}


def test_a_whole_warning_is_taken_and_read_by_another(hub: Rig) -> None:
    written = warning()
    assert send(hub, written)["failure_count"] == 0
    read = hub.ask("GET", INBOX, key="key-bolt").json()["objects"]
    assert [item for item in read if item["type"] == "campaign"] == [only(written, "campaign")]
    for digest, body in written.blobs.items():
        assert hub.ask("GET", f"/second/blobs/{digest}/", key="key-reader").content == body


WRONG: dict[str, tuple[str, Change]] = {
    "another's name": ("campaign", lambda i: {**i, "created_by_ref": identity_of("Bolt")}),
    "no author": ("campaign", lambda i: {k: v for k, v in i.items() if k != "created_by_ref"}),
    "no modified": ("campaign", lambda i: {k: v for k, v in i.items() if k not in ("modified", "created")}),
    "the future": ("campaign", lambda i: {**i, "modified": "2999-01-01T00:00:00.000Z"}),
    "no marking": ("campaign", lambda i: {k: v for k, v in i.items() if k != "object_marking_refs"}),
    "two markings": ("campaign", lambda i: {**i, "object_marking_refs": [tlp.LEVELS["clear"], tlp.LEVELS["amber"]]}),
    "TLP 1": ("campaign", lambda i: {**i, "object_marking_refs": [min(tlp.TLP_1)]}),
    "TLP:RED": ("campaign", lambda i: {**i, "object_marking_refs": [tlp.LEVELS["red"]]}),
    "granular": ("campaign", lambda i: {**i, "granular_markings": [{"selectors": ["name"], "lang": "en"}]}),
    "a price": ("campaign", lambda i: {**i, "description": "resold at 3 EUR"}),
    "a volume": ("campaign", lambda i: {**i, "description": "some 16 million exchanges"}),
    "a customer": ("campaign", lambda i: {**i, "name": "Our customer X"}),
    "a country": ("campaign", lambda i: {**i, "x_country": "XX"}),
    "a reference": ("campaign", lambda i: {**i, "external_references": [{"source_name": "x", "url": "https://x"}]}),
    "own property": ("campaign", lambda i: {**i, "x_anything": 1}),
    "own extension": ("campaign", lambda i: {**i, "extensions": {tlp.EXTENSION: {"extension_type": "new-sdo"}}}),
    "own field in ours": ("campaign", lambda i: with_own(i, accounts=25)),
    "too long": ("campaign", lambda i: {**i, "description": "x" * 1001}),
    "no end": ("indicator", lambda i: {k: v for k, v in i.items() if k != "valid_until"}),
    "91 days": ("indicator", lambda i: {**i, "valid_until": "2027-04-20T00:00:00.000Z"}),
    "end before begin": ("indicator", lambda i: {**i, "valid_until": "2020-01-01T00:00:00.000Z"}),
    "other pattern": ("indicator", lambda i: {**i, "pattern_type": "sigma"}),
    "one address": ("indicator", lambda i: {**i, "pattern_type": "stix", "pattern": "[ipv4-addr:value = '192.0.2.1']"}),
    "a narrow prefix": ("indicator", lambda i: {
        **i, "pattern_type": "stix", "pattern": "[ipv4-addr:value ISSUBSET '192.0.2.0/25']"}),
    "words in a pattern": ("indicator", lambda i: {**i, "pattern": i["pattern"] + " AND x"}),
    "no digest": ("indicator", lambda i: with_own(i, digest=None)),
    "unsent set": ("indicator", lambda i: with_own(i, digest="0" * 64)),
    "other size": ("indicator", lambda i: with_own(i, size=32)),
    "odd size": ("indicator", lambda i: with_own(i, size=33)),
    "other kind": ("indicator", lambda i: with_own(i, token_kind="surname")),
    "small crowd": ("indicator", lambda i: with_own(i, token_kind="address", at_least_accounts=19)),
    "no crowd": ("indicator", lambda i: with_own(i, token_kind="template", at_least_accounts=None)),
    "a crowd of true": ("indicator", lambda i: with_own(i, token_kind="template", at_least_accounts=True)),
    "an identity": ("campaign", lambda i: {
        "type": "identity", "spec_version": "2.1", "id": identity_of("Acme"), "created_by_ref": identity_of("Acme"),
        "created": i["created"], "modified": i["modified"], "name": "Acme", "identity_class": "organization",
        "extensions": {extension.ID: {"extension_type": "property-extension", "verified": True}}}),
    "a note": ("campaign", lambda i: {**i, "type": "note", "id": i["id"].replace("campaign", "note")}),
    "altered marking": ("campaign", lambda i: {**tlp.marking("amber"), "name": "TLP:RED"}),
    "altered technique": ("campaign", lambda i: {**atlas.attack_pattern(atlas.TECHNIQUES["AML.T0040"]), "name": "x"}),
    "a technique of one's own": ("campaign", lambda i: {
        **atlas.attack_pattern(atlas.TECHNIQUES["AML.T0040"]), "id": i["id"].replace("campaign", "attack-pattern"),
        "created_by_ref": identity_of("Acme")}),
    "deep": ("campaign", lambda i: {**i, "x_deep": _deep(30)}),
}  # fmt: skip


def _deep(levels: int) -> Any:
    return {"x": _deep(levels - 1)} if levels else 1


@pytest.mark.parametrize("name", WRONG)
def test_a_warning_with_something_wrong_is_refused(hub: Rig, name: str) -> None:
    written = warning()
    for digest, body in written.blobs.items():
        hub.ask("PUT", f"/second/blobs/{digest}/", body, key="key-acme", Content_Type="application/octet-stream")
    kind, change = WRONG[name]
    item = only(written, kind)
    assert hub.ask("POST", INBOX, {"objects": [item]}, key="key-acme").json()["success_count"] == 1
    changed = change(only(warning(NOW + 60.0, subject="c-2"), kind))
    hub.now = NOW + 61.0
    status = hub.ask("POST", INBOX, {"objects": [changed]}, key="key-acme").json()
    assert status["failure_count"] == 1, status
    assert status["failures"][0]["message"]


def test_nobody_speaks_for_another(hub: Rig) -> None:
    send(hub, warning())
    item = only(warning(), "campaign")
    later = {**item, "modified": "2027-01-15T09:00:00.000Z", "created_by_ref": identity_of("Bolt")}
    hub.now = NOW + 7 * 3600
    status = hub.ask("POST", INBOX, {"objects": [later]}, key="key-bolt").json()
    assert "another organisation" in status["failures"][0]["message"]
    assert hub.ask("POST", INBOX, {"objects": [revoked(item, NOW + 9)]}, key="key-bolt").json()["failure_count"] == 1
    # A second member of one organisation has the same voice.
    assert hub.ask("POST", INBOX, {"objects": [revoked(item, NOW + 9)]}, key="key-acme2").json()["success_count"] == 1


def test_what_was_revoked_stays_so_and_its_tokens_go_at_once(hub: Rig) -> None:
    written = warning()
    send(hub, written)
    digest = own(only(written, "indicator", pattern_type="oprf-token"))["digest"]
    assert hub.ask("GET", f"/second/blobs/{digest}/", key="key-bolt").status_code == 200
    gone = [revoked(i, NOW + 5) for i in written.objects if i["type"] in ("indicator", "campaign")]
    hub.now = NOW + 6.0
    assert send(hub, Written(tuple(gone)))["failure_count"] == 0
    is_error(hub.ask("GET", f"/second/blobs/{digest}/", key="key-bolt"), 404)
    hub.now = NOW + 60.0
    again = send(hub, warning(NOW + 50.0))
    assert {"It was revoked, which is for good."} == {f["message"] for f in again["failures"]}
    older = {**gone[0], "modified": only(written, "campaign")["created"], "revoked": False}
    assert send(hub, Written((older,)))["failure_count"] == 1
    newest = hub.ask("GET", f"{INBOX}?match[id]={gone[0]['id']}", key="key-bolt").json()["objects"]
    assert newest[0]["revoked"] is True


def test_an_older_version_does_not_follow_a_newer_one(hub: Rig) -> None:
    send(hub, warning())
    hub.now = NOW + 100.0
    assert send(hub, warning(NOW + 90.0))["failure_count"] == 0
    late = send(hub, warning(NOW + 50.0))
    assert {f["message"] for f in late["failures"]} == {"It is older than the version that is here."}


def test_an_expired_set_is_not_handed_out(hub: Rig) -> None:
    written = warning(days=1.0)
    send(hub, written)
    digest = own(only(written, "indicator", pattern_type="oprf-token"))["digest"]
    hub.now = NOW + 86_401.0
    is_error(hub.ask("GET", f"/second/blobs/{digest}/", key="key-bolt"), 404)
    with hub.file.writing():
        assert hub.hub.blobs.sweep(hub.now) == 1  # both kinds hold the same tokens: one set
    assert hub.hub.blobs.size(digest) is None


@pytest.mark.parametrize(
    "body", [b"", b"a" * 15, b"b" * 16 + b"a" * 16, b"a" * 32, b"\x00" * 17]
)  # fmt: skip
def test_only_a_packed_set_is_taken(hub: Rig, body: bytes) -> None:
    path = f"/second/blobs/{digest_of(body)}/"
    is_error(hub.ask("PUT", path, body, key="key-acme", Content_Type="application/octet-stream"), 422)


def test_a_set_needs_its_name_a_right_and_its_type(hub: Rig) -> None:
    body = pack(TOKENS)
    path, kind = f"/second/blobs/{digest_of(body)}/", "application/octet-stream"
    is_error(hub.ask("PUT", f"/second/blobs/{'0' * 64}/", body, key="key-acme", Content_Type=kind), 422)
    is_error(hub.ask("PUT", path, body, key="key-reader", Content_Type=kind), 403)
    is_error(hub.ask("PUT", path, body, key="key-full", Content_Type=kind), 403)
    is_error(hub.ask("PUT", path, body, key="key-acme", Content_Type="text/plain"), 415)
    assert hub.ask("PUT", path, body, key="key-acme", Content_Type=kind).status_code == 201
    assert hub.ask("PUT", path, body, key="key-acme", Content_Type=kind).status_code == 200
    is_error(hub.ask("GET", path, key="key-acme"), 404)  # nothing names it yet
    is_error(hub.ask("GET", path, key="key-full"), 403)


def test_others_see_and_dispute_and_none_of_it_can_be_deleted(hub: Rig) -> None:
    written = warning()
    send(hub, written)
    item = only(written, "indicator")["id"]
    said = [
        sighting_of(author("Bolt"), item, 37, False, NOW),
        opinion_of(author("Bolt"), [item], "A school.", "c-7", NOW),
    ]
    for one in said:
        assert send(hub, one, "key-bolt")["failure_count"] == 0
    assert only(said[0], "sighting")["count"] == 10
    is_error(hub.ask("DELETE", f"{INBOX}{item}/", key="key-acme"), 403)
    is_error(hub.ask("POST", INBOX, {"objects": list(said[0].objects)}, key="key-reader"), 403)


def test_an_organisations_quota_is_shared_by_its_members(tmp_path: Path) -> None:
    with rig(tmp_path, Limits(objects_per_day=12, blob_bytes_per_day=100, requests_per_minute=50)) as hub:
        objects = [dict(i) for i in warning().objects]
        assert hub.ask("POST", INBOX, {"objects": objects[:8]}, key="key-acme").status_code == 202
        refused = hub.ask("POST", INBOX, {"objects": objects[:8]}, key="key-acme2")
        is_error(refused, 429)
        assert 0 < int(refused.headers["retry-after"]) <= 86_400
        assert hub.ask("POST", INBOX, {"objects": objects[:8]}, key="key-bolt").status_code == 202
        body = pack([bytes([n]) * 16 for n in range(9)])
        kind = "application/octet-stream"
        is_error(hub.ask("PUT", f"/second/blobs/{digest_of(body)}/", body, key="key-acme", Content_Type=kind), 429)
        hub.now += 86_400.0
        assert hub.ask("POST", INBOX, {"objects": objects[:8]}, key="key-acme2").status_code == 202


def test_a_member_may_ask_so_often_and_no_more(tmp_path: Path) -> None:
    with rig(tmp_path, Limits(requests_per_minute=3)) as hub:
        assert [hub.ask("GET", "/taxii2/").status_code for _ in range(5)] == [200, 200, 200, 429, 429]
        assert hub.ask("GET", "/taxii2/", key="key-bolt").status_code == 200
        hub.now += 60.0
        assert hub.ask("GET", "/taxii2/").status_code == 200


def test_a_body_has_a_limit_whatever_its_header_says(tmp_path: Path) -> None:
    with rig(tmp_path, Limits(max_content_length=1_000, objects_per_post=2)) as hub:
        is_error(hub.ask("POST", INBOX, b"x" * 1_001, key="key-acme"), 413)
        is_error(hub.ask("POST", INBOX, {"objects": [{}, {}, {}]}, key="key-acme"), 413)
        is_error(hub.ask("POST", INBOX, b"{}", key="key-acme", Content_Encoding="gzip"), 415)
        is_error(hub.ask("POST", INBOX, b"{}", key="key-acme", Content_Length="99999999999999999999"), 413)


def test_a_certificate_can_be_needed(tmp_path: Path) -> None:
    with rig(tmp_path, need_certificate=True) as hub:
        is_error(hub.ask("GET", "/taxii2/"), 401)
        hub.certificate = "c" * 64
        assert hub.ask("GET", "/taxii2/", key="key-certified").status_code == 200


def test_a_hub_whose_file_is_stuck_says_so_and_tells_its_operator(tmp_path: Path) -> None:
    with rig(tmp_path) as hub:
        hub.file.close()
        is_error(hub.ask("GET", "/taxii2/"), 503)
        assert "was closed" in hub.told[0]
