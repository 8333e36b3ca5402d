"""Members are let in by keys that nobody can read back, and lose their voice with their last key."""

import json
from pathlib import Path
from typing import Any

import pytest

from stillwatch.app.coalitionhub import member_secret, open_hub
from stillwatch.app.coalitionmembers import NewMember, add_member, fingerprint_of, revoke_member
from stillwatch.app.hubconfig import HubConfig
from stillwatch.exchange.stix.extension import ID
from stillwatch.exchange.taxii.hubfile import FILE_NAME, HubFile
from stillwatch.terms.account import key_digest
from stillwatch.terms.errors import StillwatchError
from tests.taxii_rig import NOW
from tests.taxii_serving import Authority


def test_a_key_is_shown_once_and_kept_as_a_hash(tmp_path: Path) -> None:
    hub = open_hub(HubConfig(), tmp_path)
    admitted = add_member(hub, member_secret(tmp_path), NewMember(name="a", organisation="Acme"), NOW)
    assert admitted.key not in repr(admitted) and admitted.member.digest not in repr(admitted)
    found = hub.register.find_member(digest=key_digest(admitted.key, member_secret(tmp_path)))
    assert found == admitted.member
    again = add_member(hub, member_secret(tmp_path), NewMember(name="a", organisation="acme"), NOW + 1.0)
    assert again.key != admitted.key
    assert hub.register.find_member(digest=admitted.member.digest) is None
    hub.file.close()
    for path in tmp_path.iterdir():
        content = path.read_bytes()
        assert admitted.key.encode() not in content and again.key.encode() not in content
        assert path.stat().st_mode & 0o077 == 0, path


def voices(hub: Any) -> dict[str, bool]:
    where = hub.register.collections()[0]
    found = [json.loads(body) for body in hub.shelf.each(where.number, "identity")]
    return {i["name"]: i["extensions"][ID]["verified"] for i in found if ID in i.get("extensions", {})}


def test_an_organisation_is_introduced_and_loses_its_voice_with_its_last_member(tmp_path: Path) -> None:
    hub, secret = open_hub(HubConfig(), tmp_path), member_secret(tmp_path)
    add_member(hub, secret, NewMember(name="a", organisation="Acme", verified="register"), NOW)
    add_member(hub, secret, NewMember(name="b", organisation="Acme", verified="register"), NOW + 1.0)
    add_member(hub, secret, NewMember(name="c", organisation="Quiet"), NOW + 2.0)
    assert voices(hub) == {"Acme": True, "Quiet": False}
    add_member(hub, secret, NewMember(name="d", organisation="Acme"), NOW + 2.5)
    assert voices(hub)["Acme"] is True  # a member more takes no voice away
    revoke_member(hub, "a", NOW + 3.0)
    assert voices(hub)["Acme"] is True
    revoke_member(hub, "b", NOW + 4.0)
    assert voices(hub)["Acme"] is False
    assert revoke_member(hub, "b", NOW + 5.0).revoked == NOW + 4.0
    hub.file.close()


@pytest.mark.parametrize(
    "values",
    [
        {"name": ""}, {"name": "A B"}, {"name": "a" * 64}, {"organisation": ""}, {"organisation": "x" * 121},
        {"organisation": "sk-abcdefghijklmnopqrstuv"}, {"verified": "x" * 201}, {"expires": NOW - 1.0},
        {"collections": ("none",)}, {"certificate": Path("/nowhere")}, {"certificate": Path(__file__)},
    ],
)  # fmt: skip
def test_a_member_that_cannot_be_is_refused_and_nothing_is_kept(tmp_path: Path, values: dict[str, Any]) -> None:
    hub = open_hub(HubConfig(), tmp_path)
    with pytest.raises(StillwatchError):
        new = NewMember(**{"name": "a", "organisation": "Acme", **values})
        add_member(hub, member_secret(tmp_path), new, NOW)
    assert hub.register.members() == ()
    hub.file.close()


def test_a_name_stays_with_its_organisation_and_a_certificate_with_its_member(tmp_path: Path) -> None:
    hub, secret = open_hub(HubConfig(), tmp_path), member_secret(tmp_path)
    certificate, _, shown = Authority(tmp_path).issue("a")
    assert fingerprint_of(certificate) == shown
    add_member(hub, secret, NewMember(name="a", organisation="Acme", certificate=certificate), NOW)
    again = add_member(hub, secret, NewMember(name="a", organisation="Acme"), NOW + 1.0)
    assert again.member.certificate == shown  # a new key does not let in without it
    with pytest.raises(StillwatchError, match="belongs to Acme"):
        add_member(hub, secret, NewMember(name="a", organisation="Other"), NOW)
    with pytest.raises(StillwatchError, match="already member a's"):
        add_member(hub, secret, NewMember(name="b", organisation="Other", certificate=certificate), NOW)
    with pytest.raises(StillwatchError, match="there is none"):
        revoke_member(hub, "z", NOW)
    hub.file.close()


def test_a_hubs_file_is_told_from_others(tmp_path: Path) -> None:
    with pytest.raises(StillwatchError, match="has no hub yet"):
        open_hub(HubConfig(), tmp_path / "new", new=False)
    import sqlite3

    other = sqlite3.connect(tmp_path / FILE_NAME)
    other.execute("CREATE TABLE t (x)")
    other.commit()
    with pytest.raises(StillwatchError, match="another program's"):
        HubFile(tmp_path / FILE_NAME)
    other.execute("DROP TABLE t")
    other.execute("PRAGMA application_id = 1400129653")
    other.execute("PRAGMA user_version = 99")
    other.commit()
    with pytest.raises(StillwatchError, match="later release"):
        HubFile(tmp_path / FILE_NAME)
    other.close()


@pytest.mark.parametrize(
    "values",
    [
        {"port": 70_000}, {"page": 0}, {"max_content_length": 10}, {"certificate": "x"}, {"certificate_key": "x"},
        {"client_ca": "x"}, {"need_certificate": True}, {"requests_per_minute": 0},
    ],
)  # fmt: skip
def test_settings_of_the_hub_out_of_range_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(StillwatchError):
        HubConfig(**values)
