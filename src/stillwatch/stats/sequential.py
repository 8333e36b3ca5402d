"""Watch many streams block by block: e-processes and e-detectors, in nats.

In: each stream's nats for the next block, valid given its own past. Out: the accumulated nats.
An `EProcess` asks "was it ever bad?" and may be read at any time (Ville); an `EDetector` asks "has it
*turned* bad?" and promises a mean time between false alarms.
Cost: 16 bytes a stream, one pass a block. Left to `correlation`: whether blocks may be multiplied at all.
Source: Ville 1939; Shin, Ramdas and Rinaldo 2023, "E-detectors", arXiv:2203.03532.
"""

from dataclasses import dataclass

import numpy as np

from stillwatch.stats.arrays import BoolArray, FloatArray, FloatLike, log_values
from stillwatch.stats.evalues import log_threshold


@dataclass(frozen=True, slots=True, kw_only=True)
class EProcess:
    """Product of sequential e-values of each stream, with its running maximum."""

    log_e: FloatArray
    """Nats now, shape (n_streams,)."""
    peak: FloatArray
    """Greatest nats so far, the start's 0 included, shape (n_streams,)."""

    @classmethod
    def start(cls, n_streams: int) -> "EProcess":
        """Return `n_streams` processes at 0 nats."""
        return cls(log_e=np.zeros(n_streams), peak=np.zeros(n_streams))

    def update(self, log_e: FloatLike) -> "EProcess":
        """Return the processes after one more block.

        Args:
            log_e: Nats of the block given the past, shape (n_streams,); 0 where nothing happened.

        >>> EProcess.start(2).update([2.0, -1.0]).update([-1.0, 0.5]).peak.tolist()
        [2.0, 0.0]
        """
        bet = log_values("log_e", log_e)
        # A stream that lost everything stays lost, even when the next bet wins without bound.
        ruined = np.isneginf(self.log_e) | np.isneginf(bet)
        now = np.where(ruined, -np.inf, np.where(ruined, 0.0, self.log_e) + np.where(ruined, 0.0, bet))
        return EProcess(log_e=now, peak=np.maximum(self.peak, now))

    def crossed(self, alpha: float) -> BoolArray:
        """Return which streams ever reached log(1/alpha): an honest one does with chance at most `alpha`."""
        return np.asarray(self.peak >= log_threshold(alpha))


@dataclass(frozen=True, slots=True, kw_only=True)
class EDetector:
    """Change detector of each stream: Shiryaev-Roberts (sum over starts) or CUSUM (best start)."""

    log_m: FloatArray
    """Log of the detector, shape (n_streams,); `-inf` before the first block."""
    kind: str
    """`shiryaev-roberts`, quicker on average, or `cusum`, which names one start."""

    @classmethod
    def start(cls, n_streams: int, *, kind: str = "shiryaev-roberts") -> "EDetector":
        """Return `n_streams` detectors that have seen nothing.

        Raises:
            ValueError: `kind` is unknown.
        """
        if kind not in ("shiryaev-roberts", "cusum"):
            raise ValueError(f"kind = {kind!r}: must be shiryaev-roberts or cusum.")
        return cls(log_m=np.full(n_streams, -np.inf), kind=kind)

    def update(self, log_e: FloatLike) -> "EDetector":
        """Return the detectors after one more block: e * (M + 1), or e * max(M, 1).

        Args:
            log_e: Nats of the block given the past, shape (n_streams,).

        >>> EDetector.start(1).update([0.0]).update([0.0]).log_m.round(3).tolist()
        [0.693]
        """
        bet = log_values("log_e", log_e)
        carried = np.logaddexp(self.log_m, 0.0) if self.kind == "shiryaev-roberts" else np.maximum(self.log_m, 0.0)
        # `carried` is at least 0 nats; losing the whole bet beats even an infinite one, as in `EProcess`.
        lost = np.isneginf(bet)
        return EDetector(log_m=np.where(lost, -np.inf, carried + np.where(lost, 0.0, bet)), kind=self.kind)

    def alarms(self, mean_blocks_between: float) -> BoolArray:
        """Return which streams alarm: an honest one runs at least this many blocks on average before it does.

        Args:
            mean_blocks_between: Average run length promised, in blocks, above 1.
        """
        return np.asarray(self.log_m >= log_threshold(1.0 / mean_blocks_between))

    def restart(self, where: BoolArray) -> "EDetector":
        """Return the detectors with those in `where` as if they had seen nothing, as after an alarm.

        Args:
            where: Mask, shape (n_streams,).
        """
        return EDetector(log_m=np.where(where, -np.inf, self.log_m), kind=self.kind)
