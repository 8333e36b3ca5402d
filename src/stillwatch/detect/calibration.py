"""What honest traffic looks like, learnt once and used to judge other logs.

In: a source of traffic taken to be honest. Out: a frozen `Calibration`, and its JSON. Accounts that
any candidate names are left out, so that a campaign hidden in the traffic does not set the standard.
It holds scores, rates and counts; no hash, no name, and nothing that depends on the key.
Cost: two passes over the events of at most 20,000 accounts a stratum, in chunks of 51 MB.
Left to `accounts`: comparing; left to `app`: files.
"""

from dataclasses import dataclass, replace
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from stillwatch.detect.accounts import ENOUGH, SCORED, HonestScores, Scores, event_chunks, join
from stillwatch.detect.conduct import outside_of
from stillwatch.detect.config import DetectConfig
from stillwatch.detect.explain import Outside
from stillwatch.detect.grid import block_seconds
from stillwatch.detect.habit import N_BINS, HabitTable
from stillwatch.detect.population import STRATA, Fold, Population
from stillwatch.detect.search import candidates_of, outside_rows
from stillwatch.detect.stability import Blocks, Stability, stability
from stillwatch.terms.errors import StillwatchError
from stillwatch.terms.event import empty_events
from stillwatch.terms.ports import SECONDS_PER_DAY, EventSource, Window

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

CALIBRATION_VERSION: Final = 1
MOST_ACCOUNTS: Final = 20_000
"""Accounts of a stratum that are scored at most; a random draw beyond."""
AGAIN: Final = "make it again with `stillwatch calibrate PATH... --out FILE`."


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Honest traffic in figures."""

    scores: HonestScores
    habits: HabitTable
    """How honest accounts' likeness ranks fall out."""
    shared_payment: float
    """Share of honest accounts whose payment token another one uses too; strictly between 0 and 1."""
    accounts: dict[str, int]
    """Stratum -> honest accounts that were scored, before thinning."""
    left_out: int
    """Accounts left out because a candidate names them."""
    n_events: int
    span_seconds: float
    """From the first event to the last."""
    block_seconds: float
    """Length of the blocks that `stability` speaks of."""
    alpha: float
    """Nominal false-alarm rate that `stability` speaks of."""
    stability: tuple[Stability, ...]

    @property
    def thin(self) -> tuple[str, ...]:
        """Strata with too few accounts to stand for honest ones, in words."""
        return tuple(
            f"stratum {name}: {n} honest accounts, fewer than {ENOUGH}; nobody in it can show much evidence."
            for name, n in self.accounts.items()
            if n < ENOUGH
        )

    def outside(self, people: Population) -> Outside:
        """Return the reference that campaigns are weighed with, in place of one learnt from the log judged."""
        nobody = np.zeros(0, np.int64)
        blank = outside_of(people, nobody, empty_events(), np.random.default_rng(0))
        return replace(blank, habits=self.habits, shared_payment=self.shared_payment)

    def to_json(self) -> bytes:
        """Return the calibration as JSON, indented."""
        plain: dict[str, Any] = {
            "version": CALIBRATION_VERSION,
            "scores": {
                scenario.name: {name: by[i].tolist() for i, name in enumerate(STRATA)}
                for scenario, by in zip(SCORED, self.scores.by, strict=True)
            },
            "habits": {
                "probabilities": self.habits.probabilities.tolist(),
                "accounts": self.habits.accounts.tolist(),
            },
        }
        plain |= {name: getattr(self, name) for name in PLAIN}
        return msgspec.json.format(msgspec.json.encode(plain), indent=1)


PLAIN: Final = (
    "shared_payment", "accounts", "left_out", "n_events", "span_seconds", "block_seconds", "alpha", "stability",
)  # fmt: skip
"""Fields that stand in the file as they are."""


class _Version(msgspec.Struct):
    version: int


class _Habits(msgspec.Struct):
    probabilities: list[list[list[float]]]
    accounts: list[list[int]]


class _File(msgspec.Struct, forbid_unknown_fields=True):
    version: int
    scores: dict[str, dict[str, list[float]]]
    habits: _Habits
    shared_payment: float
    accounts: dict[str, int]
    left_out: int
    n_events: int
    span_seconds: float
    block_seconds: float
    alpha: float
    stability: tuple[Stability, ...]


