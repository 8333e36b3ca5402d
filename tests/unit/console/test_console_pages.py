"""The console's pages: who may see and change what, what two people must agree on, and what no page ever shows."""

import re
import time
from pathlib import Path

import pytest

from stillwatch.app.canaries import CanaryAsk, plan
from stillwatch.app.control import canary_secret, key_secret
from stillwatch.app.keys import NewKey, create_key
from stillwatch.store.trail import digest_of
from stillwatch.terms.account import AccountRecord
from tests.console_rig import PASSWORD, Rig, rigged

PAGES = ("/", "/campaigns", "/campaigns?show=others", "/campaigns?show=all", "/accounts",
         "/accounts?starts=user-", "/queue", "/decisions", "/appeals", "/policy", "/keys",
          "/dossiers", "/scorecards", "/compliance", "/trail", "/people")  # fmt: skip
FORMS = ("/decide", "/proposal", "/appeal/open", "/appeal/answer", "/policy/try", "/person/add", "/person/change",
         "/token/revoke", "/logout")  # fmt: skip


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory) -> Rig:
    """A console that no test changes."""
    with rigged(tmp_path_factory.mktemp("console")) as rig:
        yield rig


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    with rigged(tmp_path) as made:
        yield made


def test_nobody_sees_a_page_or_changes_anything_without_signing_in(still: Rig) -> None:
    browser = still.browser()
    for path in (*PAGES, "/live", f"/campaign?id={still.campaign().id}"):
        answer = browser.get(path)
        assert answer.status_code == 303 and answer.headers["location"].startswith("/login?next="), path
    for path in FORMS:
        assert browser.post(path, data={"csrf": "x"}).status_code == 401, path


def test_every_page_opens_for_a_viewer_and_bears_the_policy_that_forbids_scripts_of_others(still: Rig) -> None:
    viewer = still.signed_in("viewer")
    for path in (*PAGES, f"/campaign?id={still.campaign().id}", f"/account?name={still.member()}"):
        answer = viewer.client.get(path)
        assert answer.status_code == 200, path
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
        assert answer.headers["x-content-type-options"] == "nosniff" and answer.headers["cache-control"] == "no-store"
        assert not re.search(r"\son\w+=|style=|<script>|javascript:|https?://(?!www\.w3\.org)", answer.text), path


def test_a_role_that_must_not_cannot(rig: Rig) -> None:
    viewer, analyst = rig.signed_in("viewer"), rig.signed_in("analyst")
    wish = {"subject": rig.campaign().id, "verb": "confirm", "reason": "seen", "kind": "campaign"}
    assert "may not confirm" in viewer.send("/decide", 403, **wish)
    assert "may not write down an appeal" in viewer.send("/appeal/open", 403, account=rig.member())
    assert "may not try rules" in viewer.send("/policy/try", 403, rules="")
    assert "may not answer an appeal" in analyst.send("/appeal/answer", 403, appeal="ap_x", verb="grant", reason="r")
    for browser in (viewer, analyst, rig.signed_in("approver")):
        assert "may not add" in browser.send("/person/add", 403, name="eve", role="admin")
        assert "may not add" in browser.send("/person/change", 403, name="viewer", role="admin")
    assert rig.state.book.decisions() == () and rig.state.book.appeals() == ()
    assert 'name="verb"' not in viewer.get(f"/campaign?id={rig.campaign().id}")


def test_a_form_without_the_sessions_token_or_from_another_site_changes_nothing(rig: Rig) -> None:
    browser = rig.signed_in("analyst")
    wish = {"subject": rig.campaign().id, "verb": "confirm", "reason": "seen"}
    csrf = re.search(r'name="csrf" value="([^"]+)"', browser.get("/queue"))
    assert csrf is not None
    other = re.search(r'name="csrf" value="([^"]+)"', rig.signed_in("analyst").get("/queue"))
    assert other is not None and other[1] != csrf[1]
    for form, headers in (
        (wish, {}), ({**wish, "csrf": ""}, {}), ({**wish, "csrf": other[1]}, {}),
        ({**wish, "csrf": csrf[1]}, {"origin": "https://evil.example"}),
        ({**wish, "csrf": csrf[1]}, {"sec-fetch-site": "cross-site"}), ({**wish, "csrf": csrf[1]}, {"origin": "null"}),
    ):  # fmt: skip
        assert browser.client.post("/decide", data=form, headers=headers).status_code == 403
    assert rig.state.book.decisions() == ()


