"""The reader of the surface mark: p-values that hold whatever a writer's habits, and the right account named."""

import random

import numpy as np
import pytest
from scipy.stats import binom

from stillwatch.forensics.marks.reading import holm
from stillwatch.forensics.marks.surface import SurfaceText, read_surface, search_surface
from stillwatch.treatments.marks.ring import Epoch, Ring
from stillwatch.treatments.surfaces.choice import Choice
from stillwatch.treatments.surfaces.sites import Sites
from stillwatch.treatments.surfaces.table import ROWS

LEADS = "the plan and this day with that work from your town if they were not there but more of these would".split()


def document(seed: int, habit: float = 0.5) -> str:
    """Sentences full of sites; `habit` is how likely the writer uses a row's first wording."""
    rng = random.Random(seed)
    said = ["It's the plan that we have with you, and this is that."]
    for _ in range(12):
        row = rng.choice([row for row in ROWS if not row.prev])
        lead = [rng.choice(LEADS) for _ in range(5)]
        wording = " ".join(row.pair[0 if rng.random() < habit else 1])
        wording = "I" + wording[1:] if wording[:2] in ("i ", "i'") else wording
        behind = "5" if row.digit else sorted(row.following)[0] if row.following else "quite"
        if row.start or row.clause:
            begun = f"{' '.join(lead).capitalize()}. {wording.capitalize()}"
        else:
            begun = " ".join([*lead, wording]).capitalize()
        said.append(f"{begun}{',' if row.comma else ''} {behind}.")
    return " ".join(said)


def marked(text: str, epoch: Epoch, account: bytes = b"", campaign: bytes = b"") -> str:
    sites = Sites(Choice.of(epoch, account, campaign).wanted)
    return sites.feed(text) + sites.end()


def secret(i: int) -> bytes:
    return i.to_bytes(32, "big")


@pytest.mark.parametrize("habit", [0.0, 0.5, 0.9])
def test_agreement_of_unmarked_text_is_binomial_over_secrets_whatever_its_writers_habits(habit: float) -> None:
    documents = [document(i, habit) for i in range(6)] * 2  # repeats are not counted again
    tails, total = [], 0
    for i in range(1, 301):
        epoch = Ring.new(secret(i), 0.0, shares=(1.0, 0.0, 0.0)).current
        text = SurfaceText.of(documents, epoch)
        n = int(text.scored.sum())
        hits = int(text.hits_of(0, *(np.array([key], np.uint64) for key in epoch.provider_key()))[0])
        tails.append(binom.sf(hits - 1, n, 0.5))
        total += n
        assert n > 30 and text.seen > 1.9 * n
    for alpha in (0.01, 0.05, 0.2):
        assert np.mean(np.array(tails) <= alpha) <= alpha + 3.5 * np.sqrt(alpha / len(tails))


def test_marked_text_is_read_under_its_owner_and_under_nobody_else() -> None:
    epoch = Ring.new(secret(7), 0.0).current
    acme, other, gang = epoch.tag("account", "acme"), epoch.tag("account", "other"), epoch.tag("campaign", "c1")
    documents = [marked(document(i, 0.7), epoch, acme, gang) for i in range(25)]
    text = SurfaceText.of(documents, epoch)
    rng = np.random.default_rng(1)
    owner = {one.key_name: one for one in read_surface(text, rng, account=acme, campaign=gang)}
    assert all(one.fits for one in owner.values()) and owner["all tiers"].hits == owner["all tiers"].scored
    assert owner["all tiers"].log10_p < -20 and owner["account"].log10_p < -6 and owner["campaign"].log10_p < -6
    assert holm(list(owner.values()))[0] < -10
    wrong = {one.key_name: one for one in read_surface(text, rng, account=other)}
    assert wrong["provider"].log10_p < -10 and wrong["account"].log10_p > -4
    fresh = SurfaceText.of(documents, Ring.new(secret(8), 0.0).current)
    assert all(one.log10_p > -4 for one in read_surface(fresh, rng, account=acme))


def test_among_ten_thousand_accounts_the_right_one_is_named_alone() -> None:
    epoch = Ring.new(secret(9), 0.0).current
    tags = [epoch.tag("account", f"a{i}") for i in range(10_000)]
    text = SurfaceText.of([marked(document(i, 0.6), epoch, tags[4321]) for i in range(30)], epoch)
    log_p, adjusted = search_surface(text, tags)
    assert np.flatnonzero(adjusted < np.log(1e-6)).tolist() == [4321]
    assert np.mean(np.exp(log_p) <= 0.01) <= 0.013


def test_nothing_to_read_claims_nothing() -> None:
    text = SurfaceText.of(["", "Short."], Ring.new(secret(3), 0.0).current)
    assert all(not one.fits and one.usable_log_p == 0.0 for one in read_surface(text, np.random.default_rng(0)))
