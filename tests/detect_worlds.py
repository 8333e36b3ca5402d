"""Small worlds of events made by hand: each group keeps one honest explanation, or none.

Rows are built directly, without text: keys are random numbers, subjects random directions. Everything
comes from `rng`, so that a world can be drawn again.
"""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from stillwatch.terms.event import ADDRESS_KINDS, N_ANCHORS, N_PROJECTION, EventArray, empty_events

START = 1_767_571_200.0
DAYS = 7.0
N_SUBJECTS = 400
UIntArray = npt.NDArray[np.uint64]


def keys(rng: np.random.Generator, *shape: int) -> UIntArray:
    """Return random keys; never 0, which stands for "not said"."""
    return rng.integers(1, 2**63, shape, dtype=np.uint64)


def volumes(rng: np.random.Generator, n: int, middle: float = 10.0) -> npt.NDArray[np.int64]:
    """Return heavy-tailed volumes, as honest accounts have them; at least 3, at most 150."""
    return np.clip(middle * np.exp(rng.normal(0.0, 0.9, n)), 3, 150).astype(np.int64)


@dataclass
class World:
    """Groups of accounts as they are added; `events` shuffles nothing and keeps time order."""

    rng: np.random.Generator
    parts: list[EventArray] = field(default_factory=list)
    groups: dict[str, set[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.subjects = self.rng.normal(size=(N_SUBJECTS, N_PROJECTION))

    def rows(self, name: str, counts: npt.NDArray[np.int64]) -> tuple[EventArray, npt.NDArray[np.int64]]:
        """Add accounts with own payers, networks, subjects and phrases; return (events, index of account)."""
        n, index = int(counts.sum()), np.repeat(np.arange(len(counts)), counts)
        accounts = keys(self.rng, len(counts))
        events = empty_events(n)
        events["event_id"], events["account"] = keys(self.rng, n), accounts[index]
        events["time"] = START + self.rng.random(n) * DAYS * 86_400.0
        for name_, values in (("payment", accounts ^ np.uint64(77)), ("network", keys(self.rng, len(counts)))):
            events[name_] = values[index]
        events["key_id"] = (accounts ^ np.uint64(99))[index]
        events["asn"] = self.rng.integers(1, 60_000, len(counts))[index]
        events["address_kind"] = ADDRESS_KINDS.index("consumer")
        events["sdk"] = self.rng.integers(1, 8, len(counts))[index]
        events["turns"], events["tokens_in"], events["tokens_out"] = 1, 200, 300
        sketch = events["sketch"]
        sketch["anchors"] = keys(self.rng, n, N_ANCHORS)
        for part in ("head", "tail", "skeleton", "content", "issued"):
            sketch[part] = keys(self.rng, n)
        sketch["words"] = 80
        self.talk(events, self.rng.integers(0, N_SUBJECTS, len(counts))[index])
        self.parts.append(events)
        self.groups[name] = {int(a) for a in accounts}
        return events, index

    def talk(self, events: EventArray, subject: npt.NDArray[np.int64], spread: float = 0.7) -> None:
        """Give each event a subject."""
        points = self.subjects[subject] + spread * self.rng.normal(size=(len(events), N_PROJECTION))
        events["sketch"]["projection"] = np.clip(points * 30, -127, 127).astype(np.int8)

    def wrap(self, events: EventArray, n_anchors: int = 8) -> None:
        """Put one wrapper round every request: shared first words and shared shingles."""
        events["sketch"]["anchors"][:, :n_anchors] = keys(self.rng, n_anchors)
        events["sketch"]["head"] = keys(self.rng, 1)

    def crowd(self, n: int = 120) -> None:
        """Add honest accounts with own habits that share nothing."""
        self.rows("crowd", volumes(self.rng, n))

    def template(self, n: int = 25) -> None:
        """Add customers of one popular tool: shared words, own subjects, payers and volumes."""
        events, _ = self.rows("template", volumes(self.rng, n))
        self.wrap(events)

    def course(self, n: int = 25) -> None:
        """Add a class with one task: the same few questions, each asked a few times."""
        counts = self.rng.integers(3, 6, n)
        events, _ = self.rows("course", counts)
        self.wrap(events)
        questions = keys(self.rng, 4)
        which = self.rng.integers(0, 4, len(events))
        events["sketch"]["content"] = questions[which]
        self.talk(events, self.rng.integers(0, N_SUBJECTS, 4)[which])

    def company(self, n: int = 25) -> None:
        """Add one customer's staff: one payer and one template, own subjects."""
        events, _ = self.rows("company", volumes(self.rng, n))
        self.wrap(events)
        events["payment"] = keys(self.rng, 1)

    def campus(self, n: int = 25) -> None:
        """Add people behind few payers and one network, each with own work and own words."""
        events, index = self.rows("campus", volumes(self.rng, n))
        events["payment"] = keys(self.rng, 4)[index % 4]
        events["network"], events["sdk"], events["asn"] = keys(self.rng, 1), 3, 680

    def campaign(self, n: int = 40, requests: int = 14, name: str = "campaign") -> None:
        """Add a campaign: one wrapper, one queue of subjects, few payers, even load."""
        counts = self.rng.integers(int(requests * 0.85), requests + 1, n)
        events, index = self.rows(name, counts)
        self.wrap(events)
        self.talk(events, self.rng.integers(0, N_SUBJECTS, len(events)))
        events["payment"] = keys(self.rng, 6)[index % 6]
        events["network"] = keys(self.rng, 8)[index % 8]
        events["address_kind"] = ADDRESS_KINDS.index("datacentre")

    @property
    def events(self) -> EventArray:
        """All events in order of time."""
        joined = np.concatenate(self.parts)
        return joined[np.argsort(joined["time"], kind="stable")]
