"""Pulling again and again: what fails is told and tried again, what was withdrawn is gone, nothing is read twice."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from stillwatch.app import coalition, coalitionpull
from stillwatch.app.advisories import PulledAdvisories
from stillwatch.app.coalition import Desk
from stillwatch.app.coalitionconfig import CoalitionConfig
from stillwatch.app.settings import Settings
from stillwatch.exchange.stix.write import Author, Confirmed, campaign_of, revoked
from stillwatch.exchange.taxii.client import TaxiiClient
from stillwatch.exchange.taxii.identify import Doorkeeper
from stillwatch.exchange.taxii.intake import Intake
from stillwatch.exchange.taxii.members import Member, identity_of
from stillwatch.exchange.taxii.server import Server
from stillwatch.terms.errors import StillwatchError
from tests.taxii_rig import NOW, SECRET, WARNINGS, Rig, rig
from tests.taxii_serving import serving


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Rig]:
    with rig(tmp_path) as made:
        yield made


def tell(hub: Rig, objects: Any) -> None:
    import json

    member = next(m for m in hub.hub.register.members() if m.name == "acme")
    where = hub.hub.register.find_collection("second", WARNINGS)
    assert isinstance(member, Member) and where is not None
    reply = Intake(hub.hub).add(member, where, json.dumps({"objects": list(objects)}).encode(), NOW + 60.0)
    assert json.loads(reply.body)["failure_count"] == 0, reply.body


def test_following_goes_on_after_a_failure_and_hears_of_a_withdrawal(
    hub: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STILLWATCH_COALITION_KEY", "key-bolt")
    monkeypatch.setattr(coalition.time, "sleep", lambda _: None)

    async def at_once(seconds: float) -> None:
        pass

    monkeypatch.setattr(coalitionpull, "TaxiiClient", partial(TaxiiClient, sleep=at_once))
    monkeypatch.setattr(coalition.time, "time", lambda: NOW + 120.0)
    acme = Author(identity=identity_of("Acme"), secret=b"a" * 32)
    told = Confirmed(subject="c", name="x", sets={("payment", "684-ab"): [b"t" * 16, b"u" * 16]})
    written = campaign_of(acme, told, NOW)
    for digest, body in written.blobs.items():
        member = next(m for m in hub.hub.register.members() if m.name == "acme")
        Intake(hub.hub).put_blob(member, "second", digest, body, NOW)
    tell(hub, written.objects)
    door = Doorkeeper(hub.hub.register, SECRET, per_minute=10**6)
    state = tmp_path / "state"
    with serving(Server(hub.hub, door, clock=lambda: NOW + 60.0).application()) as address:
        # The rig's default root is another: the hub of a coalition has one.
        hub.file.rows("DELETE FROM roots WHERE name = 'first'")
        config = CoalitionConfig(url=f"{address}/taxii2/", organisation=identity_of("Bolt"))
        with Desk(Settings(given={"coalition": config}), state) as desk:
            pulls = desk.pulls(follow=True)
            first: Any = next(pulls)
            assert (first.in_force, first.sets) == (1, 1) and first.objects > 5
            second: Any = next(pulls)
            assert (second.objects, second.pages, second.sets, second.in_force) == (0, 0, 0, 1)
            assert len(PulledAdvisories(state).all()) == 1
            tell(hub, [revoked(i, NOW + 1.0) for i in written.objects if i["type"] in ("campaign", "indicator")])
            third: Any = next(pulls)
            assert (third.in_force, third.revoked) == (0, 1) and PulledAdvisories(state).all() == ()
            monkeypatch.setenv("STILLWATCH_COALITION_KEY", "key-nobody")
            hub.file.close()
            failed = next(pulls)
            assert isinstance(failed, str) and "503" in failed and "key-bolt" not in failed
        with (
            Desk(Settings(given={"coalition": config}), state) as desk,
            pytest.raises(StillwatchError, match="reached"),
        ):
            next(desk.pulls(follow=True))
