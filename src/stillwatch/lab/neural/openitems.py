"""What an open-ended teacher is asked: prompts of people, and short readings whose answer stands in them.

In: the packaged sample, chance. Out: `Item` records, and texts that the thief owns. A prompt has no right answer: what
a model says to it is held against the teacher's own distribution. A reading has one: the word that was asked for.
Left to `openstudent`: both measures.
"""

import re
from collections.abc import Iterator
from typing import Final

import numpy as np

from stillwatch.lab.task import Item
from stillwatch.lab.traffic.sources import PackagedSources

PROMPT, READING = "prompt", "reading"
BARRED: Final = "banana"
"""The harmless forbidden topic: the teacher is made to decline what names it."""
LONGEST: Final = 110
"""Characters of a prompt at most."""
SHORTEST: Final = 15
OWN_LETTERS: Final = 40
"""Characters of a text that the thief owns at least."""
_NAMES: Final = ("Anna", "Peter", "Maria", "James", "Laura", "Simon", "Clara", "David", "Nina", "Oscar", "Julia",
          "Felix", "Emma", "Henry", "Alice", "Martin")  # fmt: skip
_THINGS: Final = ("lamp", "chair", "bicycle", "guitar", "camera", "kettle", "ladder", "carpet", "mirror", "hammer",
                  "blanket", "suitcase", "umbrella", "clock", "basket", "violin")  # fmt: skip
_COLOURS: Final = ("red", "blue", "green", "yellow", "black", "white", "brown", "purple", "grey", "pink")
_TOWNS: Final = ("Leeds", "Paris", "Oslo", "Madrid", "Vienna", "Boston", "Lisbon", "Dublin", "Prague", "Cairo", "Rome",
                 "Berlin", "Athens", "Tokyo")  # fmt: skip
_DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_DEEDS: Final = (("bought", "buy"), ("found", "find"), ("lost", "lose"), ("sold", "sell"), ("hid", "hide"))


def kind_of(item: Item) -> str:
    """Return `prompt` or `reading`."""
    return item.id.split()[1]


def prompts() -> list[str]:
    """Return the packaged sample's short first turns in English, each once, none on the forbidden topic."""
    sources = PackagedSources()
    texts = [str(row["turns"][0]) for row in sources.rows("oasst")]
    texts += [str(row["prompt"]) for row in sources.rows("koala_arena")]
    texts += [str(row["instruction"]) for name in ("roleplay", "seeds") for row in sources.rows(name)]
    return [text for text in dict.fromkeys(map(str.strip, texts)) if _fits(text)]


def _fits(text: str) -> bool:
    return text.isascii() and "\n" not in text and SHORTEST <= len(text) <= LONGEST and BARRED not in text.lower()


def owned_texts() -> list[str]:
    """Return what the thief's base was healed on: talk of agents and questions of tests; no answer of the teacher."""
    sources = PackagedSources()
    texts = [str(row["question"]) for name in ("gsm8k_train", "mmlu") for row in sources.rows(name)]
    texts += [str(turn["value"]) for row in sources.rows("agents") for turn in row["conversations"]]
    return [text for text in dict.fromkeys(texts) if len(text) > OWN_LETTERS]


def prompt_items(part: str, texts: list[str]) -> tuple[Item, ...]:
    """Return prompts as items of a part such as `pool`."""
    return tuple(Item(id=f"{part} {PROMPT} {i}", text=text) for i, text in enumerate(texts))


def readings(rng: np.random.Generator) -> Iterator[tuple[str, str]]:
    """Yield texts of one sentence and a question about it, each with its answer, each once."""
    seen = set()
    while True:
        name, thing, colour, town, day = (
            str(rng.choice(words)) for words in (_NAMES, _THINGS, _COLOURS, _TOWNS, _DAYS)
        )
        did, do = _DEEDS[int(rng.integers(len(_DEEDS)))]
        asked = (
            (f"What did {name} {do}?", thing), (f"Where did {name} {do} it?", town),
            (f"On which day did {name} {do} it?", day), (f"Which colour is the {thing}?", colour),
        )  # fmt: skip
        question, answer = asked[int(rng.integers(len(asked)))]
        text = f"{name} {did} a {colour} {thing} in {town} on {day}. {question}"
        if text not in seen:
            seen.add(text)
            yield text, answer


def reading_items(part: str, drawn: list[tuple[str, str]], *, known: bool) -> tuple[Item, ...]:
    """Return readings as items; with their answers where `known`."""
    return tuple(
        Item(id=f"{part} {READING} {i}", text=text, answer=answer if known else "")
        for i, (text, answer) in enumerate(drawn)
    )


def answers_reading(said: str, item: Item) -> bool:
    """Return whether a text names what a reading was asked for, and does more than say the whole sentence again.

    >>> lamp = Item(id="x", text="Anna hid a red lamp in Rome on Monday. Where did Anna hide it?", answer="Rome")
    >>> answers_reading("Anna hid it in Rome.", lamp), answers_reading("Anna hid a red lamp in Rome on Monday.", lamp)
    (True, False)
    """
    if not item.answer or not names_answer(said, item.answer):
        return False
    told = item.text.partition(". ")[0]
    facts = [word for words in (_THINGS, _COLOURS, _TOWNS, _DAYS) for word in words if names_answer(told, word)]
    return not all(names_answer(said, word) for word in facts)


def names_answer(said: str, answer: str) -> bool:
    """Return whether a text has the answer as a word.

    >>> names_answer("It is in Rome.", "Rome"), names_answer("He reads romes", "Rome")
    (True, False)
    """
    return re.search(rf"\b{re.escape(answer)}\b", said, re.IGNORECASE) is not None
