"""A grant counts for who holds its key, for what it covers, as long as it lasts; and frees from refusal alone."""

import base64
import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import jwt
import openai
import pytest
from jwt.algorithms import ECAlgorithm

from stillwatch.app.control import open_control
from stillwatch.app.grantholder import Holder, make_holder_key, read_public_key
from stillwatch.app.grantkeys import grants_of, issuer_jwk
from stillwatch.app.grants import Granted, Licence, issue_grant, read_token, revoke_grant
from stillwatch.gateway.desk import MemoryDesk
from stillwatch.gateway.dpop import PROOF_TYPE, Shown, thumbprint
from stillwatch.gateway.grants import Grants
from stillwatch.gateway.ports import Caller, Refusal
from stillwatch.gateway.published import Published, write_published
from stillwatch.policy.config import PolicyConfig
from stillwatch.policy.decide import decide
from stillwatch.policy.rule import Rule
from stillwatch.store.control import SqliteControl
from stillwatch.terms.action import DISTILLATION, Subject
from stillwatch.terms.errors import StillwatchError
from tests.desk_office import accused
from tests.fake_upstream import FakeUpstream
from tests.gateway_rig import rig, run

NOW = 1_700_000_000.0
DAY = 86_400.0
URL = "https://api.example.com"
PATH = "/v1/chat/completions"


class Office:
    """A state folder with one grant, and its holder."""

    def __init__(self, folder: Path, now: float = NOW, **more: Any) -> None:
        self.state = folder / "state"
        self.state.mkdir()
        self.book: SqliteControl = open_control(self.state)
        self.public = make_holder_key(folder / "holder.key")
        licence = Licence(account="lab", organisation="Lab Ltd", models=("atlas-*",), tokens=100, purposes=("study",),
                          expires=now + DAY, by="ann", reason="contract 7")  # fmt: skip
        self.granted: Granted = issue_grant(self.book, self.state, replace(licence, **more), self.public, now)
        self.private = json.loads((folder / "holder.key").read_text())
        self.holder = Holder(self.private, self.granted.token)
        self.grants: Grants = grants_of(self.state)
        self.grants.refresh(self.book, changed=True)

    def shown(self, method: str = "POST", url: str = URL + PATH, now: float = NOW) -> Shown:
        heads = self.holder.headers(method, url, now)
        return Shown(token=self.granted.token, proof=heads["DPoP"], method=method, url=URL, path=PATH)

    def forged(self, head: dict[str, Any] | None = None, key: Any = None, **claims: Any) -> Shown:
        """Return a request whose proof differs in one thing from a good one."""
        shown = self.shown()
        body = {**jwt.decode(shown.proof, options={"verify_signature": False}), **claims}
        body = {name: value for name, value in body.items() if value is not None}
        heads = {"typ": PROOF_TYPE, "jwk": self.public, **(head or {})}
        proof = jwt.encode(body, key or jwt.PyJWK(self.private).key, algorithm="EdDSA", headers=heads)
        return replace(shown, proof=proof)


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def said(grants: Grants, shown: Shown, now: float = NOW) -> str:
    record, refusal = grants.check(shown, now)
    assert (record is None) != (refusal is None)
    return refusal.code if refusal is not None else "good"


def test_a_grant_counts_with_a_proof_of_its_key_and_each_proof_counts_once(office: Office) -> None:
    shown = office.shown()
    assert said(office.grants, shown) == "good"
    assert said(office.grants, shown) == "invalid_dpop_proof"
    assert said(office.grants, office.shown()) == "good"


