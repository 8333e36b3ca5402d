"""Single sign-on: OpenID Connect's code flow with PKCE, one identity provider.

In: the provider's address and our name there. Out: where to send a person, and whom the provider says came back.
Asked for: `openid` and nothing else; of the answer only `sub` is used. An identity token counts where its signature
fits a key that the provider publishes, and issuer, audience, nonce and times are right.
Source: OpenID Connect Core 1.0, sections 3.1.2 and 3.1.3; RFC 7636 (PKCE); RFC 9207 (issuer in the answer).
"""

import base64
import hashlib
import hmac
import http.client
import json
import secrets
import threading
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

import jwt

from stillwatch.terms.errors import StillwatchError

ALGORITHMS: Final = ("RS256", "PS256", "ES256", "EdDSA")
SECONDS: Final = 8.0
LARGEST: Final = 500_000
KNOWN_SECONDS: Final = 3_600.0
_LOCAL: Final = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class Trip:
    """What a browser carries to the provider and back; in a cookie of its own."""

    state: str
    nonce: str
    verifier: str = field(repr=False)
    next: str

    @classmethod
    def new(cls, following: str) -> "Trip":
        """Return a new one."""
        return cls(secrets.token_urlsafe(24), secrets.token_urlsafe(24), secrets.token_urlsafe(48), following)

    def sealed(self) -> str:
        """Return it as a cookie holds it."""
        return base64.urlsafe_b64encode(json.dumps(asdict(self)).encode()).decode()

    @classmethod
    def opened(cls, cookie: str) -> "Trip | None":
        """Return it from a cookie; None where there is none."""
        try:
            read = json.loads(base64.urlsafe_b64decode(cookie.encode()))
            trip = cls(**{name: str(read[name]) for name in ("state", "nonce", "verifier", "next")})
        except (ValueError, KeyError, TypeError):
            return None
        return trip if min(len(trip.state), len(trip.nonce), len(trip.verifier)) >= 20 else None


