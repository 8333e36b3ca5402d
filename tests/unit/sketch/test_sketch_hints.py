import numpy as np
import pytest

from stillwatch.sketch.agent import sdk_class
from stillwatch.sketch.phrases import PHRASES
from stillwatch.sketch.style import STYLE
from stillwatch.terms.event import ASKS
from tests.unit.sketch.made import ask, reducer


def asked(text: str) -> set[str]:
    bits = int(reducer().reduce([ask(text)])["sketch"]["asks"][0])
    return {name for place, name in enumerate(ASKS) if bits >> place & 1}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Solve it. Let's think STEP-BY-STEP, please", {"reasoning"}),
        ("请一步一步思考", {"reasoning"}),
        ("Bitte Schritt für Schritt erklären", {"reasoning"}),
        ("Explique étape par étape", {"reasoning"}),
        ("Hazlo paso a paso", {"reasoning"}),
        ("Use this rubric, from 1 to 10", {"grading"}),
        ("Rephrase in your own words", {"rewriting"}),
        ("Put it in <think> and </think>", {"tags"}),
        ("Write in XML tags", {"tags"}),
        ("Is 3 > 2 when I think > you?", set()),
        ("What is the capital of France?", set()),
        ("one small step at a time, by the way", set()),
        ("", set()),
        ("Show your reasoning inside <answer>, then grade the rewrite", {"reasoning", "tags", "grading", "rewriting"}),
    ],
)
def test_asks_are_read_from_the_words(text: str, expected: set[str]) -> None:
    assert asked(text) == expected


def test_every_phrase_is_found_at_the_start_the_end_and_inside_a_text() -> None:
    listed = [(phrase, name) for name, group in PHRASES.items() for phrase in group]
    texts = [pattern.format(phrase) for phrase, _ in listed for pattern in ("{}", "{} zzz", "zzz {}.", "zzz, {}! zzz")]
    bits = reducer().reduce([ask(text) for text in texts])["sketch"]["asks"]
    for row, value in enumerate(bits.tolist()):
        assert value >> ASKS.index(listed[row // 4][1]) & 1, texts[row]


def test_a_phrase_does_not_reach_over_into_the_next_request() -> None:
    bits = reducer().reduce([ask("step"), ask("by step"), ask("step by"), ask("step")])["sketch"]["asks"]
    assert bits.tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("agent", "expected"),
    [
        ("OpenAI/Python 3.54.0", "OpenAI/Python 3"),
        ("AsyncOpenAI/Python 3.54.0", "OpenAI/Python 3"),
        ("Anthropic/JS 1.2.3", "Anthropic/JS 1"),
        ("AsyncGroq/Python 1.7.0", "Groq/Python 1"),
        ("cohere/7.3.1", "cohere 7"),
        ("google-genai-sdk/3.4.0 gl-python/3.12", "google-genai 3"),
        ("python-requests/2.32", "python-requests"),
        ("python-httpx/0.28", "python-httpx"),
        ("Python/3.11 aiohttp/3.12", "aiohttp"),
        ("curl/8.5.0", "curl"),
        ("Go-http-client/2.0", "go-http-client"),
        ("okhttp/4.12", "okhttp"),
        ("Mozilla/5.0 (X11) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 Safari/537.36", "browser/chrome"),
        ("Mozilla/5.0 (Macintosh) AppleWebKit/605.1 (KHTML, like Gecko) Version/17 Safari/605.1", "browser/safari"),
        ("Mozilla/5.0 (Windows) Gecko/20100101 Firefox/121.0", "browser/firefox"),
        ("Mozilla/5.0 Chrome/120.0 Safari/537.36 Edg/120.0", "browser/edge"),
        ("my own thing 1.0", "other"),
        ("  ", ""),
        ("\ud800" * 5000, "other"),
    ],
)
def test_agents_are_reduced_to_classes(agent: str, expected: str) -> None:
    assert sdk_class(agent) == expected


def style_of(text: str) -> dict[str, int]:
    row = reducer().reduce([ask(text)])["sketch"]["style"][0]
    return dict(zip(STYLE, row.tolist(), strict=True))


def test_style_measures_what_it_says() -> None:
    assert set(style_of("").values()) == {0}
    assert style_of("ABCD")["upper"] == 255 and style_of("AB cd")["upper"] == 128
    assert style_of("12 cd")["digits"] == 128 and style_of("1234")["word_size"] == 0
    assert style_of("..ab")["punctuation"] == 128 and style_of("....")["punctuation"] == 255
    assert style_of("éé")["beyond_ascii"] == 255 and style_of("ab")["beyond_ascii"] == 0
    assert style_of("a\nb\n" * 25)["line_feeds"] == 255 and style_of("a" * 99 + "\n")["line_feeds"] == 8
    assert style_of("word four")["word_size"] == 48 and style_of("a? b? c?")["questions"] == 48
    sizes = [style_of("x" * n)["size"] for n in (1, 3, 15, 255, 4095, 65_535)]
    assert sizes == [12, 24, 48, 96, 144, 192]


def test_lines_make_the_skeleton() -> None:
    texts = ["- a\n- b", "* c\r\n\r\n  + d", "1. abcd\n2) efgh", "# a\nb", "a\nb", "```\nx\n```", "a?\nb!", "one line",
             "a) x\nb) y",
             "12. word\n123: word", "- abcd\n- efgh", "•\u2002abcd\n• efgh"]  # fmt: skip
    skeleton = reducer().reduce([ask(text) for text in texts])["sketch"]["skeleton"].tolist()
    assert (
        skeleton[0] == skeleton[1] and skeleton[10] == skeleton[11] and skeleton[2] == skeleton[9] and skeleton[7] == 0
    )
    assert len({skeleton[i] for i in (0, 2, 3, 4, 5, 6, 8)}) == 7


def test_lines_between_the_first_twelve_and_last_four_do_not_count() -> None:
    lines = ["x"] * 30
    changed, early, late = lines.copy(), lines.copy(), lines.copy()
    changed[20], early[11], late[-4] = "- x?", "- x?", "- x?"
    skeleton = reducer().reduce([ask("\n".join(t)) for t in (lines, changed, early, late)])["sketch"]["skeleton"]
    assert skeleton[0] == skeleton[1] and len(set(np.asarray(skeleton).tolist())) == 3