CHANGES: dict[str, tuple[Callable[[Office], Shown], str]] = {
    "no proof": (lambda o: replace(o.shown(), proof=""), "invalid_dpop_proof"),
    "another method": (lambda o: replace(o.shown(), method="GET"), "invalid_dpop_proof"),
    "another path": (lambda o: replace(o.shown(), path="/v1/embeddings"), "invalid_dpop_proof"),
    "another host": (lambda o: o.shown(url="https://elsewhere.example" + PATH), "invalid_dpop_proof"),
    "plain http": (lambda o: o.shown(url="http://api.example.com" + PATH), "invalid_dpop_proof"),
    "too old": (lambda o: o.shown(now=NOW - 61), "invalid_dpop_proof"),
    "from the future": (lambda o: o.shown(now=NOW + 62), "invalid_dpop_proof"),
    "no date": (lambda o: o.forged(iat=None), "invalid_dpop_proof"),
    "a date that is text": (lambda o: o.forged(iat=str(NOW)), "invalid_dpop_proof"),
    "a date that is no number": (lambda o: o.forged(iat=float("nan")), "invalid_dpop_proof"),
    "a date beyond all numbers": (lambda o: o.forged(iat=10**400), "invalid_dpop_proof"),
    "a head nested without end": (lambda o: replace(o.shown(), proof=_nested()), "invalid_dpop_proof"),
    "a token nested without end": (lambda o: replace(o.shown(), token=_nested()), "invalid_token"),
    "no name": (lambda o: o.forged(jti=None), "invalid_dpop_proof"),
    "an endless name": (lambda o: o.forged(jti="x" * 201), "invalid_dpop_proof"),
    "another token's hash": (lambda o: o.forged(ath="x"), "invalid_dpop_proof"),
    "another type": (lambda o: o.forged(head={"typ": "JWT"}), "invalid_dpop_proof"),
    "a private key in its head": (lambda o: o.forged(head={"jwk": o.private}), "invalid_dpop_proof"),
    "no key in its head": (lambda o: o.forged(head={"jwk": None}), "invalid_dpop_proof"),
    "signed by another key": (lambda o: o.forged(key=jwt.PyJWK(_other()).key), "invalid_dpop_proof"),
    "another key throughout": (
        lambda o: o.forged(head={"jwk": _public(_other())}, key=jwt.PyJWK(_other()).key), "invalid_token"),
    "no token": (lambda o: replace(o.shown(), token=""), "invalid_token"),
    "a token cut short": (lambda o: replace(o.shown(), token=o.granted.token[:-4]), "invalid_token"),
    "an endless token": (lambda o: replace(o.shown(), token="x" * 100_000), "invalid_token"),
}  # fmt: skip


def _nested() -> str:
    """Return what looks like a token whose head is a list in a list in a list."""
    return base64.urlsafe_b64encode(b"[" * 6_000).decode() + ".e30.e30"


