"""What members send to the hub, case by case: bodies, objects, statuses, deletions."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.taxii_rig import FULL, OPEN, Rig, indicator, is_error, rig

ONE = "indicator--00000001-0000-4000-8000-000000000000"
ADDRESS = "ipv4-addr--00000003-0000-4000-8000-000000000000"
OBJECTS = f"/first/collections/{FULL}/objects/"
INBOX = f"/first/collections/{OPEN}/objects/"


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with rig(tmp_path_factory.mktemp("hub")) as made:
        yield made


@pytest.fixture
def fresh(tmp_path: Any) -> Iterator[Rig]:
    with rig(tmp_path) as made:
        yield made


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff\xfe", b"<xml/>", b'{"objects": [NaN]}', b'{"objects": [{"id": NaN}]}', b"[" * 100_000,
     b'{"objects": [' + b'{"a":' * 5000, b"9" * 10_000],
)  # fmt: skip
def test_what_is_no_json_is_refused(hub: Rig, body: bytes) -> None:
    is_error(hub.ask("POST", INBOX, body), 400)


@pytest.mark.parametrize(
    "body",
    [b"[]", b"null", b"7", b'"x"', b"{}", b'{"objects": []}', b'{"objects": {}}', b'{"objects": null}',
     b'{"objects": [1]}', b'{"objects": ["x"]}', b'{"objects": [[]]}'],
)  # fmt: skip
def test_what_is_no_envelope_is_refused(hub: Rig, body: bytes) -> None:
    is_error(hub.ask("POST", INBOX, body), 422)


@pytest.mark.parametrize(
    "item",
    [
        {}, {"id": 7}, {"id": "x"}, {"id": "indicator--1"}, {"type": "indicator"}, {**indicator(1), "id": None},
        {**indicator(1), "type": "malware"}, {**indicator(1), "type": 7}, {**indicator(1), "modified": "yesterday"},
        {**indicator(1), "modified": 7}, {**indicator(1), "modified": "2020-01-01T00:00:00.1234567Z"},
        {**indicator(1), "spec_version": "two"}, {**indicator(1), "spec_version": 2.1},
        {**indicator(1), "id": "indicator--\ud800"}, {**indicator(1),
        "id": "Indicator--00000001-0000-4000-8000-000000000000"},
    ],
)  # fmt: skip
def test_an_object_that_cannot_be_kept_is_a_failure_of_its_own(fresh: Rig, item: dict[str, Any]) -> None:
    response = fresh.ask("POST", INBOX, {"objects": [item, indicator(2)]})
    status = response.json()
    assert response.status_code == 202
    assert (status["success_count"], status["failure_count"], status["total_count"]) == (1, 1, 2)
    assert status["failures"][0]["message"] and fresh.ask("GET", INBOX).json()["objects"] == [indicator(2)]


def test_an_addition_is_told_again_to_who_made_it_and_to_nobody_else(fresh: Rig) -> None:
    status = fresh.ask("POST", INBOX, {"objects": [indicator(1), indicator(2)]}).json()
    assert status["status"] == "complete" and status["pending_count"] == 0
    assert [s["id"] for s in status["successes"]] == [indicator(1)["id"], indicator(2)["id"]]
    assert fresh.ask("GET", f"/first/status/{status['id']}/").json() == status
    is_error(fresh.ask("GET", f"/second/status/{status['id']}/"), 404)
    is_error(fresh.ask("GET", f"/first/status/{status['id']}/", key="key-other"), 404)
    fresh.now += 8 * 86_400.0
    fresh.ask("POST", INBOX, {"objects": [indicator(3)]})
    is_error(fresh.ask("GET", f"/first/status/{status['id']}/"), 404)


def test_the_same_version_twice_is_once(fresh: Rig) -> None:
    for _ in range(2):
        assert fresh.ask("POST", INBOX, {"objects": [indicator(1), indicator(1)]}).json()["success_count"] == 2
    plain = {"type": "ipv4-addr", "id": ADDRESS, "value": "192.0.2.3"}
    for _ in range(2):
        assert fresh.ask("POST", INBOX, {"objects": [plain]}).json()["failure_count"] == 0
    assert fresh.ask("GET", f"{INBOX}?match[version]=all").json()["objects"] == [indicator(1), plain]


def test_a_bundle_is_taken_as_an_envelope(fresh: Rig) -> None:
    bundle = {"type": "bundle", "id": "bundle--1", "spec_version": "2.0", "objects": [indicator(1)]}
    assert fresh.ask("POST", INBOX, bundle).json()["success_count"] == 1


def test_what_is_given_back_is_what_was_sent(fresh: Rig) -> None:
    odd = indicator(
        1, name="Grüße \U0001f600 \u0000 \ud800", x_number=2**70, x_float=1.0, x_list=[[], {}, None, True, -0.0]
    )
    assert fresh.ask("POST", INBOX, {"objects": [odd]}).json()["success_count"] == 1
    assert fresh.ask("GET", INBOX).json()["objects"] == [odd]


@pytest.mark.parametrize(
    ("query", "left"),
    [("", ["first", "second"]), ("?match[version]=all", []), ("?match[version]=first", ["second", "third"]),
     ("?match[version]=2020-02-01T00:00:00Z", ["first", "third"]), ("?match[version]=first,last", ["second"])],
)  # fmt: skip
def test_what_is_deleted_is_gone(fresh: Rig, query: str, left: list[str]) -> None:
    response = fresh.ask("DELETE", f"{OBJECTS}{ONE}/{query}")
    assert response.status_code == 200 and response.content == b""
    again = fresh.ask("GET", f"{OBJECTS}{ONE}/?match[version]=all")
    assert [item["name"] for item in again.json().get("objects", [])] == left


@pytest.mark.parametrize(
    "query", ["?match[version]=x", "?match[version]=2021-01-01T00:00:00Z", "?match[spec_version]=2.0"]
)
def test_deleting_nothing_is_refused(fresh: Rig, query: str) -> None:
    is_error(fresh.ask("DELETE", f"{OBJECTS}{ONE}/{query}"), 400 if query.endswith("=x") else 404)
