"""The JSON API keeps what its document says, whatever is sent; and a token does no more than its role."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings

from stillwatch.console.apitable import OPERATIONS
from stillwatch.console.openapi import document
from stillwatch.console.rights import RIGHTS, may
from stillwatch.terms.person import ROLES
from tests.console_rig import Rig, rigged

API = "/api/v1"
EXAMPLES = 8


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Rig:
    """A console with one of everything, so that ids from the document find something."""
    with rigged(tmp_path_factory.mktemp("api")) as made:
        analyst = made.signed_in("analyst")
        analyst.send("/decide", subject=made.campaign().id, verb="confirm", reason="seen", kind="campaign")
        analyst.send("/appeal/open", account=made.member(), statement="ours")
        made.organise(made.member(1), "Example Labs")
        analyst.send("/decide", subject=made.member(1), verb="confirm", reason="seen", kind="account")
        _SERVING.append(made)
        yield made


_SERVING: list[Rig] = []


async def _application(scope: Any, receive: Any, send: Any) -> None:
    """The console of the rig that is served now; the schema is read before there is one."""
    await _SERVING[-1].app(scope, receive, send)


# Every request bears a good token here; those that bear none have a test of their own below.
schema = schemathesis.openapi.from_dict(
    {name: part for name, part in json.loads(document()).items() if name != "security"}
)
schema.app = _application


@schema.parametrize()
@settings(
    max_examples=EXAMPLES, deadline=None, phases=[Phase.explicit, Phase.generate], derandomize=True,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
def test_every_answer_is_one_that_the_document_states(rig: Rig, case: schemathesis.Case) -> None:
    """Schemathesis draws requests, good ones and bad ones, and holds each answer against the document."""
    case.call_and_validate(headers=_token(rig), excluded_checks=[schemathesis.checks.CHECKS.get_one("ignored_auth")])


def test_nobody_without_a_good_token_is_answered_and_a_cookie_is_none(rig: Rig) -> None:
    signed_in = rig.signed_in("admin").client
    headers = rig.token("admin")
    rig.state.people.revoke_token(rig.state.people.tokens()[-1].id, time.time())
    for given in ({}, {"authorization": "Bearer swc_nonsense"}, {"authorization": "Basic YTpi"}, headers):
        answer = signed_in.get(f"{API}/me", headers=given)
        assert answer.status_code == 401 and answer.headers["www-authenticate"] == "Bearer"
        assert signed_in.post(f"{API}/decisions", json={}, headers=given).status_code == 401


@pytest.mark.parametrize("role", ROLES)
def test_a_token_does_what_its_role_may_and_no_more(rig: Rig, role: str) -> None:
    browser, headers = rig.browser(), rig.token("admin", role)
    assert browser.get(f"{API}/me", headers=headers).json()["role"] == role
    for operation in OPERATIONS:
        if operation.name == "end_token":
            continue  # one's own, whatever the role; another's for an admin alone
        path = API + operation.path
        for one in operation.takes:
            path = path.replace(f"{{{one.name}}}", "999999")
        answer = browser.request(operation.method, path, headers=headers, json={} if operation.body else None)
        assert (answer.status_code == 403) is not may(role, operation.right), (operation.name, answer.text)


def test_a_tokens_role_falls_with_its_persons_role_and_ends_with_the_person(tmp_path: Path) -> None:
    from stillwatch.app.consoledoor import change_role, set_disabled

    with rigged(tmp_path) as own:
        headers, browser = own.token("approver"), own.browser()
        change_role(own.state.people, "approver", "viewer", time.time())
        assert browser.get(f"{API}/me", headers=headers).json()["role"] == "viewer"
        set_disabled(own.state.people, "approver", True, time.time())
        assert browser.get(f"{API}/me", headers=headers).status_code == 401


def test_what_pages_do_the_api_does_with_the_same_trail(tmp_path: Path) -> None:
    with rigged(tmp_path) as own:
        browser, analyst, admin = own.browser(), own.token("analyst"), own.token("admin")

        def post(path: str, body: dict[str, Any], headers: dict[str, str]) -> Any:
            answer = browser.post(API + path, json=body, headers=headers)
            assert answer.status_code == 200, answer.text
            return answer.json()

        member = own.member()
        done = post(
            "/decisions", {"subject": member, "verb": "step_up", "reason": "who is it", "kind": "account"}, analyst
        )
        assert done["state"] == "done" and done["decision"] == 1
        shown = browser.get(f"{API}/accounts/{member}", headers=analyst).json()
        assert shown["action"]["kind"] == "challenge" and shown["action"]["bites"] and shown["action"]["ask"]
        appeal = post("/appeals", {"account": member, "statement": "ours"}, analyst)["appeal"]
        post(f"/appeals/{appeal}/answer", {"verb": "grant", "reason": "seen", "days": 2}, admin)
        assert browser.get(f"{API}/accounts/{member}", headers=analyst).json()["action"]["kind"] == "allow"
        rules = '[[policy.rule]]\nname = "all"\naction = "mark"\nexpires_days = 7'
        tried = post("/policy/simulation", {"rules": rules}, analyst)
        assert [line["rule"] for line in tried["touched"]] == ["all", ""] and tried["touched"][0]["accounts"] > 400
        trail = browser.get(f"{API}/trail", headers=analyst).json()["items"]
        assert {"decision", "appeal opened", "appeal answered"} <= {e["what"] for e in trail if e["how"] == "api"}


def test_the_document_that_is_served_is_the_one_in_the_docs_and_names_every_right(rig: Rig) -> None:
    served = rig.browser().get(f"{API}/openapi.json")
    page = Path(__file__).parents[3] / "docs" / "reference" / "console-api.openapi.json"
    assert served.content == document() == page.read_bytes(), "make it again: stillwatch console openapi"
    assert {operation.right for operation in OPERATIONS} <= set(RIGHTS)


_TOKENS: dict[int, dict[str, str]] = {}


def _token(rig: Rig) -> dict[str, str]:
    return _TOKENS.setdefault(id(rig), rig.token("admin"))
