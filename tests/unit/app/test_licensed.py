"""A student that a provider licensed is asked for, trained and signed; its card holds for that file and no other."""

import asyncio
import json
from pathlib import Path

import pytest

from stillwatch.app import licensed
from stillwatch.app.control import open_control
from stillwatch.app.grantcard import provider_key, read_card, sign_card
from stillwatch.terms.errors import StillwatchError


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> licensed.Licensed:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(licensed, "SIZE", 0.05)
        out = tmp_path_factory.mktemp("lab") / "licensed"
        return asyncio.run(licensed.licensed_student(out, 3, 2_000, lambda said: None))


def test_a_confirmed_account_is_refused_without_its_grant_and_answered_under_it(done: licensed.Licensed) -> None:
    assert done.refused_without == 403
    assert done.asked >= 40
    assert done.ended_with == "grant_exhausted"
    assert 2_000 <= done.tokens < 2_200


def test_a_card_holds_for_the_file_it_names_and_for_the_providers_key_alone(
    done: licensed.Licensed, tmp_path: Path
) -> None:
    state = done.card.parent / "state"
    said = read_card(done.card.read_bytes(), provider_key(state), done.student)
    assert (said["grant"], said["mark_owner"]) == (done.grant, f"grant:{done.grant}")
    assert said["tokens_used"] == done.tokens
    other = tmp_path / "other.npz"
    other.write_bytes(done.student.read_bytes() + b" ")
    with pytest.raises(StillwatchError, match="is not the student"):
        read_card(done.card.read_bytes(), provider_key(state), other)
    (tmp_path / "elsewhere").mkdir()
    with pytest.raises(StillwatchError, match="not signed"):
        read_card(done.card.read_bytes(), provider_key(tmp_path / "elsewhere"), None)
    envelope = json.loads(done.card.read_bytes())
    envelope["payload"] = envelope["payload"][:-8] + "AAAAAAA="
    with pytest.raises(StillwatchError):
        read_card(json.dumps(envelope).encode(), provider_key(state), None)


def test_no_card_is_signed_for_a_grant_that_nothing_was_asked_under(done: licensed.Licensed, tmp_path: Path) -> None:
    from stillwatch.app.grantholder import make_holder_key
    from stillwatch.app.grants import Licence, issue_grant

    state = tmp_path / "state"
    state.mkdir()
    licence = Licence(account="a", organisation="A", models=("*",), tokens=1, purposes=("p",), expires=2e9 + 1, by="b",
                      reason="r")  # fmt: skip
    with open_control(state) as book:
        made = issue_grant(book, state, licence, make_holder_key(tmp_path / "k"), 2e9)
        with pytest.raises(StillwatchError, match="no token"):
            sign_card(book, state, made.record.id, done.student, {})
