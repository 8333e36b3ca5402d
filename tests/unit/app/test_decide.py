"""Decisions: on a verdict that is in force, for whom, until when; a person's word is never undone by accident."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.app.accounts import set_account
from stillwatch.app.appeals import Answer, account_told, answer_appeal, open_appeal
from stillwatch.app.decide import DAY, Ask, Decided, decide, waiting
from stillwatch.app.subjects import Claim, claims_of_held, matching, merged
from stillwatch.gateway.desk import MemoryDesk
from stillwatch.gateway.ports import Caller
from stillwatch.policy.config import PolicyConfig
from stillwatch.policy.decisions import in_force
from stillwatch.store.controlmemory import MemoryControl
from stillwatch.terms.action import CLEARING, VERBS, Held
from stillwatch.terms.errors import StillwatchError

NOW = 1_000_000.0


def held(account: str, log_e: float = 12.0, campaign: str | None = "C-1", **more: object) -> Held:
    made = Held(account=account, log_e=log_e, accused=True, campaign=campaign, since=NOW - 9e3, effective=NOW - 5e3,
                expires=NOW + 7 * DAY)  # fmt: skip
    return replace(made, **more)  # type: ignore[arg-type]


CLAIMS = claims_of_held([
    held("a"), held("b", 15.0), held("c"), held("alone", campaign=None), held("close", 1.0, None, accused=False),
    held("old", campaign="C-0", expires=NOW - 1),
])  # fmt: skip


def ask(subject: str, verb: str = "confirm", **more: object) -> Ask:
    return replace(Ask(subject=subject, verb=verb, by="ada", reason="looked at it"), **more)  # type: ignore[arg-type]


def made(book: MemoryControl, *given: object, now: float = NOW, **more: object) -> Decided:
    return decide(book, ask(*given, **more), CLAIMS, now)  # type: ignore[arg-type]


def force(book: MemoryControl, now: float = NOW) -> dict[str, str]:
    return {account: d.verb for account, d in in_force(book.decisions(), now).items()}


def test_a_campaign_is_confirmed_for_its_accounts_as_they_stand_and_nobody_else() -> None:
    book = MemoryControl()
    done = made(book, "C-1")
    assert (done.decision.kind, done.decision.accounts) == ("campaign", ("b", "a", "c"))
    assert done.decision.receipt == matching(CLAIMS, "C-1")[0].receipt != ""
    assert done.decision.expires == NOW + 30 * DAY
    assert force(book) == {"a": "confirm", "b": "confirm", "c": "confirm"}
    assert force(book, NOW + 30 * DAY) == {}


def test_the_receipt_pins_what_was_published() -> None:
    other = claims_of_held([held("a", 12.5), held("b", 15.0), held("c")])
    assert matching(other, "C-1")[0].receipt != matching(CLAIMS, "C-1")[0].receipt
    assert matching(claims_of_held([held("a")]), "a")[0].receipt == matching(CLAIMS, "a")[0].receipt


@pytest.mark.parametrize(
    ("subject", "part"),
    [("nobody", "nothing is held against"), ("close", r"\+1.0 nats\) but is not accused"), ("old", "lapsed")],
)
def test_nobody_is_confirmed_without_a_verdict_in_force_unless_it_is_said(subject: str, part: str) -> None:
    book = MemoryControl()
    with pytest.raises(StillwatchError, match=part) as caught:
        made(book, subject)
    assert "--without-verdict" in str(caught.value) and book.decisions() == ()
    assert made(book, subject, without_verdict=True).decision.accounts == (subject,)


def test_an_account_that_named_itself_oddly_can_still_be_decided_on() -> None:
    book, odd = MemoryControl(), "a\x1b[2J\n"
    assert decide(book, ask(odd), claims_of_held([held(odd)]), NOW).decision.accounts == (odd,)
    with pytest.raises(StillwatchError):
        made(book, odd, without_verdict=True)


def test_an_id_that_is_an_account_and_a_campaign_is_asked_back() -> None:
    book, claims = MemoryControl(), claims_of_held([held("x", campaign="x"), held("y", campaign="x")])
    with pytest.raises(StillwatchError, match="both an account and a campaign.*--kind"):
        decide(book, ask("x"), claims, NOW)
    assert decide(book, ask("x", kind="account"), claims, NOW).decision.accounts == ("x",)
    assert set(decide(book, ask("x", kind="campaign"), claims, NOW).decision.accounts) == {"x", "y"}


def test_confirming_a_campaign_leaves_out_whom_a_person_cleared() -> None:
    book = MemoryControl()
    made(book, "a", "dismiss")
    done = made(book, "C-1")
    assert done.cleared == ("a",) and force(book) == {"a": "dismiss", "b": "confirm", "c": "confirm"}
    assert made(book, "C-1", include_cleared=True).cleared == ()
    assert force(book)["a"] == "confirm"


def test_confirming_a_campaign_of_cleared_accounts_only_is_refused() -> None:
    book = MemoryControl()
    for account in "abc":
        made(book, account, "release")
    with pytest.raises(StillwatchError, match="cleared every account.*--include-cleared"):
        made(book, "C-1")


def test_a_person_can_confirm_an_account_that_was_cleared_by_naming_it() -> None:
    book = MemoryControl()
    made(book, "a", "dismiss")
    done = made(book, "a")
    assert [d.verb for d in done.replaced] == ["dismiss"] and force(book)["a"] == "confirm"


def test_a_campaign_is_released_with_those_who_left_it_since() -> None:
    book = MemoryControl()
    made(book, "C-1")
    later = claims_of_held([held("a"), held("d")])
    done = decide(book, ask("C-1", "release"), later, NOW + 1)
    assert set(done.decision.accounts) == {"a", "b", "c", "d"} and set(force(book, NOW + 1).values()) == {"release"}


def test_what_was_decided_can_be_undone_after_its_verdict_is_gone() -> None:
    book = MemoryControl()
    made(book, "C-1")
    decide(book, ask("b", "release"), (), NOW + 1)
    assert force(book, NOW + 1) == {"a": "confirm", "b": "release", "c": "confirm"}
    decide(book, ask("C-1", "release"), (), NOW + 2)
    assert set(force(book, NOW + 2).values()) == {"release"}
    with pytest.raises(StillwatchError, match="nothing is held"):
        decide(book, ask("nobody", "release"), (), NOW)


def test_a_dry_run_keeps_nothing_and_says_the_same() -> None:
    book = MemoryControl()
    set_account(book, "a", {"unmodified": True})
    generation = book.generation()
    tried = decide(book, ask("C-1"), CLAIMS, NOW, dry_run=True)
    assert book.generation() == generation and tried.decision.id == 0
    assert replace(made(book, "C-1").decision, id=0) == tried.decision
    assert tried.unmodified == ("a",), "a promise of unchanged answers is named"


@pytest.mark.parametrize(
    "wrong",
    [
        {"by": " "}, {"reason": ""}, {"days": 0.0}, {"days": float("nan")}, {"days": 1e9}, {"verb": "hang"},
        {"reason": "a\nb"}, {"reason": "key sk-proj-abcdefghijklmnopq"}, {"subject": ""}, {"by": "x" * 251},
    ],
    ids=str,
)  # fmt: skip
def test_an_incomplete_ask_is_refused(wrong: dict[str, object]) -> None:
    book = MemoryControl()
    with pytest.raises(StillwatchError) as caught:
        decide(book, replace(ask("a"), **wrong), CLAIMS, NOW)  # type: ignore[arg-type]
    assert book.decisions() == () and "sk-proj" not in str(caught.value)


@given(steps=st.lists(st.tuples(st.sampled_from(["a", "b", "C-1"]), st.sampled_from(VERBS)), max_size=6))
def test_no_order_of_decisions_confirms_a_campaign_member_whom_a_person_had_cleared(
    steps: list[tuple[str, str]],
) -> None:
    book = MemoryControl()
    cleared: set[str] = set()
    for number, (subject, verb) in enumerate(steps):
        decide(book, ask(subject, verb), CLAIMS, NOW + number)
        if subject != "C-1":
            (cleared.add if verb in CLEARING else cleared.discard)(subject)
        elif verb in CLEARING:
            cleared.clear()  # decided on as a whole: the next word on the campaign holds for all
        verdicts = force(book, NOW + number)
        assert all(verdicts[account] != "confirm" for account in cleared)


def test_what_waits_is_listed_once_strongest_first_until_it_is_decided() -> None:
    book = MemoryControl()
    listed = [(c.kind, c.subject) for c in waiting(CLAIMS, book.decisions(), NOW)]
    assert listed == [("campaign", "C-1"), ("account", "alone")]
    made(book, "C-1")
    assert [c.subject for c in waiting(CLAIMS, book.decisions(), NOW)] == ["alone"]
    assert len(waiting(CLAIMS, book.decisions(), NOW + 31 * DAY)) == 0, "lapsed verdicts wait for nobody"
    grown = claims_of_held([held("a"), held("new")])
    assert [c.subject for c in waiting(grown, book.decisions(), NOW)] == ["C-1"], "a new member waits again"


def test_a_report_adds_members_and_its_receipt_to_what_is_published() -> None:
    live = claims_of_held([held("a")])
    report = (Claim(subject="C-1", kind="campaign", accounts=("a", "z"), log_e=20.0, accused=True, since=NOW,
                    expires=float("inf"), receipt="r", source="report"),)  # fmt: skip
    both = matching(merged(live, report), "C-1")[0]
    assert (both.accounts, both.receipt, both.expires, both.source) == (("a", "z"), "r", NOW + 7 * DAY, "published")
    assert merged((), report) == report


def test_to_grant_an_appeal_releases_its_account_and_nobody_else() -> None:
    book = MemoryControl()
    made(book, "C-1")
    opened = open_appeal(book, "a", "this is our evaluation suite", NOW)
    done = answer_appeal(book, Answer(id=opened.id, grant=True, by="bo", reason="seen the contract"), NOW + 1)
    assert done.appeal.state == "granted" and set(done.also) == {"b", "c"}
    assert force(book, NOW + 1) == {"a": "release", "b": "confirm", "c": "confirm"}
    assert opened.id in book.decisions()[-1].reason
    with pytest.raises(StillwatchError, match="was granted by bo"):
        answer_appeal(book, Answer(id=opened.id, grant=False, by="bo", reason="no"), NOW + 2)


def test_a_refused_appeal_changes_no_decision_and_a_new_one_can_be_opened() -> None:
    book = MemoryControl()
    made(book, "a")
    opened = open_appeal(book, "a", "", NOW)
    with pytest.raises(StillwatchError, match="is open; answer that one first"):
        open_appeal(book, "a", "", NOW)
    done = answer_appeal(book, Answer(id=opened.id, grant=False, by="bo", reason="no contract"), NOW)
    assert done.release is None and force(book) == {"a": "confirm"}
    assert open_appeal(book, "a", "again", NOW).state == "open"


def test_the_id_that_a_caller_was_told_leads_to_its_account(tmp_path: object) -> None:
    book, secret = MemoryControl(), b"k" * 32
    made(book, "C-1")
    desk = MemoryDesk(book, tmp_path / "none.json", PolicyConfig(), secret)  # type: ignore[operator]
    desk.refresh(NOW)
    told = desk.standing(Caller(account="b", key_id="k"), NOW).appeal
    assert told.startswith("ap_")
    assert account_told(told, book, {}, secret) == "b"
    with pytest.raises(StillwatchError, match="no account here was told"):
        account_told("ap_0000", book, {}, secret)


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"country": "Germany"}, "two capital letters"), ({"workload": "mining"}, "must be one of"),
        ({"workload": "research"}, "needs a quota"), ({"workload_tokens": 5}, "needs a workload"),
        ({"payment": "4111 1111 1111 1111"}, "card number"), ({"verified": ("soul",)}, "must be among"),
        ({"colour": "red"}, "is no field"), ({"plan": "a\x1bb"}, "control characters"),
    ],
)  # fmt: skip
def test_an_account_is_not_set_to_what_it_cannot_be(changes: dict[str, object], part: str) -> None:
    book = MemoryControl()
    with pytest.raises(StillwatchError, match=part) as caught:
        set_account(book, "a", changes)
    assert book.accounts() == () and "4111" not in str(caught.value)


def test_an_account_is_set_a_field_at_a_time() -> None:
    book = MemoryControl()
    set_account(book, "a", {"plan": "pro", "unmodified": True})
    record = set_account(book, "a", {"workload": "research", "workload_tokens": 5, "verified": ("contact",)})
    assert (record.plan, record.unmodified, record.workload_tokens, record.verified) == ("pro", True, 5, ("contact",))
    assert book.accounts() == (record,)
