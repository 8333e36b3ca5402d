"""What a treatment is: a change to a request before it goes upstream and to the answer that comes back.

In: parsed JSON objects of one exchange. Out: the same object where nothing changes, else a new one; what came
in is never altered. Shapes that are not known pass through: a treatment never fails an answer.
Left to `gateway`: bytes, event streams, and sending on the very bytes that came where nothing changed.
"""

from typing import Any, Protocol

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
        """Return what to send to the caller instead of `obj`: `obj` itself where nothing changes.

        Args:
            obj: A whole JSON answer, or the JSON of one event of a stream. What becomes of a token does not
                depend on how a stream was cut into events.
        """
        ...


class TreatmentKind(Protocol):
    """An entry of the catalogue; the conformance tests run over every one."""

    @property
    def name(self) -> str:
        """Short lower-case name."""
        ...

    @property
    def on_by_default(self) -> bool:
        """Always False: an action must order it."""
        ...

    @property
    def actions(self) -> tuple[str, ...]:
        """Actions that it carries out."""
        ...

    @property
    def cost(self) -> str:
        """What an honest user loses under it, in words."""
        ...

    def begin(self, key: bytes, request_id: str) -> Treatment:
        """Return the treatment for one request."""
        ...
