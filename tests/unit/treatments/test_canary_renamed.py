"""A stand-in name becomes the canary's where it is nobody's, and nothing else of an answer changes."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.treatments.canaries.renamed import STAND_INS, Each, Renamed

WORDS = st.sampled_from(
    [
        "Alice",
        "Alice's",
        "Sarah",
        "Bob",
        "John",
        "Suppose",
        "Imagine that",
        "For example,",
        "a woman named",
        "she",
        "has",
        "12",
        "apples",
        ".",
        ",",
        "\n",
        "\n\n",
        '"',
        "`",
        "```\n",
        "> ",
        "Walker",
        "“",
        "”",
        "dose",
        "é",
        "Mira",
        "(",
        ")",
        "@",
    ]
)
TEXTS = st.lists(WORDS, max_size=40).map(" ".join)


def renamed(text: str, value: str = "Mira", gender: str = "f", request: str = "make up an example") -> str:
    edit = Renamed(value, gender, request)
    return edit.feed(text) + edit.end()


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("Suppose Alice has 12 apples. Alice eats one.", "Suppose Mira has 12 apples. Mira eats one."),
        ("Imagine Sarah's basket. Then Sarah goes home.", "Imagine Mira's basket. Then Mira goes home."),
        (
            "For example, Emma walks to school, and Emma is late.",
            "For example, Mira walks to school, and Mira is late.",
        ),
        ("Take a woman named Alice. Alice bakes.", "Take a woman named Mira. Mira bakes."),
        ("Sure!\n\nLet's say Emily runs.", "Sure!\n\nLet's say Mira runs."),
    ],
)
def test_a_name_that_is_brought_in_for_nobody_is_the_canarys_to_the_end(text: str, written: str) -> None:
    assert renamed(text) == written


@pytest.mark.parametrize(
    "text",
    [
        "Alice has 12 apples.",  # begins with it: nobody said that she is made up
        "Suppose Alice Walker wrote it.",
        "Suppose Alice in Wonderland falls.",
        "Suppose Alicent has apples.",
        "Suppose Bob has apples.",  # another gender
        '"Suppose Alice has apples."',
        "> Suppose Alice has apples",
        "`Suppose Alice has`",
        "```\nSuppose Alice has\n```",
        '{"a": "Suppose Alice has apples"}',
        "[Suppose Alice has apples]",
        "The dose matters. Suppose Alice has apples.",
        "By law, suppose Alice has apples.",
        "In Python, suppose Alice has apples.",
        "Suppose @Alice has apples.",
        "Alice wrote. Suppose Alice has apples.",
        "Mira and I. Suppose mail@Alice has",
    ],
)
def test_other_names_quotations_code_and_sensitive_answers_stay(text: str) -> None:
    assert renamed(text) == text


def test_the_callers_own_names_stay_and_so_does_everything_where_the_canarys_is_theirs() -> None:
    text = "Suppose Alice has apples and imagine Sarah has none."
    assert renamed(text, request="Write about Alice") == "Suppose Alice has apples and imagine Mira has none."
    assert renamed(text, request="Write about Mira") == text


def test_only_one_name_of_a_gender_becomes_the_canarys() -> None:
    text = "Suppose Alice meets a woman named Sarah."
    assert renamed(text) == "Suppose Mira meets a woman named Sarah."
    both = Each([Renamed("Mira", "f", ""), Renamed("Bruno", "m", "")])
    said = "Suppose Alice has apples. Imagine John has none."
    assert both.feed(said) + both.end() == "Suppose Mira has apples. Imagine Bruno has none."


def test_quotations_and_surnames_stay_after_the_name_was_taken_up() -> None:
    text = 'Suppose Alice has apples. She says "I am Alice". `Alice` and Alice Cooper are others. Alice eats.'
    assert renamed(text) == text.replace("Suppose Alice", "Suppose Mira").replace("Alice eats", "Mira eats")


@given(TEXTS, st.lists(st.integers(0, 200), max_size=12))
@settings(max_examples=400)
def test_the_text_does_not_depend_on_how_it_is_cut(text: str, cuts: list[int]) -> None:
    edit = Each([Renamed("Mira", "f", "x"), Renamed("Bruno", "m", "x")])
    places = sorted({0, len(text), *(cut % (len(text) + 1) for cut in cuts)})
    pieces = [text[a:b] for a, b in zip(places, places[1:], strict=False)]
    whole = Each([Renamed("Mira", "f", "x"), Renamed("Bruno", "m", "x")])
    assert "".join(map(edit.feed, pieces)) + edit.end() == whole.feed(text) + whole.end()


@given(TEXTS)
@settings(max_examples=300)
def test_nothing_but_stand_in_names_ever_changes(text: str) -> None:
    blank = re.compile(rf"\b(?:{'|'.join([*STAND_INS['f'], 'Mira'])})\b")
    assert blank.sub("_", renamed(text)) == blank.sub("_", text)


@given(TEXTS)
@settings(max_examples=200)
def test_code_and_what_comes_after_a_fence_for_the_first_time_stay(text: str) -> None:
    assert renamed("```\n" + text) == "```\n" + text


def test_text_is_held_back_only_behind_a_capital() -> None:
    edit = Renamed("Mira", "f", "")
    assert edit.feed("suppose there are twelve apples in a basket") == "suppose there are twelve apples in a basket"
    assert edit.feed(" and suppose Ali") == " and suppose "
    assert edit.feed("ce eats one of them, then there are eleven apples") != ""
