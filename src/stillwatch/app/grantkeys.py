"""The provider's key of grants, derived from the master key and kept nowhere.

In: a state folder. Out: the signing key, its public half as a JWK, and what a worker checks grants with.
Left to `app.grants`: what is signed.
"""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from stillwatch.app.state import master_key
from stillwatch.sketch.keys import KeyRing

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from stillwatch.gateway.grants import Grants

GRANT_PURPOSE: Final = "grant"
"""Purpose under which the signing key is derived from the master key."""
AUDIENCE: Final = "stillwatch"
"""`aud` of a grant's token: a gateway of the provider that issued it."""


def issuer_key(state: Path) -> "Ed25519PrivateKey":
    """Return the key that signs grants; the same for one master key for ever."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.from_private_bytes(KeyRing(master_key(state)).lasting(GRANT_PURPOSE))


def issuer_jwk(state: Path) -> dict[str, Any]:
    """Return the public half, as a JWK that anybody may hold to check a grant."""
    from jwt.algorithms import OKPAlgorithm

    key: dict[str, Any] = OKPAlgorithm.to_jwk(issuer_key(state).public_key(), as_dict=True)
    public = {name: key[name] for name in ("kty", "crv", "x")}
    return {**public, "alg": "EdDSA", "use": "sig", "kid": key_id(public["x"])}


def key_id(public: str) -> str:
    """Return the short name of an issuer's key: 16 hex digits."""
    return hashlib.sha256(public.encode()).hexdigest()[:16]


def grants_of(state: Path) -> "Grants":
    """Return what a worker checks grants with."""
    from stillwatch.gateway.grants import Grants

    return Grants(issuer_key(state).public_key(), AUDIENCE)
