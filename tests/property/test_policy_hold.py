"""Verdicts are entered when accused, left well below, lapse by themselves, and never flicker."""

from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.policy.config import PolicyConfig
from stillwatch.policy.hold import DAY, Judged, Round, hold
from stillwatch.terms.action import Held

KEY = b"k" * 32
CONFIG = PolicyConfig(batch_seconds=100.0, jitter_seconds=400.0, hold_days=2.0)
THRESHOLD = 10.0


def _rounds(strengths: list[float | None], every: float, config: PolicyConfig = CONFIG) -> list[dict[str, Held]]:
    """Judge one account again and again; None is a judgement that does not mention it."""
    held: dict[str, Held] = {}
    last, found = 0.0, []
    for i, log_e in enumerate(strengths):
        now = 1_000.0 + i * every
        judged = [] if log_e is None else [
            Judged(account="a", log_e=log_e, accused=log_e >= THRESHOLD, campaign="c", threshold=THRESHOLD)
        ]  # fmt: skip
        held = hold(held, judged, config, Round(now=now, last=last, key=KEY))
        last = now
        found.append(held)
    return found


STRENGTHS = st.lists(st.none() | st.floats(-5.0, 20.0), min_size=1, max_size=30)


@given(STRENGTHS)
@settings(max_examples=200)
def test_only_who_was_accused_is_ever_held_and_the_beginning_stays(strengths: list[float | None]) -> None:
    since = None
    for i, held in enumerate(_rounds(strengths, 50.0)):
        if held:
            one = held["a"]
            assert any(s is not None and s >= THRESHOLD for s in strengths[: i + 1])
            assert one.accused and one.since < one.effective
            assert one.since in (since, 1_000.0 + i * 50.0)
            since = one.since


@given(st.lists(st.floats(THRESHOLD / 2, 20.0), min_size=1, max_size=40))
def test_evidence_that_wavers_above_half_of_the_threshold_never_releases(strengths: list[float]) -> None:
    rounds = _rounds([THRESHOLD, *strengths], DAY)
    assert all(held["a"].since == 1_000.0 and held["a"].effective == rounds[0]["a"].effective for held in rounds)


@given(st.floats(-5.0, THRESHOLD / 2 - 0.01))
def test_evidence_below_half_releases_late_and_for_good(low: float) -> None:
    rounds = _rounds([THRESHOLD] + [low] * 30, 50.0)
    leaves = rounds[1]["a"].expires
    latest = 1_050.0 + CONFIG.batch_seconds + CONFIG.jitter_seconds
    assert 1_050.0 < leaves <= latest
    for i, held in enumerate(rounds[1:], start=1):
        assert ("a" in held) == (1_000.0 + 50.0 * i < leaves)
        assert not held or held["a"].expires == leaves  # judged again, it is not put off


def test_who_is_accused_again_before_leaving_stays_with_the_same_beginning() -> None:
    rounds = _rounds([THRESHOLD, 0.0, THRESHOLD], 50.0)
    assert rounds[2]["a"].since == 1_000.0
    assert rounds[2]["a"].expires > rounds[1]["a"].expires


@given(st.integers(0, 5))
def test_a_verdict_that_no_judgement_mentions_lapses(extra: int) -> None:
    silent: list[float | None] = [THRESHOLD, *([None] * (4 + extra))]
    rounds = _rounds(silent, DAY)
    expires = rounds[0]["a"].expires
    assert [bool(held) for held in rounds] == [1_000.0 + i * DAY < expires for i in range(len(silent))]


@given(STRENGTHS)
@settings(max_examples=100)
def test_the_strength_that_rules_see_is_read_again_only_once_a_turn(strengths: list[float | None]) -> None:
    rounds = _rounds([THRESHOLD, *strengths], 25.0)
    moved = [i for i in range(1, len(rounds)) if rounds[i] and rounds[i - 1]
             and rounds[i]["a"].since == rounds[i - 1]["a"].since
             and rounds[i]["a"].log_e != rounds[i - 1]["a"].log_e]  # fmt: skip
    turn = CONFIG.batch_seconds + CONFIG.jitter_seconds
    assert all((b - a) * 25.0 > turn - 25.0 for a, b in zip(moved, moved[1:], strict=False))


def test_a_restart_changes_nothing() -> None:
    judged = [Judged(account=f"a{i}", log_e=12.0, accused=True, campaign="c", threshold=10.0) for i in range(20)]
    this = Round(now=5_000.0, last=0.0, key=KEY)
    assert hold({}, judged, CONFIG, this) == hold({}, reversed(judged), CONFIG, this)
    assert hold({}, judged, CONFIG, this) != hold({}, judged, CONFIG, Round(now=5_000.0, last=0.0, key=b"other"))
