"""`stillwatch notary serve` as a process of its own, over TLS, and a member that asks it."""

import datetime
import ipaddress
import json
import signal
import time
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from stillwatch.app.notary import make_notary
from stillwatch.exchange.notary.caller import NotaryAddress
from stillwatch.exchange.notary.series import SeriesTokeniser
from stillwatch.terms.coalition import TokenInput
from stillwatch.terms.errors import StillwatchError
from tests.e2e.command_line import Place
from tests.e2e.live_gateway import free_port, until
from tests.notary_rig import running_notary


def certificate(folder: Path) -> tuple[Path, Path]:
    """Write a certificate of its own signing for this machine, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "notary")])
    day = datetime.timedelta(days=1)
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now - day).not_valid_after(now + day)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    paths = folder / "cert.pem", folder / "key.pem"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ))  # fmt: skip
    return paths


def test_a_member_asks_over_tls_and_sigterm_ends_it(tmp_path: Path) -> None:
    place, port = Place(tmp_path), free_port()
    chain, key = certificate(tmp_path)
    told = json.loads(place.run_here("notary", "init", "--state", "n", "--json").stdout)
    member = json.loads(place.run_here("notary", "members", "add", "acme", "--state", "n", "--json").stdout)
    process = place.start("notary", "serve", "--state", "n", "--port", str(port), "--tls-cert", chain, "--tls-key", key)
    try:
        second = NotaryAddress(
            url=f"https://127.0.0.1:{port}",
            identity=bytes.fromhex(told["identity"]),
            key=member["key"],
            ca_file=str(chain),
        )
        with running_notary(tmp_path / "first") as first:
            asking = SeriesTokeniser(first.address(), second, seconds=10.0)
            assert until(lambda: _epoch(asking), what="the notary").startswith(f"e{told['epoch']}-")
            assert len(asking.tokens([TokenInput("payment", b"opaque:1")])[0]) == 16
            stranger = NotaryAddress(url=second.url, identity=second.identity, key=second.key)
            with pytest.raises(StillwatchError, match="cannot be asked"):  # its certificate is nobody's that is known
                SeriesTokeniser(first.address(), stranger, seconds=10.0).tokens([TokenInput("payment", b"opaque:1")])
        left = json.loads(place.run_here("notary", "members", "list", "--state", "n", "--json").stdout)
        assert left[0]["left"] == member["budget"] - 1
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=30)
        assert process.returncode == 0 and b"Traceback" not in err
        assert member["key"].encode() not in out + err and b"opaque" not in out + err
    finally:
        process.kill()


def _epoch(asking: SeriesTokeniser) -> str:
    try:
        return asking.epoch
    except StillwatchError:
        return ""


def test_the_commands_say_what_is_wrong_with_exit_code_2(tmp_path: Path) -> None:
    place = Place(tmp_path)
    assert place.run_here("notary", "keys", "--state", "none").exit_code == 2
    assert place.run_here("notary", "members", "add", "acme", "--state", "none").exit_code == 2
    assert place.run_here("notary", "serve", "--state", "none").exit_code == 2
    make_notary(tmp_path / "n", time.time())
    assert place.run_here("notary", "init", "--state", "n").exit_code == 2
    for words in (("add", "acme"), ("list",), ("revoke", "acme")):
        assert place.run_here("notary", "members", *words, "--state", "n").exit_code == 0
    assert place.run_here("notary", "members", "add", "acme", "--state", "n").exit_code == 2
    assert place.run_here("notary", "members", "revoke", "nobody", "--state", "n").exit_code == 2
    assert place.run_here("notary", "serve", "--state", "n", "--tls-cert", "no.pem").exit_code == 2
