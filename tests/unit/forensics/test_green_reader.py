"""Marked text is read back and named; innocent text is not; refusals say what to do."""

import math
from itertools import pairwise

import numpy as np
import pytest

from stillwatch.forensics.marks import accounts
from stillwatch.forensics.marks.accounts import read_accounts, read_campaigns
from stillwatch.forensics.marks.green import GreenText, read_owner
from stillwatch.forensics.marks.pairs import TokenText
from stillwatch.forensics.marks.reading import Reading, holm
from stillwatch.terms.errors import StillwatchError
from tests.marked_text import VOCAB, an_epoch, innocent, marked

EPOCH = an_epoch(20, delta=2.0, vocab=VOCAB)
NAMES = [f"account-{number}" for number in range(2_000)]
TAGS = [EPOCH.tag("account", name) for name in NAMES]
CAMPAIGNS = [EPOCH.tag("campaign", f"campaign-{number}") for number in range(200)]


def read(documents: list[list[int]], prompts: list[list[int]] | None = None) -> GreenText:
    return GreenText.of(TokenText.of(documents), EPOCH, prompts=TokenText.of(prompts) if prompts else None)


def rng() -> np.random.Generator:
    return np.random.default_rng(77)


def by_name(readings: tuple[Reading, ...]) -> dict[str, Reading]:
    return {reading.key_name: reading for reading in readings}


ALONE = marked(np.random.default_rng(1), 1_200, EPOCH, "account-7")
TOGETHER = marked(np.random.default_rng(2), 1_200, EPOCH, "account-7", "campaign-3")


def test_text_of_an_account_is_read_at_every_tier_it_carries() -> None:
    found = by_name(read_owner(read([ALONE]), rng(), account=TAGS[7], campaign=CAMPAIGNS[3]))
    for name in ("provider", "account", "account, campaign contexts too", "all tiers, no campaign"):
        assert found[name].fits and found[name].log10_p < -6, name
    assert found["campaign"].log10_p > -4
    assert min(found.values(), key=lambda one: one.log_p).key_name == "all tiers, no campaign"


def test_text_of_a_campaign_is_read_under_its_campaign() -> None:
    found = by_name(read_owner(read([TOGETHER]), rng(), account=TAGS[7], campaign=CAMPAIGNS[3]))
    assert found["campaign"].log10_p < -6 and found["account"].log10_p < -6
    assert min(found.values(), key=lambda one: one.log_p).key_name == "all tiers"
    assert found["all tiers"].dummy_p == pytest.approx(1 / 1_025)


def test_text_marked_for_nobody_carries_the_provider_key_everywhere() -> None:
    text = read([marked(np.random.default_rng(3), 600, EPOCH)])
    found = by_name(read_owner(text, rng()))
    assert found["provider, every context"].log_p < found["provider"].log_p < math.log(1e-6)
    assert found["provider, every context"].scored == int(text.scored.sum())


def test_wrong_owners_and_wrong_epochs_read_as_chance() -> None:
    readings = read_owner(read([ALONE]), rng(), account=TAGS[8], campaign=CAMPAIGNS[4])
    assert all(one.log10_p > -5 for one in readings if one.key_name in ("account", "campaign"))
    other = GreenText.of(TokenText.of([ALONE]), an_epoch(21, vocab=VOCAB))
    assert holm(read_owner(other, rng(), account=TAGS[7])).min() > math.log(1e-4)


@pytest.mark.parametrize("text", [ALONE, TOGETHER], ids=["alone", "in a campaign"])
def test_the_right_account_is_named_and_nobody_else(text: list[int]) -> None:
    found = read_accounts(read([text]), TAGS, rng())
    assert found.fits and found.named(1e-6) == (TAGS[7],)


def test_the_right_campaign_is_named_and_only_where_there_was_one() -> None:
    assert read_campaigns(read([TOGETHER]), CAMPAIGNS, rng()).named(1e-3) == (CAMPAIGNS[3],)
    assert read_campaigns(read([ALONE]), CAMPAIGNS, rng()).named(1e-3) == ()


def test_search_counts_as_single_readings_do() -> None:
    text = read([ALONE])
    found = read_accounts(text, TAGS[:20], rng())
    for i in (0, 7):
        single = by_name(read_owner(text, rng(), account=TAGS[i]))
        assert (found.hits[0, i], found.scored[0]) == (single["account"].hits, single["account"].scored)
        both = single["account, campaign contexts too"]
        assert (found.hits[1, i], found.scored[1]) == (both.hits, both.scored)
        least = min(single["account"].log_p, both.log_p)
        assert found.log_p[i] == pytest.approx(min(0.0, least + math.log(2)))


