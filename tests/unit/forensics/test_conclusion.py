import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.forensics.conclusion import conclude
from stillwatch.forensics.planned import denominator_problems, finding_problems, protocol_problems, recomputed_problems
from stillwatch.stats.multiplicity import holm_adjusted
from stillwatch.terms.canon import exact
from stillwatch.terms.finding import Finding
from stillwatch.terms.protocol import Denominator
from tests.proof_rig import canary_test, planned

ALPHA = 1e-6


def found(log_p: float | None, kind: str = "canary", test: str = "t1", **more: object) -> Finding:
    return Finding(
        test=test, exam="canary", kind=kind, null="null", statistic="s", n=1, unit="canaries", access="text",
        log_p=None if log_p is None else exact(log_p), parameters=canary_test().parameters, **more,  # type: ignore[arg-type]
    )  # fmt: skip


def family(size: int):  # type: ignore[no-untyped-def]
    return planned(canary_test(family=size))


@given(st.lists(st.floats(1e-12, 1.0), min_size=1, max_size=12), st.integers(0, 20), st.integers(1, 4))
def test_adjusted_p_values_are_holms_over_all_that_was_planned(ps: list[float], more: int, protocols: int) -> None:
    """Second route: `stats.multiplicity.holm_adjusted` over the p-values padded with ones."""
    logs = [found(math.log(p), subject=str(n)) for n, p in enumerate(ps)]
    done = conclude(family(len(ps) + more), logs, protocols)
    padded = np.array([*ps, *[1.0] * more])
    wanted = np.minimum(1.0, protocols * np.sort(holm_adjusted(padded))[: len(ps)])
    got = [math.exp(float.fromhex(one.adjusted_log_p)) for one in done.judged]
    assert got == pytest.approx(list(wanted), rel=1e-9)


@settings(max_examples=6, deadline=None)
@given(st.integers(1, 20), st.integers(0, 2**32))
def test_innocent_suspects_are_accused_at_most_at_the_promised_rate(size: int, seed: int) -> None:
    """Uniform p-values: of 200 examinations at most a share of alpha plus six standard errors rejects (p < 1e-8)."""
    rng = np.random.default_rng(seed)
    alpha, runs = 0.05, 200
    protocol = replace(family(size), alpha=str(alpha))
    wrong = 0
    for row in rng.random((runs, size)):
        done = conclude(protocol, [found(math.log(p), subject=str(n)) for n, p in enumerate(row)])
        wrong += done.verdict == "shown"
    assert wrong / runs <= alpha + 6 * math.sqrt(alpha * (1 - alpha) / runs)


def test_verdict_is_one_of_three_with_its_exit_code() -> None:
    shown = conclude(family(1), [found(-20.0)])
    assert (shown.verdict, shown.exit_code, shown.words) == (
        "shown",
        1,
        "Copying shown at error rate 1e-6, by canaries.",
    )
    not_shown = conclude(family(1), [found(-5.0, least_log_p=exact(-90.0))])
    assert (not_shown.verdict, not_shown.exit_code) == ("not shown", 0)
    assert "no proof of the contrary" in not_shown.words
    for logs in ([found(-5.0, least_log_p=exact(-10.0))], [found(None, skipped="no vault")], []):
        little = conclude(family(1), logs)
        assert (little.verdict, little.exit_code) == ("too little", 3)


@pytest.mark.parametrize("kinds", [("mark",), ("served",), ("mark", "served")])
def test_marks_alone_are_never_called_proof(kinds: tuple[str, ...]) -> None:
    done = conclude(family(4), [found(-40.0, kind) for kind in kinds])
    assert done.mark_only and "mark only" in done.words and "not called proof" in done.words
    both = conclude(family(4), [*(found(-40.0, kind) for kind in kinds), found(-40.0, "canary")])
    assert not both.mark_only and both.words == "Copying shown at error rate 1e-6, by canaries and marks."


