"""Signing in: passwords, sessions that idle out, end and change their secret, throttling, single sign-on."""

import json
import re
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from starlette.testclient import TestClient

from stillwatch.app.consoleconfig import ConsoleConfig
from stillwatch.app.consoledoor import (
    GRACE_SECONDS,
    ROTATE_SECONDS,
    ConsoleDoor,
    NewPerson,
    add_person,
    change_role,
    set_disabled,
    set_password,
)
from stillwatch.app.settings import Settings
from stillwatch.console.gate import COOKIE
from stillwatch.console.oidc import Provider, Trip
from stillwatch.console.throttle import FREE_BY_ADDRESS, FREE_BY_NAME, Throttle
from stillwatch.terms.errors import StillwatchError
from tests.console_rig import PASSWORD, Rig, rigged

CLIENT, SECRET = "stillwatch", "the client's secret"


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with rigged(tmp_path) as made:
        yield made


def enter(rig: Rig, name: str, password: str, **form: str) -> Any:
    """Fill the form in as a browser does."""
    browser = rig.browser()
    mark = re.search(r'name="mark" value="([^"]+)"', browser.get("/login").text)
    assert mark is not None
    return browser.post("/login", data={"name": name, "password": password, "mark": mark[1], **form})


def test_name_and_password_open_and_nothing_says_which_of_the_two_was_wrong(rig: Rig) -> None:
    answer = enter(rig, "viewer", PASSWORD, next="/queue")
    assert answer.status_code == 303 and answer.headers["location"] == "/queue"
    cookie = next(c for c in answer.headers.get_list("set-cookie") if c.startswith(COOKIE))
    assert "HttpOnly" in cookie and "samesite=strict" in cookie.lower()
    wrong, nobody = enter(rig, "viewer", "wrong"), enter(rig, "nobody", "wrong")
    assert wrong.status_code == nobody.status_code == 401
    assert re.sub(r'value="[^"]+"', "", wrong.text) == re.sub(r'value="[^"]+"', "", nobody.text)
    assert enter(rig, "viewer", PASSWORD, next="//evil.example/x").headers["location"] == "/"


def test_over_tls_the_cookie_travels_over_tls_only(tmp_path: Path) -> None:
    config = ConsoleConfig(origin="https://watch.example.com")
    with rigged(tmp_path, settings=Settings(given={"console": config}), roles=("viewer",)) as rig:
        answer = enter(rig, "viewer", PASSWORD)
        assert all("Secure" in c for c in answer.headers.get_list("set-cookie") if "Max-Age=0" not in c)
        assert "strict-transport-security" in answer.headers


def test_a_form_of_another_site_signs_nobody_in(rig: Rig) -> None:
    browser = rig.browser()
    mark = re.search(r'name="mark" value="([^"]+)"', browser.get("/login").text)
    assert mark is not None
    form = {"name": "viewer", "password": PASSWORD, "mark": mark[1]}
    assert browser.post("/login", data=form, headers={"origin": "https://evil.example"}).status_code == 403
    assert rig.browser().post("/login", data=form).status_code == 403, "without the cookie that goes with the mark"
    assert browser.post("/login", data={**form, "mark": "x" * 32}).status_code == 403
    assert browser.post("/login", content=b"name=" + b"a" * 200_000).status_code == 413


def test_a_session_idles_out_ends_and_changes_its_secret(rig: Rig) -> None:
    now = [rig.now]
    door = ConsoleDoor(rig.state, clock=lambda: now[0])
    first = door.begin("viewer", "test")
    now[0] += 29 * 60
    found = door.session(first, quiet=True)
    assert found is not None and found[1] == "", "what a page asks by itself changes nothing"
    now[0] += 2 * 60
    assert door.session(first, quiet=False) is None, "half an hour without a click"
    second = door.begin("viewer", "test")
    now[0] += ROTATE_SECONDS + 1
    found = door.session(second, quiet=False)
    assert found is not None and found[1] not in ("", second)
    assert door.session(second, quiet=True) is not None, "requests under way still bear the old one"
    now[0] += GRACE_SECONDS + 1
    assert door.session(second, quiet=True) is None
    current = found[1]
    for _ in range(100):
        now[0] += 20 * 60
        found = door.session(current, quiet=False)
        current = (found and found[1]) or current
        if found is None:
            break
    assert found is None and now[0] - rig.now > 11 * 3_600, "twelve hours, however busy"
    assert first.encode() not in (rig.folder / "control.sqlite").read_bytes()


