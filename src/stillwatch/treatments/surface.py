"""Surface: a mark in the wording of an answer, for upstreams that give no hand in choosing tokens.

In: a request and its answer. Out: the answer with a keyed choice between wordings that say the same ("for example",
"for instance"; "do not", "don't"), traceable to campaign and account like the mark of tokens, under the same ring.
Only plain English prose is touched: see `surfaces.scanner`. Left alone are code, structures, quotations, headings,
names, reasoning, tool calls; answers that are to be a structure or verse, or with token probabilities or citations,
which point into their text (`surfaces.request`); and wordings taken from the request.
A rule that wants the mark under token probabilities, too, names `withhold` before it. Cost: bench/marks/surface.py.
Left to `forensics.marks.surface`: reading it.
"""

from dataclasses import dataclass, field

from stillwatch.treatments.flow import ANSWER, TextEdit, TextFlow
from stillwatch.treatments.marks.ring import Ring
from stillwatch.treatments.occasion import Occasion
from stillwatch.treatments.surfaces.choice import Choice
from stillwatch.treatments.surfaces.request import free_prose, given_words
from stillwatch.treatments.surfaces.sites import Site, Sites
from stillwatch.treatments.treatment import Json


class SurfaceOne:
    """The treatment for one request."""

    name = "surface"

    def __init__(self, choice: Choice) -> None:
        """Take what chooses."""
        self._choice = choice
        self._on = True
        self._given = ""
        self._flow = TextFlow(self._new, channels=(ANSWER,), only_bare=True)

    def edit_request(self, body: Json) -> Json | None:
        """Look at the request; it goes on as it came."""
        given = given_words(body) if free_prose(body) else None
        self._on, self._given = given is not None, given or ""
        return None

    def edit_answer(self, obj: Json) -> Json:
        """Reword a whole answer."""
        return self._flow.edit_answer(obj) if self._on else obj

    def edit_event(self, obj: Json) -> tuple[Json, ...]:
        """Reword one event of a stream."""
        return self._flow.edit_event(obj) if self._on else (obj,)

    def end_stream(self) -> tuple[Json, ...]:
        """Give what is held back where a stream ends without saying so."""
        return self._flow.end_stream()

    def _new(self, channel: str) -> TextEdit:
        return Sites(self._chosen)

    def _chosen(self, site: Site) -> int:
        if self._given and f" {site.before} " in self._given:
            return site.said
        return self._choice.wanted(site)


@dataclass(frozen=True, slots=True)
class Surface:
    """The catalogue's entry."""

    ring: Ring | None = field(default=None, repr=False)
    """Keys where an occasion brings none; for trials."""
    name: str = "surface"
    on_by_default: bool = False
    least: str = "mark"
    cost: str = (
        "A few wordings a page are exchanged for ones that say the same; nothing else changes. Register varies a "
        "little: a text that contracts may do so less or more often."
    )

    def begin(self, occasion: Occasion) -> SurfaceOne | None:
        """Return the treatment for one request; None without keys."""
        marks = occasion.marks
        ring = marks.ring if marks is not None else self.ring
        if ring is None:
            return None
        if marks is not None:
            # Renews the order that nobody sends, so that who is marked is put down for the reader.
            marks.noted(occasion.account, occasion.campaign)
        epoch = ring.current
        account = epoch.tag("account", occasion.account) if occasion.account else b""
        campaign = epoch.tag("campaign", occasion.campaign) if occasion.campaign else b""
        return SurfaceOne(Choice.of(epoch, account, campaign))
