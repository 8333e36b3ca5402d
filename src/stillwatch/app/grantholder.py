"""A holder's side of a grant: its key, and the proof that goes with each request.

In: a key file, a token, a request's method and address. Out: the headers to send.
Left to `gateway.dpop`: checking them.
Source: RFC 9449, section 4.
"""

import base64
import hashlib
import json
import os
import secrets
from pathlib import Path
from typing import Any

import jwt

from stillwatch.gateway.dpop import PROOF_TYPE
from stillwatch.terms.errors import StillwatchError


def make_holder_key(file: Path) -> dict[str, Any]:
    """Make an Ed25519 pair, write the private half as a JWK to a new file and the public half beside it.

    Returns:
        The public half.

    Raises:
        StillwatchError: the file is there already, or cannot be written.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from jwt.algorithms import OKPAlgorithm

    pair: dict[str, Any] = OKPAlgorithm.to_jwk(Ed25519PrivateKey.generate(), as_dict=True)
    private = {name: pair[name] for name in ("kty", "crv", "x", "d")}
    try:
        with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:
            out.write(json.dumps(private) + "\n")
        public = {name: private[name] for name in ("kty", "crv", "x")}
        public_file(file).write_text(json.dumps(public) + "\n", encoding="ascii")
    except FileExistsError:
        raise StillwatchError(f"key file {file}: is there already; name another, a key is never replaced.") from None
    except OSError as problem:
        raise StillwatchError(f"key file {file}: cannot be written ({problem.strerror}).") from None
    return public


def public_file(file: Path) -> Path:
    """Return where the public half of a key file stands."""
    return file.with_name(file.name + ".pub")


def read_public_key(text: str, name: str) -> dict[str, Any]:
    """Return the JWK that a text holds.

    Raises:
        StillwatchError: it is not a JSON object.
    """
    try:
        key = json.loads(text)
    except ValueError:
        key = None
    if not isinstance(key, dict):
        raise StillwatchError(f"key {name}: must be one JSON object, a public key as a JWK.")
    return key


class Holder:
    """Signs requests under one grant."""

    def __init__(self, key: dict[str, Any], token: str) -> None:
        """Take the private JWK and the grant's token."""
        self._private = jwt.PyJWK(key)
        self._algorithm = "EdDSA" if key["kty"] == "OKP" else "ES256"
        self._public = {name: key[name] for name in ("kty", "crv", "x", "y") if name in key}
        self._token = token

    @classmethod
    def of_files(cls, key: Path, token: Path) -> "Holder":
        """Read the private key and the token from files."""
        return cls(
            read_public_key(key.read_text(encoding="utf-8"), key.name), token.read_text(encoding="ascii").strip()
        )

    def headers(self, method: str, url: str, now: float) -> dict[str, str]:
        """Return the two headers that a request needs; each proof is good once, for a minute.

        Args:
            method: Such as `POST`.
            url: Address as it is sent; query and fragment do not count.
            now: Seconds since 1970.
        """
        claims = {
            "jti": secrets.token_urlsafe(18), "htm": method, "htu": url.split("?")[0].split("#")[0], "iat": int(now),
            "ath": base64.urlsafe_b64encode(hashlib.sha256(self._token.encode()).digest()).rstrip(b"=").decode(),
        }  # fmt: skip
        proof = jwt.encode(
            claims, self._private.key, algorithm=self._algorithm, headers={"typ": PROOF_TYPE, "jwk": self._public}
        )
        return {"Authorization": f"DPoP {self._token}", "DPoP": proof}
