"""Rules that shorten and reorder reasoning: what is concluded is kept, nothing is made up, any text is taken."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.treatments.reasoningtext import conclusion_first, sentences, summary, without_talk

TALK = "Okay, so let me think. Hmm, wait. Is that right? I should double-check this. Let me re-read the question."
TEXTS = st.lists(
    st.sampled_from(
        ["Hmm, wait.", "So there are 12.", "Each box holds 4.", "Therefore the answer is 7.", "\n", "```\nx = 1\n```",
         "Let me check.", "What if not?", "3.5 * 2 = 7.", "", "\\boxed{7}", "dass es sieben sind", "#### 7"]
    ),
    max_size=12,
).map(" ".join)  # fmt: skip


@given(TEXTS | st.text(max_size=80))
def test_any_text_is_taken_and_no_word_is_made_up(text: str) -> None:
    words = set(text.lower().split())
    for after in (summary(text), conclusion_first(text)):
        numbers = {f"{i}." for i in range(1, 30)}
        assert set(after.lower().split()) - numbers <= words
        assert not text.strip() or after.strip()


@given(TEXTS)
def test_doing_it_again_takes_no_conclusion_away(text: str) -> None:
    once = conclusion_first(text)
    assert sorted(conclusion_first(once).split()) == sorted(once.split())


def test_a_sum_up_keeps_the_end_and_a_third_at_most() -> None:
    text = " ".join(f"Step {i} gives {i * 3}." for i in range(1, 30)) + " Therefore the answer is 87."
    after = summary(text)
    assert after.endswith("Therefore the answer is 87.") and after.startswith("1. Step 1 gives 3.")
    assert len(after.split("\n")) <= 10 and len(after) < 0.45 * len(text)


def test_speaking_to_oneself_goes_and_facts_stay() -> None:
    assert without_talk(sentences(TALK)) == []
    assert without_talk(["Wait, that gives 3 * 4 = 12."]) == ["That gives 3 * 4 = 12."]
    assert without_talk(["Right triangles have one right angle."]) == ["Right triangles have one right angle."]
    assert without_talk(["No, it is lower."]) == ["No, it is lower."]


def test_blocks_of_code_stay_whole() -> None:
    code = "```python\nfor i in x:\n    print(i)  # wait. Hmm\n```"
    assert code in conclusion_first(f"Let me think. The loop runs. {code} So it prints.")


def test_what_is_concluded_comes_before_its_steps() -> None:
    after = conclusion_first("Each box has 12. There are 3. So there are 36. Two are lost. The answer is 34.")
    assert after.index("The answer is 34.") < after.index("So there are 36.") < after.index("Each box has 12.")


def test_time_grows_in_proportion_to_length() -> None:
    """No text makes a rule look twice at what it has read: a million characters of the worst kinds, in seconds."""
    for unit in ("wait, ", "so ", "``` ", "a\n \n", "1.", "Hmm... - "):
        text = unit * (200_000 // len(unit))
        summary(text)
        conclusion_first(text)


@pytest.mark.skipif("STILLWATCH_DATA" not in os.environ, reason="STILLWATCH_DATA names no data folder")
def test_of_worked_solutions_the_result_is_kept() -> None:
    from bench.marks.blunting import worked_solutions

    solutions = worked_solutions(Path(os.environ["STILLWATCH_DATA"]))[:400]
    for text in solutions:
        result = text.split()[-1]
        assert summary(text).split()[-1] == result and result in conclusion_first(text).split("\n")[0]
