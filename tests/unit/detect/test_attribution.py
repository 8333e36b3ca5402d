"""Attribution: exact under chance, blind to how many accounts carry one value, and never a word of nationality."""

import random
from pathlib import Path

import numpy as np

from stillwatch.app.advisories import PulledAdvisories
from stillwatch.detect.attribution import Earlier, attribute, near_copies
from stillwatch.gateway.published import Published, write_published
from stillwatch.stats.exact import binomial_tail
from stillwatch.store.tokenindex import SqliteTokens
from stillwatch.terms.action import Held
from stillwatch.terms.coalition import Advisory, Holding
from tests.e2e.command_line import Place

NOW = 1_800_000_000.0


def token(n: int) -> bytes:
    return n.to_bytes(16, "big")


def pays(account: str, n: int) -> Holding:
    return Holding(account=account, kind="payment", token=token(n))


def earlier(*numbers: int, kind: str = "payment", campaign: str = "c-old") -> Earlier:
    return Earlier(campaign=campaign, organisation="org-a", tokens={kind: frozenset(map(token, numbers))})


CROWD = [pays(f"h{n}", 1000 + n) for n in range(600)]
POOL = [f"p{n}" for n in range(20)]


def test_a_pool_that_pays_as_before_is_attributed_and_one_that_does_not_is_not() -> None:
    again = [pays(name, n if n < 8 else 5000 + n) for n, name in enumerate(POOL)]
    found = attribute(CROWD + again, POOL, [earlier(*range(30)), earlier(*range(7000, 7030), campaign="c-none")])
    assert [(one.campaign, one.attributed) for one in found.found] == [("c-old", True), ("c-none", False)]
    assert found.found[0].log_e > 15.0 and found.looked_at == 2 and (found.pool, found.others) == (20, 600)


def test_many_accounts_on_one_card_are_one_value() -> None:
    one_card = [pays(name, 3) for name in POOL]
    found = attribute(CROWD + one_card, POOL, [earlier(3, 4)]).found[0]
    assert found.evidence[0].detail["pool"] == 1
    assert found.log_e < np.log(601) and found.evidence[0].detail["pool_hits"] == 1


def test_near_copies_of_one_text_are_one_text() -> None:
    texts = {bytes([n]): [token(b) for b in (1, 2, 3, 4 + n)] for n in range(30)} | {
        b"z": [token(90), token(91), token(92)]
    }
    assert sorted(len(marks) for marks, _ in near_copies(texts)) == [1, 30]
    held = [
        Holding(account=f"p{n}", kind="template", token=t, group=g)
        for n, (g, ts) in enumerate(texts.items())
        for t in ts
    ]
    found = attribute(held, [f"p{n}" for n in range(30)], [earlier(1, 2, 3, kind="template")]).found[0]
    assert found.evidence[0].detail == {"pool": 1, "pool_hits": 1, "others": 1, "other_hits": 0}


def test_by_chance_a_campaign_is_attributed_no_more_often_than_promised() -> None:
    rng, q, worlds, hit = random.Random(4), 0.05, 150, 0
    for _ in range(worlds):
        holdings = [pays(f"a{n}", rng.randrange(150)) for n in range(300)]
        pool = [f"a{n}" for n in rng.sample(range(300), 25)]
        old = [earlier(*rng.sample(range(150), 12), campaign=f"c{at}") for at in range(5)]
        hit += any(one.attributed for one in attribute(holdings, pool, old, q=q).found)
    assert float(binomial_tail(hit, worlds, q)) > np.log(1e-4)


def test_a_kind_that_linked_the_pool_can_be_left_out() -> None:
    again = [pays(name, n) for n, name in enumerate(POOL)]
    found = attribute(CROWD + again, POOL, [earlier(*range(20))], left_out=("payment",))
    assert not found.found[0].attributed and found.found[0].evidence == () and found.found[0].log_e == 0.0


def test_the_command_names_campaigns_with_their_nats_and_no_nationality(tmp_path: Path) -> None:
    place, state = Place(tmp_path), tmp_path / ".stillwatch"
    index = SqliteTokens(state / "tokens.sqlite")
    index.add("e692-x", CROWD + [pays(name, n) for n, name in enumerate(POOL)])
    index.close()
    common = {"kind": "payment", "epoch": "e692-x", "valid_from": 0.0, "valid_until": 1.0}
    PulledAdvisories(state).put([
        Advisory(id="i1", campaign="campaign--1", organisation="a", tokens=b"".join(map(token, range(15))), **common),
        Advisory(id="i2", campaign="campaign--2", organisation="org-b", tokens=token(9999), **common),
        Advisory(id="i3", campaign="campaign--3", organisation="org-b", tokens=token(1), revoked=True, **common),
    ])  # type: ignore[arg-type]  # fmt: skip
    (tmp_path / "pool.txt").write_text("\n".join(POOL) + "\n")
    done = place.run_here("attribute", "--accounts", "pool.txt")
    assert done.exit_code == 1, done.output
    assert "campaign--1" in done.stdout and "yes" in done.stdout and "campaign--3" not in done.stdout
    as_json = place.run_here("attribute", "--accounts", "pool.txt", "--json").stdout
    for word in ("country", "nation", "language"):
        assert word not in done.stdout.lower() + as_json.lower()
    assert place.run_here("attribute").exit_code == 2
    assert place.run_here("attribute", "c-unknown").exit_code == 2
    (tmp_path / "pool.txt").write_text("nobody\n")
    assert "carries tokens" in place.run_here("attribute", "--accounts", "pool.txt").stderr


def test_a_campaign_here_is_held_against_those_that_a_person_confirmed_before(tmp_path: Path) -> None:
    place, state = Place(tmp_path), tmp_path / ".stillwatch"
    before = [f"o{n}" for n in range(12)]
    index = SqliteTokens(state / "tokens.sqlite")
    index.add(
        "e692-x",
        CROWD + [pays(name, n) for n, name in enumerate(POOL)] + [pays(name, n) for n, name in enumerate(before)],
    )
    index.close()
    held = {
        name: Held(account=name, log_e=20.0, accused=True, campaign=campaign, since=0.0, effective=0.0, expires=4e9)
        for campaign, names in (("c-before", before), ("c-now", POOL)) for name in names
    }  # fmt: skip
    write_published(state / "published.json", Published(generation=1, made_at=1.0, judged_until=1.0, held=held))
    assert place.run_here("attribute", "c-now").exit_code == 0  # nothing was confirmed yet
    assert place.run_here("decide", "confirm", "c-before", "--by", "ann", "--reason", "one queue").exit_code == 0
    done = place.run_here("attribute", "c-now")
    assert done.exit_code == 1 and "c-before" in done.stdout and "payment 12 of 20" in done.stdout
    assert place.run_here("attribute", "c-now", "--without", "payment").exit_code == 0
    assert place.run_here("decide", "dismiss", "c-before", "--by", "ann", "--reason", "wrong").exit_code == 0
    assert place.run_here("attribute", "c-now").exit_code == 0
