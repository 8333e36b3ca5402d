"""Canary: free choices in answers to an account take values drawn for it in secret, so that a copy gives itself away.

In: the account's canaries, a request and its answer. Out: a request whose system prompt says which values free choices
take, where it gives harmless occasion for them; an answer in which a stand-in name becomes the canary's. All other
requests and answers keep their bytes. Only under a confirmed verdict: `policy` lets no other rule order it.
Cost: reading a request, about 10 microseconds a kilobyte; about 30 prompt tokens a canary carried, 3 at most.
Left to `canaries`: what can carry one and where none may be. Left to `app`: registering them before they are served.
"""

from dataclasses import dataclass, field

from stillwatch.treatments.canaries.carry import carrying
from stillwatch.treatments.canaries.draw import Canary as Drawn
from stillwatch.treatments.canaries.ground import ground_of
from stillwatch.treatments.canaries.renamed import Each, Renamed
from stillwatch.treatments.flow import TextFlow
from stillwatch.treatments.occasion import Occasion
from stillwatch.treatments.treatment import Json


@dataclass(slots=True)
class CanaryOne:
    """The treatment of one request."""

    canaries: tuple[Drawn, ...] = field(repr=False)
    endpoint: str = "chat"
    by_prompt: bool = True
    """Whether the system prompt may be added to."""
    name: str = "canary"
    _flow: TextFlow | None = field(default=None, repr=False)

    def edit_request(self, body: Json) -> Json | None:
        """Add the lines of the canaries that the request gives occasion for; see whether its answer may be edited."""
        self._flow = None
        ground = ground_of(body, self.endpoint) if self.canaries else None
        if ground is None:
            return None
        fitting = ground.fitting(self.canaries)
        named = {one.template.gender: one.value for one in reversed(fitting) if one.template.kind == "name"}
        # A conversation that the upstream keeps would go on with the name that the caller never saw.
        if named and (self.endpoint != "responses" or body.get("store") is False):
            request = ground.text
            self._flow = TextFlow(
                lambda _: Each([Renamed(value, gender, request) for gender, value in named.items()]), only_bare=True
            )
        return carrying(body, self.endpoint, fitting) if self.by_prompt else None

    def edit_answer(self, obj: Json) -> Json:
        """Return a whole answer with a stand-in name replaced, where the request allowed it."""
        return obj if self._flow is None else self._flow.edit_answer(obj)

    def edit_event(self, obj: Json) -> tuple[Json, ...]:
        """Return one event likewise."""
        return (obj,) if self._flow is None else self._flow.edit_event(obj)

    def end_stream(self) -> tuple[Json, ...]:
        """Return what is still held where a stream ends without saying so."""
        return () if self._flow is None else self._flow.end_stream()


@dataclass(frozen=True, slots=True)
class Canary:
    """The catalogue's entry."""

    name: str = "canary"
    on_by_default: bool = False
    least: str = "perturb"
    cost: str = (
        "In plain prose that asks for something made up: the name of an invented person, a number in a worked example "
        "or the order of items without one is not the model's own choice, and up to about 100 prompt tokens more; "
        "nothing in answers that are executed, parsed, or bear on health, law or money."
    )

    def begin(self, occasion: Occasion) -> CanaryOne:
        """Return the treatment for one request; without canaries it changes nothing."""
        return CanaryOne(occasion.canaries, occasion.endpoint, occasion.config.canary_by_prompt)
