"""Where numbers of embeddings and of classifiers stand in answers.

In: one JSON answer and what becomes of each list of numbers. Out: the same object, or a copy. Known: embeddings as
lists or as base64 of float32, `probs` and `score` of classifiers, `relevance_score` of rerankers, `category_scores` of
moderation. Cost: one pass; base64 is read and written.
"""

import base64
import binascii
from array import array
from collections.abc import Callable
from typing import Any, Final

from stillwatch.treatments.shapes import at, each
from stillwatch.treatments.treatment import Json

Numbers = list[float]
Edit = Callable[[str, int, Numbers], Numbers | None]
"""(`embedding` or `scores`, which entry, its numbers) -> others; the very list to leave it, None to take it out."""
_MOST: Final = 1e30
_SCORES: Final = ("score", "relevance_score")


def edited_vectors(obj: Any, edit: Edit) -> Any:
    """Return `obj` with every embedding and score edited; `obj` itself where nothing changed."""
    for name in ("data", "results"):
        obj = at(obj, name, lambda entries: _entries(entries, edit))
    return obj


def _entries(entries: Any, edit: Edit) -> Any:
    if type(entries) is not list:
        return entries
    numbered = iter(range(len(entries)))
    return each(entries, lambda entry: _entry(entry, next(numbered), edit))


def _entry(entry: Any, position: int, edit: Edit) -> Any:
    if type(entry) is not dict:
        return entry
    index = entry.get("index")
    index = index if type(index) is int else position
    entry = at(entry, "embedding", lambda value: _embedding(value, index, edit))
    entry = at(entry, "probs", lambda value: _numbers("scores", value, index, edit, []))
    entry = at(entry, "category_scores", lambda value: _named(value, index, edit))
    for name in _SCORES:
        entry = at(entry, name, lambda value: _score(value, index, edit))
    return entry


def _embedding(value: Any, index: int, edit: Edit) -> Any:
    if type(value) is not str:
        return _numbers("embedding", value, index, edit, [])
    try:
        raw = base64.b64decode(value, validate=True)
    except (ValueError, binascii.Error):
        return value
    if not raw or len(raw) % 4:
        return value
    before = array("f", raw).tolist()
    after = _numbers("embedding", before, index, edit, None)
    if after is before:
        return value
    return "" if after is None else base64.b64encode(array("f", after).tobytes()).decode()


def _numbers(kind: str, value: Any, index: int, edit: Edit, without: Any) -> Any:
    if type(value) is not list or not value or not all(_finite(one) for one in value):
        return value
    after = edit(kind, index, value)
    return without if after is None else after


def _named(value: Any, index: int, edit: Edit) -> Any:
    if type(value) is not dict or not value or not all(_finite(one) for one in value.values()):
        return value
    before = list(value.values())
    after = edit("scores", index, before)
    return value if after is before else {} if after is None else dict(zip(value, after, strict=True))


def _score(value: Any, index: int, edit: Edit) -> Any:
    if not _finite(value):
        return value
    before = [value]
    after = edit("scores", index, before)
    return value if after is before else None if after is None else after[0]


def _finite(value: Any) -> bool:
    return type(value) in (int, float) and -_MOST < value < _MOST


def input_of(body: Json, index: int) -> Any:
    """Return what entry `index` of an answer was computed from, as the request has it; the whole where it is one."""
    given = body.get("input", body.get("documents", body.get("texts")))
    return given[index] if type(given) is list and 0 <= index < len(given) and type(given[0]) is not int else given
