"""A hub in this process, with two API roots, members of every kind of right, and a clock that tests move."""

import atexit
import base64
import json
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient

from stillwatch.exchange.stix.stamps import micros
from stillwatch.exchange.taxii.envelope import read_item
from stillwatch.exchange.taxii.hub import Hub
from stillwatch.exchange.taxii.hubfile import HubFile
from stillwatch.exchange.taxii.identify import CERTIFICATE, Doorkeeper
from stillwatch.exchange.taxii.intake import Intake
from stillwatch.exchange.taxii.limits import Limits
from stillwatch.exchange.taxii.members import Collection, Member, Rights, identity_of
from stillwatch.exchange.taxii.objects import Item
from stillwatch.exchange.taxii.server import Server
from stillwatch.terms.account import key_digest

TAXII = "application/taxii+json;version=2.1"
SECRET = b"members of the rig"
NOW = 1_800_000_000.0
OPEN, FULL, SEALED, DROP, MADE = (f"{n}0000000-0000-4000-8000-000000000000" for n in (1, 2, 3, 4, 5))
"""Collections of root `first`: writable and empty, readable with objects, not this member's, write only, read only."""
WARNINGS = "60000000-0000-4000-8000-000000000000"


def indicator(number: int, version: str = "2020-01-01T00:00:00.000Z", **more: Any) -> dict[str, Any]:
    """Return a small indicator that any collection of policy `any` takes."""
    return {
        "type": "indicator", "spec_version": "2.1", "id": f"indicator--{number:08x}-0000-4000-8000-000000000000",
        "created": "2020-01-01T00:00:00.000Z", "modified": version, "pattern": "[ipv4-addr:value = '192.0.2.1']",
        "pattern_type": "stix", "valid_from": "2020-01-01T00:00:00Z", **more,
    }  # fmt: skip


def sample() -> list[tuple[str, dict[str, Any]]]:
    """Return what collection FULL holds: (date_added, object), ascending."""
    malware = {**indicator(0x99), "type": "malware", "id": "malware--00000099-0000-4000-8000-000000000000"}
    old = {k: v for k, v in indicator(7).items() if k != "spec_version"}
    return [
        ("2021-01-01T00:00:00.000000Z", indicator(1, "2020-01-01T00:00:00.000Z", name="first")),
        ("2021-01-02T00:00:00.000000Z", indicator(1, "2020-02-01T00:00:00.000Z", name="second")),
        ("2021-01-03T00:00:00.000000Z", indicator(1, "2020-03-01T00:00:00.000Z", name="third")),
        ("2021-01-04T00:00:00.000000Z", indicator(2)),
        ("2021-01-05T00:00:00.000000Z", malware),
        ("2021-01-06T00:00:00.000000Z", {"type": "ipv4-addr", "id": "ipv4-addr--00000003-0000-4000-8000-000000000000",
                                         "value": "192.0.2.3"}),
        ("2021-01-07T00:00:00.000000Z", old),
        ("2021-01-08T00:00:00.000000Z", indicator(8, "2019-01-01T00:00:00.000Z", name="late and old")),
        ("2021-01-09T00:00:00.000000Z", indicator(8, "2018-01-01T00:00:00.000Z", name="later and older")),
    ]  # fmt: skip


