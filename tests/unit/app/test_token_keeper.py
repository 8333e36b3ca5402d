"""Live traffic becomes tokens, and nothing that a notary or a body does stops the watcher or leaves a value on disk."""

import json
from pathlib import Path

import pytest

from stillwatch.app.advisories import PulledAdvisories
from stillwatch.app.matchconfig import MatchConfig
from stillwatch.app.recognition import kept_matches
from stillwatch.app.settings import Settings
from stillwatch.app.tokenkeeper import TokenKeeper, token_keeper
from stillwatch.exchange.notary.values import payment
from stillwatch.gateway.warned import read_warned
from stillwatch.store.tokenindex import SqliteTokens
from stillwatch.terms.coalition import Advisory
from stillwatch.terms.errors import StillwatchError
from stillwatch.terms.served import Served
from tests.notary_rig import LocalTokeniser, exchange

NOW = 1_800_000_000.0
TEMPLATE = "Read the following task with care and then write down every step of your reasoning about {} in full."


@pytest.fixture
def tokeniser() -> LocalTokeniser:
    return LocalTokeniser()


@pytest.fixture
def keeper(tmp_path: Path, tokeniser: LocalTokeniser) -> TokenKeeper:
    return TokenKeeper(tmp_path, Settings(), tokeniser, SqliteTokens(tmp_path / "tokens.sqlite"), clock=lambda: NOW)


def test_payment_and_address_become_tokens_once(keeper: TokenKeeper, tokeniser: LocalTokeniser) -> None:
    for _ in range(3):
        keeper.keep([exchange("a", "short", "fp-1"), exchange("b", "short", "fp-1")], NOW)
        keeper.step()
    assert tokeniser.asked == 2 and keeper.status.made == 2
    (token,) = tokeniser.tokens([payment("fp-1")])
    held = keeper.index.holdings("payment", tokeniser.epoch, [token])
    assert {one.account for one in held} == {"a", "b"}
    assert keeper.index.accounts(tokeniser.epoch) == 2


def test_a_text_that_is_said_once_never_reaches_a_notary(keeper: TokenKeeper, tokeniser: LocalTokeniser) -> None:
    keeper.keep([exchange("a", "My own diary of a long day at the sea with my aunt", address="")], NOW)
    keeper.step()
    assert tokeniser.asked == 0


def test_bands_of_a_repeated_template_become_tokens_for_all_who_sent_it(
    keeper: TokenKeeper, tokeniser: LocalTokeniser
) -> None:
    names = [f"a{n}" for n in range(5)]
    for name, word in zip(names, ("stones", "rivers", "clouds", "copper", "wool"), strict=True):
        keeper.keep([exchange(name, TEMPLATE.format(word), address="")], NOW)
    keeper.step()
    held = keeper.index.held_by(names)[tokeniser.epoch]
    groups = {(one.account, one.group) for one in held}
    assert {account for account, _ in groups} == set(names)
    counts = [sum((one.account, one.group) == pair for one in held) for pair in groups]
    assert min(counts) >= 3 and len(groups) == 5


def test_after_a_restart_nothing_is_asked_again_within_the_epoch(tmp_path: Path, tokeniser: LocalTokeniser) -> None:
    for _ in range(2):
        keeper = TokenKeeper(
            tmp_path, Settings(), tokeniser, SqliteTokens(tmp_path / "tokens.sqlite"), clock=lambda: NOW
        )
        keeper.keep([exchange("a", "x", "fp-1")], NOW)
        keeper.step()
        keeper.close()
    assert tokeniser.asked == 2  # payment and address, once


def test_a_new_epoch_asks_anew_and_drops_what_is_two_epochs_old(keeper: TokenKeeper, tokeniser: LocalTokeniser) -> None:
    names = []
    for _ in range(3):
        for _ in range(2):  # what is seen before the turn is noticed comes again
            keeper.keep([exchange("a", "x", "fp-1")], NOW)
            keeper.step()
        names.append(tokeniser.epoch)
        tokeniser.number += 1
    assert keeper.index.epochs() == tuple(names[1:])
    assert keeper.status.made == 6


def test_a_notary_that_fails_costs_nothing_but_time(keeper: TokenKeeper, tokeniser: LocalTokeniser) -> None:
    tokeniser.failing = "notary https://x: no answer within 30 s"
    keeper.keep([exchange("a", "x", "fp-1")], NOW)
    keeper.step()
    assert keeper.status.failed == 1 and keeper.status.waiting == 2 and "no answer" in keeper.status.problem
    keeper.step()
    assert keeper.status.failed == 1, "it was asked again at once"
    tokeniser.failing, keeper._due = "", -1e9
    keeper.step()
    assert keeper.status.made == 2 and keeper.status.waiting == 0