def test_a_search_in_rounds_finds_the_same_account_and_never_says_more(monkeypatch: pytest.MonkeyPatch) -> None:
    text = read([ALONE])
    whole = read_accounts(text, TAGS, rng())
    monkeypatch.setattr(accounts, "ROUND_MIXES", 200_000)
    screened = read_accounts(text, TAGS, rng())
    assert screened.named(1e-6) == whole.named(1e-6) == (TAGS[7],)
    tried = screened.hits[0] >= 0
    assert tried.sum() == 2_000 // 5 // 5 and np.array_equal(screened.log_p[tried], whole.log_p[tried])
    assert not screened.log_p[~tried].any() and bool((screened.adjusted >= whole.adjusted - 1e-12).all())


def test_no_innocent_is_named_in_forty_searches_of_innocent_text() -> None:
    for seed in range(40):
        text = read([innocent(np.random.default_rng(seed), 3_000).tolist()])
        assert read_accounts(text, TAGS, rng()).named(1e-3) == ()


def test_a_model_that_copies_marked_prompts_is_cleared_by_handing_them_in() -> None:
    copied = [ALONE[start : start + 60] for start in range(0, 1_200, 60)]
    accused = by_name(read_owner(read(copied), rng(), account=TAGS[7]))["all tiers, no campaign"]
    cleared = read(copied, prompts=copied)
    assert accused.log10_p < -6 and int(cleared.scored.sum()) == 0
    assert cleared.excluded == cleared.seen == 20 * 59
    readings = read_owner(cleared, rng(), account=TAGS[7])
    assert all(one.log_p == 0.0 and not one.fits and "more text" in one.why for one in readings)


def test_documents_may_come_in_any_order_and_any_number_of_times() -> None:
    parts = [ALONE[:400], ALONE[400:800], ALONE[800:]]
    once = read_owner(read(parts), rng(), account=TAGS[7])
    again = read_owner(read([*parts[::-1], *parts, *parts]), rng(), account=TAGS[7])
    assert [(one.hits, one.scored, one.log_p) for one in once] == [(one.hits, one.scored, one.log_p) for one in again]


def test_p_stays_finite_however_deep() -> None:
    deep = [token for seed in range(4) for token in marked(np.random.default_rng(seed), 2_500, EPOCH, "account-7")]
    found = by_name(read_owner(read([deep]), rng(), account=TAGS[7]))["all tiers, no campaign"]
    assert -math.inf < found.log_p < math.log(1e-300)


@pytest.mark.parametrize(("documents", "says"), [
    ([[1, 2, VOCAB]], "tokeniser"), ([[-1, 2, 3]], "tokeniser"),
])  # fmt: skip
def test_tokens_of_another_vocabulary_are_refused(documents: list[list[int]], says: str) -> None:
    with pytest.raises(StillwatchError, match=says):
        read(documents)


def test_refusals_say_what_to_do() -> None:
    with pytest.raises(StillwatchError, match="give one for each"):
        read([[1, 2, 3], [4, 5]], prompts=[[1]])
    with pytest.raises(StillwatchError, match="needs `green`"):
        GreenText.of(TokenText.of([[1, 2]]), an_epoch(scheme="gumbel"), vocab=9)
    with pytest.raises(StillwatchError, match="vocabulary 0"):
        GreenText.of(TokenText.of([[1, 2]]), an_epoch())
    with pytest.raises(StillwatchError, match="width 1"):
        GreenText.of(TokenText.of([[1, 2, 3]]), an_epoch(width=2), vocab=2**22)


@pytest.mark.parametrize("documents", [[], [[]], [[1]], [[], [5], []]])
def test_text_too_short_to_score_claims_nothing(documents: list[list[int]]) -> None:
    text = read(documents)
    readings = read_owner(text, rng(), account=TAGS[0])
    assert all(one.scored == 0 and one.log_p == 0.0 and not one.fits for one in readings)
    assert read_accounts(text, TAGS[:3], rng()).named(0.5) == ()


def test_nothing_secret_and_no_text_shows_in_a_reading() -> None:
    text = read([ALONE])
    readings = read_owner(text, rng(), account=TAGS[7])
    shown = repr(text) + repr(readings) + repr(read_accounts(text, TAGS[:3], rng())) + repr(text.words)
    assert EPOCH.secret.hex() not in shown and TAGS[7].hex() not in shown and repr(TAGS[7]) not in shown
    assert not any(f"{one}, {other}" in shown for one, other in pairwise(ALONE[:40]))
