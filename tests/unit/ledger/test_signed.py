import base64
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.ledger.checkpoint import Checkpoint, read_note, signed, verifier_key
from stillwatch.ledger.envelope import opened, parts, pre_authentication, sealed, statement
from stillwatch.ledger.openssl import holds, signature_command
from stillwatch.ledger.signing import make_key, read_key, read_public
from stillwatch.terms.errors import StillwatchError


@pytest.fixture
def key(tmp_path: Path):  # type: ignore[no-untyped-def]
    return make_key(tmp_path / "key.pem")


def test_key_file_is_of_its_owner_alone_and_shown_nowhere(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    made = make_key(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_key(path) == made or read_key(path).public == made.public
    assert "PRIVATE" not in repr(made) and made.public.raw.hex() not in repr(made)
    path.chmod(0o640)
    with pytest.raises(StillwatchError, match="others may read it"):
        read_key(path)
    with pytest.raises(StillwatchError):
        make_key(path)


def test_openssl_agrees_on_signatures_and_on_forgeries(tmp_path: Path, key) -> None:  # type: ignore[no-untyped-def]
    message = b"what is said"
    (tmp_path / "public.pem").write_bytes(key.public.pem)
    (tmp_path / "m").write_bytes(message)
    (tmp_path / "s").write_bytes(key.sign(message))
    command = signature_command("public.pem", "m", "s")
    assert holds(command, tmp_path) and key.public.holds(message, key.sign(message))
    (tmp_path / "m").write_bytes(message + b".")
    assert not holds(command, tmp_path) and not key.public.holds(message + b".", key.sign(message))


def test_only_the_one_pem_of_a_public_key_is_taken(key) -> None:  # type: ignore[no-untyped-def]
    pem = key.public.pem
    assert read_public(pem) == key.public
    for other in (pem + b"\n", pem.replace(b"\n", b"\r\n"), pem[1:], b""):
        with pytest.raises(StillwatchError):
            read_public(other)


def test_note_comes_back_only_as_it_was_written(key) -> None:  # type: ignore[no-untyped-def]
    note = signed(Checkpoint(origin="example.org/log", size=7, root=bytes(range(32))), key)
    raw = note.to_bytes()
    assert read_note(raw) == note
    assert len(note.signature_of(key.public)) == 64
    for at in range(len(raw)):
        for bit in (1, 0x20):
            changed = bytearray(raw)
            changed[at] ^= bit
            with pytest.raises(StillwatchError):
                read_note(bytes(changed)).signature_of(key.public)


def test_verifier_key_is_spelt_as_witnesses_take_it(key) -> None:  # type: ignore[no-untyped-def]
    name, hint, rest = verifier_key("example.org/log", key.public).split("+", 2)
    raw = base64.b64decode(rest)
    assert (name, len(hint), raw[:1], raw[1:]) == ("example.org/log", 8, b"\x01", key.public.raw)


def test_every_changed_byte_of_an_envelope_is_told(key) -> None:  # type: ignore[no-untyped-def]
    raw = sealed(statement({"a.json": "0" * 64}, "dossier/v1", {"says": "x"}), key)
    assert opened(raw, key.public, "dossier/v1").subject[0].name == "a.json"
    for at in range(len(raw)):
        changed = bytearray(raw)
        changed[at] ^= 1
        with pytest.raises(StillwatchError):
            opened(bytes(changed), key.public, "dossier/v1")
    with pytest.raises(StillwatchError):
        opened(raw, key.public, "protocol/v1")


@given(st.binary(max_size=60))
def test_bytes_that_are_signed_are_those_that_others_sign(payload: bytes) -> None:
    dsse = pytest.importorskip("securesystemslib.dsse", reason="peer: securesystemslib is not installed")
    envelope = dsse.Envelope(payload, "application/vnd.in-toto+json", {})
    assert pre_authentication(payload) == envelope.pae()


def test_another_library_takes_our_envelope(key) -> None:  # type: ignore[no-untyped-def]
    dsse = pytest.importorskip("securesystemslib.dsse", reason="peer: securesystemslib is not installed")
    import json

    from securesystemslib.signer import SSlibKey

    raw = sealed(statement({"a.json": "0" * 64}, "dossier/v1", {}), key)
    named = key.public.fingerprint
    theirs = SSlibKey(named, "ed25519", "ed25519", {"public": key.public.raw.hex()})
    envelope = dsse.Envelope.from_dict(json.loads(raw))
    assert set(envelope.verify([theirs], 1)) == {named}
    envelope.payload = parts(raw)[0] + b" "
    with pytest.raises(Exception, match="signatures"):
        envelope.verify([theirs], 1)


def test_openssl_is_there_for_the_second_route() -> None:
    assert subprocess.run(["openssl", "version"], capture_output=True).stdout.startswith(b"OpenSSL 3")
