"""The hub answers as TAXII 2.1 says, case by case; every row is one request."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.taxii_rig import DROP, FULL, MADE, OPEN, SEALED, TAXII, Rig, basic, indicator, is_error, rig, sample

ONE = "indicator--00000001-0000-4000-8000-000000000000"
TWO = "indicator--00000002-0000-4000-8000-000000000000"
OLD = "indicator--00000007-0000-4000-8000-000000000000"
EIGHT = "indicator--00000008-0000-4000-8000-000000000000"
MALWARE = "malware--00000099-0000-4000-8000-000000000000"
ADDRESS = "ipv4-addr--00000003-0000-4000-8000-000000000000"
OBJECTS = f"/first/collections/{FULL}/objects/"
MANIFEST = f"/first/collections/{FULL}/manifest/"
INBOX = f"/first/collections/{OPEN}/objects/"


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with rig(tmp_path_factory.mktemp("hub")) as made:
        yield made


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        (TAXII, 200), ("application/taxii+json", 200), ("application/taxii+json; version=2.1", 200),
        ("application/taxii+json ;version=2.1", 200), ('application/taxii+json;version="2.1"', 200),
        ("Application/TAXII+json;Version=2.1", 200), (f"text/html, {TAXII}", 200), (f"{TAXII};q=0.5", 200),
        ("application/taxii+json;version=2.0, application/taxii+json;version=2.1", 200),
        (None, 406), ("", 406), ("*/*", 406), ("application/*", 406), ("application/json", 406),
        ("application/taxii+json;version=2.0", 406), ("application/taxii+json;version=3.0", 406),
        ("application/vnd.oasis.taxii+json;version=2.0", 406), ("application/stix+json;version=2.1", 406),
        (f"{TAXII};q=0", 406), ("text/html", 406), (";;,;=", 406),
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/taxii2/", OBJECTS])
def test_only_who_takes_taxii_is_answered(hub: Rig, path: str, accept: str | None, status: int) -> None:
    response = hub.ask("GET", path, Accept=accept)
    assert response.status_code == status
    if status != 200:
        is_error(response, status)


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (TAXII, 202), ("application/taxii+json", 202), ("application/taxii+json; version=2.1", 202),
        (None, 415), ("", 415), ("application/json", 415), ("application/stix+json;version=2.1", 415),
        ("application/taxii+json;version=2.0", 415), ("text/plain", 415), ("multipart/form-data", 415),
        ("application/taxii+jsonx", 415),
    ],
)  # fmt: skip
def test_only_taxii_is_taken(hub: Rig, content: str | None, status: int) -> None:
    response = hub.ask("POST", INBOX, {"objects": [indicator(0x50)]}, Content_Type=content)
    assert response.status_code == status, response.text
    if status != 202:
        is_error(response, status)


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ("Bearer key-full", 200), ("bearer key-full", 200), (basic("full", "key-full"), 200), (basic("", "key-full"),
        200),
        (None, 401), ("", 401), ("Bearer", 401), ("Bearer nobody", 401), ("Bearer key-gone", 401),
        ("Bearer key-late", 401), ("Bearer key-certified", 401), (basic("full", "wrong"), 401),
        (basic("other", "key-full"), 401), ("Basic !!!", 401), ("Basic a2V5LWZ1bGw=", 401), ("Digest x", 401),
        ("Bearer  key-full ", 200),
    ],
)  # fmt: skip
def test_only_members_come_in(hub: Rig, header: str | None, status: int) -> None:
    response = hub.ask("GET", "/taxii2/", Authorization=header)
    assert response.status_code == status
    if status == 401:
        is_error(response, 401)
        assert "Basic" in response.headers["www-authenticate"]


@pytest.mark.parametrize(
    ("key", "shown", "status"),
    [("key-certified", "c" * 64, 200), ("key-certified", None, 401), ("key-certified", "d" * 64, 401),
     ("key-full", "c" * 64, 200), ("", "c" * 64, 401), (None, "c" * 64, 200), (None, "d" * 64, 401)],
)  # fmt: skip
def test_a_member_with_a_certificate_must_show_it(hub: Rig, key: str | None, shown: str | None, status: int) -> None:
    hub.certificate = shown
    try:
        header = None if key is None else f"Bearer {key}"
        assert hub.ask("GET", "/taxii2/", Authorization=header).status_code == status
    finally:
        hub.certificate = None


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404), ("GET", "/nothing/", 404), ("GET", "/nothing/collections/", 404),
        ("GET", f"/nothing/collections/{FULL}/", 404), ("GET", "/first/collections/nothing/", 404),
        ("GET", f"/second/collections/{FULL}/objects/", 404), ("GET", f"/first/collections/{SEALED}/", 404),
        ("GET", f"/first/collections/{SEALED}/objects/", 404), ("GET", f"{OBJECTS}indicator--none/", 404),
        ("GET", f"{OBJECTS}{ONE.replace('1', '5')}/", 404), ("GET", f"{OBJECTS}{ONE.replace('1', '5')}/versions/", 404),
        ("GET", "/first/status/none/", 404), ("GET", "/taxii2/more/", 404), ("GET", f"{OBJECTS}{ONE}/versions/more/",
        404),
        ("GET", f"/first/collections/{DROP}/objects/", 403), ("GET", f"/first/collections/{DROP}/manifest/", 403),
        ("GET", f"/first/collections/{DROP}/objects/{ONE}/", 403), ("DELETE",
        f"/first/collections/{DROP}/objects/{ONE}/", 403),
        ("DELETE", f"/first/collections/{MADE}/objects/{ONE}/", 403), ("DELETE", f"{OBJECTS}indicator--none/", 404),
        ("POST", "/taxii2/", 405), ("POST", "/first/", 405), ("PUT", OBJECTS, 405), ("DELETE", OBJECTS, 405),
        ("POST", MANIFEST, 405), ("POST", f"{OBJECTS}{ONE}/", 405), ("DELETE", f"{OBJECTS}{ONE}/versions/", 405),
        ("PATCH", f"{OBJECTS}{ONE}/", 405), ("DELETE", "/first/collections/", 405),
        ("GET", "/first/collections/%00/", 404), ("GET", "/first/collections/%ff%fe/objects/", 404),
    ],
)  # fmt: skip
def test_what_is_not_there_or_not_allowed_is_said_so(hub: Rig, method: str, path: str, status: int) -> None:
    is_error(hub.ask(method, path), status)


@pytest.mark.parametrize("body_for", [MADE, SEALED])
def test_writing_needs_the_right(hub: Rig, body_for: str) -> None:
    response = hub.ask("POST", f"/first/collections/{body_for}/objects/", {"objects": [indicator(1)]})
    is_error(response, 403 if body_for == MADE else 404)


@pytest.mark.parametrize(
    "path", ["/taxii2", "/first", "/first/collections", OBJECTS[:-1], f"{OBJECTS}{ONE}", MANIFEST[:-1]]
)
def test_a_path_may_end_without_a_slash(hub: Rig, path: str) -> None:
    assert hub.ask("GET", path).json() == hub.ask("GET", path + "/").json()


LAST = [(ONE, "2020-03"), (TWO, "2020-01"), (MALWARE, "2020-01"), (ADDRESS, None), (OLD, "2020-01"), (EIGHT, "2019-01")]
FIRST = [
    (ONE, "2020-01"),
    (TWO, "2020-01"),
    (MALWARE, "2020-01"),
    (ADDRESS, None),
    (OLD, "2020-01"),
    (EIGHT, "2018-01"),
]
ALL_ONE = [(ONE, "2020-01"), (ONE, "2020-02"), (ONE, "2020-03")]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", LAST), ("match[version]=last", LAST), ("match[version]=first", FIRST), ("unknown=1&match[other]=2", LAST),
        (f"match[id]={ONE}", LAST[:1]), (f"match[id]={ONE},{TWO}", LAST[:2]), (f"match[id]={TWO},{ONE}", LAST[:2]),
        (f"match[id]={ONE}&match[version]=all", ALL_ONE), (f"match[id]={ONE}&match[version]=first", ALL_ONE[:1]),
        (f"match[id]={ONE}&match[version]=first,last", [ALL_ONE[0], ALL_ONE[2]]),
        (f"match[id]={ONE}&match[version]=2020-02-01T00:00:00Z", ALL_ONE[1:2]),
        (f"match[id]={ONE}&match[version]=2020-02-01T00:00:00.000Z,last", ALL_ONE[1:]),
        (f"match[id]={ONE}&match[version]=all,first", ALL_ONE),
        (f"match[id]={ONE}&match[version]=2021-01-01T00:00:00Z", []),
        ("match[id]=nothing", []), ("match[type]=malware", [LAST[2]]), ("match[type]=malware,ipv4-addr", LAST[2:4]),
        ("match[type]=indicator", [LAST[0], LAST[1], LAST[4], LAST[5]]), ("match[type]=nothing", []),
        (f"match[type]=malware&match[id]={ONE}", []), ("match[spec_version]=2.0", [LAST[4]]),
        ("match[spec_version]=2.1", [*LAST[:4], LAST[5]]), ("match[spec_version]=2.0,2.1", LAST),
        ("match[spec_version]=3.0", []),
        (f"added_after={sample()[8][0]}", []), (f"added_after={sample()[6][0]}", [LAST[5]]),
        ("added_after=2021-01-05T00:00:00Z", LAST[3:]), ("added_after=1970-01-01T00:00:00Z", LAST),
        ("added_after=2021-01-04T23:59:59.999999Z", LAST[2:]), ("added_after=2999-01-01T00:00:00Z", []),
        ("added_after=2021-01-05T00:00:00Z&match[type]=indicator", LAST[4:]),
        (f"match[version]=all&match[id]={EIGHT}", [(EIGHT, "2019-01"), (EIGHT, "2018-01")]),
        (f"match[version]=last&match[id]={EIGHT}", [(EIGHT, "2019-01")]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", [OBJECTS, MANIFEST])
def test_filters_let_through_what_they_say(
    hub: Rig, path: str, query: str, found: list[tuple[str, str | None]]
) -> None:
    response = hub.ask("GET", f"{path}?{query}")
    assert response.status_code == 200, response.text
    items = response.json().get("objects", [])
    versions = [i.get("version", i.get("modified", i.get("created", ""))) for i in items]
    assert [i["id"] for i in items] == [name for name, _ in found]
    assert all(v is None or got.startswith(v) for (_, v), got in zip(found, versions, strict=True))
    if not found:
        assert response.json() == {} and "x-taxii-date-added-first" not in response.headers


@pytest.mark.parametrize(
    "query",
    [
        "limit=0", "limit=-1", "limit=x", "limit=", "limit=1.5", "limit=1e3", "limit=+1", "limit=%C2%B2",
        "limit=1&limit=2",
        "limit=9999999999999999999999", "added_after=", "added_after=yesterday", "added_after=2021-01-01",
        "added_after=2021-13-01T00:00:00Z", "added_after=2021-02-30T00:00:00Z", "added_after=2021-01-01T00:00:00",
        "added_after=2021-01-01T00:00:00%2B01:00", "added_after=2021-01-01T24:00:00Z",
        "added_after=2021-01-01T00:00:61Z",
        "added_after=0000-01-01T00:00:00Z", "added_after=2021-01-01T00:00:00.0000000Z",
        "added_after=%D9%A2021-01-01T00:00:00Z", "match[version]=", "match[version]=newest",
        "match[version]=last,newest", "match[version]=2021", "match[id]=", "match[id]=a,,b", "match[type]=",
        "match[spec_version]=", f"match[id]={ONE}&match[id]={TWO}",
        "added_after=2021-01-01T00:00:00Z&added_after=2021-01-01T00:00:00Z",
        "next=", "next=x", "next=!!!", "next=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "next=%C3%A9", "next=a%00b",
        "match[id]=" + ",".join(f"x{i}" for i in range(201)),
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", [OBJECTS, MANIFEST])
def test_a_parameter_that_cannot_be_read_is_refused(hub: Rig, path: str, query: str) -> None:
    is_error(hub.ask("GET", f"{path}?{query}"), 400)


@pytest.mark.parametrize(
    ("path", "versions"),
    [
        (f"{OBJECTS}{ONE}/versions/", ["2020-01-01", "2020-02-01", "2020-03-01"]),
        (f"{OBJECTS}{ONE}/versions/?added_after=2021-01-01T00:00:00Z", ["2020-02-01", "2020-03-01"]),
        (f"{OBJECTS}{ONE}/versions/?limit=1", ["2020-01-01"]), (f"{OBJECTS}{ONE}/versions/?match[spec_version]=2.0",
        []),
        (f"{OBJECTS}{ONE}/versions/?match[version]=last", ["2020-01-01", "2020-02-01", "2020-03-01"]),
        (f"{OBJECTS}{EIGHT}/versions/", ["2019-01-01", "2018-01-01"]), (f"{OBJECTS}{ADDRESS}/versions/",
        ["2021-01-06"]),
    ],
)  # fmt: skip
def test_versions_are_listed_in_the_order_they_came(hub: Rig, path: str, versions: list[str]) -> None:
    response = hub.ask("GET", path)
    assert [v[:10] for v in response.json().get("versions", [])] == versions


@pytest.mark.parametrize(
    ("query", "names"),
    [("", ["third"]), ("match[version]=first", ["first"]), ("match[version]=all", ["first", "second", "third"]),
     ("match[id]=ignored-here", ["third"]), ("match[type]=ignored-here", ["third"]), ("match[spec_version]=2.0", []),
     ("added_after=2021-01-03T00:00:00Z", []), ("match[version]=2020-02-01T00:00:00Z", ["second"])],
)  # fmt: skip
def test_one_object_is_read_by_its_id(hub: Rig, query: str, names: list[str]) -> None:
    response = hub.ask("GET", f"{OBJECTS}{ONE}/?{query}")
    assert [item["name"] for item in response.json().get("objects", [])] == names


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 6, 20, 1000])
@pytest.mark.parametrize(
    ("path", "what"), [(OBJECTS, "objects"), (MANIFEST, "objects"), (f"{OBJECTS}{ONE}/versions/", "versions")]
)
def test_pages_put_together_are_the_whole(hub: Rig, path: str, what: str, limit: int) -> None:
    query = "?match[version]=all" if what == "objects" else "?"
    whole = hub.ask("GET", path + query).json()[what]
    found: list[Any] = []
    following = f"{path}{query}&limit={limit}"
    while following:
        response = hub.ask("GET", following)
        page = response.json()
        found += page[what]
        assert len(page[what]) <= min(limit, 20) and page["more"] is ("next" in page)
        assert response.headers["x-taxii-date-added-first"] <= response.headers["x-taxii-date-added-last"]
        following = f"{path}?next={page['next']}" if page["more"] else ""
    assert found == whole


def test_a_page_says_when_its_first_and_last_object_came(hub: Rig) -> None:
    response = hub.ask("GET", f"{OBJECTS}?limit=2")
    assert response.headers["x-taxii-date-added-first"] == "2021-01-03T00:00:00.000000Z"
    assert response.headers["x-taxii-date-added-last"] == "2021-01-04T00:00:00.000000Z"
    listed = hub.ask("GET", f"{MANIFEST}?limit=1").json()["objects"][0]
    assert listed == {"id": ONE, "date_added": "2021-01-03T00:00:00.000000Z", "version": "2020-03-01T00:00:00.000Z",
                      "media_type": "application/stix+json;version=2.1"}  # fmt: skip


@pytest.mark.parametrize(
    ("began", "then", "status"),
    [
        ("match[version]=all", "", 200), ("match[version]=all", "match[version]=all", 200),
        ("match[version]=all", "match[version]=last", 400), ("match[version]=all", "match[type]=indicator", 400),
        ("match[version]=all&match[type]=indicator,malware", "match[type]=malware,indicator", 200),
        ("added_after=2021-01-01T00:00:00Z", "", 200),
        ("added_after=2021-01-01T00:00:00Z", "added_after=2021-01-01T00:00:00.000Z", 200),
        ("added_after=2021-01-01T00:00:00Z", "added_after=2020-01-01T00:00:00Z", 400),
        ("added_after=2021-01-01T00:00:00Z", "added_after=2021-01-03T00:00:00Z", 200),
        ("added_after=2021-01-01T00:00:00Z", "added_after=2021-01-05T00:00:00Z", 400),
        ("", "added_after=2021-01-03T00:00:00Z", 200), ("", "limit=5", 200), ("", "unknown=1", 200),
    ],
)  # fmt: skip
def test_a_cursor_carries_its_filters(hub: Rig, began: str, then: str, status: int) -> None:
    first = hub.ask("GET", f"{OBJECTS}?limit=1&{began}")
    rest = hub.ask("GET", f"{OBJECTS}?next={first.json()['next']}&{then}")
    assert rest.status_code == status, rest.text
    if status == 200:
        whole = hub.ask("GET", f"{OBJECTS}?{began}").json()["objects"]
        count = 5 if "limit" in then else 1
        assert rest.json()["objects"] == whole[1 : 1 + count]


def test_a_cursor_holds_for_its_endpoint_and_unaltered(hub: Rig) -> None:
    given = hub.ask("GET", f"{OBJECTS}?limit=1").json()["next"]
    for path in (MANIFEST, f"{OBJECTS}{ONE}/", f"{OBJECTS}{ONE}/versions/", INBOX):
        is_error(hub.ask("GET", f"{path}?next={given}"), 404 if path == f"{INBOX}{ONE}/" else 400)
    for at in range(0, len(given), 7):
        other = given[:at] + ("A" if given[at] != "A" else "B") + given[at + 1 :]
        is_error(hub.ask("GET", f"{OBJECTS}?next={other}"), 400)


def test_resources_say_what_they_must(hub: Rig) -> None:
    assert hub.ask("GET", "/taxii2/").json() == {
        "title": "Coalition hub", "api_roots": ["https://hub.example/first/", "https://hub.example/second/"],
        "default": "https://hub.example/first/",
    }  # fmt: skip
    root = hub.ask("GET", "/first/").json()
    assert root["versions"] == [TAXII] and root["max_content_length"] == 10_485_760
    listed = {c["id"]: c for c in hub.ask("GET", "/first/collections/").json()["collections"]}
    assert set(listed) == {OPEN, FULL, DROP, MADE}
    assert (listed[DROP]["can_read"], listed[DROP]["can_write"]) == (False, True)
    assert listed[FULL]["media_types"] == [f"application/stix+json;version={v}" for v in ("2.0", "2.1")]
    assert hub.ask("GET", f"/first/collections/{FULL}/").json() == listed[FULL]
    assert hub.ask("GET", "/first/collections/open/").json()["id"] == OPEN
    assert hub.ask("GET", "/second/collections/").json() == {}


def test_answers_are_not_kept_by_anything_between(hub: Rig) -> None:
    assert "no-store" in hub.ask("GET", OBJECTS).headers["cache-control"]
    assert hub.ask("HEAD", OBJECTS).status_code == 200