def test_a_confirmation_is_kept_with_who_and_why_and_stands_in_the_trail(rig: Rig) -> None:
    page = rig.signed_in("analyst").send(
        "/decide", subject=rig.campaign().id, verb="confirm", reason="one template, one payer", kind="campaign",
        seen=60, next="/queue",
    )  # fmt: skip
    assert "is confirmed, 60 accounts; decision 1." in page
    decision = rig.state.book.decisions()[0]
    assert (decision.by, decision.verb, decision.receipt) == ("analyst", "confirm", rig.campaign().receipt())
    entry = rig.state.people.trail(limit=1)[0]
    assert (entry.by, entry.how, entry.what, entry.subject) == ("analyst", "console", "decision", rig.campaign().id)
    assert "one template, one payer" in rig.signed_in("viewer").get("/trail")
    assert "refuse" in rig.signed_in("viewer").get(f"/account?name={rig.member()}")


def test_who_joined_since_it_was_read_stops_a_confirmation(rig: Rig) -> None:
    wish = {"subject": rig.campaign().id, "verb": "confirm", "reason": "seen", "kind": "campaign"}
    assert "7 accounts have joined since you read it" in rig.signed_in("analyst").send("/decide", 409, seen=53, **wish)
    assert rig.state.book.decisions() == ()


@pytest.mark.parametrize("verb", ["confirm", "step_up"])
def test_two_people_have_to_agree_where_an_organisation_is_touched(rig: Rig, verb: str) -> None:
    rig.organise(rig.member(), "Example Labs")
    analyst, approver = rig.signed_in("analyst"), rig.signed_in("approver")
    wish = {"subject": rig.campaign().id, "verb": verb, "reason": "seen", "kind": "campaign", "next": "/queue"}
    assert "a second person has to agree" in analyst.send("/decide", **wish)
    assert rig.state.book.decisions() == ()
    assert "proposed to" in analyst.send("/decide", 409, **wish), "one proposal at a time"
    analyst.send("/proposal", 403, number=1, verb="agree")
    approver.send("/proposal", number=1, verb="agree", next="/queue")
    decision = rig.state.book.decisions()[0]
    assert decision.by == "analyst and approver" and decision.verb == verb and decision.reason == "seen"
    approver.send("/proposal", 409, number=1, verb="agree")
    assert len(rig.state.book.decisions()) == 1


def test_a_name_of_its_own_in_the_field_of_organisations_is_no_organisation_until_it_holds_two(rig: Rig) -> None:
    book, members = rig.state.book, (rig.member(0, 0), rig.member(0, 1))
    book.put_account(AccountRecord(account=members[0], organisation="org-1"))
    assert rig.state.people.organisations(members) == {}
    book.put_account(AccountRecord(account=members[1], organisation="org-1"))
    assert rig.state.people.organisations(members) == dict.fromkeys(members, "org-1")


def test_clearing_an_organisation_takes_one_person_and_a_proposal_can_be_turned_down(rig: Rig) -> None:
    rig.organise(rig.member(), "Example Labs")
    analyst = rig.signed_in("analyst")
    wish = {"subject": rig.member(), "kind": "account", "next": "/queue"}
    assert "is dismissed" in analyst.send("/decide", verb="dismiss", reason="a partner", **wish)
    analyst.send("/decide", subject=rig.member(), verb="confirm", reason="no", kind="account")
    assert "withdrawn" in rig.signed_in("approver").send("/proposal", number=1, verb="turn_down", next="/queue")
    assert [d.verb for d in rig.state.book.decisions()] == ["dismiss"]


def test_who_confirmed_cannot_hear_the_appeal_alone(rig: Rig) -> None:
    approver, admin = rig.signed_in("approver"), rig.signed_in("admin")
    member = rig.member()
    approver.send("/decide", subject=member, verb="confirm", reason="seen", kind="account")
    rig.signed_in("analyst").send("/appeal/open", account=member, statement="our regression suite", next="/appeals")
    appeal = rig.state.book.appeals()[0].id
    answer = {"appeal": appeal, "verb": "grant", "reason": "contract seen", "next": "/appeals"}
    assert "a second person has to agree" in approver.send("/appeal/answer", **answer)
    assert rig.state.book.appeals()[0].state == "open"
    assert "cannot agree" in approver.send("/proposal", 403, number=1, verb="agree")
    admin.send("/proposal", number=1, verb="agree", next="/appeals")
    done = rig.state.book.appeals()[0]
    assert (done.state, done.by) == ("granted", "approver and admin")
    assert [d.verb for d in rig.state.book.decisions()] == ["confirm", "release"]


def test_two_who_confirmed_cannot_hear_the_appeal_together(rig: Rig) -> None:
    rig.organise(rig.member(), "Example Labs")
    approver, admin = rig.signed_in("approver"), rig.signed_in("admin")
    approver.send("/decide", subject=rig.member(), verb="confirm", reason="seen", kind="account")
    admin.send("/proposal", number=1, verb="agree")
    admin.send("/appeal/open", account=rig.member())
    appeal = rig.state.book.appeals()[0].id
    approver.send("/appeal/answer", appeal=appeal, verb="refuse", reason="no")
    assert "Both of you confirmed" in admin.send("/proposal", 403, number=2, verb="agree")
    assert rig.state.book.appeals()[0].state == "open"


