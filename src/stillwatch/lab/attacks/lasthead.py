"""Read the last layer off the probabilities: the space that a teacher's logits live in, and its dimension.

In: probabilities beside `logit_bias`. Out: the dimension and a basis, in `job.found`; then rows whose probabilities are
completed from the few that an answer tells. Pushing up a group of tokens that always holds one common token tells
their logits relative to it, whatever the cap on alternatives; a matrix of them has as many singular values as the
teacher has hidden units. Source: Carlini et al. 2024, arXiv:2403.06634; Finlayson et al. 2024, arXiv:2403.09539.
"""

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy.special import log_softmax

from stillwatch.lab.attacks.harvesting import in_order, row_of
from stillwatch.lab.attacks.plain import ALTERNATIVES
from stillwatch.lab.task import Ask, Bench, Client, HarvestRow, Item, Job

Floats = npt.NDArray[np.float64]
PUSH: Final = 100.0
"""As far as common APIs let a logit be pushed."""
FALL: Final = 1e-4
"""A singular value below this share of the largest is taken for rounding."""
SPARE: Final = 8
"""Prompts measured beyond the dimension found so far before the thief believes it."""
MOST_SHARE: Final = 0.5
"""Of the budget that goes into reading the layer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LastHead:
    """Extract the logit space, then harvest with it."""

    name: str = "lasthead"
    needs: frozenset[str] = frozenset(("logprobs", "bias"))

    async def collect(self, client: Client, bench: Bench, job: Job) -> list[HarvestRow]:
        """Read the layer with at most half of the budget, and harvest with the rest."""
        waiting = in_order(bench.pool, job.rng)
        names, rows, waiting = await _names(client, bench, waiting)
        logits: list[Floats] = []
        floor = client.left * (1.0 - MOST_SHARE)
        while client.left > floor and waiting and len(names) > 2:
            vector = await _vector(client, waiting.pop(0), names)
            if vector is None:
                break
            logits.append(vector)
            if len(logits) % 4 == 0 and len(logits) >= dimension(logits) + SPARE:
                break
        names, logits = seen_everywhere(names, logits)
        basis = space_of(logits) if len(logits) > 1 else np.zeros((0, max(1, len(names))))
        job.found.update(head_prompts=len(logits), head_dimension=len(basis), head_names=names, head_basis=basis)
        for item in waiting:
            answer = await client.ask(item, Ask(logprobs=ALTERNATIVES))
            if answer is None:
                break
            row = row_of(bench, item, answer)
            if row is not None:
                rows.append(completed(row, names, basis, logits))
        return rows


async def _names(client: Client, bench: Bench, items: list[Item]) -> tuple[list[str], list[HarvestRow], list[Item]]:
    """Return the tokens that plain answers tell of, the rows they give, and the items left; stops when none is new."""
    names: set[str] = set()
    rows: list[HarvestRow] = []
    stale = used = 0
    for item in items:
        if stale >= 40 or used > 400:
            break
        used += 1
        answer = await client.ask(item, Ask(logprobs=ALTERNATIVES))
        if answer is None:
            break
        row = row_of(bench, item, answer)
        rows += [row] if row is not None else []
        told = set(answer.logprobs[0]) if answer.logprobs else set()
        stale = 0 if told - names else stale + 1
        names |= told
    return sorted(names), rows, items[used:]


async def _vector(client: Client, item: Item, names: list[str]) -> Floats | None:
    """Return the logits of one prompt relative to the first name, shape (n_names,); None where they are not told.

    Single tokens that stay out of sight however far they are pushed are NaN.
    """
    found = np.zeros(len(names))
    width = ALTERNATIVES - 1
    for begin in range(1, len(names), width):
        group = names[begin : begin + width]
        answer = await client.ask(item, Ask(logprobs=ALTERNATIVES, bias=dict.fromkeys([names[0], *group], PUSH)))
        told: Any = answer.logprobs[0] if answer is not None and answer.logprobs else {}
        if names[0] not in told:
            return None
        found[begin : begin + len(group)] = [told.get(name, np.nan) - told[names[0]] for name in group]
    return found


def seen_everywhere(names: list[str], logits: list[Floats]) -> tuple[list[str], list[Floats]]:
    """Return the names, and their logits, that no prompt hides."""
    if not logits:
        return names, logits
    seen = np.asarray(np.isfinite(np.array(logits)).all(axis=0))
    return [name for name, kept in zip(names, seen, strict=True) if kept], [one[seen] for one in logits]


def dimension(logits: list[Floats]) -> int:
    """Return how many singular values of differences of logits stand above rounding."""
    if len(logits) < 2:
        return len(logits)
    matrix = np.array(logits)
    matrix = matrix[:, np.isfinite(matrix).all(axis=0)]
    values = np.linalg.svd(matrix - matrix.mean(axis=0), compute_uv=False)
    return int((values > FALL * values[0]).sum())


def space_of(logits: list[Floats]) -> Floats:
    """Return an orthonormal basis of the differences of logits, shape (dimension, n_names)."""
    matrix = np.array(logits)
    _, values, rows = np.linalg.svd(matrix - matrix.mean(axis=0), full_matrices=False)
    return np.asarray(rows[values > FALL * values[0]])


def completed(row: HarvestRow, names: list[str], basis: Floats, logits: list[Floats]) -> HarvestRow:
    """Return the row with probabilities of all names, from those it tells and the space; itself where that fails."""
    told = row.logprobs[0] if row.logprobs else {}
    known = [i for i, name in enumerate(names) if name in told]
    if len(basis) == 0 or len(known) <= len(basis) + 1:
        return row
    mean = np.array(logits).mean(axis=0)
    values = np.array([told[names[i]] for i in known])
    design = np.hstack([basis[:, known].T, np.ones((len(known), 1))])  # the unknown normaliser is one more column
    solved = np.linalg.lstsq(design, values - mean[known], rcond=None)[0]
    logs = log_softmax(mean + solved[:-1] @ basis)
    return replace(row, logprobs=(dict(zip(names, logs.tolist(), strict=True)),))


def overlap(basis: Floats, names: list[str], head: Floats, labels: tuple[str, ...]) -> float:
    """Return how much of the true last layer the basis holds: mean squared cosine of principal angles, 0 to 1.

    Args:
        basis: Shape (dimension, n_names), relative to the first name.
        names: What its columns stand for.
        head: The teacher's true last layer, shape (rank, n_labels).
        labels: What the head's columns stand for.
    """
    if len(basis) == 0 or len(head) == 0:
        return 0.0
    at = {label: i for i, label in enumerate(labels)}
    true = np.array([head[:, at[name]] - head[:, at[names[0]]] for name in names if name in at]).T
    if true.shape[1] != basis.shape[1]:
        return 0.0
    _, _, rows = np.linalg.svd(true, full_matrices=False)
    cosines = np.linalg.svd(rows[: len(head)] @ basis.T, compute_uv=False)
    return float((cosines**2).sum() / len(head))
