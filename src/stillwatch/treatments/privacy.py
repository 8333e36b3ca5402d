"""Privacy: differentially private noise on token probabilities, embeddings and scores, until the day's budget is spent.

In: a request and its answer. Out: the same with Gaussian noise on every number, drawn anew for every place and value
and known to the key's holder alone; once the budget of the account's day is spent, without the numbers.
What is promised: two models whose clipped numbers differ at no position by more than `privacy_reach` (L2 over the
position's numbers, nats), and at no embedding or score by more than `privacy_vector_reach` (L2), cannot be told apart
from a day's numbers better than (`privacy_epsilon`, `privacy_delta`) allows, given the text and the tokens listed.
What is not: text, the tokens drawn and the tokens listed have no guarantee, nor has anything across accounts and days.
Cost: one release a position, an embedding or a classified input; noise of ten reaches by default.
Source: `privacybudget`. Left to docs/explain/treatments.md: why generated text gets no useful guarantee.
"""

import math
from dataclasses import dataclass, field
from typing import Any, Final

from stillwatch.treatments import fields
from stillwatch.treatments.config import TreatmentConfig
from stillwatch.treatments.noise import normals
from stillwatch.treatments.occasion import Occasion
from stillwatch.treatments.places import Begin, Trail, Trails
from stillwatch.treatments.privacybudget import Budget, release_rho, rho_of
from stillwatch.treatments.prompt import digest_of, prompt_digest
from stillwatch.treatments.retold import Known, Retell, retold, retold_entries
from stillwatch.treatments.treatment import Json, WholeOnly
from stillwatch.treatments.vectors import Numbers, edited_vectors, input_of

DAY: Final = 86_400.0
CLIP: Final = -10.0
"""Log-probabilities below are taken for this, nats."""
GRID: Final = 3
"""Decimals that are given of a log-probability, so that its last bits tell nothing."""
FINE: Final = 6
"""Decimals that are given of an embedding or score."""


class _Noised:
    """Edits of token probabilities at one place."""

    def __init__(self, one: "PrivacyOne", begin: Begin) -> None:
        self._one, self._begin = one, begin

    def logprobs(self, value: Any) -> Any:
        return retold(value, self._retell(self._begin()))

    def entries(self, value: Any) -> Any:
        return retold_entries(value, self._retell(self._begin()))

    def extra(self, value: Any) -> Any:
        return None

    def reasoning(self, value: Any) -> Any:
        return value

    def _retell(self, trail: Trail) -> Retell:
        return lambda token, known: self._one.noised(trail.step(token), known)


@dataclass(slots=True)
class PrivacyOne(WholeOnly):
    """The treatment at work on one request."""

    key: bytes = field(repr=False)
    config: TreatmentConfig
    budget: Budget
    trails: Trails = field(repr=False)
    name: str = "privacy"
    body: Json = field(default_factory=dict, repr=False)
    """Of an embedding request what it asks, until the answer is given; empty for others."""
    given: dict[bytes, bool] = field(default_factory=dict, repr=False)
    """What was released to this request, as events of a stream may repeat it."""

    def edit_request(self, body: Json) -> Json | None:
        """Ask for no probabilities in shapes that are not treated."""
        self.trails = Trails(prompt_digest(body, self.key))
        self.body = {name: body[name] for name in ("input", "documents", "texts", "model") if name in body}
        new = fields.without(body, (*fields.ASK_BESIDE, *fields.ASK_STATES))
        return None if new is body else new

    def edit_answer(self, obj: Json) -> Json:
        """Add noise, or take numbers out once the budget is spent."""
        found = self.trails.edited(obj, lambda begin: _Noised(self, begin))
        found = edited_vectors(found, self._vector)
        return found if type(found) is dict else obj

    def noised(self, before: bytes, known: Known) -> Known | None:
        """Return other numbers for the tokens at a place; None when the budget is spent."""
        tokens = sorted(known)
        label = digest_of([before.hex(), [(token, known[token]) for token in tokens]], self.key)
        if not self._released(label):
            return None
        sd = self.config.privacy_noise * self.config.privacy_reach
        drawn = normals(self.key, label, len(tokens))
        return {
            token: min(round(max(known[token], CLIP) + sd * one, GRID), 0.0)
            for token, one in zip(tokens, drawn, strict=True)
        }

    def _released(self, label: bytes) -> bool:
        known = self.given.get(label)
        if known is None:
            config = self.config
            most = rho_of(config.privacy_epsilon, config.privacy_delta)
            known = self.given[label] = self.budget.take(release_rho(config.privacy_noise), most)
        return known

    def _vector(self, kind: str, index: int, numbers: Numbers) -> Numbers | None:
        label = digest_of([kind, input_of(self.body, index), self.body.get("model"), numbers], self.key)
        if not self._released(label):
            return None
        length = math.hypot(*numbers)
        shrink = 1.0 / length if length > 1.0 else 1.0
        sd = self.config.privacy_noise * self.config.privacy_vector_reach
        drawn = normals(self.key, label, len(numbers))
        return [round(number * shrink + sd * one, FINE) for number, one in zip(numbers, drawn, strict=True)]


@dataclass(frozen=True, slots=True)
class Privacy:
    """The catalogue's entry."""

    name: str = "privacy"
    on_by_default: bool = False
    least: str = "perturb"
    cost: str = (
        "Log-probabilities with errors of 1 nat, embeddings and scores of 0.02 a number (one standard deviation, as "
        "set by default), for about 180 positions or vectors a day; then none. Text and reasoning are untouched."
    )

    def begin(self, occasion: Occasion) -> PrivacyOne:
        """Return the treatment for one request."""
        day = int(occasion.now // DAY)
        budget = occasion.memory.of(self.name, occasion.account, lambda: Budget(day)).on(day)
        return PrivacyOne(key=occasion.key, config=occasion.config, budget=budget, trails=Trails(occasion.key[:16]))
