"""The error rates that the benchmark measured, for the pages that promise one.

In: `data/measured.json`, written from a benchmark run. Out: `MeasuredRate` records. No file, no claim.
"""

from importlib import resources

import msgspec

from stillwatch.console.report import MeasuredRate


def measured_rates() -> tuple[MeasuredRate, ...]:
    """Return the packaged rates; none where the benchmark has not been run for this version."""
    found = resources.files("stillwatch.app").joinpath("data/measured.json")
    return msgspec.json.decode(found.read_bytes(), type=tuple[MeasuredRate, ...]) if found.is_file() else ()
