"""Clients that other people wrote, and our own, at a hub behind a real socket; with and without TLS."""

import asyncio
import json
import os
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from taxii2client.v21 import Collection as TheirCollection
from taxii2client.v21 import Server as TheirServer
from taxii2client.v21 import as_pages

from stillwatch.exchange.stix.tokensets import digest_of, pack
from stillwatch.exchange.taxii.client import Reach, TaxiiClient
from stillwatch.exchange.taxii.hub import Hub
from stillwatch.exchange.taxii.identify import Doorkeeper
from stillwatch.exchange.taxii.server import Server
from stillwatch.terms.errors import StillwatchError
from tests.taxii_rig import FULL, OPEN, SECRET, WARNINGS, Rig, indicator, rig, sample
from tests.taxii_serving import Authority, serving, trusting

PEERS = os.environ.get("STILLWATCH_PEERS_PYTHON", "")
PEER = Path(__file__).resolve().parents[1] / "peers" / "cytaxii2_client.py"


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Rig]:
    with rig(tmp_path) as made:
        yield made


def application(hub: Hub, *, need: bool = False) -> Any:
    return Server(hub, Doorkeeper(hub.register, SECRET, per_minute=10**6, need_certificate=need)).application()


def test_taxii2_client_reads_writes_pages_and_deletes(hub: Rig) -> None:
    with serving(application(hub.hub)) as address:
        server = TheirServer(f"{address}/taxii2/", user="full", password="key-full")
        assert server.title == "Coalition hub" and server.default.title == "First root"
        found = {c.id: c for c in server.api_roots[0].collections}
        assert (found[FULL].can_read, found[FULL].can_write) == (True, True)
        inbox: TheirCollection = found[OPEN]
        status = inbox.add_objects({"objects": [indicator(n) for n in range(7)]})
        assert status.status == "complete" and status.success_count == 7
        pages = list(as_pages(inbox.get_objects, per_request=3))
        assert [len(p["objects"]) for p in pages] == [3, 3, 1]
        assert [i["id"] for p in pages for i in p["objects"]] == [indicator(n)["id"] for n in range(7)]
        full = found[FULL]
        assert len(full.get_objects(type="malware")["objects"]) == 1
        assert len(full.get_objects(id=indicator(1)["id"], version="all")["objects"]) == 3
        assert len(full.get_objects(added_after="2021-01-07T00:00:00Z")["objects"]) == 1
        assert full.get_object(indicator(2)["id"])["objects"] == [sample()[3][1]]
        assert len(full.object_versions(indicator(1)["id"])["versions"]) == 3
        manifests = list(as_pages(full.get_manifest, per_request=2))
        assert sum(len(page["objects"]) for page in manifests) == 6
        inbox.delete_object(indicator(0)["id"])
        assert len(inbox.get_objects()["objects"]) == 6
        assert server.api_roots[0].get_status(status.id).success_count == 7


@pytest.mark.skipif(not PEERS, reason="peer: cytaxii2; name its Python in STILLWATCH_PEERS_PYTHON")
def test_cytaxii2_reads_writes_and_pages(hub: Rig, tmp_path: Path) -> None:
    envelope = tmp_path / "envelope.json"
    envelope.write_text(json.dumps({"objects": [indicator(n) for n in range(5)]}))
    with serving(application(hub.hub)) as address:
        program = [PEERS, str(PEER), f"{address}/taxii2/", "full", "key-full", OPEN, str(envelope)]
        environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
        done = subprocess.run(program, env=environment, capture_output=True, text=True, timeout=120, check=True)
    told = json.loads(done.stdout)
    assert told["discovery"] == "Coalition hub" and told["root"] is True and told["collection"] == OPEN
    assert told["sent"] == 202 and told["read"] == [indicator(n)["id"] for n in range(5)]


def reach(address: str, key: str = "key-full", tls: ssl.SSLContext | None = None, **more: Any) -> Reach:
    return Reach(url=f"{address}/taxii2/", key=key, tls=tls, **more)


