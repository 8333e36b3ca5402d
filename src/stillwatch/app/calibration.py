"""Calibration files: written whole or not at all, and read back with the path in every complaint.

In: a path. Out: a `Calibration`, or a file. Left to `detect`: what stands in it.
"""

from pathlib import Path

from stillwatch.detect.calibration import Calibration, from_json
from stillwatch.terms.errors import StillwatchError


def read_calibration(path: Path) -> Calibration:
    """Read what `stillwatch calibrate` wrote.

    Raises:
        StillwatchError: the file cannot be read, is damaged, or is of another version.
    """
    try:
        return from_json(path.read_bytes())
    except OSError as problem:
        raise StillwatchError(f"{path}: {problem.strerror}; give a file that `stillwatch calibrate` wrote.") from None
    except StillwatchError as problem:
        raise StillwatchError(f"{path}: {problem}") from None


def write_calibration(calibration: Calibration, path: Path) -> None:
    """Write a calibration; an earlier file of that name stays until the new one is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.draft")
    draft.write_bytes(calibration.to_json())
    draft.replace(path)