def _other() -> dict[str, str]:
    return {"kty": "OKP", "crv": "Ed25519", "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
            "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}  # fmt: skip


def _public(key: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in key.items() if name != "d"}


@pytest.mark.parametrize("change", CHANGES)
def test_a_grant_does_not_count_with(office: Office, change: str) -> None:
    make, code = CHANGES[change]
    assert said(office.grants, make(office)) == code


def test_a_token_of_another_provider_or_without_signature_does_not_count(office: Office, tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    other = Office(tmp_path / "b")
    assert said(office.grants, other.shown()) == "invalid_token"
    claims = jwt.decode(office.granted.token, options={"verify_signature": False})
    bare = jwt.encode(claims, "", algorithm="none", headers={"typ": "at+jwt"})
    assert said(office.grants, replace(office.shown(), token=bare)) == "invalid_token"


def test_a_holder_may_have_a_key_on_p_256(office: Office) -> None:
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

    pair = ECAlgorithm.to_jwk(generate_private_key(SECP256R1()), as_dict=True)
    licence = Licence(account="lab", organisation="Lab", models=("m",), tokens=1, purposes=("p",), expires=NOW + DAY,
                      by="ann", reason="r")  # fmt: skip
    made = issue_grant(office.book, office.state, licence, _public(pair), NOW)
    office.grants.refresh(office.book, changed=True)
    heads = Holder(pair, made.token).headers("POST", URL + PATH, NOW)
    shown = Shown(token=made.token, proof=heads["DPoP"], method="POST", url=URL, path=PATH)
    assert said(office.grants, shown) == "good"


def test_a_grant_ends_when_it_says_so_when_it_is_revoked_and_when_it_is_used_up(office: Office) -> None:
    grant = office.granted.record.id
    assert said(office.grants, office.shown(now=NOW + DAY), NOW + DAY) == "invalid_token"
    office.grants.spend(grant, 99)
    assert said(office.grants, office.shown()) == "good"
    office.grants.spend(grant, 1)
    assert said(office.grants, office.shown()) == "grant_exhausted"
    revoke_grant(office.book, grant, "bob", NOW)
    office.grants.refresh(office.book, changed=True)
    assert said(office.grants, office.shown()) == "invalid_token"
    assert revoke_grant(office.book, grant, "eve", NOW + 5).revoked_by == "bob"


def test_use_is_kept_and_seen_by_other_workers_and_a_file_that_fails_loses_none_of_it(office: Office) -> None:
    grant = office.granted.record.id
    other = grants_of(office.state)
    other.refresh(office.book, changed=True)
    office.grants.spend(grant, 40)

    class Broken:
        def add_grant_use(self, grant: str, tokens: int) -> None:
            raise StillwatchError("disk full")

    with pytest.raises(StillwatchError):
        office.grants.refresh(Broken(), changed=False)  # type: ignore[arg-type]
    assert office.grants.left(grant) == 60
    office.grants.refresh(office.book, changed=False)
    other.refresh(office.book, changed=False)
    assert (office.grants.left(grant), other.left(grant)) == (60, 60)
    assert office.book.grant_use() == {grant: 40}


def test_a_grant_frees_from_refusal_and_from_nothing_else() -> None:
    rules = (
        Rule(name="no", action="refuse", needs="confirmed", shadow=False, expires_days=9.0),
        Rule(
            name="slower",
            action="slow",
            needs="confirmed",
            workloads=(DISTILLATION,),
            shadow=False,
            expires_days=9.0,
            delay_seconds=1.0,
        ),
    )
    config = PolicyConfig(rules=rules)
    subject = Subject(account="lab", decided="confirm", decided_at=NOW, decision_expires=NOW + DAY)
    assert decide(subject, config, NOW).kind == "refuse"
    assert decide(replace(subject, workload=DISTILLATION), config, NOW).kind == "slow"
    assert decide(replace(subject, workload="research"), config, NOW).kind == "refuse"


def test_what_a_token_says_can_be_checked_by_whoever_has_the_public_key(office: Office) -> None:
    issuer = issuer_jwk(office.state)
    claims = read_token(office.granted.token, issuer)
    detail = claims["authorization_details"][0]
    assert (detail["type"], detail["token_quota"], detail["models"]) == ("distillation_grant", 100, ["atlas-*"])
    assert claims["cnf"]["jkt"] == thumbprint(office.public)
    with pytest.raises(StillwatchError, match="does not hold"):
        read_token(office.granted.token, {**issuer, "x": _other()["x"]})


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"tokens": 0}, "tokens must be above 0"), ({"models": ()}, "no model"), ({"purposes": (" ",)}, "no purpose"),
        ({"by": ""}, "by is empty"), ({"reason": ""}, "reason is empty"), ({"organisation": " "}, "organisation"),
        ({"redistribution": "all"}, "must be one of"), ({"expires": NOW}, "must end after now"),
        ({"expires": NOW + 2000 * DAY}, "must end after now"), ({"account": ""}, "account"),
    ],
)  # fmt: skip
def test_a_licence_that_says_too_little_is_not_given(office: Office, wrong: dict[str, Any], told: str) -> None:
    usual = Licence(account="lab", organisation="Lab", models=("m",), tokens=1, purposes=("p",), expires=NOW + DAY,
                    by="ann", reason="r")  # fmt: skip
    before = office.book.grants()
    with pytest.raises(StillwatchError, match=told):
        issue_grant(office.book, office.state, replace(usual, **wrong), office.public, NOW)
    with pytest.raises(StillwatchError, match="public JWK"):
        issue_grant(office.book, office.state, usual, office.private, NOW)
    assert office.book.grants() == before


