"""Requests drawn for two TAXII servers, and why the two may answer differently: one table, every row of it used.

Left to `tests/conformance/test_taxii_medallion.py`: asking. An explanation looks at the request and at both answers
and says whether it covers the difference; what no explanation covers is a failure of the test.
"""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

TAXII = "application/taxii+json;version=2.1"
ROOT, ROOM, INBOX, SEALED, DROP, MADE = (
    "trust", *(f"{n}1111111-1111-4111-8111-111111111111" for n in (1, 2, 3, 4, 5)),
)  # fmt: skip
_BOTH = (TAXII, "*/*", "application/json", "")
"""Accept headers that both take, or both refuse."""
_TIMES = [f"2020-01-{day:02d}T00:00:00.000000Z" for day in range(1, 29)]


@dataclass(slots=True)
class Asked:
    """One request, before `next` is put in."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes | None = None
    query: list[tuple[str, str]] = field(default_factory=list)
    follow: bool = False
    """Put the last `next` of the same path in, each server's own."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        try:
            found = json.loads(self.body)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}


def world() -> dict[str, Any]:
    """Return a data file of medallion: collections with objects of many versions, each added at its own moment."""
    objects, manifest = [], []
    for number, day in enumerate(_TIMES):
        kind, name = _known(number % 9)
        at = f"2019-{1 + (number * 7) % 12:02d}-01T00:00:00.000Z"
        spec = "2.0" if number % 11 == 4 else "2.1"
        value = {"type": kind, "id": name, "created": "2019-01-01T00:00:00.000Z", "modified": at,
                 "name": f"object {number}"}  # fmt: skip
        if spec == "2.1":
            value["spec_version"] = "2.1"
        objects.append(value)
        manifest.append({"id": value["id"], "date_added": day, "version": at,
                         "media_type": f"application/stix+json;version={spec}"})  # fmt: skip
    named = [(ROOM, True, True, objects, manifest), (INBOX, True, True, [], []), (SEALED, False, False, [], []),
             (DROP, False, True, [], []), (MADE, True, False, [], [])]  # fmt: skip
    collections = [
        {"id": name, "title": name, "can_read": read, "can_write": write, "objects": held, "manifest": listed,
         "media_types": ["application/stix+json;version=2.1"]}
        for name, read, write, held, listed in named
    ]  # fmt: skip
    information = {"title": "Trust", "versions": [TAXII], "max_content_length": 100_000}
    return {"/discovery": {"title": "S", "api_roots": [f"https://hub.example/{ROOT}/"]},
            ROOT: {"information": information, "status": [], "collections": collections}}  # fmt: skip


