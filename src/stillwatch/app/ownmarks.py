"""Our own marks under one epoch: whom to try, and which reader reads.

In: a text made ready, accounts and campaigns by name. Out: one `Line` a hypothesis.
Without suspects every account that may have been marked is searched for by its own key; with suspects every tier is
read for each. Left to `forensics.marks`: reading. Left to `markreport`: Holm, and names.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from stillwatch.app.markreport import Line, line_of
from stillwatch.forensics.marks.accounts import Search, read_accounts, read_campaigns
from stillwatch.forensics.marks.assessed import assessed
from stillwatch.forensics.marks.calibrate import DUMMIES
from stillwatch.forensics.marks.green import GreenText, read_owner
from stillwatch.forensics.marks.gumbel import GumbelText, read_draws
from stillwatch.forensics.marks.pairs import TokenText
from stillwatch.forensics.marks.reading import Reading
from stillwatch.forensics.marks.surface import SurfaceText, read_surface, search_surface
from stillwatch.forensics.marks.vllm import chance_scores, standard, summed, weighed
from stillwatch.treatments.marks.ring import Epoch
from stillwatch.treatments.marks.tiers import ACCOUNT, CAMPAIGN, keys_for

ACCOUNT_WAYS: Final = ((ACCOUNT,), (CAMPAIGN, ACCOUNT))
"""Contexts that carry an account's key: its own, and campaign contexts too while it is in no campaign."""


WORTH_A_TAIL: Final = 2.5
"""Standard deviations from which on the exact tail of a keyed draw is worth 10 ms."""


@dataclass(frozen=True, slots=True)
class Tried:
    """Whom to try."""

    accounts: tuple[str, ...]
    campaigns: tuple[str, ...]
    suspects: bool
    """They were named by whoever asks: every tier is read."""


def read_engine(epoch: Epoch, text: TokenText, vocabulary: int, tried: Tried, rng: np.random.Generator) -> list[Line]:
    """Read for the mark in the choice of tokens, `green` or `gumbel` as the epoch has it."""
    if epoch.scheme == "gumbel":
        drawn = GumbelText.of(text, epoch, vocab=vocabulary)
        if tried.suspects:
            return _owners(epoch, tried, lambda **tags: read_draws(drawn, rng, **tags))
        return [*(line_of(one, epoch.number) for one in read_draws(drawn, rng)), *_draws(drawn, tried, rng)]
    ready = GreenText.of(text, epoch, vocab=vocabulary)
    if tried.suspects:
        return _owners(epoch, tried, lambda **tags: read_owner(ready, rng, **tags))
    lines = [line_of(found, epoch.number) for found in read_owner(ready, rng)]
    for kind, names, search in (
        ("account", tried.accounts, read_accounts), ("campaign", tried.campaigns, read_campaigns),
    ):  # fmt: skip
        if names:
            found = search(ready, [epoch.tag(kind, name) for name in names], rng)
            lines += _searched(kind, names, found, epoch.number)
    return lines


def read_wording(epoch: Epoch, texts: list[str], tried: Tried, rng: np.random.Generator) -> list[Line]:
    """Read for the gateway's own mark, in the wording of texts."""
    ready = SurfaceText.of(texts, epoch)
    if tried.suspects:
        return _owners(epoch, tried, lambda **tags: read_surface(ready, rng, **tags))
    first = [line_of(found, epoch.number) for found in read_surface(ready, rng)]
    lines, model = list(first), first[0]
    for kind, names in (("account", tried.accounts), ("campaign", tried.campaigns)):
        if names:
            log_p, _ = search_surface(ready, [epoch.tag(kind, name) for name in names], kind)
            scored = int(ready.scored[1:].sum() if kind == "account" else ready.scored[1])
            lines += [
                Line(scheme=model.scheme, epoch=epoch.number, key=kind, who=name, scored=scored, hits=float("nan"),
                     log_p=float(log_p[i]), dummy_mean=model.dummy_mean, dummy_sd=model.dummy_sd, fits=model.fits,
                     why=model.why)
                for i, name in enumerate(names)
            ]  # fmt: skip
    return lines


def _owners(epoch: Epoch, tried: Tried, read: Callable[..., tuple[Reading, ...]]) -> list[Line]:
    """Read every tier for everyone tried, one after the other; the provider's once."""
    lines = [line_of(found, epoch.number) for found in read()]
    pairs = [(account, campaign) for account in tried.accounts for campaign in tried.campaigns or ("",)]
    for account, campaign in pairs:
        tags: dict[str, Any] = {"account": epoch.tag("account", account)}
        if campaign:
            tags["campaign"] = epoch.tag("campaign", campaign)
        for found in read(**tags):
            if not found.key_name.startswith("provider"):
                lines.append(line_of(found, epoch.number, campaign if found.key_name == "campaign" else account))
    return lines


def _draws(text: GumbelText, tried: Tried, rng: np.random.Generator) -> list[Line]:
    """Search a text of keyed draws for accounts and campaigns, each by its own key."""
    epoch, lines = text.epoch, list[Line]()
    for kind, names, ways in (("account", tried.accounts, ACCOUNT_WAYS), ("campaign", tried.campaigns, ((CAMPAIGN,),))):
        parts = [text.part(way) for way in ways]
        chances = [chance_scores(part.grams, text.alpha, rng, DUMMIES) for part in parts if names]
        for name in names:
            owners = keys_for(epoch, **{kind: epoch.tag(kind, name)})
            found = [_draw_tail(part, part.keys(owners)) for part in parts]
            best = int(np.argmin([log_p for _, log_p in found]))
            score, log_p = found[best]
            counts = (len(parts[best].grams.tokens), score)
            tail = (min(log_p + math.log(len(ways)), 0.0), standard(score, counts[0], text.alpha))
            lines.append(line_of(assessed("gumbel", kind, counts, tail, chances[best]), epoch.number, name))
    return lines


def _draw_tail(part: GumbelText, keys: list[NDArray[np.uint64]]) -> tuple[float, float]:
    """Return the score and its log p-value; 0, which claims nothing, where a score is plainly that of chance."""
    score = float(weighed(part.grams, keys, part.alpha).sum())
    if standard(score, len(part.grams.tokens), part.alpha) < WORTH_A_TAIL:
        return score, 0.0
    return summed(part.grams, keys, part.alpha)


def _searched(kind: str, names: tuple[str, ...], found: Search, epoch: int) -> list[Line]:
    """Return one line a name, with the counts of the way of trying that says most."""
    rows = found.hits - 0.5 * np.array(found.scored)[:, None]
    best = (rows / np.sqrt(np.maximum(np.array(found.scored), 1))[:, None]).argmax(axis=0)
    return [
        Line(scheme="green", epoch=epoch, key=kind, who=name, scored=found.scored[best[i]],
             hits=float(found.hits[best[i], i]), log_p=float(found.log_p[i]), dummy_mean=found.dummy_mean,
             dummy_sd=found.dummy_sd, fits=found.fits, why=found.why)
        for i, name in enumerate(names)
    ]  # fmt: skip
