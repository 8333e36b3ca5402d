"""Our client goes on where it was, tries again as it is told, and sends its key to nobody else."""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from yarl import URL

from stillwatch.app.coalitionconfig import CoalitionConfig
from stillwatch.app.coalitionmember import reach_of
from stillwatch.exchange.stix.stamps import stamp
from stillwatch.exchange.taxii.client import Reach, TaxiiClient
from stillwatch.exchange.taxii.received import Received
from stillwatch.terms.errors import StillwatchError
from tests.taxii_rig import TAXII, indicator
from tests.taxii_serving import serving

Answer = tuple[int, dict[str, str], bytes]


class Scripted:
    """An ASGI application that answers from a list, and notes what it was asked."""

    def __init__(self, script: list[Answer], otherwise: Callable[[str], Answer] | None = None) -> None:
        self.script, self.otherwise = script, otherwise
        self.asked: list[tuple[str, str, dict[str, str]]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        path = scope["path"] + ("?" + scope["query_string"].decode() if scope["query_string"] else "")
        headers = {k.decode(): v.decode() for k, v in scope["headers"]}
        self.asked.append((scope["method"], path, headers))
        status, more, body = self.script.pop(0) if self.script else self.otherwise(path)  # type: ignore[misc]
        given = [(k.lower().encode(), v.encode()) for k, v in {"content-type": TAXII, **more}.items()]
        await send({"type": "http.response.start", "status": status, "headers": given})
        await send({"type": "http.response.body", "body": body})


@contextmanager
def client_of(app: Scripted, **more: Any) -> Iterator[tuple[TaxiiClient, str, list[float]]]:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    with serving(app) as address:
        yield TaxiiClient(Reach(url=f"{address}/taxii2/", key="swc-secret", **more), sleep=sleep), address, slept


def ask(client: TaxiiClient, what: Callable[[TaxiiClient], Any]) -> Any:
    async def run() -> Any:
        async with client:
            return await what(client)

    return asyncio.run(run())


OK: Answer = (200, {}, b'{"title": "T", "api_roots": ["/r/"]}')


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_busy_server_is_asked_again_as_it_wishes(status: int) -> None:
    app = Scripted([(status, {"Retry-After": "7"}, b"{}"), (status, {}, b"oops"), OK])
    with client_of(app) as (client, _, slept):
        assert ask(client, lambda c: c.discovery())["title"] == "T"
    assert len(app.asked) == 3 and slept[0] == 7.0 and 0 < slept[1] <= 60.0


@pytest.mark.parametrize("status", [400, 401, 403, 404, 406, 413, 415, 422, 500])
def test_a_refusal_is_told_at_once_and_printably(status: int) -> None:
    app = Scripted([(status, {}, json.dumps({"description": "no\x1b[31m\nreally"}).encode())])
    with client_of(app) as (client, _, slept), pytest.raises(StillwatchError, match=rf"{status}: no\[31mreally"):
        ask(client, lambda c: c.discovery())
    assert not slept


def test_a_server_that_stays_away_is_given_up_and_the_key_is_not_shown() -> None:
    app = Scripted([], lambda _: (503, {}, b""))
    with client_of(app) as (client, _, _), pytest.raises(StillwatchError) as told:
        ask(client, lambda c: c.discovery())
    assert len(app.asked) == 4 and "swc-secret" not in str(told.value)
    closed = Reach(url="http://127.0.0.1:9/taxii2/", key="swc-secret", attempts=1)
    with pytest.raises(StillwatchError, match="could not be reached"):
        ask(TaxiiClient(closed), lambda c: c.discovery())
    assert "swc-secret" not in repr(closed)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"null", b"[" * 5000])
def test_what_is_no_taxii_is_named_so(body: bytes) -> None:
    with client_of(Scripted([(200, {}, body)])) as (client, _, _), pytest.raises(StillwatchError, match="no TAXII"):
        ask(client, lambda c: c.discovery())


def test_the_key_goes_to_no_other_host_and_no_redirect_is_followed() -> None:
    app = Scripted([(200, {}, b'{"title": "T", "default": "https://elsewhere.example/r/"}')])
    with client_of(app) as (client, _, _):

        async def away(c: TaxiiClient) -> Any:
            return await c.collections(await c.root_url())

        with pytest.raises(StillwatchError, match="another host"):
            ask(client, away)
    app = Scripted([(302, {"Location": "https://elsewhere.example/"}, b"")])
    with client_of(app) as (client, _, _), pytest.raises(StillwatchError, match="302"):
        ask(client, lambda c: c.discovery())


def test_a_server_without_next_is_read_on_by_time() -> None:
    pages = [
        (200, {"X-TAXII-Date-Added-Last": stamp(n)}, json.dumps({"more": n < 2, "objects": [indicator(n)]}).encode())
        for n in range(3)
    ]
    app = Scripted(pages)

    async def read(c: TaxiiClient) -> list[str]:
        root = URL(c._reach.url).origin() / "r/"
        return [o["id"] async for page in c.pages(root, "c", type="indicator") for o in page.objects]

    with client_of(app) as (client, _, _):
        assert ask(client, read) == [indicator(n)["id"] for n in range(3)]
    assert "added_after" not in app.asked[0][1] and "1970-01-01T00" in app.asked[1][1]
    assert all("match%5Btype%5D=indicator" in path for _, path, _ in app.asked)