class Provider:
    """One identity provider."""

    def __init__(self, issuer: str, client: str, secret: str, back: str, *, label: str = "single sign-on") -> None:
        """Nothing is asked before somebody signs in.

        Args:
            issuer: Its address, as it stands in its tokens.
            client: Our name there.
            secret: Our secret there; empty for a public client.
            back: Our address that it sends people back to.
            label: What the button says.
        """
        self._issuer, self._client, self._secret, self._back = issuer.rstrip("/"), client, secret, back
        self.label = label
        self._lock = threading.Lock()
        self._known: tuple[float, dict[str, Any]] | None = None
        self._keys: dict[str, Any] = {}

    def departure(self, trip: Trip) -> str:
        """Return where to send the person.

        Raises:
            StillwatchError: the provider does not answer, or says nonsense.
        """
        challenge = base64.urlsafe_b64encode(hashlib.sha256(trip.verifier.encode()).digest()).decode().rstrip("=")
        asked = {"response_type": "code", "client_id": self._client, "redirect_uri": self._back, "scope": "openid",
                 "state": trip.state, "nonce": trip.nonce, "code_challenge": challenge,
                 "code_challenge_method": "S256"}  # fmt: skip
        where = self._endpoint("authorization_endpoint")
        return f"{where}{'&' if '?' in where else '?'}{urlencode(asked)}"

    def arrival(self, trip: Trip, answer: Mapping[str, str]) -> str:
        """Return whom the provider says came back.

        Raises:
            StillwatchError: the answer is not to this trip, or the provider's token does not hold.
        """
        if not hmac.compare_digest(answer.get("state", "").encode(), trip.state.encode()):
            raise StillwatchError("single sign-on: the answer is not to this sign-in. Try again.")
        if answer.get("iss", self._issuer).rstrip("/") != self._issuer:
            raise StillwatchError("single sign-on: the answer is another provider's.")
        if "error" in answer or not answer.get("code"):
            raise StillwatchError("single sign-on: the provider did not sign you in.")
        token = self._exchange(trip, answer["code"])
        return self._subject(token, trip)

    def _exchange(self, trip: Trip, code: str) -> str:
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": self._back,
                "code_verifier": trip.verifier, "client_id": self._client}  # fmt: skip
        headers = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
        if self._secret:
            pair = f"{quote(self._client, safe='')}:{quote(self._secret, safe='')}"
            headers["authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
        found = self._ask(self._endpoint("token_endpoint"), urlencode(form).encode(), headers)
        token = found.get("id_token")
        if not isinstance(token, str):
            raise StillwatchError("single sign-on: the provider sent no identity token.")
        return token

    def _subject(self, token: str, trip: Trip) -> str:
        try:
            head = jwt.get_unverified_header(token)
            key = self._key(str(head.get("kid", "")), str(head.get("alg", "")))
            said = jwt.decode(
                token, key, algorithms=list(ALGORITHMS), audience=self._client, issuer=self._found()["issuer"],
                leeway=60, options={"require": ["exp", "iat", "sub", "iss", "aud"]},
            )  # fmt: skip
        except jwt.PyJWTError as problem:
            raise StillwatchError(
                f"single sign-on: the identity token does not hold ({type(problem).__name__})."
            ) from None
        several = isinstance(said["aud"], list) and len(said["aud"]) > 1
        if said.get("azp", self._client if not several else "") != self._client:
            raise StillwatchError("single sign-on: the identity token is another client's.")
        if not hmac.compare_digest(str(said.get("nonce", "")).encode(), trip.nonce.encode()):
            raise StillwatchError("single sign-on: the identity token is not for this sign-in.")
        return str(said["sub"])

    def _key(self, kid: str, algorithm: str) -> Any:
        """Return a published key; keys are asked for again where one is not known, since providers rotate them."""
        if algorithm not in ALGORITHMS:
            raise jwt.InvalidAlgorithmError("not one of ours")
        with self._lock:
            known = dict(self._keys)
        if kid not in known:
            published = jwt.PyJWKSet.from_dict(self._ask(self._endpoint("jwks_uri")))
            known = {key.key_id or "": key for key in published.keys}
            with self._lock:
                self._keys = known
        if kid not in known and len(known) == 1 and not kid:
            return next(iter(known.values()))
        if kid not in known:
            raise jwt.InvalidKeyError("no such key is published")
        return known[kid]

    def _endpoint(self, name: str) -> str:
        where = self._found().get(name)
        parts = urlsplit(str(where or ""))
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOCAL):
            raise StillwatchError(f"single sign-on: the provider's {name} is no https address.")
        return str(where)

    def _found(self) -> dict[str, Any]:
        """Return what the provider says of itself, asked for once an hour."""
        with self._lock:
            if self._known is not None and time.monotonic() - self._known[0] < KNOWN_SECONDS:
                return self._known[1]
        found = self._ask(f"{self._issuer}/.well-known/openid-configuration")
        if str(found.get("issuer", "")).rstrip("/") != self._issuer:
            raise StillwatchError(
                "single sign-on: the provider calls itself by another name; check console.oidc_issuer."
            )
        with self._lock:
            self._known = (time.monotonic(), found)
        return found

    def _ask(self, url: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
        request = urllib.request.Request(url, body, dict(headers or {"accept": "application/json"}))
        try:
            with _OPENER.open(request, timeout=SECONDS) as answer:
                found = json.loads(answer.read(LARGEST))
        except (http.client.HTTPException, OSError, ValueError, RecursionError) as problem:
            raise StillwatchError(f"single sign-on: the provider cannot be asked ({type(problem).__name__}).") from None
        if not isinstance(found, dict):
            raise StillwatchError("single sign-on: the provider's answer makes no sense.")
        return found


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A provider answers at its own address: a redirect could carry our secret elsewhere."""

    def redirect_request(self, *_: Any) -> None:
        """Follow none."""
        return None


_OPENER: Final = urllib.request.build_opener(_NoRedirects())
