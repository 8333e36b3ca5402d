"""The last layer can be read off probabilities beside `logit_bias`: its dimension and its space, exactly."""

import asyncio

import numpy as np

from stillwatch.lab.attacks.lasthead import LastHead, overlap
from stillwatch.lab.task import Job
from tests.lab_toy import DirectClient, toy_bench


def test_the_dimension_and_the_space_of_a_low_rank_teacher_are_found() -> None:
    bench = toy_bench(rank=3)
    job = Job(thief="passive", start="base", rng=np.random.default_rng(5))
    client = DirectClient(bench, 200)
    asyncio.run(LastHead().collect(client, bench, job))  # type: ignore[arg-type]
    assert job.found["head_dimension"] == 3
    assert overlap(job.found["head_basis"], job.found["head_names"], bench.head, bench.model.labels) > 1.0 - 1e-9


def test_a_space_that_has_nothing_to_do_with_the_head_overlaps_as_chance_would() -> None:
    """Random subspaces of dimension 3 in 40 overlap by 3/40 in the mean; 200 draws stay within five errors."""
    rng = np.random.default_rng(2)
    names = [f"t{i}" for i in range(41)]
    found = []
    for _ in range(200):
        head = rng.normal(size=(3, 41))
        basis = np.zeros((3, 41))
        basis[:, 1:] = np.linalg.qr(rng.normal(size=(40, 3)))[0].T
        found.append(overlap(basis, names, head, tuple(names)))
    assert abs(np.mean(found) - 3 / 40) < 5 * np.std(found) / np.sqrt(len(found)) + 0.01
