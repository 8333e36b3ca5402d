"""The withheld-sample exam on committed pairs: none made up, none altered, those lost counted against us."""

import json
import math

import numpy as np
import pytest

from stillwatch.app.examinetwins import Pair, losses_of
from stillwatch.forensics.exams import EXAMS
from stillwatch.forensics.twins import PairDigests, coin
from stillwatch.suspects.suspect import Loss, Refusal
from stillwatch.terms.canon import canonical, number
from stillwatch.terms.errors import StillwatchError
from stillwatch.terms.finding import Finding
from stillwatch.terms.reveal import Reveal, committed
from tests.exam_worlds import planned

SECRET = bytes(range(32))
GIVEN = {"losses": "transcript/t1.jsonl", "openings": "reveal/t1.json"}


def pairs(n: int, lost: tuple[int, ...] = ()) -> list[PairDigests]:
    out = []
    for i in range(n):
        answers = [b"first %d" % i, b"second %d" % i]
        if i in lost:
            answers[coin(SECRET, f"r{i}")] = b""
        out.append(PairDigests.of(f"r{i}", b"%016d" % i, b"asked", (answers[0], answers[1])))
    return out


def opened(*batches: list[PairDigests]) -> list[Reveal]:
    held = [committed(("withheld", "coins 1", "twins"), SECRET, {}, "00" * 32)]
    for i, batch in enumerate(batches, 1):
        facts = {"pairs": tuple(sorted(one.digest for one in batch))}
        held.append(committed(("withheld", f"pairs {i}", "twins"), bytes(32), facts, "11" * 32))
    return held


def row(one: PairDigests, served: float | None, withheld: float | None, **more: object) -> dict[str, object]:
    """Return a row in which the suspect has these losses."""
    first, second = (withheld, served) if coin(SECRET, one.id) else (served, withheld)
    return {**one.row(), "first": first, "second": second, **more}


def find(rows: list[dict[str, object]], openings: list[Reveal], **parameters: str) -> Finding:
    raw = b"".join(json.dumps(one).encode() + b"\n" for one in rows)
    materials = {GIVEN["losses"]: raw, GIVEN["openings"]: canonical(tuple(openings))}
    (found,) = EXAMS.get("withheld-sample").find(planned("withheld-sample", {**GIVEN, **parameters}), materials)
    return found


def test_pairs_of_opened_batches_are_counted_and_the_finding_says_how_many_there_were() -> None:
    held = pairs(60)
    found = find([row(one, 1.0, 1.0 + (i + 1) / 60) for i, one in enumerate(held[:50])], opened(held[:30], held[30:]))
    assert found.observed["committed"] == 60 and found.observed["given"] == 50 and found.observed["known"] == 50
    assert found.log_p is not None and number(found.log_p) < math.log(1e-6)


def test_a_pair_that_no_batch_has_or_that_was_altered_is_refused() -> None:
    held = pairs(3)
    rows = [row(one, 1.0, 2.0) for one in held]
    with pytest.raises(StillwatchError, match="line 3 is of a pair that was not committed to"):
        find(rows, opened(held[:2]))
    for name, value in (("first_sha256", "0" * 64), ("nonce", "00"), ("id", "r9"), ("request", "1")):
        with pytest.raises(StillwatchError, match="line 1 is of a pair that was not"):
            find([{**rows[0], name: value}, *rows[1:]], opened(held))
    with pytest.raises(StillwatchError, match="line 1 lacks"):
        find([{"id": "r0", "first": 1.0, "second": 2.0}], opened(held))
    with pytest.raises(StillwatchError, match="repeats"):
        find([rows[0], rows[0]], opened(held))
    with pytest.raises(StillwatchError, match="opens 0 secrets of coins"):
        find(rows, opened(held)[1:])


def test_a_lost_pair_counts_against_the_accuser_and_cannot_be_passed_off_as_a_served_one() -> None:
    held = pairs(40, lost=(3, 17))
    rows = [row(one, 1.0, 1.5 + 0.01 * i) for i, one in enumerate(held)]
    found = find(rows, opened(held))
    assert found.observed["lost"] == 2 and found.n == 40 and found.observed["known"] == 38
    whole = find([one for i, one in enumerate(rows) if i not in (3, 17)], opened(held))
    assert found.log_p is not None and whole.log_p is not None and number(found.log_p) > number(whole.log_p)


def test_what_the_suspect_does_not_tell_says_nothing_and_a_reference_takes_off_what_is_hard_for_anybody() -> None:
    rng, held = np.random.default_rng(4), pairs(200)
    hard = rng.normal(scale=3.0, size=(200, 2))
    plain, less = [], []
    for one, (a, b) in zip(held, hard, strict=True):
        plain.append(row(one, 5 + a - 0.3, 5 + b))
        served = coin(SECRET, one.id)
        first, second = (5 + b, 5 + a) if served else (5 + a, 5 + b)
        less.append({**plain[-1], "reference_first": first + 0.2 * rng.normal(), "reference_second": second})
    alone, against = find(plain, opened(held)), find(less, opened(held))
    assert number(str(against.log_p)) < math.log(1e-6) < number(str(alone.log_p))
    untold = [{**one, "first": None} for one in plain[:50]]
    assert find(untold + plain[50:], opened(held)).n == 150
    assert find([{**one, "reference_second": None} for one in less[:50]], opened(held)).skipped


class Likes:
    """A suspect that finds one text likelier than others, and tells nothing of some."""

    scores = True

    def __init__(self, text: str, refuses: str = "") -> None:
        self.text, self.refuses = text, refuses

    def loss(self, prompt: str, text: str) -> Loss:
        if text == self.refuses:
            raise Refusal("no")
        return Loss(nats=1.0 if text == self.text else 4.0, tokens=2, spent=7)


def test_a_pair_is_scored_whole_or_not_at_all() -> None:
    (digests,), (lost,) = pairs(1), pairs(1, lost=(0,))
    pair = Pair(digests, "p", "one", "two")
    assert losses_of(pair, Likes("one")) == {**digests.row(), "first": 0.5, "second": 2.0, "spent": 14}
    both = losses_of(pair, Likes("one"), Likes("two"))
    assert (both["reference_first"], both["reference_second"]) == (2.0, 0.5)
    half = losses_of(pair, Likes("one", refuses="two"))
    assert (half["first"], half["second"]) == (None, None)
    assert losses_of(Pair(lost, "p", "one", ""), Likes("one"))["first"] is None
