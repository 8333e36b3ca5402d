"""API keys: random, hashed where they enter, shown once, replaced without an outage, taken over all or none."""

import hashlib
import logging
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.app.control import key_secret, open_control
from stillwatch.app.keyfile import read_key_lines
from stillwatch.app.keys import (
    Given,
    NewKey,
    create_key,
    find_key,
    id_of_raw,
    import_keys,
    revoke_account,
    revoke_key,
    rotate_key,
)
from stillwatch.app.state import master_key
from stillwatch.store.controlmemory import MemoryControl
from stillwatch.terms.account import KeyRecord, digest_of_hash, key_digest
from stillwatch.terms.errors import StillwatchError

SECRET = b"s" * 32
RAW = "sk-litellm-abcdefghijklmnop"
SHA = hashlib.sha256(RAW.encode()).hexdigest()


def holder(book: MemoryControl, raw: str, secret: bytes = SECRET, now: float = 50.0) -> str | None:
    """Who a worker would say holds a key."""
    found = [k for k in book.keys() if k.digest == key_digest(raw, secret) and k.good_at(now)]
    return found[0].account if found else None


def test_a_key_has_256_random_bits_and_is_kept_as_a_keyed_hash_only() -> None:
    book = MemoryControl()
    issued = [create_key(book, SECRET, NewKey(account="acme"), 1.0) for _ in range(50)]
    assert len({i.key for i in issued}) == len({i.record.key_id for i in issued}) == 50
    for one in issued:
        assert one.key.startswith("sk-sw-") and len(one.key) == len("sk-sw-") + 43
        assert one.key not in repr(one) and one.key not in repr(book.keys())
        assert hashlib.sha256(one.key.encode()).hexdigest() not in repr(book.keys())
        assert holder(book, one.key) == "acme"
    assert [r.account for r in book.accounts()] == ["acme"], "the account is made with its first key"


@given(key=st.text(min_size=1, max_size=40), other=st.text(min_size=1, max_size=40))
def test_a_digest_tells_keys_and_secrets_apart(key: str, other: str) -> None:
    assert (key_digest(key, SECRET) == key_digest(other, SECRET)) == (key == other)
    assert key_digest(key, SECRET) != key_digest(key, b"t" * 32)
    assert len(key_digest(key, SECRET)) == 64


def test_the_secret_comes_from_the_master_key_and_is_not_it(tmp_path: Path) -> None:
    state, other = tmp_path / "a", tmp_path / "b"
    assert key_secret(state) == key_secret(state) != key_secret(other)
    assert len(key_secret(state)) == 32 and key_secret(state) != master_key(state)
    with open_control(state) as book:
        create_key(book, key_secret(state), NewKey(account="a"), 1.0)
    kept = b"".join(p.read_bytes() for p in state.iterdir())
    assert key_secret(state) not in kept and key_secret(state).hex().encode() not in kept


def test_keys_made_under_another_master_key_are_not_opened(tmp_path: Path) -> None:
    for name in ("a", "b"):
        with open_control(tmp_path / name) as book:
            create_key(book, key_secret(tmp_path / name), NewKey(account="acme"), 1.0)
    (tmp_path / "b" / "master.key").write_bytes((tmp_path / "a" / "master.key").read_bytes())
    with pytest.raises(StillwatchError, match="another master.key"):
        open_control(tmp_path / "b")
    with open_control(tmp_path / "a") as book:
        assert len(book.keys()) == 1


def test_keys_whose_master_key_is_gone_are_not_opened_under_a_new_one(tmp_path: Path) -> None:
    open_control(tmp_path).close()
    (tmp_path / "master.key").unlink()
    with pytest.raises(StillwatchError, match=r"no master\.key.*stillwatch restore"):
        open_control(tmp_path)
    assert not (tmp_path / "master.key").exists()


def test_a_revoked_key_is_no_good_at_once_and_for_good() -> None:
    book = MemoryControl()
    issued = create_key(book, SECRET, NewKey(account="a"), 1.0)
    assert revoke_key(book, issued.record.key_id, 9.0).revoked == 9.0
    assert revoke_key(book, issued.record.key_id, 20.0).revoked == 9.0
    assert holder(book, issued.key) is None
    with pytest.raises(StillwatchError, match="revoked or expired"):
        rotate_key(book, SECRET, issued.record.key_id, overlap=60.0, now=30.0)


def test_every_key_of_an_account_can_be_revoked_together() -> None:
    book = MemoryControl()
    keys = [create_key(book, SECRET, NewKey(account=name), 1.0) for name in ("a", "a", "b")]
    assert len(revoke_account(book, "a", 2.0)) == 2 and revoke_account(book, "a", 3.0) == ()
    assert [holder(book, key.key) for key in keys] == [None, None, "b"]
    with pytest.raises(StillwatchError, match="has no keys"):
        revoke_account(book, "nobody", 2.0)


def test_rotation_overlaps_so_that_no_request_fails() -> None:
    book = MemoryControl()
    old = create_key(book, SECRET, NewKey(account="a", label="prod"), 0.0)
    new = rotate_key(book, SECRET, old.record.key_id, overlap=100.0, now=10.0)
    assert (new.record.account, new.record.label, new.record.expires) == ("a", "prod", None)
    assert [holder(book, k.key, now=109.0) for k in (old, new)] == ["a", "a"]
    assert [holder(book, k.key, now=110.0) for k in (old, new)] == [None, "a"]


