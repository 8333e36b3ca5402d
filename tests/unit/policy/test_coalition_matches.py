"""What other providers' word comes to: matched, counted per organisation, cleared at once, and never a refusal."""

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.policy.coalition import Trust, matched_accounts, recognise
from stillwatch.policy.config import PolicyConfig, read_policy
from stillwatch.policy.decide import decide
from stillwatch.policy.ladder import RULES
from stillwatch.policy.publish import publishable_tokens
from stillwatch.policy.rule import Rule
from stillwatch.store.tokenindex import SqliteTokens
from stillwatch.terms.action import ACTIONS, ON_A_MATCH, Held, Subject, Warned
from stillwatch.terms.coalition import Advisory, Holding
from stillwatch.terms.errors import StillwatchError

NOW = 1_800_000_000.0


def token(n: int) -> bytes:
    return n.to_bytes(16, "big")


def advisory(*numbers: int, kind: str = "payment", by: str = "org-a", **more: object) -> Advisory:
    given = {
        "id": f"{by}-{kind}",
        "campaign": f"{by}-c",
        "epoch": "e1",
        "valid_from": NOW - 10,
        "valid_until": NOW + 10,
    }
    tokens = b"".join(token(n) for n in sorted(numbers))
    return Advisory(organisation=by, kind=kind, tokens=tokens, **{**given, **more})  # type: ignore[arg-type]


def index(*holdings: tuple[str, str, int], group: bytes = b"") -> SqliteTokens:
    found = SqliteTokens(":memory:")
    found.add("e1", [Holding(account=a, kind=k, token=token(n), group=group) for a, k, n in holdings])
    return found


def test_an_account_with_a_published_token_matches_and_no_other_does() -> None:
    own = index(("thief", "payment", 1), ("honest", "payment", 2), ("other kind", "device", 1))
    found = recognise([advisory(1, 7)], own, Trust(), NOW)
    assert [one.account for one in found.matches] == ["thief"]
    assert found.matches[0].organisations == ("org-a",) and found.matches[0].families == ("payment",)


@pytest.mark.parametrize("change", [
    {"revoked": True}, {"disputed_by": ("org-z",)}, {"valid_until": NOW}, {"valid_from": NOW + 1}, {"epoch": "e2"},
])  # fmt: skip
def test_what_is_revoked_disputed_lapsed_or_of_another_epoch_matches_nobody(change: dict[str, object]) -> None:
    own = index(("thief", "payment", 1))
    assert recognise([advisory(1)], own, Trust(), NOW).matches
    found = recognise([replace(advisory(1), **change)], own, Trust(), NOW)  # type: ignore[arg-type]
    assert not found.matches
    assert change.keys() == {"epoch"} or found.set_aside


def test_corroboration_is_counted_per_organisation_and_only_of_those_trusted() -> None:
    own = index(("thief", "payment", 1))
    many = [advisory(1, by="org-a", id=f"a{n}", campaign=f"c{n}") for n in range(6)]
    assert recognise(many, own, Trust(), NOW).matches[0].organisations == ("org-a",)
    both = [*many, advisory(1, by="org-b")]
    assert recognise(both, own, Trust(), NOW).matches[0].organisations == ("org-a", "org-b")
    assert recognise(both, own, Trust(organisations=("org-b",)), NOW).matches[0].organisations == ("org-b",)
    assert recognise(both, own, Trust(own="org-a"), NOW).matches[0].organisations == ("org-b",)


def test_an_address_alone_matches_nobody_and_supports_what_else_matches() -> None:
    own = index(("thief", "payment", 1), ("thief", "address", 5), ("neighbour", "address", 5))
    found = recognise([advisory(1), advisory(5, kind="address")], own, Trust(), NOW).matches
    assert [(one.account, one.kinds) for one in found] == [("thief", ("address", "payment"))]


def test_a_template_needs_three_bands_of_one_text() -> None:
    def bands(group: bytes, *numbers: int) -> list[Holding]:
        return [Holding(account="a", kind="template", token=token(n), group=group) for n in numbers]

    assert matched_accounts("template", bands(b"t", 1, 2, 3)) == {"a"}
    assert matched_accounts("template", bands(b"t", 1, 2) + bands(b"u", 3, 4)) == set()
    assert matched_accounts("template", bands(b"t", 1, 1, 1, 2)) == set()


def test_what_matches_too_many_accounts_is_set_aside_for_a_person() -> None:
    crowd = [(f"acct-{n}", "payment", 1) for n in range(60)] + [(f"other-{n}", "payment", 100 + n) for n in range(540)]
    found = recognise([advisory(1)], index(*crowd), Trust(common_share=0.05), NOW)
    assert not found.matches and "too common" in found.set_aside[0].why
    assert len(recognise([advisory(1)], index(*crowd), Trust(common_share=0.2), NOW).matches) == 60
    split = [advisory(100 + n, id=f"small-{n}") for n in range(50)]
    assert len(recognise(split[:20], index(*crowd), Trust(), NOW).matches) == 20
    both = [*split, advisory(539, by="org-b")]
    assert [one.account for one in recognise(both, index(*crowd), Trust(), NOW).matches] == ["other-439"]


