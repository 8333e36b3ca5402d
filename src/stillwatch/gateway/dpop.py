"""Proofs of possession: that who sends a token holds the key that the token names.

In: a token, a proof, the request's method and address. Out: what the token says, or why it does not count.
Cost: about 0.3 ms for two signatures; a token that was checked before costs one.
Left to `grants`: whether the grant that a token names is still good.
Source: RFC 9449, "OAuth 2.0 Demonstrating Proof of Possession (DPoP)"; RFC 7638, "JWK Thumbprint".
"""

import base64
import hashlib
import json
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

import jwt

TOKEN_TYPE: Final = "at+jwt"
PROOF_TYPE: Final = "dpop+jwt"
TOKEN_ALGORITHM: Final = "EdDSA"
PROOF_ALGORITHMS: Final = ("ES256", "EdDSA")
"""Signatures that a holder may use; both are small and have no parameters to get wrong."""
PROOF_SECONDS: Final = 60.0
"""Most seconds between a proof's making and its use, either way of the clock."""
MOST_PROOFS: Final = 200_000
"""Proofs remembered so that none is used twice; beyond, requests are turned away, since a replay could not be told."""
LONGEST: Final = 8_192
"""Most characters of a token, and of a proof."""
_MEMBERS: Final = {"EC": ("crv", "kty", "x", "y"), "OKP": ("crv", "kty", "x")}
_ID_LENGTH: Final = 200
_LATEST: Final = 1e12
"""Seconds since 1970 that no date reaches."""


class NotProven(Exception):
    """The token or the proof does not count; `code` is RFC 9449's or RFC 6750's, the message is for a person."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What one request shows of a grant."""

    token: str = field(repr=False)
    proof: str = field(repr=False)
    method: str
    url: str = ""
    """Scheme and host as callers know the gateway; empty where only the request's `Host` can be told."""
    host: str = ""
    """`Host` of the request."""
    path: str


def thumbprint(key: Mapping[str, Any]) -> str:
    """Return the RFC 7638 thumbprint of a public key given as a JWK (kinds EC and OKP).

    Raises:
        ValueError: the key is of another kind, lacks a member, or holds a private part.

    >>> thumbprint({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})
    'kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k'
    """
    members = _MEMBERS.get(str(key.get("kty")))
    if members is None or "d" in key or not all(isinstance(key.get(name), str) for name in members):
        raise ValueError("must be a public JWK of kind EC or OKP, without its private part")
    canonical = json.dumps({name: key[name] for name in members}, separators=(",", ":"), sort_keys=True)
    return _b64(hashlib.sha256(canonical.encode()).digest())