@pytest.mark.parametrize(
    "body", [b"", b"\xff\xfe", b"[[[[", b'{"messages": 7}', b'{"messages": [{"role": "user", "content": 9}]}']
)
def test_no_body_stops_it(keeper: TokenKeeper, body: bytes) -> None:
    one = Served(time=NOW, request_id="r", endpoint="chat", account="a", status=200, request=body, answer=b"\x00")
    keeper.keep([one, exchange("b", "x", "fp-1")], NOW)
    keeper.step()
    assert keeper.status.made == 2


def test_what_does_not_fit_is_counted_and_comes_again(tmp_path: Path, tokeniser: LocalTokeniser) -> None:
    settings = Settings(given={"matching": MatchConfig(most_waiting=1)})
    keeper = TokenKeeper(tmp_path, settings, tokeniser, SqliteTokens(":memory:"), clock=lambda: NOW)
    keeper.keep([exchange("a", "x", "fp-1")], NOW)
    keeper.step()
    assert keeper.status.left_out == 1 and keeper.status.made == 1
    keeper.keep([exchange("a", "x", "fp-1")], NOW)
    keeper.step()
    assert keeper.status.made == 2


def test_no_value_is_on_disk_and_counts_name_nobody(keeper: TokenKeeper, tmp_path: Path) -> None:
    planted = ["fp-planted-77", "62.9.9.9", "secret wording that repeats itself across many accounts of mine"]
    for n in range(4):
        keeper.keep([exchange(f"acct-{n}", planted[2], planted[0], planted[1])], NOW)
    keeper.step()
    keeper.close()
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert not [text for text in planted if text.encode() in path.read_bytes()], path
    assert "acct-" not in (tmp_path / "run" / "tokens.json").read_text()
    assert json.loads((tmp_path / "run" / "tokens.json").read_text())["made"] > 30


def advisory(token: bytes, epoch: str, **more: object) -> Advisory:
    given = {"id": "i-1", "campaign": "c-1", "organisation": "org-a", "kind": "payment", "valid_from": NOW - 5,
             "valid_until": NOW + 500}  # fmt: skip
    return Advisory(tokens=token, epoch=epoch, **{**given, **more})  # type: ignore[arg-type]


def test_what_was_pulled_is_matched_at_the_next_step_and_a_revocation_clears_it(
    keeper: TokenKeeper, tokeniser: LocalTokeniser, tmp_path: Path
) -> None:
    keeper.keep([exchange("thief", "x", "fp-1"), exchange("honest", "x", "fp-2")], NOW)
    keeper.step()
    pulled = PulledAdvisories(tmp_path)
    (token,) = tokeniser.tokens([payment("fp-1")])
    pulled.put([advisory(token, tokeniser.epoch)])
    keeper.step()
    assert set(read_warned(tmp_path / "warned.json")) == {"thief"}
    first = read_warned(tmp_path / "warned.json")["thief"]
    assert first.effective > NOW and first.organisations == 1  # late, as verdicts take effect
    pulled.put([advisory(token, tokeniser.epoch), advisory(token, tokeniser.epoch, id="i-2", organisation="org-b")])
    keeper.step()
    again = read_warned(tmp_path / "warned.json")["thief"]
    assert (again.since, again.effective, again.organisations) == (first.since, first.effective, 2)
    pulled.put([advisory(token, tokeniser.epoch, revoked=True)])
    keeper.step()
    assert read_warned(tmp_path / "warned.json") == {} and keeper.status.set_aside == 1
    kept = kept_matches(tmp_path)
    assert kept is not None and not kept.found.matches


def test_a_malformed_warning_keeps_out_no_other(tmp_path: Path) -> None:
    pulled = PulledAdvisories(tmp_path)
    good = advisory(b"\x01" * 16, "e1")
    bad = [advisory(b"", "e1", id="a"), advisory(b"\x01" * 15, "e1", id="b"), advisory(b"\x01" * 32, "e1", id="c"),
           advisory(b"\x01" * 16, "e1", id="d", kind="price")]  # fmt: skip
    assert pulled.put([*bad, good]) == ("a", "b", "c", "d")
    assert pulled.all() == (good,)
    stamp = pulled.stamp()
    pulled.put([good])
    assert pulled.stamp() != stamp


def test_a_damaged_blob_is_named_and_nothing_of_it_used(tmp_path: Path) -> None:
    pulled = PulledAdvisories(tmp_path)
    pulled.put([advisory(b"\x01" * 16, "e1")])
    (blob,) = (tmp_path / "coalition" / "blobs").iterdir()
    blob.write_bytes(b"\x02" * 16)
    with pytest.raises(StillwatchError, match="not what its name says"):
        pulled.all()


def test_it_is_off_by_default(tmp_path: Path) -> None:
    assert token_keeper(tmp_path, Settings()) is None
    with pytest.raises(StillwatchError, match="needs both notaries"):
        MatchConfig(live=True)
    with pytest.raises(StillwatchError, match="two organisations"):
        MatchConfig(first_url="https://a", second_url="https://b", first_identity="0" * 64, second_identity="0" * 64)