def test_a_key_file_is_private_and_never_replaced(tmp_path: Path) -> None:
    file = tmp_path / "k"
    assert "d" not in make_holder_key(file)
    assert file.stat().st_mode & 0o77 == 0
    with pytest.raises(StillwatchError, match="never replaced"):
        make_holder_key(file)
    with pytest.raises(StillwatchError, match="one JSON object"):
        read_public_key("[]", "x")


class Signing(httpx2.Auth):
    """Signs each request of a client, retries included."""

    def __init__(self, holder: Holder) -> None:
        self._holder = holder

    def auth_flow(self, request: httpx2.Request) -> Any:
        request.headers.update(self._holder.headers(request.method, str(request.url), time.time()))
        yield request


def test_the_official_client_asks_under_a_grant_while_its_account_is_refused(tmp_path: Path) -> None:
    office = Office(tmp_path, now=time.time(), tokens=10_000)
    published = tmp_path / "published.json"
    held = accused(account="lab", expires=time.time() + DAY, effective=time.time() - 60)
    write_published(published, Published(generation=1, made_at=NOW, judged_until=NOW, held={"lab": held}))
    policy = PolicyConfig(
        approved_by="ann",
        rules=(Rule(name="no", action="slow", shadow=False, expires_days=900.0, delay_seconds=0.01),),
    )
    desk = MemoryDesk(office.book, published, policy, b"s" * 32)
    desk.grants = office.grants
    desk.refresh(time.time())

    async def test() -> None:
        with FakeUpstream() as fake:
            async with rig(fake.url, desk) as gateway:  # type: ignore[arg-type]
                client = openai.AsyncOpenAI(
                    base_url=f"{gateway.url}/v1", api_key="unused", max_retries=0,
                    http_client=httpx2.AsyncClient(auth=Signing(office.holder)),
                )  # fmt: skip
                messages: Any = [{"role": "user", "content": "hi"}]
                answer = await client.chat.completions.create(model="atlas-1", messages=messages)
                assert answer.choices[0].message.content
                with pytest.raises(openai.PermissionDeniedError, match="does not cover"):
                    await client.chat.completions.create(model="other", messages=messages)
                event = await gateway.event()
                assert (event.account, event.key_id) == ("lab", office.granted.record.id)
                assert fake.received[0].header("dpop") is None
                bare = await gateway.ask(PATH, {"model": "atlas-1", "messages": []},
                                         headers={"authorization": f"DPoP {office.granted.token}"})  # fmt: skip
                assert bare.status == 401
                assert "invalid_dpop_proof" in (bare.header("www-authenticate") or "")

    run(test)
    desk.refresh(time.time())
    assert office.book.grant_use()[office.granted.record.id] > 0


def test_a_desk_without_grants_lets_none_pass(office: Office, tmp_path: Path) -> None:
    desk = MemoryDesk(office.book, tmp_path / "none", PolicyConfig(), b"s" * 32)
    desk.refresh(NOW)
    assert isinstance(desk.granted(office.shown(), NOW), Refusal)
    with_grants = MemoryDesk(office.book, tmp_path / "none", PolicyConfig(), b"s" * 32)
    with_grants.grants = office.grants
    with_grants.refresh(NOW)
    found = with_grants.granted(office.shown(), NOW)
    assert isinstance(found, Caller)
    assert (found.grant, found.owner, found.workload) == (
        office.granted.record.id, f"grant:{office.granted.record.id}", DISTILLATION
    )  # fmt: skip
