"""Transformers' marks, read without torch as Transformers and torch themselves see them."""

import hashlib
import math
from typing import Any

import numpy as np
import pytest

from stillwatch.forensics.marks import kgw, mersenne, synthid
from stillwatch.forensics.marks.kgw import KgwMark, read_kgw
from stillwatch.forensics.marks.pairs import TokenText
from stillwatch.forensics.marks.synthid import SynthIdMark, read_synthid
from stillwatch.terms.errors import StillwatchError
from tests.golden_answers import golden
from tests.marked_text import VOCAB, innocent

KGW = golden("transformers_kgw.json")
SYNTHID = golden("transformers_synthid.json")


def synthid_of(case: dict[str, Any]) -> SynthIdMark:
    names = ("ngram_len", "sampling_table_size", "sampling_table_seed")
    return SynthIdMark(keys=tuple(map(int, case["keys"])), **{name: case[name] for name in names})


@pytest.mark.parametrize("case", KGW["randperm"])
def test_permutation_is_torchs(case: dict[str, Any]) -> None:
    seed, size = int(case["seed"]), case["size"]
    whole = mersenne.permutation(seed, size)
    assert hashlib.sha256(whole.astype("<i8").tobytes()).hexdigest() == case["sha256"]
    for head in (1, size // 4, size):
        lead = np.zeros(size, np.bool_)
        lead[whole[:head]] = True
        seeds = np.array([seed], np.uint64)
        assert np.array_equal(mersenne.heads(seeds, size, head)[0], lead)
        some = np.random.default_rng(3).permutation(size)[:300]
        assert np.array_equal(mersenne.leads(np.repeat(seeds, len(some)), some, size, head), lead[some])


@pytest.mark.parametrize("case", SYNTHID["tables"])
def test_coin_tosses_are_torchs(case: dict[str, Any]) -> None:
    found = mersenne.coins(case["seed"], case["size"])
    assert hashlib.sha256(found.tobytes()).hexdigest() == case["sha256"]


@pytest.mark.parametrize("case", KGW["cases"])
def test_green_tokens_are_those_of_transformers(case: dict[str, Any]) -> None:
    mark, grams = KgwMark(vocab=case["vocab"], **case["settings"]), np.array(case["grams"])
    green = mersenne.leads(kgw.seeds(grams, mark), grams[:, -1], mark.vocab, mark.head)
    assert green.astype(int).tolist() == case["green"]


@pytest.mark.parametrize("case", SYNTHID["cases"])
def test_g_values_are_those_of_transformers(case: dict[str, Any]) -> None:
    mark = synthid_of(case)
    grams = np.lib.stride_tricks.sliding_window_view(np.array(case["tokens"]), mark.ngram_len)
    table = mersenne.coins(mark.sampling_table_seed, mark.sampling_table_size)
    found = synthid.bits(synthid.hashes(grams), np.array(mark.keys, np.uint64), table)
    assert ["".join(map(str, row)) for row in found.tolist()] == case["g_values"]


@pytest.mark.parametrize(("place", "marked"), list(enumerate([True, False] * 4)))
def test_kgw_text_is_told_from_plain_text(place: int, marked: bool) -> None:
    case = KGW["cases"][place]
    mark = KgwMark(vocab=case["vocab"], **case["settings"])
    reading = read_kgw(TokenText.of([case["tokens"]]), mark, np.random.default_rng(2))
    assert reading.fits and reading.scored <= len(case["grams"])
    assert reading.log_p < math.log(1e-9) if marked else reading.log_p > math.log(1e-3)
    wrong = KgwMark(vocab=case["vocab"], **{**case["settings"], "hashing_key": 12_345_701})
    assert read_kgw(TokenText.of([case["tokens"]]), wrong, np.random.default_rng(2)).log_p > math.log(1e-3)


def test_synthid_text_is_told_from_plain_text() -> None:
    marked, plain = (
        read_synthid(TokenText.of([case["tokens"]]), synthid_of(case), np.random.default_rng(2))
        for case in SYNTHID["cases"][:2]
    )
    assert marked.fits and marked.log_p < math.log(1e-50)
    assert plain.fits and plain.log_p > math.log(1e-3)


def test_ngrams_with_the_same_bits_count_once() -> None:
    case, mark = SYNTHID["cases"][0], synthid_of(SYNTHID["cases"][0])
    tokens = np.array(case["tokens"])
    # A multiple of the table's size on the newest token leaves every bit as it was.
    text = TokenText.of([tokens[:5], tokens[:5] + np.array([0, 0, 0, 0, 65536])])
    assert read_synthid(text, mark, np.random.default_rng(2)).scored == len(mark.keys)


def test_document_twice_over_claims_no_more_than_once() -> None:
    for case, mark in ((KGW["cases"][0], None), (SYNTHID["cases"][0], synthid_of(SYNTHID["cases"][0]))):
        texts = [TokenText.of([case["tokens"]] * n) for n in (1, 2)]
        if mark is None:
            how = KgwMark(vocab=case["vocab"], **case["settings"])
            once, twice = (read_kgw(text, how, np.random.default_rng(2)) for text in texts)
        else:
            once, twice = (read_synthid(text, mark, np.random.default_rng(2)) for text in texts)
        assert (once.scored, once.hits, once.log_p) == (twice.scored, twice.hits, twice.log_p)


def test_honest_text_passes_no_oftener_than_its_level_says() -> None:
    rng = np.random.default_rng(8)
    text = TokenText.of([innocent(rng, 120)])
    low = 0
    for key in rng.integers(1, 2**40, 120).tolist():
        mark = KgwMark(vocab=VOCAB, hashing_key=key)
        seed, tokens = kgw._places(text, mark, None)
        hits = int(mersenne.leads(seed, tokens, mark.vocab, mark.head).sum())
        n = len(tokens)
        low += hits >= n / 4 + 1 and float(kgw.binomial_tail(hits, n, 0.25)) < math.log(0.1)
    # The upper end of 99.99 % of binomial counts of 120 at 0.1.
    assert low <= 26


def test_settings_and_text_that_do_not_fit_are_refused() -> None:
    with pytest.raises(StillwatchError, match="seeding_scheme"):
        KgwMark(vocab=10, seeding_scheme="righthash")
    with pytest.raises(StillwatchError, match="vocabulary ends"):
        read_kgw(TokenText.of([[1, 2, 10]]), KgwMark(vocab=10), np.random.default_rng(1))
    with pytest.raises(StillwatchError, match="keys"):
        SynthIdMark(keys=())