def test_who_is_disabled_gets_another_role_or_password_is_signed_out_at_once(rig: Rig) -> None:
    people, now = rig.state.people, time.time()
    for change in (
        lambda: set_disabled(people, "analyst", True, now), lambda: change_role(people, "approver", "viewer", now),
        lambda: set_password(people, "viewer", "another long password", now),
    ):  # fmt: skip
        browsers = {name: rig.signed_in(name) for name in ("analyst", "approver", "viewer") if people.find(name)}
        change()
        gone = [name for name, b in browsers.items() if b.client.get("/queue").status_code == 303]
        assert gone, "somebody was signed out"
    assert enter(rig, "analyst", PASSWORD).status_code == 401
    assert enter(rig, "viewer", PASSWORD).status_code == 401
    assert enter(rig, "viewer", "another long password").status_code == 303


def test_signing_out_ends_the_session_for_good(rig: Rig) -> None:
    browser = rig.signed_in("viewer")
    secret = browser.client.cookies[COOKIE]
    csrf = re.search(r'name="csrf" value="([^"]+)"', browser.get("/queue"))
    assert csrf is not None and browser.client.post("/logout", data={"csrf": csrf[1]}).status_code == 303
    other = rig.browser()
    other.cookies.set(COOKIE, secret)
    assert other.get("/queue").status_code == 303


def test_guessing_waits_ever_longer_and_is_told_in_the_trail(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rig.console.door, "_clock", lambda: rig.now)
    for _ in range(FREE_BY_NAME):
        assert enter(rig, "viewer", "wrong").status_code == 401
    answer = enter(rig, "viewer", PASSWORD)
    assert answer.status_code == 429 and int(answer.headers["retry-after"]) >= 1
    assert any(e.what == "sign-in failed" and e.subject == "viewer" for e in rig.state.people.trail(limit=10))


def test_waits_double_and_are_forgotten() -> None:
    throttle, now, waits = Throttle(), 0.0, []
    for _ in range(20):
        wait, _ = throttle.begin("ada", "10.0.0.1", now)
        waits.append(wait)
        now += wait
        assert not wait or throttle.begin("ada", "10.0.0.1", now)[0] == 0.0
    assert waits[:FREE_BY_NAME] == [0.0] * FREE_BY_NAME and waits[FREE_BY_NAME : FREE_BY_NAME + 3] == [1.0, 2.0, 4.0]
    assert max(waits) == 900.0 and throttle.begin("ada", "10.0.0.2", now + 3_601.0)[0] == 0.0
    for number in range(FREE_BY_ADDRESS):
        assert throttle.begin(f"name {number}", "10.0.0.9", now)[0] == 0.0
    assert throttle.begin("bo", "10.0.0.9", now)[0] > 0.0, "one address that tries many names"


def test_tries_at_the_same_moment_do_not_pass_together() -> None:
    throttle = Throttle()
    assert sum(throttle.begin("ada", "10.0.0.1", 0.0)[0] == 0.0 for _ in range(40)) == FREE_BY_NAME


def test_who_signs_in_again_and_again_is_not_held_up() -> None:
    throttle = Throttle()
    for _ in range(4 * FREE_BY_ADDRESS):
        assert throttle.begin("ada", "10.0.0.1", 0.0)[0] == 0.0
        throttle.succeeded("ada", "10.0.0.1")


def test_one_ipv6_network_counts_as_one_address() -> None:
    throttle = Throttle()
    for number in range(FREE_BY_ADDRESS):
        assert throttle.begin(f"name {number}", f"2001:db8:0:7::{number:x}", 0.0)[0] == 0.0
    assert throttle.begin("ada", "2001:db8:0:7:ffff::1", 0.0)[0] > 0.0
    assert throttle.begin("ada", "2001:db8:0:8::1", 0.0)[0] == 0.0
    assert (
        throttle.begin("bo", "::ffff:192.0.2.1", 0.0)[0] == throttle.begin("bo", "::ffff:198.51.100.1", 0.0)[0] == 0.0
    )


