"""The surface treatment leaves alone what it must, and chooses as the keys of marks do."""

import ast
import json
from typing import Any

import numpy as np
import pytest

from stillwatch.treatments.marks.prf import mix64, seeds
from stillwatch.treatments.marks.ring import Ring
from stillwatch.treatments.marks.signer import Marked, Marks
from stillwatch.treatments.marks.tiers import keys_for, tiers_of
from stillwatch.treatments.occasion import Occasion
from stillwatch.treatments.surface import Surface, SurfaceOne
from stillwatch.treatments.surfaces.choice import Choice, site_digest
from stillwatch.treatments.surfaces.sites import Site, Sites, sites_of
from stillwatch.treatments.surfaces.table import ROWS

RING = Ring.new(b"r" * 32, 0.0)
OPENING = "It's the case that you have to look at this for the sake of the plan, and we don't mind it. "


def treatment(account: str = "a1", campaign: str = "") -> SurfaceOne:
    begun = Surface(ring=RING).begin(Occasion(key=b"k" * 32, account=account, campaign=campaign))
    assert begun is not None
    return begun


def flipped(text: str) -> str:
    sites = Sites(lambda site: 1 - site.said)
    return sites.feed(text) + sites.end()


LEAD = "It's the case that you have to look at this for the sake of the plan, and I'll say so."
PLAIN = "For example, people do not often look, and someone is not pleased because of the rain."


def test_plain_prose_is_reworded_with_case_and_apostrophes_kept() -> None:
    assert flipped(OPENING + PLAIN) == (
        "It's the case that you have to look at this for the sake of the plan, and we do not mind it. "
        "For instance, people don't often look, and somebody isn't pleased due to the rain."
    )
    curly = (OPENING + "People do not mind the rain.").replace("'", "’")
    assert flipped(curly).endswith("People don’t mind the rain.")


@pytest.mark.parametrize(
    "kept",
    [
        f"```\n{PLAIN}\n```\n", f"~~~text\n{PLAIN}\n\n{PLAIN}\n~~~\n", f"    {PLAIN}\n", f"\t{PLAIN}\n",
        f"Type `{PLAIN}` there.", f"``a ` b {PLAIN}``", f'He said: "{PLAIN}"', f"He said: “{PLAIN}”",
        f"He said: ‘{PLAIN}’", f"He said: '{PLAIN}'", f"«{PLAIN}»", f"> {PLAIN}\n", f"# {PLAIN}\n", f"### {PLAIN}\n",
        f"**{PLAIN}**", f"*{PLAIN}*", f"__{PLAIN}__", f"[{PLAIN}](https://example.com)", f"| {PLAIN} | {PLAIN} |\n",
        f"${PLAIN}$",
        f"\\({PLAIN}\\)", f'{{"a": "x", "b": {PLAIN}}}', f'["{PLAIN}", "{PLAIN}"]', f"<note>{PLAIN}</note>",
        f"x = 1 and {PLAIN}", f"print(x) and {PLAIN}", f"def f and {PLAIN}", f"// {PLAIN}\n", f"/* {PLAIN}\n{PLAIN} */",
        f"-- {PLAIN}\n", f'"""\n{PLAIN}\n\n{PLAIN}\n"""\n', f"# first\nx = 1  # {PLAIN}\n{PLAIN}\n",
        "FOR EXAMPLE, people DO NOT look.", "Their shop For Example, near here, is called Someone Else.",
        "See https://example.com/do not/for-example, and someone@example.com.", "a for-example-list of anyone's",
        "why don't you, and what isn't it, and who cannot the king ask",
    ],
)  # fmt: skip
def test_what_is_no_plain_prose_stays(kept: str) -> None:
    text = f"{LEAD}\n\n{kept}"
    assert flipped(text) == text


def test_prose_after_a_protected_part_is_reworded_again() -> None:
    text = OPENING + "\n\n```\ndo not\n```\n\n" + PLAIN
    assert flipped(text).endswith("due to the rain.") and "```\ndo not\n```" in flipped(text)


@pytest.mark.parametrize(
    "text",
    [
        "Zum Beispiel sagt man in England: for example, someone. Das ist nicht, was wir hier im Haus wollen, everyone.",
        "Par exemple, on dit someone, everyone, perhaps the, each other, anyone, afterwards dans cette langue.",
        "Someone. Everyone! Anyone?",
        "東京 someone は everyone です。 each other",
    ],
)
def test_other_languages_and_lists_of_words_stay(text: str) -> None:
    assert flipped(text) == text


def test_texts_without_contractions_get_none_and_keep_their_full_forms() -> None:
    formal = "The board of the company is of the view that it is not able to act, and the members do not object to it."
    assert flipped(formal) == formal


# ---- the request ----


@pytest.mark.parametrize(
    "more",
    [
        {"response_format": {"type": "json_schema", "json_schema": {}}}, {"response_format": {"type": "json_object"}},
        {"text": {"format": {"type": "json_schema"}}}, {"guided_json": {}, "guided_regex": "a"}, {"logprobs": 0},
        {"logprobs": True}, {"n_probs": 3}, {"include": ["message.output_text.logprobs"]}, {"suffix": "end"},
        {"tools": [{"type": "web_search"}]}, {"web_search_options": {"a": 1}}, {"grammar": "root ::= a"},
        {"system": "Write a haiku."}, {"system": [{"type": "text", "text": "Avoid contractions."}]},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "Quote it verbatim"}]}]},
        {"input": "check my grammar"}, {"prompt": "a synonym of"},
    ],
)  # fmt: skip
def test_requests_for_structures_positions_or_wordings_are_left_alone(more: dict[str, Any]) -> None:
    one = treatment()
    assert one.edit_request({"model": "m", **more}) is None
    answer = {"choices": [{"index": 0, "message": {"content": OPENING + PLAIN}}]}
    assert one.edit_answer(answer) is answer and one.edit_event(answer) == (answer,)