@given(lasts=st.floats(1, 1e6), used=st.floats(0, 0.99), overlap=st.floats(0, 1e6))
def test_rotation_never_lets_an_old_key_live_longer_nor_a_new_one_shorter(
    lasts: float, used: float, overlap: float
) -> None:
    book, now = MemoryControl(), lasts * used
    old = create_key(book, SECRET, NewKey(account="a", expires=lasts), 0.0)
    new = rotate_key(book, SECRET, old.record.key_id, overlap=overlap, now=now)
    ends = find_key(book, old.record.key_id).expires
    assert ends is not None and ends <= lasts
    assert new.record.expires is not None and new.record.expires >= max(ends, now + lasts)


def test_keys_are_taken_over_raw_or_as_the_hash_another_gateway_kept() -> None:
    for line in (f"acme,{RAW}", f"acme,{SHA}", f'"acme",{SHA.upper()},prod'):
        book = MemoryControl()
        lines = read_key_lines([line])
        assert import_keys(book, SECRET, lines.given, 1.0) == (1, 0)
        assert holder(book, RAW) == "acme", "whoever has the key itself is let in"
        assert holder(book, SHA) is None, "whoever has its hash only is not"
        assert RAW not in repr((lines, book.keys())) and SHA not in repr((lines, book.keys()))
        assert import_keys(book, SECRET, lines.given, 1.0) == (0, 1)
    assert book.keys()[0].label == "prod"


def test_keys_that_look_like_hashes_can_be_taken_over_as_keys() -> None:
    book = MemoryControl()
    lines = read_key_lines([f"acme,{SHA}"], hex_is_raw=True)
    assert (lines.raw, lines.hashed) == (1, 0)
    import_keys(book, SECRET, lines.given, 1.0)
    assert holder(book, SHA) == "acme" and holder(book, RAW) is None


def test_a_digest_of_a_hash_is_the_digest_of_its_key() -> None:
    assert digest_of_hash(SHA, SECRET) == key_digest(RAW, SECRET)


def test_headings_comments_and_empty_lines_are_passed_over() -> None:
    lines = read_key_lines(["account,key\n", "\n", "# old ones\n", f"acme,{RAW}\n", f"acme,{RAW}\n"])
    assert [g.account for g in lines.given] == ["acme"]


WRONG = {
    "columns": (f"{RAW}", "line 1: 1 columns"),
    "swapped": (f"{RAW},acme", "line 1: looks like an API key"),
    "swapped hash": (f"{SHA},acme", "line 1: the first column looks like a key"),
    "too short": ("acme,sk-short", "line 1: the key must have 16"),
    "bcrypt": ("acme,$2b$12$ spaces are not in keys", "cannot be taken over"),
    "no account": (f",{RAW}", "line 1: must have 1 to 128"),
    "key in label": (f"acme,{SHA},{RAW}", "label: seems to hold an API key"),
    "two accounts": (f"acme,{RAW}\nother,{SHA}", "line 2: the key stands for another account"),
    "empty": ("", "no keys in it"),
    "control": (f"ac\x07me,{RAW}", "line 1: must have 1 to 128"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_line_is_named_by_its_number_and_never_repeated(name: str) -> None:
    text, part = WRONG[name]
    with pytest.raises(StillwatchError) as caught:
        read_key_lines(text.split("\n") if text else [])
    assert part in str(caught.value)
    assert RAW not in str(caught.value) and SHA not in str(caught.value)


def test_an_import_is_whole_or_absent() -> None:
    book = MemoryControl()
    create = [Given(account=f"a{n}", sha256=f"{n:064x}") for n in range(3)]
    import_keys(book, SECRET, (create[2],), 1.0)
    before = book.keys()
    with pytest.raises(StillwatchError, match="belongs to account a2.*Nothing was imported"):
        import_keys(book, SECRET, (*create[:2], Given(account="b", sha256=create[2].sha256)), 2.0)
    assert book.keys() == before


def test_a_key_that_was_found_somewhere_is_told_by_itself_and_not_repeated() -> None:
    book = MemoryControl()
    issued = create_key(book, SECRET, NewKey(account="a"), 1.0)
    assert id_of_raw(book, SECRET, f" {issued.key}\n") == issued.record.key_id
    for wrong in ("sk-sw-" + "x" * 43, "", "k_1"):
        with pytest.raises(StillwatchError) as caught:
            id_of_raw(book, SECRET, wrong)
        assert "sk-sw-" not in str(caught.value)
    with pytest.raises(StillwatchError) as caught:
        find_key(book, issued.key)
    assert issued.key not in str(caught.value)


@pytest.mark.parametrize("account", ["", " a", "a\n", "x" * 129, "sk-proj-abcdefghijklmnop", "a\u202eb", "\ud800"])
def test_what_cannot_be_an_account_is_refused_and_nothing_is_kept(account: str) -> None:
    book = MemoryControl()
    with pytest.raises(StillwatchError):
        create_key(book, SECRET, NewKey(account=account), 1.0)
    assert book.keys() == book.accounts() == ()


def test_a_key_that_would_have_expired_is_not_made() -> None:
    with pytest.raises(StillwatchError, match="expired already"):
        create_key(MemoryControl(), SECRET, NewKey(account="a", expires=1.0), 1.0)


def test_nothing_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        issued = create_key(MemoryControl(), SECRET, NewKey(account="a"), 1.0)
    assert issued.key not in caplog.text
    assert "key" not in {f.name for f in fields(KeyRecord)}