def from_json(data: bytes) -> Calibration:
    """Read a calibration back.

    Raises:
        StillwatchError: it is damaged, of another version, or holds figures that cannot be.
    """
    try:
        version = msgspec.json.decode(data, type=_Version).version
        if version != CALIBRATION_VERSION:
            raise StillwatchError(f"calibration: is version {version}; must be {CALIBRATION_VERSION}; {AGAIN}")
        file = msgspec.json.decode(data, type=_File)
    except (msgspec.MsgspecError, UnicodeDecodeError) as problem:
        raise StillwatchError(f"calibration: damaged ({problem}); {AGAIN}") from None
    return Calibration(
        scores=HonestScores(tuple(tuple(_sorted(file, s.name, name) for name in STRATA) for s in SCORED)),
        habits=_habits(file.habits),
        **{name: getattr(file, name) for name in PLAIN},
    )


def _sorted(file: _File, scenario: str, stratum: str) -> FloatArray:
    values = np.array(file.scores.get(scenario, {}).get(stratum, [np.nan]), np.float64)
    alike = len(values) == len(file.scores.get(SCORED[0].name, {}).get(stratum, []))
    if not (alike and np.isfinite(values).all() and (np.diff(values) >= 0.0).all()):
        raise StillwatchError(f"calibration: scores of {scenario}, {stratum}: missing, uneven or not sorted; {AGAIN}")
    return values


def _habits(given: _Habits) -> HabitTable:
    shape = HabitTable.fit(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0), strata=STRATA).probabilities.shape
    try:
        probabilities, accounts = np.array(given.probabilities, np.float64), np.array(given.accounts, np.int64)
    except ValueError:
        probabilities, accounts = np.zeros(0), np.zeros(0, np.int64)
    right = probabilities.shape == shape and accounts.shape == shape[:2]
    if not (right and (probabilities > 0.0).all() and np.allclose(probabilities.sum(axis=2), 1.0)):
        raise StillwatchError(f"calibration: habits: must be {shape} probabilities over {N_BINS} bins; {AGAIN}")
    return HabitTable(STRATA, probabilities, accounts)


def calibrate(source: EventSource, config: DetectConfig, *, epoch: int | None = None) -> Calibration:
    """Learn from traffic what honest accounts look like.

    Args:
        source: Events of traffic taken to be honest, campaigns in it apart.
        config: Bounds, error rate and seed; the same seed gives the same calibration.
        epoch: Key epoch to learn from; the newest when None.

    Raises:
        StillwatchError: there is no event, or every account is named by a candidate.
    """
    span = source.span(epoch)
    if span.n_events == 0:
        raise StillwatchError("calibration: the traffic holds no events; give logs of honest traffic.")
    grid = block_seconds(span.first, span.last, longest=config.block_seconds)
    window = Window(epoch=span.epoch, block_seconds=grid)
    people = Population.of(source.rollup(window))
    rng = np.random.default_rng(config.seed)
    honest = outside_rows(people, candidates_of(source, people, Fold.both(source, people, window), config))
    if len(honest) == 0:
        everybody = f"all {len(people.roll)} accounts"
        raise StillwatchError(f"calibration: {everybody} are named by candidates; give more honest traffic.")
    sample = np.sort(rng.choice(honest, min(config.controls, len(honest)), replace=False))
    # Members of a block are measured on one fold, so habits are too.
    outside = outside_of(people, honest, source.events(people.roll["account"][sample], replace(window, fold=0)), rng)
    seconds = block_seconds(span.first, span.last, longest=SECONDS_PER_DAY)
    parts, blocks = [], []
    for events in event_chunks(source, people, _drawn(people, honest, rng), window):
        parts.append(Scores.of(events, people, rng))
        blocks.append(Blocks.of(events, people, seconds, rng))
    scores = join(parts)
    return Calibration(
        scores=HonestScores.of(scores),
        habits=outside.habits,
        shared_payment=outside.shared_payment,
        accounts={name: int((scores.stratum == i).sum()) for i, name in enumerate(STRATA)},
        left_out=len(people.roll) - len(honest),
        n_events=span.n_events,
        span_seconds=span.last - span.first,
        block_seconds=seconds,
        alpha=config.alpha,
        stability=stability(blocks, alpha=config.alpha, rng=rng),
    )


def _drawn(people: Population, honest: IntArray, rng: np.random.Generator) -> IntArray:
    parts = []
    for stratum in range(len(STRATA)):
        rows = honest[people.stratum[honest] == stratum]
        parts.append(rows if len(rows) <= MOST_ACCOUNTS else rng.choice(rows, MOST_ACCOUNTS, replace=False))
    return np.sort(np.concatenate(parts))
