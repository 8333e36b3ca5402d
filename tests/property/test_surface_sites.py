"""Sites of the surface mark: the same however a text arrives, and whichever wordings stand at them."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.treatments.surfaces.sites import Site, Sites, sites_of
from stillwatch.treatments.surfaces.table import ROWS

ENGLISH = ["the plan", "of the day", "it's", "that", "is", "you", "we", "they", "I", "and", "to", "a", "good"]
WORDINGS = [" ".join(words) for row in ROWS for words in row.pair]
CONDITIONS = sorted({word for row in ROWS for word in row.following | row.prev if not word.startswith("#")})
MARKS = ["", "", "", ",", ".", "!", ":", ";", ' "', '"', "\n", "\n\n", "```", "`", "**", "*", "(", ")", "[", "](", "#",
         "> ", "    ", "{", "}", "|", "$", "\\(", "'", "’", "—", "🦊", "é", "\r\n", "- ", "1. ", "<b>", "=", "~~~",
         '"""', "_", "5"]  # fmt: skip


@st.composite
def prose(draw: st.DrawFn) -> str:
    """Words with many wordings among them, with marks of every kind, often none."""
    rng = random.Random(draw(st.integers(0, 2**32)))
    marked = draw(st.sampled_from([0.0, 0.05, 0.3]))
    said = []
    for _ in range(draw(st.integers(1, 60))):
        word = rng.choice(rng.choice([ENGLISH, WORDINGS, WORDINGS, CONDITIONS]))
        word = word.capitalize() if rng.random() < 0.2 else word.replace("'", "’") if rng.random() < 0.1 else word
        said.append(word + (rng.choice(MARKS) if rng.random() < marked else rng.choice(["", "", "", ",", "."])))
    return " ".join(said)


def reworded(text: str, sizes: list[int], seed: int) -> tuple[str, list[Site], list[int]]:
    """Return a text passed through in pieces with wordings drawn at random, its sites, and what was drawn."""
    rng, found, drawn = random.Random(seed), list[Site](), list[int]()

    def choose(site: Site) -> int:
        found.append(site)
        drawn.append(rng.randrange(2))
        return drawn[-1]

    sites, out, at = Sites(choose), [], 0
    for size in sizes:
        out.append(sites.feed(text[at : at + size]))
        at += size
    return "".join([*out, sites.feed(text[at:]), sites.end()]), found, drawn


@given(prose(), st.lists(st.integers(0, 9), max_size=200), st.integers(0, 99))
@settings(max_examples=400, deadline=None)
def test_the_text_that_comes_out_does_not_depend_on_how_it_came_in(text: str, sizes: list[int], seed: int) -> None:
    whole = reworded(text, [], seed)
    assert reworded(text, sizes, seed) == whole
    assert reworded(text, [1] * len(text), seed) == whole


@given(prose(), st.integers(0, 99))
@settings(max_examples=400, deadline=None)
def test_the_reader_finds_the_writers_sites_with_the_wordings_that_were_chosen(text: str, seed: int) -> None:
    after, written, drawn = reworded(text, [], seed)
    read = sites_of(after)
    assert [(site.row, site.context) for site in read] == [(site.row, site.context) for site in written]
    assert [site.said for site in read] == drawn


@given(prose())
@settings(max_examples=200, deadline=None)
def test_a_choice_of_what_stands_there_leaves_every_character(text: str) -> None:
    sites = Sites(lambda site: site.said)
    assert sites.feed(text) + sites.end() == text


@given(st.text(), st.lists(st.integers(0, 4), max_size=50))
@settings(max_examples=200, deadline=None)
def test_text_of_any_kind_passes_in_whole(text: str, sizes: list[int]) -> None:
    sites, out, at = Sites(lambda site: 1 - site.said), [], 0
    for size in sizes:
        out.append(sites.feed(text[at : at + size]))
        at += size
    assert "".join([*out, sites.feed(text[at:]), sites.end()]) == text


@given(prose())
@settings(max_examples=200, deadline=None)
def test_no_more_is_held_back_than_a_wording_and_the_word_behind_it(text: str) -> None:
    sites, gone = Sites(lambda site: site.said), 0
    longest = max(len(wording) for wording in WORDINGS) + 1 + max(len(word) for word in text.split(" ")) + 3
    for came, character in enumerate(text, 1):
        gone += len(sites.feed(character))
        assert came - gone <= longest


def test_plain_words_go_out_with_the_piece_that_brought_them() -> None:
    sites = Sites(lambda site: site.said)
    for piece in ("Rain", " brings", " growth", ".", " Sun", " glows", "!"):
        assert sites.feed(piece) == piece


def test_rows_have_names_of_their_own_and_two_different_wordings() -> None:
    names = [row.name for row in ROWS]
    wordings = [words for row in ROWS for words in row.pair]
    assert len(set(names)) == len(names) and len(set(wordings)) == len(wordings)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_every_row_is_used_in_both_directions_where_its_conditions_hold(row: object) -> None:
    from stillwatch.treatments.surfaces.table import Row

    assert isinstance(row, Row)
    before = sorted(word for word in row.prev if not word.startswith("#"))[:1] or (["people"] if row.adjacent else [])
    behind = "5" if row.digit else sorted(row.following)[0] if row.following else "quite"
    for said in (0, 1):
        wording = " ".join(row.pair[said])
        wording = "I" + wording[1:] if wording[:2] in ("i ", "i'") else wording
        lead = "That's the point of it, and I'll say so to you now" + (". " if row.start or row.clause else " that ")
        first = wording[0].upper() + wording[1:] if row.start or row.clause else wording
        said_there = " ".join([*before, wording if before else first])
        text = f"{lead}{said_there}{',' if row.comma else ''} {behind} so."
        found = [site for site in sites_of(text) if site.row.name == row.name]
        assert [site.said for site in found] == [said], text