def test_our_client_reads_writes_and_pages(hub: Rig) -> None:
    async def run(address: str) -> None:
        async with TaxiiClient(reach(address)) as client:
            root = await client.root_url()
            assert {c["id"] for c in await client.collections(root)} >= {OPEN, FULL}
            status = await client.add(root, OPEN, [indicator(n) for n in range(7)])
            assert status["success_count"] == 7
            pages = [page async for page in client.pages(root, OPEN, limit=3)]
            assert [len(page.objects) for page in pages] == [3, 3, 1] and pages[-1].last > pages[0].last
            assert [p async for p in client.pages(root, OPEN, added_after=pages[1].last)][0].objects == (indicator(6),)
            await client.delete(root, OPEN, indicator(0)["id"])
            malware = [p async for p in client.pages(root, FULL, type="malware")]
            assert len(malware[0].objects) == 1
        with pytest.raises(StillwatchError, match="401"):
            async with TaxiiClient(reach(address, "key-gone")) as client:
                await client.discovery()

    with serving(application(hub.hub)) as address:
        asyncio.run(run(address))


def test_token_sets_travel_beside_the_warnings(hub: Rig) -> None:
    packed = pack([bytes([n]) * 16 for n in range(9)])

    async def run(address: str) -> None:
        async with TaxiiClient(Reach(url=f"{address}/taxii2/", key="key-acme")) as client:
            root = (await client.root_url()).parent.parent / "second/"
            await client.put_blob(root, digest_of(packed), packed)
            assert await client.get_blob(root, digest_of(packed)) is None  # nothing names it yet
            assert (await client.collections(root))[0]["id"] == WARNINGS

    with serving(application(hub.hub)) as address:
        asyncio.run(run(address))


def test_certificates_let_members_in_and_nobody_else(hub: Rig, tmp_path: Path) -> None:
    authority, stranger = Authority(tmp_path), Authority(tmp_path, "stranger")
    server_pem, server_key, _ = authority.issue("hub")
    own_pem, own_key, shown = authority.issue("acme")
    other_pem, other_key, _ = authority.issue("other")
    alien_pem, alien_key, _ = stranger.issue("acme")
    member = next(m for m in hub.hub.register.members() if m.name == "certified")
    from dataclasses import replace

    hub.hub.register.put_member(replace(member, certificate=shown))
    tls = {"ssl_certfile": str(server_pem), "ssl_keyfile": str(server_key), "ssl_ca_certs": str(authority.path),
           "ssl_cert_reqs": ssl.CERT_OPTIONAL}  # fmt: skip

    async def title(address: str, key: str, certificate: tuple[Path, Path] | None) -> str:
        context = trusting(authority.path, certificate)
        async with TaxiiClient(reach(address, key, context, attempts=1)) as client:
            return str((await client.discovery())["title"])

    own, other, alien = (own_pem, own_key), (other_pem, other_key), (alien_pem, alien_key)
    with serving(application(hub.hub), **tls) as address:
        assert asyncio.run(title(address, "key-certified", own)) == "Coalition hub"
        assert asyncio.run(title(address, "", own)) == "Coalition hub"
        assert asyncio.run(title(address, "key-full", None)) == "Coalition hub"
        for key, certificate in (("key-certified", None), ("key-certified", other), ("", other), ("", None)):
            with pytest.raises(StillwatchError, match="401"):
                asyncio.run(title(address, key, certificate))
        with pytest.raises(StillwatchError, match="could not be reached"):
            asyncio.run(title(address, "key-full", alien))
    tls["ssl_cert_reqs"] = ssl.CERT_REQUIRED
    with serving(application(hub.hub, need=True), **tls) as address:
        assert asyncio.run(title(address, "key-certified", own)) == "Coalition hub"
        with pytest.raises(StillwatchError, match="401"):
            asyncio.run(title(address, "key-full", own))
        with pytest.raises(StillwatchError, match="could not be reached"):
            asyncio.run(title(address, "key-full", None))


def test_a_certificate_in_a_header_counts_for_nothing(hub: Rig) -> None:
    for name in ("X-Client-Cert", "X-SSL-Client-SHA256", "Stillwatch.Certificate"):
        assert hub.ask("GET", "/taxii2/", key="key-certified", **{name.replace("-", "_"): "c" * 64}).status_code == 401