class Rig:
    """A hub and a client of it."""

    def __init__(self, folder: Path, limits: Limits | None = None, *, need_certificate: bool = False) -> None:
        self.now = NOW
        self.certificate: str | None = None
        self.told: list[str] = []
        self.file = HubFile(folder / "hub.sqlite")
        self.hub = Hub(self.file, b"cursors of the rig", limits or Limits(page_size=20, max_page_size=20))
        door = Doorkeeper(self.hub.register, SECRET, per_minute=self.hub.limits.requests_per_minute,
                          need_certificate=need_certificate)  # fmt: skip
        app = Server(self.hub, door, base="https://hub.example", clock=lambda: self.now, tell=self.told.append)
        inner = app.application()

        async def outer(scope: Any, receive: Any, send: Any) -> None:
            scope[CERTIFICATE] = self.certificate
            await inner(scope, receive, send)

        self.client = TestClient(outer, base_url="https://hub.example", raise_server_exceptions=False)

    def member(self, name: str, organisation: str, rights: dict[int, Rights], **more: Any) -> Member:
        """Keep a member whose key is `key-NAME`."""
        made = Member(name=name, organisation=organisation, identity=identity_of(organisation),
                      digest=key_digest(f"key-{name}", SECRET), created=0.0, **more)  # fmt: skip
        self.hub.register.put_member(made)
        for number, right in rights.items():
            self.hub.register.grant(name, number, right)
        return made

    def put(self, collection: str, entries: list[tuple[str, dict[str, Any]]], root: str = "first") -> None:
        """Put objects into a collection at given moments."""
        where = self.hub.register.find_collection(root, collection)
        assert where is not None
        for added, value in entries:
            item, at = read_item(value), micros(added)
            assert isinstance(item, Item) and at is not None
            with self.file.writing():
                self.hub.shelf.add(where.number, [item], at / 1e6)

    def ask(self, method: str, path: str, body: Any = None, *, key: str = "key-full", **headers: str | None) -> Any:
        """Send one request; a header given as None is left out, and names have underscores for dashes."""
        given: dict[str, str | None] = {"Accept": TAXII, "Authorization": f"Bearer {key}"}
        if body is not None:
            given["Content-Type"] = TAXII
            body = body if isinstance(body, bytes) else json.dumps(body).encode()
        given.update({name.replace("_", "-"): value for name, value in headers.items()})
        sent = {name: value for name, value in given.items() if value is not None}
        request = self.client.build_request(method, path, content=body)
        for name in ("accept", "user-agent", "content-type"):
            request.headers.pop(name, None)
        request.headers.update(sent)
        return self.client.send(request)

    def added(self, number: int) -> str:
        """Return the moment of the n-th object of the sample."""
        return sample()[number][0]


def is_error(response: Any, status: int) -> None:
    """An error resource says its status as text and shows nothing of what was sent."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == TAXII
    body = response.json()
    assert body["title"] and body["http_status"] == str(status)


def basic(name: str, key: str) -> str:
    """Return an Authorization header of HTTP Basic."""
    return "Basic " + base64.b64encode(f"{name}:{key}".encode()).decode()


@contextmanager
def rig(folder: Path, limits: Limits | None = None, **more: Any) -> Iterator[Rig]:
    """Open a hub with roots, collections and members."""
    shutil.copyfile(_template() / "hub.sqlite", folder / "hub.sqlite")
    made = Rig(folder, limits, **more)
    with made.client:
        try:
            yield made
        finally:
            made.file.close()


@cache
def _template() -> Path:
    """Return a folder with a hub that others are copies of: filling one takes half a second."""
    folder = Path(tempfile.mkdtemp(prefix="taxii-rig-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    made = Rig(folder)
    register = made.hub.register
    register.put_root("first", "First root", "For tests")
    register.put_root("second", "Second root")
    numbers = {
        name: register.put_collection(Collection(root="first", id=name, title=name, policy="any", alias=alias)).number
        for name, alias in ((OPEN, "open"), (FULL, None), (SEALED, None), (DROP, None), (MADE, None))
    }
    shared = register.put_collection(Collection(root="second", id=WARNINGS, title="Warnings", alias="warnings")).number
    full = {
        numbers[OPEN]: Rights(True, True), numbers[FULL]: Rights(True, True), numbers[DROP]: Rights(False, True),
        numbers[MADE]: Rights(True, False),
    }  # fmt: skip
    made.member("full", "Acme", full)
    made.member("other", "Other", {numbers[OPEN]: Rights(True, True), numbers[SEALED]: Rights(False, False)})
    made.member("gone", "Gone", full, revoked=1.0)
    made.member("late", "Late", full, expires=NOW - 1.0)
    made.member("certified", "Certified", full, certificate="c" * 64)
    both = {shared: Rights(True, True)}
    acme = made.member("acme", "Acme", both, verified="register")
    made.member("acme2", "ACME ", both, verified="register")
    bolt = made.member("bolt", "Bolt", both, verified="register")
    made.member("reader", "Reader", {shared: Rights(True, False)})
    made.put(FULL, sample())  # before anything that is dated later: date_added only grows
    for one in (acme, bolt):
        Intake(made.hub).introduce(one, NOW - 10.0)
    made.file.close()
    return folder