@pytest.mark.parametrize(("trusted", "status"), [((), 429), (("192.0.2.0/24",), 401)])
def test_behind_a_proxy_that_is_named_nobody_is_shut_out_by_anothers_failures(
    tmp_path: Path, trusted: tuple[str, ...], status: int
) -> None:
    with rigged(tmp_path, settings=Settings().changed("console", trusted_proxies=trusted)) as rig:
        proxied = TestClient(rig.app, base_url="http://console.test", client=("192.0.2.8", 1), follow_redirects=False)

        def tried(name: str, forwarded: str) -> int:
            mark = re.search(r'name="mark" value="([^"]+)"', proxied.get("/login").text)
            assert mark is not None
            form = {"name": name, "password": "wrong", "mark": mark[1]}
            return proxied.post("/login", data=form, headers={"x-forwarded-for": forwarded}).status_code

        for number in range(FREE_BY_ADDRESS):
            rig.console.door._throttle.begin(
                f"name {number}", rig.console.caller("192.0.2.8", ["198.51.100.1"]), time.time()
            )
        assert tried("name", "203.0.113.4, 198.51.100.1") == 429, "whoever fails waits, whatever they claim"
        assert tried("ada", "198.51.100.1, 203.0.113.5") == status


def test_a_proxy_that_is_no_network_is_refused() -> None:
    with pytest.raises(StillwatchError, match=r"console.trusted_proxies holds '10.0.0.1/8'"):
        ConsoleConfig(trusted_proxies=("10.0.0.1/8",))


@pytest.mark.parametrize(
    ("new", "wrong"),
    [
        (NewPerson(name="Ada!", role="viewer"), "must have 1 to 40"), (NewPerson(name="ada", role="god"), "one of"),
        (NewPerson(name="ada", role="viewer", password="short"), "12 to 256"),
        (NewPerson(name="admin", role="viewer"), "is there already"),
    ],
)  # fmt: skip
def test_who_cannot_be_added_is_not(rig: Rig, new: NewPerson, wrong: str) -> None:
    with pytest.raises(StillwatchError, match=wrong):
        add_person(rig.state.people, new, rig.now)


def test_the_last_admin_stays(rig: Rig) -> None:
    people = rig.state.people
    with pytest.raises(StillwatchError, match="last admin"):
        set_disabled(people, "admin", True, rig.now)
    with pytest.raises(StillwatchError, match="last admin"):
        change_role(people, "admin", "viewer", rig.now)
    add_person(people, NewPerson(name="second", role="admin"), rig.now)
    assert set_disabled(people, "admin", True, rig.now).disabled is not None


class Provided:
    """A small identity provider: it signs whoever comes in, and says what it is told to say."""

    def __init__(self) -> None:
        self.key = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
        self.claims: dict[str, Any] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.challenge = ""
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path.startswith("/.well-known"):
                    where = {"authorization": "authorize", "token": "token"}
                    told = {f"{name}_endpoint": f"{outer.issuer}/{path}" for name, path in where.items()}
                    self._say({"issuer": outer.issuer, "jwks_uri": f"{outer.issuer}/keys", **told})
                else:
                    public = jwt.algorithms.RSAAlgorithm.to_jwk(outer.key.public_key(), as_dict=True)
                    self._say({"keys": [{**public, "kid": "k1", "use": "sig", "alg": "RS256"}]})

            def do_POST(self) -> None:
                body = parse_qs(self.rfile.read(int(self.headers["content-length"])).decode())
                form = {name: values[0] for name, values in body.items()}
                outer.asked.append((self.headers.get("authorization", ""), form))
                self._say({"access_token": "x", "token_type": "Bearer", "id_token": outer.token()})

            def _say(self, told: Any) -> None:
                content = json.dumps(told).encode()
                self.send_response(200)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.issuer = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def token(self) -> str:
        now = int(time.time())
        usual = {"iss": self.issuer, "aud": CLIENT, "sub": "u-1", "iat": now, "exp": now + 300}
        said = {name: value for name, value in {**usual, **self.claims}.items() if value is not None}
        key, algorithm = (said.pop("signed", self.key), said.pop("alg", "RS256"))
        return jwt.encode(said, key, algorithm=algorithm, headers={"kid": said.pop("kid", "k1")})


