"""Several treatments at work on one exchange, one after the other.

In: treatments in the order in which a rule names them. Out: one treatment. Each sees what the one before it made,
both of the request and of the answer.
"""

from dataclasses import dataclass

from stillwatch.treatments.treatment import Json, Treatment


@dataclass(frozen=True, slots=True)
class Chain:
    """Treatments in order, at least one."""

    links: tuple[Treatment, ...]

    @property
    def name(self) -> str:
        """Names of the treatments, joined by `+`."""
        return "+".join(link.name for link in self.links)

    def edit_request(self, body: Json) -> Json | None:
        """Return the request after every treatment; None when none changed it."""
        now = body
        for link in self.links:
            changed = link.edit_request(now)
            now = now if changed is None else changed
        return None if now is body else now

    def edit_answer(self, obj: Json) -> Json:
        """Return the answer after every treatment."""
        for link in self.links:
            obj = link.edit_answer(obj)
        return obj

    def edit_event(self, obj: Json) -> tuple[Json, ...]:
        """Return what every treatment made of one event."""
        events: tuple[Json, ...] = (obj,)
        for link in self.links:
            events = tuple(after for event in events for after in link.edit_event(event))
        return events

    def end_stream(self) -> tuple[Json, ...]:
        """Return what the treatments still hold back, each one's passed through those behind it."""
        events: tuple[Json, ...] = ()
        for link in self.links:
            events = (*(after for event in events for after in link.edit_event(event)), *link.end_stream())
        return events