@pytest.mark.parametrize(
    "more",
    [
        {"response_format": {"type": "text"}, "text": {"format": {"type": "text"}}, "logprobs": None},
        {"logprobs": False},
        {"tools": [{"type": "function", "function": {}}, {"name": "f", "input_schema": {}}], "include": ["reasoning"]},
        {"messages": [{"role": "assistant", "content": f"Verbatim: {PLAIN}"}, {"role": "user", "content": "And now?"}]},
    ],
)  # fmt: skip
def test_other_requests_are_not(more: dict[str, Any]) -> None:
    one = treatment()
    assert one.edit_request({"model": "m", **more}) is None
    assert one.edit_answer({"choices": [{"index": 0, "message": {"content": 9 * (OPENING + PLAIN)}}]}) != {}
    changed = one.edit_answer({"choices": [{"index": 0, "message": {"content": OPENING + PLAIN + OPENING}}]})
    assert changed["choices"][0]["message"]["content"] != OPENING + PLAIN + OPENING


def test_wordings_that_the_caller_gave_stay() -> None:
    texts = [f"{OPENING}Well, to the {name} of it {PLAIN}" for name in ("north", "south", "east", "west", "top")]
    changed = kept = 0
    for text in texts:
        answer = {"choices": [{"index": 0, "message": {"content": text}}]}
        free, asked = treatment(), treatment()
        asked.edit_request({"messages": [{"role": "user", "content": f"Look over this: {text}"}]})
        changed += free.edit_answer(answer) != answer
        kept += asked.edit_answer(answer) == answer
    assert kept == len(texts) and changed > 0


def test_tool_calls_reasoning_and_refusals_stay() -> None:
    said = OPENING + PLAIN
    message = {"content": None, "reasoning_content": said, "refusal": said,
               "tool_calls": [{"function": {"name": "f", "arguments": json.dumps({"text": said})}}]}  # fmt: skip
    for answer in (
        {"choices": [{"index": 0, "message": message}]},
        {"type": "message", "content": [{"type": "tool_use", "input": {"text": said}}]},
        {"type": "message", "content": [{"type": "thinking", "thinking": said, "signature": "sealed"}]},
        {"output": [{"type": "function_call", "arguments": said}, {"type": "reasoning", "summary": [{"text": said}]}]},
    ):  # fmt: skip
        assert treatment().edit_answer(answer) is answer


# ---- the keys ----


@pytest.mark.parametrize(("account", "campaign"), [("", ""), ("acme", ""), ("acme", "c1"), ("", "c1")])
@pytest.mark.parametrize("shares", [(0.5, 0.25, 0.25), (1.0, 0.0, 0.0), (0.0, 0.0, 1.0), (0.2, 0.8, 0.0)])
def test_the_choice_is_that_of_the_keys_of_marks(
    account: str, campaign: str, shares: tuple[float, float, float]
) -> None:
    epoch = Ring.new(b"s" * 32, 0.0, shares=shares).current
    tags = (epoch.tag("account", account) if account else b"", epoch.tag("campaign", campaign) if campaign else b"")
    choice = Choice.of(epoch, *tags)
    sites = [Site(row, 0, (f"w{i}", "the"), "") for row in ROWS for i in range(9)]
    digests = np.array([site_digest(choice.key, site) for site in sites], np.uint64)
    a, b = keys_for(epoch, *tags).halves
    tiers = tiers_of(digests, epoch)
    wanted = mix64(seeds(digests, a[tiers], b[tiers])) >> np.uint64(63)
    assert [choice.wanted(site) for site in sites] == wanted.tolist()


def test_without_keys_nothing_begins_and_with_them_who_is_marked_is_put_down() -> None:
    noted: list[Marked] = []
    occasion = Occasion(key=b"k" * 32, account="a1", campaign="c1", now=9.0)
    assert Surface().begin(occasion) is None
    marks = Marks(RING, note=noted.append)
    assert Surface().begin(Occasion(key=b"k" * 32, account="a1", campaign="c1", marks=marks)) is not None
    assert noted == [Marked(1, "a1", "c1")]


def test_the_workers_path_needs_no_numpy() -> None:
    import stillwatch.treatments.surface as surface
    from stillwatch.treatments import flow, texts
    from stillwatch.treatments.surfaces import choice, request, scanner, sites, table

    for module in (surface, flow, texts, choice, request, scanner, sites, table):
        assert module.__file__ is not None
        with open(module.__file__, encoding="utf-8") as file:
            tree = ast.parse(file.read())
        names = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        names |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        assert not any(name.startswith(("numpy", "stillwatch.treatments.marks.prf")) for name in names)


def test_a_site_names_its_context() -> None:
    found = sites_of(OPENING + "For example, we do not mind.")
    assert [(site.row.name, site.said, site.context) for site in found] == [
        ("do-not", 1, ("and", "we")), ("for-example", 0, ("mind", "it")), ("do-not", 0, ("#for-example", "we"))
    ]  # fmt: skip
