"""Text flow: one edit of text carried through every shape of an answer, whole or streamed.

In: whole answers and events, and a maker of `TextEdit`s. Out: the same with each text edited. An edit sees one text
from its start to its end, in whatever pieces it comes, and may hold any of it back: what it holds goes out before the
event that ends that text (`finish_reason`, the end of a block, `...done`), at the latest with the stream. Events
that repeat a whole text after its pieces get the very text that the pieces joined to. Several choices and blocks may
come interleaved. Texts beside token probabilities, or with positions within them (citations), can be left alone.
Cost: a few look-ups an event; what edits hold, and the text of an answer whose protocol repeats it.
Left to treatments: the edits. Left to `texts`: where text stands.

A treatment that only edits text needs no more than this:

    flow = TextFlow(lambda channel: MyEdit(), channels=(REASONING,))
    edit_answer, edit_event, end_stream = flow.edit_answer, flow.edit_event, flow.end_stream
"""

from collections.abc import Callable
from typing import Final, Protocol

from stillwatch.treatments.texts import ANSWER, CHANNELS, REASONING, Key, Place, at, ended, pieces, put, repeats, whole
from stillwatch.treatments.treatment import Json

__all__ = ["ANSWER", "CHANNELS", "REASONING", "TextEdit", "TextFlow"]

_MOST_TEXTS: Final = 512
"""Texts of one answer that are edited; further ones pass."""


class TextEdit(Protocol):
    """The edit of one text. Joined, what it gives must not depend on how the text was cut into pieces."""

    def feed(self, text: str) -> str:
        """Take the next piece; return what can go out, perhaps nothing."""
        ...

    def end(self) -> str:
        """Return the rest: no more will come."""
        ...


class _Text:
    """One text on its way."""

    __slots__ = ("came", "edit", "ended", "gone", "last")

    def __init__(self, edit: TextEdit | None) -> None:
        self.edit = edit
        self.came = 0
        self.gone: list[str] = []
        self.last: tuple[Json, Place] | None = None
        self.ended = False


class TextFlow:
    """Carries one answer's texts through edits; make one for each request."""

    def __init__(
        self,
        new: Callable[[str], TextEdit | None],
        *,
        channels: tuple[str, ...] = (ANSWER,),
        only_bare: bool = False,
    ) -> None:
        """Take what makes an edit for a new text of a channel, or None to let that text pass.

        Args:
            new: Called once for each text, with its channel.
            channels: Which texts are edited: `ANSWER`, `REASONING`.
            only_bare: Leave texts alone that token probabilities or positions within the text stand beside.
        """
        self._new = new
        self._channels = channels
        self._only_bare = only_bare
        self._texts: dict[Key, _Text] = {}

    # ---- whole answers ----

    def edit_answer(self, obj: Json) -> Json:
        """Return a whole answer with its texts edited; the very object where none changed."""
        for place in [place for place in whole(obj) if place.channel in self._channels]:
            obj = _written(obj, place.path, place.text, self._at_once(place))
        return obj

    def _at_once(self, place: Place) -> str:
        edit = None if self._only_bare and not place.bare else self._new(place.channel)
        return place.text if edit is None else edit.feed(place.text) + edit.end()

    # ---- streams ----

    def edit_event(self, obj: Json) -> tuple[Json, ...]:
        """Return one event of a stream with its pieces edited, and before it what ends there."""
        places = [place for place in pieces(obj) if place.channel in self._channels]
        over = ended(obj, self._open())
        first = [key for key in [*_overtaken(obj, self._open()), *over] if not any(p.key == key for p in places)]
        before = [event for key in first for event in self._rest(key)]
        after = obj
        for place in places:
            last = place.key in over or place.key in ended(obj, [place.key])
            after = _written(after, place.path, place.text, self._piece(obj, place, last))
        for place in repeats(obj):
            if place.channel in self._channels:
                after = _written(after, place.path, place.text, self._again(place))
        return (*before, after)

    def end_stream(self) -> tuple[Json, ...]:
        """Return events with what is still held, where a stream ends without saying so."""
        return tuple(event for key in self._open() for event in self._rest(key))

    def _open(self) -> list[Key]:
        return [key for key, text in self._texts.items() if not text.ended]

    def _piece(self, obj: Json, place: Place, last: bool) -> str:
        text = self._texts.get(place.key)
        if text is None or text.ended:
            if len(self._texts) >= _MOST_TEXTS:
                return place.text
            text = self._texts[place.key] = _Text(self._new(place.channel))
        held = ""
        if self._only_bare and not place.bare and text.edit is not None:
            held, text.edit = text.edit.end(), None
        text.came += len(place.text)
        text.last = (obj, place)
        out = held + (place.text if text.edit is None else text.edit.feed(place.text))
        if last:
            text.ended = True
            out += text.edit.end() if text.edit is not None else ""
        if place.key[0] == "item":
            text.gone.append(out)
        return out

    def _rest(self, key: Key) -> list[Json]:
        """End one text; return the event that says what was held, if anything was."""
        text = self._texts[key]
        text.ended = True
        held = text.edit.end() if text.edit is not None else ""
        if not held or text.last is None:
            return []
        if key[0] == "item":
            text.gone.append(held)
        return [_only(*text.last, held)]

    def _again(self, place: Place) -> str:
        """Return what a text that is said again has to be."""
        text = self._texts.get(place.key)
        if text is not None and text.came == len(place.text) and text.gone:
            return "".join(text.gone)
        return self._at_once(place)


def _written(obj: Json, path: tuple[str | int, ...], before: str, after: str) -> Json:
    found: Json = obj if after == before else put(obj, path, after)
    return found


def _overtaken(obj: Json, open_texts: list[Key]) -> list[Key]:
    """Return reasoning of the chat choices whose answer begins in this event: it was said before the answer."""
    begun = {place.key[1] for place in pieces(obj) if place.channel == ANSWER and place.text}
    return [key for key in open_texts if key[0] == "choice" and key[1] in begun and _is_reasoning(key)]


def _is_reasoning(key: Key) -> bool:
    return key[-1] == REASONING or (len(key) == 3 and key[2] not in ("content", "text"))


def _only(obj: Json, place: Place, text: str) -> Json:
    """Return an event like `obj` that says `text` at `place` and nothing else."""
    path = place.path
    if path[0] == "choices":
        choice = at(obj, path[:2])
        bare = {**choice, "finish_reason": None}
        if "logprobs" in choice:
            bare["logprobs"] = None
        if path[2] == "delta":
            bare["delta"] = {path[3]: [at(obj, path[:5])] if len(path) > 4 else ""}
            path = (*path[:4], 0, *path[5:]) if len(path) > 4 else path
        rest = {name: value for name, value in obj.items() if name != "usage"}
        if "usage" in obj:
            rest["usage"] = None
        obj, path = {**rest, "choices": [bare]}, ("choices", 0, *path[2:])
    elif path[0] == "content_block":
        kind = "thinking" if place.channel == REASONING else "text"
        delta = {"type": f"{kind}_delta", kind: text}
        return {"type": "content_block_delta", "index": obj.get("index"), "delta": delta}
    elif "logprobs" in obj:
        obj = {**obj, "logprobs": []}
    found: Json = put(obj, path, text)
    return found