def test_no_page_shows_a_key_a_secret_a_canary_or_another_persons_session(rig: Rig) -> None:
    """Planted canaries: everything secret that the folder holds, looked for in every page and answer."""
    book = rig.state.book
    issued = create_key(book, key_secret(rig.folder), NewKey(account=rig.member(), label="prod"), time.time())
    admin = rig.signed_in("admin")
    admin.send("/decide", subject=rig.member(), verb="confirm", reason="seen", kind="account")
    ask = CanaryAsk(subject=rig.member(), by="admin", reason="r", count=2)
    made = plan(book, ask, canary_secret(rig.folder), time.time()).canaries
    token = rig.token("admin")
    hidden = [issued.key, issued.record.digest, PASSWORD, rig.state.people.password("admin"),
              token["authorization"][7:],
              (rig.folder / "master.key").read_bytes().hex(), rig.state.secret.hex(), canary_secret(rig.folder).hex(),
              *(record.nonce for record in made), *(record.commitment for record in made)]  # fmt: skip
    subject, member = rig.campaign().id, rig.member()
    told = [admin.get(path) for path in (*PAGES, f"/campaign?id={subject}", f"/account?name={member}")]
    told += [admin.client.get(f"/api/v1{path}", headers=token).text for path in (
        "/me", "/overview", f"/campaigns/{subject}", f"/campaigns/{subject}/accounts", f"/accounts/{member}", "/queue",
        "/decisions", "/appeals", "/policy", "/keys", "/trail", "/people",
    )]  # fmt: skip
    for secret in hidden:
        assert secret and not any(secret in page for page in told)
    assert any(made[0].id in page for page in told), "what may be shown is shown"


def test_the_trail_covers_every_door_and_a_changed_entry_breaks_it(rig: Rig) -> None:
    people = rig.state.people
    rig.signed_in("analyst").send("/decide", subject=rig.member(), verb="dismiss", reason="a class", kind="account")
    rig.organise("x", "Y")
    doors = {(e.what, e.how) for e in people.trail(limit=100)}
    assert {("person added", "command"), ("signed in", "console"), ("decision", "console"),
            ("account made", "command")} <= doors  # fmt: skip
    assert people.trail_broken() is None
    entries = people.trail(limit=1000)
    assert all(digest_of(e) == e.digest for e in entries)
    assert [e.before for e in entries[:-1]] == [e.digest for e in entries[1:]]
    db = rig.state.book
    with pytest.raises(Exception, match="can only be added to"):
        db.rows("UPDATE trail SET what = 'x' WHERE number = 2")
    with pytest.raises(Exception, match="can only be added to"):
        db.rows("DELETE FROM trail WHERE number = 2")
    db.rows("DROP TRIGGER trail_sealed")
    db.rows("UPDATE trail SET subject = 'somebody else' WHERE number = 2")
    assert people.trail_broken() == 2


def test_parts_of_lists_come_when_asked_for(still: Rig) -> None:
    viewer = still.signed_in("viewer")
    campaign = still.campaign(1)
    first = viewer.get(f"/campaign?id={campaign.id}")
    assert "Show more of 400" in first
    more = viewer.get(f"/members?id={campaign.id}&start=350")
    assert more.count("/account?name=") == 50 and "Show more" not in more
    found = viewer.client.get("/accounts?part=1&starts=" + still.member()[:8], headers={"hx-request": "true"}).text
    assert still.member() in found and "<html" not in found


def test_unknown_things_are_not_there_and_bad_numbers_are_refused(still: Rig) -> None:
    viewer = still.signed_in("viewer")
    assert "nothing is known of it" in viewer.get("/campaign?id=<script>", 404).replace("&#39;", "'")
    assert "<script>alert" not in viewer.get("/account?name=<script>alert(1)</script>", 404)
    viewer.get("/campaigns?start=x", 409)
    viewer.get("/scorecard?name=../../master.key", 404)
    assert viewer.client.get("/nowhere").status_code == 404
    assert viewer.client.get("/decide").status_code == 405


def test_skeletons_of_fewer_than_k_accounts_are_not_listed(tmp_path: Path) -> None:
    from stillwatch.app.consoleconfig import ConsoleConfig
    from stillwatch.app.settings import Settings

    for k, shown in ((5, True), (7, False)):
        settings = Settings(given={"console": ConsoleConfig(least_sharers=k)})
        with rigged(tmp_path / str(k), settings=settings, roles=("viewer",)) as rig:
            page = rig.signed_in("viewer").get(f"/campaign?id={rig.campaign().id}")
            assert "3fa9c1" in page and ("77d210" in page) is shown
