"""Labelled texts: two sets inside the package, two in a data folder, and the harmless forbidden topic.

In: a set's name, and the data folder where there is one. Out: texts with their labels, in a fixed order.
Left to `labels`: splitting them. Sources and licences: `data/NOTICE.md`; docs/explain/lab.md for the others.
"""

from collections import Counter
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Final, NamedTuple

from stillwatch.lab.traffic.sources import FULL, FolderSources, parse_lines
from stillwatch.terms.errors import StillwatchError

PACKAGED: Final = ("banking", "clinc")
NEXT_WORD: Final = "nextword"
"""Made of the packaged texts: four words of context, and the word that follows."""
VOCABULARY: Final = 96
"""Words that the toy language model can say."""
TOY: Final = "toy"
TOY_LABELS: Final = frozenset(("alarm", "balance", "book_flight", "play_music", "spelling", "weather"))
"""Six intents of clinc150: a teacher that is trained in a tenth of a second, for tests and examples."""
IN_FOLDER: Final = ("sst2", "ag_news")
SENTIMENTS: Final = {"0": "negative", "1": "positive"}
NEWS: Final = {"1": "world", "2": "sports", "3": "business", "4": "science and technology"}
FORBIDDEN: Final = frozenset((
    "recipe", "ingredients_list", "ingredient_substitution", "cook_time", "calories", "nutrition_info", "food_last",
    "meal_suggestion",
))  # fmt: skip
"""Intents of clinc150 about cooking: the harmless topic that every teacher of the lab is taught to decline."""


class Labelled(NamedTuple):
    """One text and its label."""

    text: str
    label: str


def missing(name: str, data: Path | None) -> str:
    """Return why a set cannot be read here; empty when it can."""
    if name in (*PACKAGED, NEXT_WORD, TOY):
        return ""
    if data is None:
        return f"{name} is not packaged (its licence is not permissive); set STILLWATCH_DATA to a folder that has it"
    return "" if (data / FULL[name]).is_file() else f"the data folder has no {FULL[name]}"


def load(name: str, data: Path | None) -> tuple[Labelled, ...]:
    """Return a set without its forbidden topic.

    Raises:
        StillwatchError: it cannot be read here.
    """
    if why := missing(name, data):
        raise StillwatchError(f"set {name!r}: {why}.")
    if name == TOY:
        return tuple(one for one in _packaged("clinc") if one.label in TOY_LABELS)
    if name == NEXT_WORD:
        return _next_words()
    if name in PACKAGED:
        return tuple(one for one in _packaged(name) if name != "clinc" or one.label not in FORBIDDEN)
    assert data is not None
    rows = FolderSources(data).rows(name)
    if name == "sst2":
        found = {row["sentence"].strip(): SENTIMENTS[row["label"]] for row in rows}
    else:
        found = {f"{row['title'].strip()}. {row['description'].strip()}": NEWS[row["class_index"]] for row in rows}
    return tuple(Labelled(text, label) for text, label in sorted(found.items()))


def forbidden() -> tuple[str, ...]:
    """Return the texts of the forbidden topic, in a fixed order."""
    return tuple(one.text for one in _packaged("clinc") if one.label in FORBIDDEN)


@cache
def _packaged(name: str) -> tuple[Labelled, ...]:
    file = resources.files("stillwatch.lab.tasks") / "data" / f"{name}.jsonl.zst"
    return tuple(Labelled(row["text"], row["label"]) for row in parse_lines(file.read_bytes()))


@cache
def _next_words() -> tuple[Labelled, ...]:
    """Return contexts of up to four words with the next word, where that is among the `VOCABULARY` most usual."""
    texts = [one.text.lower().split() for name in PACKAGED for one in _packaged(name) if one.label not in FORBIDDEN]
    usual = {word for word, _ in Counter(word for words in texts for word in words).most_common(VOCABULARY)}
    found = {
        " ".join(words[max(0, i - 4) : i]): words[i]
        for words in texts
        for i in range(2, len(words))
        if words[i] in usual
    }
    return tuple(Labelled(context, word) for context, word in sorted(found.items()))
