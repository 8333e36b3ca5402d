"""What an exam is given: materials as arrays, parameters as numbers, and chance from the committed seed.

In: a planned test and materials, bytes by name. Out: arrays. A parameter that asks for a material holds its name.
    tokens      JSON lines, `{"answer": [ids], "prompt": [ids]}`, one a document, the prompt where there was one
    arrays      NumPy's `.npz`, without pickled objects
    openings    canonical JSON, a list of `terms.reveal.Reveal`
Cost: one pass over the bytes. Left to `examination`: saying what is missing. Left to whoever runs it: making materials.
"""

import io
import json
import math
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from stillwatch.forensics.marks.pairs import TokenText
from stillwatch.terms.canon import canonical, number, read_canonical, sha256
from stillwatch.terms.errors import StillwatchError
from stillwatch.terms.protocol import PlannedTest
from stillwatch.terms.reveal import Reveal, fits, seed_stream

ALPHA: Final = "1e-6"
MOST_UNPACKED: Final = 4 << 30
"""Bytes that the arrays of one material may come to; a few kilobytes can claim to be far more."""
SEED: Final = "seed"
"""Parameter that names the opened seed."""


@dataclass(frozen=True, slots=True)
class Given:
    """Parameters and materials of one test."""

    test: PlannedTest
    materials: Mapping[str, bytes] = field(repr=False)

    def has(self, parameter: str) -> bool:
        """Whether the material that a parameter names is there."""
        return str(self.test.parameters.get(parameter, "")) in self.materials

    def raw(self, parameter: str) -> bytes:
        """Return the material that a parameter names.

        Raises:
            StillwatchError: there is none.
        """
        name = str(self.test.parameters.get(parameter, ""))
        if name not in self.materials:
            raise self.bad(parameter, f"names {name or 'nothing'}, which is not among the materials")
        return self.materials[name]

    def text(self, parameter: str, default: str = "") -> str:
        """Return a parameter as text."""
        return str(self.test.parameters.get(parameter, default))

    def whole(self, parameter: str, default: int) -> int:
        """Return a parameter as a whole number.

        Raises:
            StillwatchError: it is none.
        """
        value = self.test.parameters.get(parameter, default)
        if not isinstance(value, int):
            raise self.bad(parameter, "must be a whole number")
        return int(value)

    def real(self, parameter: str, default: str) -> float:
        """Return a parameter as a real number; it travels as text."""
        return number(self.text(parameter, default))

    @property
    def log_alpha(self) -> float:
        """Log of the level that power is reckoned for, over the hypotheses of the test's family."""
        return math.log(self.real("alpha", ALPHA) / max(1, self.test.family))

    def tokens(self, parameter: str) -> tuple[TokenText, TokenText]:
        """Return answers and prompts of a material of tokens.

        Raises:
            StillwatchError: it is no such material.
        """
        answers, prompts = [], []
        for line in self.raw(parameter).splitlines():
            try:
                row = json.loads(line)
                answers.append(np.asarray(row["answer"], np.int64).ravel())
                prompts.append(np.asarray(row.get("prompt", ()), np.int64).ravel())
            except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
                raise self.bad(parameter, f"line {len(answers) + 1} is no row with tokens of an answer") from None
        return TokenText.of(answers), TokenText.of(prompts)

    def arrays(self, parameter: str, *names: str) -> list[npt.NDArray[Any]]:
        """Return arrays of an `.npz`.

        Raises:
            StillwatchError: it is none, lacks one, or would not fit into `MOST_UNPACKED`.
        """
        raw = self.raw(parameter)
        try:
            with zipfile.ZipFile(io.BytesIO(raw)) as archive:
                size = sum(archive.getinfo(f"{name}.npy").file_size for name in names)
            if size > MOST_UNPACKED:
                raise self.bad(parameter, f"would unpack to more than {MOST_UNPACKED >> 30} GiB")
            with np.load(io.BytesIO(raw), allow_pickle=False) as held:
                return [held[name] for name in names]
        except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile, zlib.error, RuntimeError, MemoryError):
            # A header may claim any shape, and a stranger wrote it.
            raise self.bad(parameter, f"must be an .npz with {', '.join(names)}") from None

    def reveals(self, parameter: str) -> tuple[Reveal, ...]:
        """Return opened secrets, each held against what it was committed as.

        Raises:
            StillwatchError: one is not what was committed to, or the material holds something else.
        """
        found = read_canonical(self.raw(parameter), list[Reveal], f"openings of test {self.test.id}")
        for one in found:
            if not fits(one):
                raise self.bad(parameter, f"{one.item.id} is not the secret that was committed to")
        return tuple(found)

    def rng(self, purpose: str) -> np.random.Generator:
        """Return chance for one purpose, from the opened seed; without one, from the planned test itself.

        It only draws keys that chance is held against, so that a known seed harms nothing.
        """
        seed = bytes.fromhex(sha256(canonical(self.test)))
        if self.has(SEED):
            seed = bytes.fromhex(self.reveals(SEED)[0].secret)
        stream = seed_stream(seed, f"{self.test.id} {purpose}")
        return np.random.default_rng(int.from_bytes(stream, "big"))

    def bad(self, parameter: str, why: str) -> StillwatchError:
        """Return what to raise of a parameter."""
        return StillwatchError(
            f"test {self.test.id}, {parameter}: {why}. See docs/reference/exams.md for what it must hold."
        )


def packed(**arrays: npt.ArrayLike) -> bytes:
    """Return arrays as an `.npz`, the same bytes for the same arrays.

    >>> packed(a=[1, 2]) == packed(a=[1, 2])
    True
    """
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(arrays):
            one = io.BytesIO()
            np.lib.format.write_array(one, np.ascontiguousarray(arrays[name]), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), one.getvalue(), zipfile.ZIP_DEFLATED)
    return out.getvalue()