@pytest.fixture
def provided() -> Iterator[Provided]:
    made = Provided()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def sso(tmp_path: Path, provided: Provided, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    monkeypatch.setenv("OIDC_SECRET", SECRET)
    config = ConsoleConfig(origin="http://127.0.0.1:8190", oidc_issuer=provided.issuer, oidc_client_id=CLIENT,
                           oidc_client_secret_env="OIDC_SECRET")  # fmt: skip
    with rigged(tmp_path, settings=Settings(given={"console": config}), roles=("viewer",)) as rig:
        add_person(rig.state.people, NewPerson(name="ada", role="analyst", subject="u-1"), rig.now)
        yield rig


def travel(rig: Rig, provided: Provided, **answer: str) -> Any:
    """Go to the provider and come back."""
    browser = rig.browser()
    left = browser.get("/login/sso?next=/queue")
    asked = {name: values[0] for name, values in parse_qs(urlsplit(left.headers["location"]).query).items()}
    assert asked["code_challenge_method"] == "S256" and asked["scope"] == "openid"
    provided.claims.setdefault("nonce", asked["nonce"])
    provided.challenge = asked["code_challenge"]
    back = {"state": asked["state"], "code": "c", "iss": provided.issuer, **answer}
    return browser.get(f"/login/back?{urlencode(back)}")


def test_single_sign_on_lets_in_who_is_known_here(sso: Rig, provided: Provided) -> None:
    import base64
    import hashlib

    answer = travel(sso, provided)
    assert answer.status_code == 200 and "url=/queue" in answer.text
    assert any(c.startswith(COOKIE) for c in answer.headers.get_list("set-cookie"))
    authorization, form = provided.asked[0]
    assert base64.b64decode(authorization.removeprefix("Basic ")).decode() == "stillwatch:the%20client%27s%20secret"
    proof = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).decode().rstrip("=")
    assert proof == provided.challenge, "PKCE: the verifier fits the challenge"
    entry = next(e for e in sso.state.people.trail(limit=5) if e.what == "signed in")
    assert entry.subject == "ada" and "single sign-on" in entry.detail


def test_who_is_known_to_the_provider_alone_stays_outside(sso: Rig, provided: Provided) -> None:
    provided.claims["sub"] = "u-2"
    assert travel(sso, provided).status_code == 403
    provided.claims = {}
    set_disabled(sso.state.people, "ada", True, sso.now)
    assert travel(sso, provided).status_code == 403


OTHER = rsa.generate_private_key(public_exponent=65_537, key_size=2048)


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "another"}, {"aud": "another"}, {"iss": "https://another.example"}, {"exp": 1}, {"sub": None},
        {"signed": OTHER}, {"kid": "unknown"}, {"azp": "another"}, {"aud": [CLIENT, "b"]}, {"exp": None},
        {"signed": b"k" * 64, "alg": "HS512"},
    ],
    ids=lambda claims: "signed by another" if "signed" in claims else str(claims),
)  # fmt: skip
def test_an_identity_token_that_is_not_right_in_every_way_lets_nobody_in(
    sso: Rig, provided: Provided, claims: dict[str, Any]
) -> None:
    provided.claims = dict(claims)
    answer = travel(sso, provided)
    assert answer.status_code == 401 and not any(c.startswith(COOKIE) for c in answer.headers.get_list("set-cookie"))


def test_an_answer_that_was_not_asked_for_lets_nobody_in(sso: Rig, provided: Provided) -> None:
    assert travel(sso, provided, state="x" * 32).status_code == 401
    assert travel(sso, provided, iss="https://another.example").status_code == 401
    assert travel(sso, provided, error="access_denied").status_code == 401
    assert sso.browser().get("/login/back?state=a&code=b").status_code == 400


def test_a_provider_that_calls_itself_otherwise_or_cannot_be_asked_is_refused(provided: Provided) -> None:
    port = provided.server.server_address[1]
    for issuer in (f"http://localhost:{port}", "http://127.0.0.1:1"):
        with pytest.raises(StillwatchError, match="single sign-on"):
            Provider(issuer, CLIENT, "", "http://127.0.0.1/back").departure(Trip.new("/"))
