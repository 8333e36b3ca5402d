"""What a treatment is: a change to a request before it goes upstream and to the answer that comes back.

In: parsed JSON objects of one exchange. Out: the same object where nothing changes, else a new one; what came
in is never altered. Shapes that are not known pass through: a treatment never fails an answer.
Left to `gateway`: bytes, event streams, and sending on the very bytes that came where nothing changed.
"""

from typing import Any, Protocol

from stillwatch.treatments.occasion import Occasion

Json = dict[str, Any]


class Treatment(Protocol):
    """One treatment at work on one request and its answer."""

    @property
    def name(self) -> str:
        """Catalogue name."""
        ...

    def edit_request(self, body: Json) -> Json | None:
        """Return what to send upstream instead of `body`; None leaves it as it came."""
        ...

    def edit_answer(self, obj: Json) -> Json:
        """Return what to send to the caller instead of a whole JSON answer: `obj` itself where nothing changes."""
        ...

    def edit_event(self, obj: Json) -> tuple[Json, ...]:
        """Return what to send instead of one event of a stream: `(obj,)`, the very object, where nothing changes.

        Text may be held back and given with a later event; whatever is held is given before the event that ends
        its choice or block. Joined, the text does not depend on how the stream was cut into events.
        """
        ...

    def end_stream(self) -> tuple[Json, ...]:
        """Return events with what is still held back, where a stream ends without an event that says so."""
        ...


class WholeOnly:
    """For treatments that look at one object at a time: an event is edited as an answer is."""

    __slots__ = ()

    def edit_answer(self, obj: Json) -> Json:
        """Return what to send instead of `obj`."""
        raise NotImplementedError

    def edit_event(self, obj: Json) -> tuple[Json, ...]:
        """Return the event, edited by itself."""
        return (self.edit_answer(obj),)

    def end_stream(self) -> tuple[Json, ...]:
        """Return nothing: nothing is held back."""
        return ()


class TreatmentKind(Protocol):
    """An entry of the catalogue, without state; the conformance tests run over every one."""

    @property
    def name(self) -> str:
        """Short lower-case name; `terms.treated` knows it too."""
        ...

    @property
    def on_by_default(self) -> bool:
        """Always False: an action must order it."""
        ...

    @property
    def least(self) -> str:
        """Mildest action that may carry it."""
        ...

    @property
    def cost(self) -> str:
        """What an honest user loses under it, in words."""
        ...

    def begin(self, occasion: Occasion) -> Treatment | None:
        """Return the treatment for one request; None where it has nothing to do there."""
        ...