def test_an_organisations_quota_bounds_what_it_can_have_looked_at() -> None:
    own = index(("x", "payment", 1), ("y", "payment", 9))
    two = [advisory(1, id="a", valid_from=NOW - 9), advisory(9, id="b", valid_from=NOW - 8)]
    found = recognise(two, own, Trust(most_tokens=1), NOW)
    assert [one.account for one in found.matches] == ["x"] and "beyond 1 tokens" in found.set_aside[0].why


def test_only_what_is_the_campaigns_own_and_no_crowds_is_published() -> None:
    members = [f"m{n:02}" for n in range(25)]
    rows = [Holding(account=m, kind="address", token=token(1)) for m in members]
    rows += [Holding(account=m, kind="address", token=token(2)) for m in members[:19]]
    rows += [Holding(account=m, kind="template", token=token(3), group=b"g") for m in members[:20]]
    rows += [Holding(account=members[0], kind="payment", token=token(4))]
    rows += [
        Holding(account=members[1], kind="payment", token=token(5)),
        Holding(account="honest", kind="payment", token=token(5)),
    ]
    rows += [Holding(account=f"h{n}", kind="template", token=token(99), group=b"h") for n in range(400)]
    found = publishable_tokens(rows, members)
    assert found == {"address": token(1), "payment": token(4), "template": token(3)}


def warned(organisations: int = 3) -> Warned:
    return Warned(
        account="a", organisations=organisations, families=("payment",), since=0.0, effective=NOW - 5, expires=NOW + 5
    )


@given(
    action=st.sampled_from(ACTIONS), organisations=st.integers(1, 9), needs=st.sampled_from(["coalition"]),
)  # fmt: skip
def test_no_rule_can_be_written_that_refuses_or_worsens_on_others_word(
    action: str, organisations: int, needs: str
) -> None:
    slow = {"rate_share": 0.5} if action == "slow" else {}
    rule = Rule(name="r", action=action, needs=needs, min_organisations=organisations, expires_days=3.0, **slow)  # type: ignore[arg-type]
    if action in ON_A_MATCH:
        PolicyConfig(rules=(rule,))
    else:
        with pytest.raises(StillwatchError, match="word may only|before a person confirmed"):
            PolicyConfig(rules=(rule,))


def test_under_the_shipped_ladder_a_match_of_any_number_is_never_more_than_a_step_up() -> None:
    for shadow, organisations, decided in product((True, False), (1, 2, 9), ("", "release", "dismiss")):
        ladder = PolicyConfig(shadow=shadow, rules=tuple(replace(r, shadow=False) if not shadow else r for r in RULES))
        subject = Subject(account="a", warned=warned(organisations), decided=decided, decision_expires=NOW + 5)
        order = decide(subject, ladder, NOW)
        assert order.kind in ON_A_MATCH
        if decided:
            assert order.kind == "allow"
        elif organisations >= 2:
            assert (order.kind, order.rule, order.ask) == ("challenge", "coalition-corroborated", "payment")
        else:
            assert (order.kind, order.rule) == ("mark", "coalition")


def test_a_match_gives_a_verdict_no_strength_and_its_end_ends_the_order() -> None:
    rules = (
        Rule(name="v", action="slow", rate_share=0.5, expires_days=9.0, min_log_e=5.0),
        Rule(name="c", action="mark", needs="coalition", expires_days=9.0),
    )
    config = PolicyConfig(rules=rules, shadow=False)
    held = Held(account="a", log_e=4.0, accused=True, campaign=None, since=0.0, effective=NOW - 9, expires=NOW + 99)
    both = Subject(account="a", held=held, warned=warned())
    assert decide(both, config, NOW).rule == "c"
    assert decide(both, config, NOW + 6).rule == ""  # the warning lapsed; the verdict is too weak as it was
    assert decide(replace(both, warned=None), config, NOW).rule == ""
    assert decide(both, config, NOW - 6).rule == ""  # not in effect yet


def test_settings_say_what_such_a_rule_may_say() -> None:
    table = {
        "rule": [
            {"name": "two", "action": "challenge", "needs": "coalition", "min_organisations": 2, "expires_days": 3}
        ]
    }
    assert read_policy(table).rules[0].min_organisations == 2
    for wrong in ({"min_organisations": 0}, {"min_organisations": 1.5}, {"min_log_e": 3.0}, {"needs": "verdict"}):
        with pytest.raises(StillwatchError):
            read_policy({"rule": [{**table["rule"][0], **wrong}]})
