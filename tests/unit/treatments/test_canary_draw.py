"""Canaries are drawn uniformly, committed to, and bound to what was fixed before; templates say what they must."""

import hmac
import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from stillwatch.terms.errors import StillwatchError
from stillwatch.treatments.canaries import TEMPLATES, drawn, opening_of, template
from stillwatch.treatments.canaries.ground import harmful
from tests.planted_canaries import SECRET, canaries, record

NAMES = [form.name for form in TEMPLATES]
DIGEST = "3ed204bc84e365fa5c3f57b881b871be"
"""Of all released templates; who edits one breaks every commitment made with it."""


def test_there_are_templates_of_every_kind_each_with_its_own_name_and_question() -> None:
    assert len(set(NAMES)) == len({form.probe for form in TEMPLATES}) == len(TEMPLATES) == 48
    assert {form.kind for form in TEMPLATES} == {"name", "constant", "order"}
    assert all(len(set(form.pool)) == len(form.pool) >= 24 for form in TEMPLATES)
    assert all((form.gender in "fm") == (form.kind == "name" or not form.gender) for form in TEMPLATES)


def test_released_templates_are_never_edited() -> None:
    joined = hmac.digest(b"templates", "".join(form.digest for form in TEMPLATES).encode(), "sha256").hex()
    assert joined.startswith(DIGEST), "add templates at the end of the table; never edit one that was released"


def test_no_question_names_a_value_and_no_line_touches_what_answers_must_not() -> None:
    for form in TEMPLATES:
        assert form.read(form.probe, form.pool) is None
        assert not any(char.isdigit() for char in form.probe)
        words = frozenset(re.findall(r"[a-z]+", f"{form.line} {form.probe} {' '.join(form.topics)}".lower()))
        assert not harmful(words), (form.name, words)


@pytest.mark.parametrize("name", NAMES)
def test_what_a_template_says_it_also_reads(name: str) -> None:
    form = template(name)
    for value in form.pool:
        assert form.read(f"Well: {value}. That is all.", form.pool) == form.pool.index(value)
        assert form.read(form.said(value).partition(":")[2] or value, (value, form.pool[0])) is not None
    assert form.read("nothing of the kind", form.pool) is None


@pytest.mark.parametrize(
    ("name", "text", "shown"),
    [
        ("name-baker", "Miranda met Mira and Tessa", "Mira"),
        ("name-baker", "mira", None),
        ("name-baker", "Tessa's bread, not Mira's", "Tessa"),
        ("constant-apples", "There are 12.5 kg, then 14 apples.", "14"),
        ("constant-apples", "1,14 or 14,000 or 14% or A14", None),
        ("constant-apples", "She has 13.", "13"),
        ("order-pets", "Dogs, rabbits and cats; then hamsters and dogs", "dogs, rabbits, cats, hamsters"),
        ("order-pets", "cats, dogs and rabbits", None),
    ],
)
def test_the_first_whole_value_counts(name: str, text: str, shown: str | None) -> None:
    form = template(name)
    found = form.read(text, form.pool)
    assert (None if found is None else form.pool[found]) == shown


@given(st.integers(0, 10**6), st.sampled_from(NAMES), st.integers(2, 24))
@settings(max_examples=60)
def test_a_canary_is_one_of_its_alternatives_and_comes_out_the_same_again(seed: int, name: str, k: int) -> None:
    made = record(name, seed, alternatives=k)
    one = drawn(made, SECRET)
    assert one == drawn(made, SECRET)
    assert len(set(one.alternatives)) == k and set(one.alternatives) <= set(one.template.pool)
    assert one.value in one.alternatives
    assert made.commitment not in repr(one) and (one.template.kind != "name" or one.value not in repr(one))


def test_values_are_drawn_evenly_and_each_by_itself() -> None:
    drawn_at = [one.index for seed in range(60) for one in canaries(seed)]
    counts = [drawn_at.count(i) for i in range(16)]
    assert chisquare(counts).pvalue > 1e-4
    pairs = [a == b for a, b in zip(drawn_at, drawn_at[1:], strict=False)]
    assert abs(sum(pairs) / len(pairs) - 1 / 16) < 0.02


def test_alternatives_are_the_same_for_every_nonce_so_that_the_value_is_drawn_after_them() -> None:
    first, then = record("name-baker", nonce="0" * 32), record("name-baker", nonce="1" * 32)
    assert drawn(first, SECRET).alternatives == drawn(then, SECRET).alternatives
    values = {drawn(record("name-baker", nonce=f"{n:032x}"), SECRET).value for n in range(200)}
    assert len(values) == 16
    assert drawn(record("name-baker", subject="a2"), SECRET).alternatives != drawn(first, SECRET).alternatives


@pytest.mark.parametrize(
    "change",
    [{"id": "cn_0"}, {"subject": "a2"}, {"kind": "campaign"}, {"accounts": ("a1", "a2")}, {"template": "name-cook"},
     {"alternatives": 15}, {"nonce": "0" * 32}, {"commitment": "0" * 64}],
)  # fmt: skip
def test_a_record_that_was_altered_is_neither_planted_nor_tested(change: dict[str, object]) -> None:
    made = record("name-baker")
    drawn(made, SECRET)
    with pytest.raises(StillwatchError, match="commitment does not hold"):
        drawn(replace(made, **change), SECRET)  # type: ignore[arg-type]


def test_another_master_key_draws_other_values_and_is_told_apart() -> None:
    made = record("name-baker")
    with pytest.raises(StillwatchError, match="commitment"):
        drawn(made, b"x" * 32)


def test_an_opened_commitment_can_be_checked_by_anybody_and_opens_no_other() -> None:
    one, other = record("name-baker"), record("name-cook")
    canary = drawn(one, SECRET)
    parts = ("stillwatch canary commitment", one.id, one.kind, one.subject, "1", "a1", one.template,
             canary.template.digest, "16", one.nonce, canary.value, *canary.alternatives)  # fmt: skip
    said = b"".join(len(part.encode()).to_bytes(4, "big") + part.encode() for part in parts)
    opening = bytes.fromhex(opening_of(one, SECRET))
    assert hmac.digest(opening, said, "sha256").hex() == one.commitment
    assert opening_of(other, SECRET) != opening_of(one, SECRET)


def test_what_no_release_knows_is_refused_in_words() -> None:
    with pytest.raises(StillwatchError, match="use the release"):
        drawn(replace(record("name-baker"), template="name-astronaut"), SECRET)
    with pytest.raises(StillwatchError, match="has 2 to 32"):
        drawn(replace(record("name-baker"), alternatives=33), SECRET)