@pytest.mark.parametrize(
    "page",
    [b'{"more": true, "next": "on"}', b'{"more": true, "objects": [{"id": "a"}]}'],
    ids=["nothing", "no further"],
)
def test_a_server_that_leads_round_and_round_is_left(page: bytes) -> None:
    app = Scripted([], lambda _: (200, {"X-TAXII-Date-Added-Last": "2026-11-30T00:00:00.000000Z"}, page))

    async def read(client: TaxiiClient) -> None:
        async for _ in client.pages(URL(f"{address}/r/"), "warnings"):
            pass

    with client_of(app) as (client, address, _), pytest.raises(StillwatchError, match="gives nothing new"):
        ask(client, read)
    assert len(app.asked) <= 2


@pytest.mark.parametrize(
    ("url", "fine"),
    [("http://127.0.0.1:8440/t/", True), ("http://[::1]:8440/t/", True), ("http://127.0.0.1:80@hub.example/", False),
     ("http://127.0.0.1.hub.example/t/", False), ("http://hub.example/t/", False), ("http://[::1/t/", False)],
)  # fmt: skip
def test_a_key_crosses_the_network_over_tls_alone(url: str, fine: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STILLWATCH_COALITION_KEY", "swc-secret")
    if fine:
        assert reach_of(CoalitionConfig(url=url)).key == "swc-secret"
    else:
        with pytest.raises(StillwatchError, match="must begin with https"):
            reach_of(CoalitionConfig(url=url))


def test_an_addition_is_followed_until_it_is_final() -> None:
    pending = json.dumps({"id": "s", "status": "pending"}).encode()
    done = json.dumps({"id": "s", "status": "complete", "success_count": 1}).encode()
    app = Scripted([(202, {}, pending), (200, {}, pending), (200, {}, done)])

    async def add(c: TaxiiClient) -> Any:
        return await c.add(URL(c._reach.url).origin() / "r/", "c", [indicator(1)])

    with client_of(app) as (client, _, _):
        assert ask(client, add)["success_count"] == 1
    assert [path for _, path, _ in app.asked] == ["/r/collections/c/objects/", "/r/status/s/", "/r/status/s/"]


@pytest.mark.parametrize(("more", "wanted"), [({}, "Bearer swc-secret"), ({"user": "a"}, "Basic YTpzd2Mtc2VjcmV0")])
def test_a_key_is_sent_as_the_server_takes_it(more: dict[str, str], wanted: str) -> None:
    app = Scripted([OK])
    with client_of(app, **more) as (client, _, _):
        ask(client, lambda c: c.discovery())
    assert app.asked[0][2]["authorization"] == wanted


def test_a_reading_that_was_cut_off_goes_on_where_it_was(tmp_path: Path) -> None:
    received = Received(tmp_path / "c.sqlite")
    moments = [stamp(n * 1_000_000) for n in range(6)]

    def page(first: int, more: bool) -> Answer:
        envelope = {"more": more, "objects": [indicator(n) for n in range(first, first + 2)]}
        if more:
            envelope["next"] = "n"
        return 200, {"X-TAXII-Date-Added-Last": moments[first + 1]}, json.dumps(envelope).encode()

    async def read(c: TaxiiClient) -> None:
        root = URL(c._reach.url).origin() / "r/"
        async for found in c.pages(root, "c", added_after=received.place("h", "c")):
            received.take("h", "c", found.objects, found.last)

    broken = Scripted([page(0, True), (500, {}, b"")])
    with client_of(broken) as (client, _, _), pytest.raises(StillwatchError):
        ask(client, read)
    assert received.place("h", "c") == moments[1] and len(received.objects()) == 2
    app = Scripted([page(2, True), page(4, False)])
    with client_of(app) as (client, _, _):
        ask(client, read)
    assert moments[1].partition(".")[0].replace(":", "%3A") in app.asked[0][1].replace(":", "%3A")
    assert len(received.objects()) == 6
    received.close()


def test_of_an_object_the_newest_version_counts_in_whatever_order_they_come(tmp_path: Path) -> None:
    received = Received(tmp_path / "c.sqlite")
    new, old = (
        indicator(1, "2021-01-01T00:00:00.000Z", name="new"),
        indicator(1, "2020-01-01T00:00:00.000Z", name="old"),
    )
    assert received.take("h", "c", [new, {"id": "nonsense"}], "x") == 1
    before = received.stamp()
    assert received.take("h", "c", [old, new], "y") == 0
    assert received.objects() == [new] and received.stamp() == before and received.place("h", "c") == "y"
    received.close()


def test_a_set_is_kept_only_under_its_name_and_another_file_is_not_read(tmp_path: Path) -> None:
    received = Received(tmp_path / "c.sqlite")
    with pytest.raises(StillwatchError, match="something else"):
        received.put_set("0" * 64, b"a" * 16)
    received.close()
    (tmp_path / "bad.sqlite").write_bytes(b"this is no database at all" * 100)
    with pytest.raises(StillwatchError, match="coalition file"):
        Received(tmp_path / "bad.sqlite")
