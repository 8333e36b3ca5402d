"""Part a block whose accounts agree in payer or network only to some extent.

In: a candidate and how accounts outside agree. Out: the accounts that agree, and the rest, each a
candidate of its own; or the candidate as it was. Two campaigns that took the same public wrapper, or
a campaign and the people who use that wrapper too, are one block of text; nobody is to be accused
for what others pay with, nor overlooked because others share a payer.
Left to `explain`: testing both parts; left to `campaign`: counting both as looked at.
"""

from dataclasses import replace

import numpy as np

from stillwatch.detect.candidates import Candidate
from stillwatch.detect.config import DetectConfig
from stillwatch.detect.families import Elsewhere, fits_in, infrastructure_families


def parted(elsewhere: Elsewhere, candidate: Candidate, config: DetectConfig) -> list[Candidate]:
    """Return the parts of a block of shared text that are worth testing; infrastructure is left whole.

    Args:
        elsewhere: How accounts outside every candidate agree.
        candidate: The block.
        config: How many holders make a part.
    """
    people, rows = elsewhere.people, candidate.rows
    if candidate.origin == "infrastructure":
        return [candidate]
    fits = fits_in(people, rows, rows, infrastructure_families(elsewhere, rows))
    if fits.all():
        return [candidate]
    parts = [replace(candidate, rows=rows[mask], parted_from=rows) for mask in (fits, ~fits)]
    return [part for part in parts if len(np.unique(people.holder[part.rows])) >= config.min_holders]
