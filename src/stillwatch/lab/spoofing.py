"""Spoofing and removing the mark in the wording: forge it on other texts, or wash it out. Lab-made harvests only.

In: a signed harvest of marked answers. Out: what a thief learns of the mark from it, texts forged with that, and texts
washed.
The mark's choice at a site hangs on the words before it: who saw a context marked knows what is wanted there, and
nothing of other contexts. Washing draws every choice anew. Neither needs a key.
Left to `forensics.marks.surface`: what a reader makes of either. Source: Jovanovic et al. 2024, arXiv:2402.19361.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from stillwatch.lab.manifest import Manifest, checked
from stillwatch.lab.task import Harvest
from stillwatch.treatments.surfaces.front import WIDTH
from stillwatch.treatments.surfaces.sites import Choose, Site, Sites, sites_of

Known = Mapping[tuple[object, ...], int]
"""Site by its row and its context -> the wording that was seen there most."""


def learnt(harvest: Harvest, signed: tuple[Manifest, bytes]) -> dict[tuple[object, ...], int]:
    """Return what a harvest of marked answers tells of the mark.

    Raises:
        StillwatchError: this run of the lab did not make and sign the harvest.
    """
    seen: defaultdict[tuple[object, ...], Counter[int]] = defaultdict(Counter)
    for row in checked(harvest, *signed):
        for site in sites_of(row.answer):
            seen[_place(site)][site.said] += 1
    return {place: counts.most_common(1)[0][0] for place, counts in seen.items()}


def forged(text: str, known: Known) -> str:
    """Return a text worded as the mark would have it wherever that is known."""
    return _reworded(text, lambda site: known.get(_place(site), site.said))


def washed(text: str, rng: np.random.Generator) -> str:
    """Return a text with the wording of every site drawn anew."""
    return _reworded(text, lambda site: int(rng.integers(2)))


def share_known(texts: Sequence[str], known: Known) -> float:
    """Return the share of sites that count (those with a whole context) at which the thief knows what is wanted."""
    sites = [site for text in texts for site in sites_of(text) if len(site.context) == WIDTH]
    return sum(_place(site) in known for site in sites) / len(sites) if sites else 0.0


def _place(site: Site) -> tuple[object, ...]:
    return (site.row, site.context)


def _reworded(text: str, choose: Choose) -> str:
    sites = Sites(choose)
    return sites.feed(text) + sites.end()