def test_identity_and_unplanned_bets_and_skipped_findings_never_count() -> None:
    for one in (found(-90.0, "identity"), found(None, nats=exact(90.0)), found(-90.0, skipped="chance misfits")):
        assert conclude(family(1), [one]).verdict == "too little"
    bet = planned(canary_test(bet="against a fair coin"))
    done = conclude(bet, [found(None, nats=exact(20.0))])
    assert done.verdict == "shown" and float.fromhex(done.judged[0].log_p) == -20.0


def test_more_hypotheses_and_more_protocols_cost() -> None:
    edge = math.log(ALPHA) - 1e-9
    assert conclude(family(1), [found(edge)]).verdict == "shown"
    assert conclude(family(2), [found(edge)]).verdict != "shown"
    assert conclude(family(1), [found(edge)], protocols=2).verdict != "shown"


def test_findings_that_were_not_planned_are_told() -> None:
    protocol = family(1)
    assert finding_problems(protocol, [found(-1.0)]) == ()
    wrong = {
        "was not planned": [found(-1.0), found(-1.0, test="t9")],
        "parameters are not those": [replace(found(-1.0), parameters={})],
        "is of exam": [replace(found(-1.0), exam="other")],
        "were used": [replace(found(-1.0), n=33)],
        "has no finding": [],
        "hypotheses were tested": [found(-1.0, subject="a"), found(-1.0, subject="b")],
        "no bet was planned": [found(None, nats=exact(1.0))],
        "log_p is out of range": [found(1.0)],
        "triage and has no p-value": [found(-1.0, "identity")],
        "has 2 findings": [found(-1.0), replace(found(-1.0), skipped="x")],
    }
    for what, findings in wrong.items():
        assert any(what in problem for problem in finding_problems(protocol, findings)), what


def test_unsound_protocols_are_told() -> None:
    assert protocol_problems(family(1)) == ()
    for changed in (
        replace(family(1), alpha="0"), replace(family(1), alpha="often"), replace(family(1), tests=()),
        replace(family(1), multiplicity="none"), replace(family(1), question=""),
        replace(family(1), authority=replace(family(1).authority, kind="king")),
        replace(family(1), authority=replace(family(1).authority, by="")),
        planned(canary_test(hypothesis="h9")), planned(canary_test(), canary_test()), planned(canary_test(samples=0)),
    ):  # fmt: skip
        assert protocol_problems(changed)


def test_fewer_hypotheses_than_secrets_are_told() -> None:
    held = (Denominator(kind="canary", count=64, size=9, groups={"subject a": 32, "subject b": 32}),)
    protocol = replace(family(2), denominators=held)
    assert denominator_problems(protocol, held) == ()
    assert denominator_problems(replace(family(1), denominators=held), held)
    assert denominator_problems(family(2), held), "a protocol that does not say how many there were"
    assert denominator_problems(replace(protocol, denominators=()), ()), "secrets that nobody committed to"
    keys = (Denominator(kind="mark-key", count=5, size=9, groups={"account": 4, "provider": 1}),)
    for groups, least in ((("provider",), 1), (("account",), 4), ((), 5)):
        for size in (least - 1, least):
            test = canary_test(secrets="mark-key", groups=groups, family=max(1, size))
            problems = denominator_problems(replace(planned(test), denominators=keys), keys)
            assert bool(problems) == (max(1, size) < least)


def test_numbers_computed_again_may_differ_in_their_last_bits_alone() -> None:
    one = found(-20.0, observed={"hits": 3, "z": exact(1.5)})
    near = replace(one, log_p=exact(math.nextafter(-20.0, 0.0)), observed={"hits": 3, "z": exact(1.5 + 1e-12)})
    assert recomputed_problems([one], [near]) == ()
    for other in (
        replace(one, log_p=exact(-20.0001)), replace(one, observed={"hits": 4, "z": exact(1.5)}),
        replace(one, power="none"), replace(one, log_p=None), replace(one, n=2),
    ):  # fmt: skip
        assert recomputed_problems([one], [other])
    assert recomputed_problems([one], []) and recomputed_problems([one], [replace(one, subject="x")])