class Drawer:
    """Draws requests; the same for one seed."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)
        self._fresh = 1000
        room = f"/{ROOT}/collections/{ROOM}/objects/"
        given = {"Accept": TAXII, "Authorization": "Basic YWRtaW46UGFzc3dvcmQw"}
        self._first = [
            Asked("GET", f"{room}{_id('campaign', 77)}/", given, query=[("limit", "1"), ("next", "x")]),
            Asked("GET", room, given, query=[("limit", "1"), ("match[version]", "all")]),
            Asked("GET", room, given, query=[("limit", "1")], follow=True),
        ]
        """What chance brings too rarely."""

    def draw(self) -> Asked:
        """Return the next request."""
        if self._first:
            return self._first.pop(0)
        method = self._rng.choices(["GET", "POST", "DELETE", "PUT"], [82, 12, 4, 2])[0]
        headers = {"Accept": self._accept(), "Authorization": "Basic YWRtaW46UGFzc3dvcmQw"}
        if self._rng.random() < 0.02:
            headers["Authorization"] = self._rng.choice(["Basic YWRtaW46d3Jvbmc=", "Bearer x", "Basic"])
        if method in ("POST", "DELETE") and headers["Accept"] not in _BOTH:
            headers["Accept"] = TAXII  # what only one of the two would do must not part them for good
        if method == "POST":
            return self._post(headers)
        if method == "DELETE":
            name = self._rng.choice([_known(0)[1], _known(4)[1], _known(7)[1], _id("campaign", 77)])
            query = self._version() if self._rng.random() < 0.5 else []
            return Asked("DELETE", f"/{ROOT}/collections/{self._room()}/objects/{name}/", headers, query=query)
        path = self._path()
        return Asked(method, path, headers, query=self._query(path), follow=self._rng.random() < 0.2)

    def _accept(self) -> str:
        rare = ["application/taxii+json", "application/taxii+json; version=2.1", "*/*", "application/json",
                "application/taxii+json;version=2.0", "", f"text/html,{TAXII}", f"{TAXII};q=0.9"]  # fmt: skip
        return TAXII if self._rng.random() < 0.93 else self._rng.choice(rare)

    def _room(self) -> str:
        names = [ROOM, INBOX, SEALED, DROP, MADE, "none"]
        return self._rng.choices(names, [12, 4, 1, 1, 1, 1])[0]

    def _path(self) -> str:
        one = f"/{ROOT}/collections/{self._room()}"
        name = _known(self._rng.randrange(12))[1]
        paths = ["/taxii2/", f"/{ROOT}/", "/none/", f"/{ROOT}/collections/", f"{one}/", f"{one}/objects/",
        f"{one}/manifest/",
                 f"{one}/objects/{name}/", f"{one}/objects/{name}/versions/", f"/{ROOT}/status/none/", f"{one}/objects",
                 "/none/collections/"]  # fmt: skip
        return self._rng.choices(paths, [1, 1, 1, 2, 2, 26, 20, 10, 10, 1, 1, 1])[0]

    def _query(self, path: str) -> list[tuple[str, str]]:
        rng, out = self._rng, list[tuple[str, str]]()
        if rng.random() < 0.4:
            out.append(("added_after", self._time()))
        if rng.random() < 0.35:
            out += self._version()
        if rng.random() < 0.3:
            out.append(("match[type]", rng.choice(["indicator", "malware", "indicator,campaign", "none"])))
        if rng.random() < 0.2:
            some = [_known(rng.randrange(12))[1] for _ in range(rng.randint(1, 4))]
            out.append(("match[id]", ",".join(dict.fromkeys(some))))
        if rng.random() < 0.2:
            out.append(("match[spec_version]", rng.choice(["2.0", "2.1", "2.0,2.1", "3.0"])))
        if rng.random() < 0.6:
            out.append(("limit", rng.choice(["1", "2", "3", "5", "20", "1000", "0", "-1", "x", " 3", "1_0"])))
        if rng.random() < 0.05:
            out.append(("match[other]", "x"))
        if rng.random() < 0.03 and out:
            out.append(out[0])
        if rng.random() < 0.03:
            out.append(("next", rng.choice(["x", "", "AAAAAAAAAAAAAAAAAAAAAAAAAAAA"])))
        return out

    def _time(self) -> str:
        odd = ["yesterday", "2020-01-01", "2020-13-01T00:00:00Z", "", "2020-01-03T00:00:00.1234567Z"]
        return self._rng.choice(_TIMES) if self._rng.random() < 0.93 else self._rng.choice(odd)

    def _version(self) -> list[tuple[str, str]]:
        some = ["first", "last", "all", "first,last", "2019-01-01T00:00:00.000Z", "2019-06-01T00:00:00.000Z,last",
        "newest",
                "2019-06-01T00:00:00Z"]  # fmt: skip
        return [("match[version]", self._rng.choices(some, [4, 4, 4, 3, 3, 3, 1, 2])[0])]

    def _post(self, headers: dict[str, str]) -> Asked:
        rng = self._rng
        kinds = [TAXII, "application/taxii+json", "application/json", "application/stix+json;version=2.1",
                 "application/taxii+json;version=2.0"]  # fmt: skip
        headers["Content-Type"] = TAXII if rng.random() < 0.85 else rng.choice(kinds)
        odd = [b"{", b"[]", b"{}", b'{"objects": []}', b'{"objects": []}', b"null", b'{"objects": [7]}', b"x" * 200_000]
        if rng.random() < 0.25 or headers["Content-Type"] == "application/taxii+json":
            body = rng.choice(odd)
        else:
            items = [self._item() for _ in range(rng.randint(1, 4))]
            rng.shuffle(items)
            body = json.dumps(
                {"type": "bundle", "objects": items} if rng.random() < 0.2 else {"objects": items}
            ).encode()
        where = rng.choices([INBOX, SEALED, DROP, MADE, "none"], [12, 1, 2, 1, 1])[0]
        return Asked("POST", f"/{ROOT}/collections/{where}/objects/", headers, body)

    def _item(self) -> dict[str, Any]:
        if self._rng.random() < 0.2 and self._fresh > 1000:
            number = self._rng.randrange(1000, self._fresh)  # an object that may be there: the same version again
        else:
            number, self._fresh = self._fresh, self._fresh + 1
        return {"type": "campaign", "spec_version": "2.1", "id": _id("campaign", number), "name": f"posted {number}",
                "created": "2019-01-01T00:00:00.000Z", "modified": "2019-01-01T00:00:00.000Z"}  # fmt: skip


def _known(number: int) -> tuple[str, str]:
    """Return type and id of an object; those below 9 are there to begin with."""
    kind = ("indicator", "malware", "campaign")[number % 3]
    return kind, _id(kind, number)


def _id(kind: str, number: int) -> str:
    return f"{kind}--{number:08d}-0000-4000-8000-000000000000"


def differences(asked: Asked, ours: Answer, theirs: Answer) -> list[str]:
    """Return in what two answers differ, as far as the specification speaks of it."""
    found = []
    if ours.status != theirs.status:
        return [f"status {ours.status} for {theirs.status}"]
    if ours.status >= 300:
        return []
    mine, other = ours.json(), theirs.json()
    for name in ("objects", "versions", "collections"):
        if _items(mine.get(name)) != _items(other.get(name)):
            found.append(name)
    for name in ("more", "total_count", "success_count", "failure_count"):
        if mine.get(name) != other.get(name):
            found.append(name)
    if ("next" in mine) != ("next" in other):
        found.append("next")
    dated = "x-taxii-date-added-last"
    if (dated in ours.headers) != (dated in theirs.headers):
        found.append("dates")
    elif ROOM in asked.path and ours.headers.get(dated) != theirs.headers.get(dated):
        found.append("last date")
    return found


def _items(items: Any) -> Any:
    if not isinstance(items, list):
        return items
    return [
        (i.get("id"), i.get("modified", i.get("version")), i.get("media_type"), i.get("name"))
        if isinstance(i, dict)
        else i
        for i in items
    ]


def _given(asked: Asked) -> dict[str, str]:
    return dict(reversed([*parse_qsl(urlsplit(asked.path).query, keep_blank_values=True), *asked.query]))


def _times(asked: Asked) -> bool:
    """Whether a time is named that cannot be read."""
    given = _given(asked)
    odd = ("yesterday", "2020-01-01", "2020-13-01T00:00:00Z", "2020-01-03T00:00:00.1234567Z")
    return given.get("added_after") in odd or "newest" in given.get("match[version]", "")


def _same_set(asked: Asked, ours: Answer, theirs: Answer) -> bool:
    """Whether two pages hold the same objects in whatever order, or end within an addition."""
    if ours.json().get("more") or theirs.json().get("more") or "next" in _given(asked):
        return len(ours.json()["objects"]) == len(theirs.json()["objects"])
    return sorted(map(str, _items(ours.json()["objects"]))) == sorted(map(str, _items(theirs.json()["objects"])))


Covers = Callable[[Asked, Answer, Answer, list[str]], bool]


@dataclass(frozen=True, slots=True)
class Explained:
    """One way in which two servers may differ, and why ours is as it is."""

    name: str
    why: str
    covers: Covers


EXPLAINED = (
    Explained("fault",
    "A time that cannot be read, or `next` without `limit`, ends medallion with 500; 400 or 200 here.",
              lambda a, o, t, d: t.status == 500 and o.status in (200, 400, 404)),
    Explained("no version", "A TAXII media type without a version means the newest; medallion wants it spelt out.",
              lambda a, o, t, d: t.status in (406, 415)
              and "application/taxii+json" in (a.headers["Accept"], a.headers.get("Content-Type"))),
    Explained("quality", "An Accept header may weigh its types (`;q=`); medallion reads that as another type.",
              lambda a, o, t, d: t.status == 406 and ";q=" in a.headers["Accept"]),
    Explained("blank time", "An empty added_after is refused here and ignored there.",
              lambda a, o, t, d: o.status == 400 and _given(a).get("added_after") == ""),
    Explained("twice", "A parameter that is given twice is refused here; medallion takes the first.",
              lambda a, o, t, d: o.status == 400 and len({n for n, _ in a.query}) < len(a.query)),
    Explained("limit", "`limit` must be digits; medallion takes what Python's int() takes.",
              lambda a, o, t, d: o.status == 400 and _given(a).get("limit") in (" 3", "1_0")),
    Explained("hidden",
    "A collection that a member may neither read nor write is not there for it; medallion shows it.",
              lambda a, o, t, d: o.status == 404 and SEALED in a.path and t.status in (200, 400, 403, 413, 415, 422)),
    Explained("slash", "A path without its last slash is answered; medallion redirects.",
              lambda a, o, t, d: t.status == 308 and not a.path.endswith("/")),
    Explained("last of all", "`match[version]` is taken over all versions of an object; medallion takes it over those "
              "that were added after `added_after` or have the wanted id.",
              lambda a, o, t, d: "added_after" in _given(a) and o.status == t.status == 200),
    Explained("one addition", "Objects of one addition stand in the order in which they were sent, over pages too; "
              "medallion gives them one moment, and a manifest lists them by id.",
              lambda a, o, t, d: d == ["objects"] and f"{INBOX}/manifest/" in a.path and _same_set(a, o, t)),
    Explained("oldest first", "Versions are listed in the order they were added; medallion turns each page round.",
              lambda a, o, t, d: d == ["versions"] and sorted(o.json()["versions"]) == sorted(t.json()["versions"])),
    Explained("same again", "The same version again is a success, so that a lost answer can be asked for again; "
              "medallion counts a failure.",
              lambda a, o, t, d: a.method == "POST" and o.status == 202 and set(d) == {"success_count",
              "failure_count"}),
    Explained("nothing sent", "An envelope without objects is refused here; medallion makes a status of nothing.",
              lambda a, o, t, d: a.body == b'{"objects": []}' and (o.status, t.status) == (422, 202)),
    Explained("collections", "A collection is listed only where the member has a right to it.",
              lambda a, o, t, d: d == ["collections"]),
    Explained("which first", "A parameter is wrong, and the object is not there: either may be told first.",
              lambda a, o, t, d: {o.status, t.status} == {400, 404}),
    Explained("carried", "`next` carries its filters, so a client may leave them out, or move added_after along, and "
              "change its limit; medallion wants them again, word for word.",
              lambda a, o, t, d: (o.status, t.status) == (200, 400) and any(n == "next" for n, _ in a.query)),
)  # fmt: skip
"""Every difference that is meant."""