class ProofCheck:
    """Checks tokens and proofs for one process, and remembers proofs until they are too old to be used again."""

    def __init__(self, issuer: Any, audience: str) -> None:
        """Take what does not change.

        Args:
            issuer: The issuer's public key, Ed25519.
            audience: `aud` that tokens are made for.
        """
        self._issuer, self._audience = issuer, audience
        self._used: OrderedDict[str, float] = OrderedDict()

    def check(self, shown: Shown, now: float) -> dict[str, Any]:
        """Return the claims of a token whose proof holds.

        Raises:
            NotProven: with what is wrong, in words that tell nothing of the keys.
        """
        claims = self._token(shown.token, now)
        key = self._proof_key(shown.proof)
        if thumbprint(key) != claims["cnf"]["jkt"]:
            raise NotProven("invalid_token", "The grant belongs to another key than the one that signed the proof.")
        self._proof(shown, key, now)
        return claims

    def _token(self, token: str, now: float) -> dict[str, Any]:
        bad = NotProven("invalid_token", "The grant's token is not valid: not of this provider, changed, or ended.")
        if len(token) > LONGEST:
            raise bad
        try:
            if jwt.get_unverified_header(token).get("typ") != TOKEN_TYPE:
                raise bad
            # Dates are compared here with the caller's clock; the library would ask its own.
            claims: dict[str, Any] = jwt.decode(
                token, self._issuer, algorithms=[TOKEN_ALGORITHM], audience=self._audience,
                options={"require": ["exp", "iat", "jti", "sub", "cnf"], "verify_exp": False, "verify_iat": False,
                         "verify_nbf": False},
            )  # fmt: skip
        except (jwt.InvalidTokenError, RecursionError):
            raise bad from None
        bound = claims["cnf"].get("jkt") if isinstance(claims["cnf"], dict) else None
        if not isinstance(bound, str) or not _is_number(claims["exp"]) or now >= claims["exp"]:
            raise bad
        return claims

    def _proof_key(self, proof: str) -> dict[str, Any]:
        if not proof:
            raise NotProven("invalid_dpop_proof", "No proof was sent. Sign one for each request, in the header DPoP.")
        bad = NotProven("invalid_dpop_proof", "The proof's head is not that of a DPoP proof with a public key.")
        if len(proof) > LONGEST:
            raise bad
        try:
            head = jwt.get_unverified_header(proof)
        except (jwt.InvalidTokenError, RecursionError):
            raise bad from None
        key = head.get("jwk")
        if head.get("typ") != PROOF_TYPE or head.get("alg") not in PROOF_ALGORITHMS or not isinstance(key, dict):
            raise bad
        try:
            thumbprint(key)
        except ValueError:
            raise bad from None
        return key

    def _proof(self, shown: Shown, key: dict[str, Any], now: float) -> None:
        try:
            claims = jwt.decode(
                shown.proof, jwt.PyJWK(key), algorithms=list(PROOF_ALGORITHMS),
                options={"require": ["jti", "htm", "htu", "iat", "ath"], "verify_iat": False, "verify_exp": False,
                         "verify_nbf": False, "verify_aud": False},
            )  # fmt: skip
        except (jwt.PyJWTError, ValueError, RecursionError):
            raise NotProven("invalid_dpop_proof", "The proof's signature or its claims do not hold.") from None
        made, name = claims["iat"], claims["jti"]
        if not _is_number(made) or abs(now - made) > PROOF_SECONDS:
            raise NotProven(
                "invalid_dpop_proof", "The proof is not of now; make one for each request, by a right clock."
            )
        if claims["htm"] != shown.method or not _same_place(str(claims["htu"]), shown):
            raise NotProven("invalid_dpop_proof", "The proof is for another method or address than the request's.")
        if claims["ath"] != _b64(hashlib.sha256(shown.token.encode()).digest()):
            raise NotProven("invalid_dpop_proof", "The proof is for another token than the one that was sent.")
        if not isinstance(name, str) or not 0 < len(name) <= _ID_LENGTH:
            raise NotProven("invalid_dpop_proof", "The proof's jti must be text of 1 to 200 characters.")
        self._once(f"{thumbprint(key)} {name}", made + PROOF_SECONDS, now)

    def _once(self, name: str, until: float, now: float) -> None:
        used = self._used
        while used and next(iter(used.values())) < now - PROOF_SECONDS:
            used.popitem(last=False)
        if name in used:
            raise NotProven("invalid_dpop_proof", "The proof was used before; make one for each request.")
        if len(used) >= MOST_PROOFS:
            raise NotProven("invalid_dpop_proof", "Too many proofs at a time; try again in a minute.")
        used[name] = until


def _same_place(address: str, shown: Shown) -> bool:
    """Whether a proof's address is the request's; the scheme counts where it is known."""
    try:
        said = urlsplit(address)
        ours = urlsplit(shown.url)
    except ValueError:
        return False
    if said.path != shown.path:
        return False
    if not shown.url:
        return said.netloc.lower() == shown.host.lower()
    return (said.scheme.lower(), said.netloc.lower()) == (ours.scheme.lower(), ours.netloc.lower())


def _is_number(value: object) -> bool:
    """Return whether a date of a token is one; JSON as it is read here also has NaN, which no comparison turns away."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _LATEST


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
