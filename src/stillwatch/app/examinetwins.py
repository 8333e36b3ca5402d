"""Twin answers before a suspect: read from the vault, scored, and made a material that holds no text.

In: the vault's private key, the planned test, the suspect. Out: rows of losses and digests among the materials; the
reading is in the vault's read log, the attempt in the ledger. Pairs are taken in an order that the committed seed
draws, from those that the ledger had committed to when the protocol was signed. A stop is gone on from by the same
command.
Left to `forensics.exams.withheld`: the test. Left to `suspects`: losses.
"""

import hmac
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from stillwatch.app.examination import MATERIALS, Examination, load, log_attempt, read
from stillwatch.app.examineask import SCORED, RunAsk, Told, attempt, left_for, scored_spent
from stillwatch.app.examineplan import Plan
from stillwatch.app.opensuspect import open_reference, open_suspect
from stillwatch.app.state import has_key, master_key
from stillwatch.app.twinbooks import GROUP, KIND, batches, coin_key
from stillwatch.app.vault import Opened, Reader, VaultAsk, read_records
from stillwatch.forensics.exams.given import Given
from stillwatch.forensics.exams.withheld import BATCH
from stillwatch.forensics.twins import PairDigests, coin
from stillwatch.logs.served import read_served
from stillwatch.sketch.keys import KeyRing
from stillwatch.suspects.suspect import Refusal, Scorer
from stillwatch.terms.errors import StillwatchError
from stillwatch.terms.protocol import PlannedTest
from stillwatch.terms.reveal import Reveal, seed_stream
from stillwatch.terms.served import Served

EXAM = "withheld-sample"
TEMPLATE = "{prompt}\n\n"
"""What goes before an answer; `{prompt}` stands for the request's turns, one after the other."""


@dataclass(frozen=True, slots=True)
class Pair:
    """One pair as the suspect is shown it."""

    digests: PairDigests
    prompt: str = field(repr=False)
    first: str = field(repr=False)
    second: str = field(repr=False)


def score(ask_: RunAsk, found: Examination, plan: Plan, say: Told) -> None:
    """Have the suspect tell its losses, for each test that takes them; without key or access nothing is done.

    Raises:
        StillwatchError: the vault cannot be read with this key, the suspect cannot be asked, or the budget ended.
    """
    todo = [test for test in found.protocol.tests if test.exam == EXAM and not _there(ask_, test)]
    if not todo or ask_.vault_key is None or plan.suspect.kind == "texts":
        return
    reference: Scorer | None = None
    if plan.reference is not None and plan.tokenizer:
        reference = open_reference(plan.reference, plan.tokenizer)
    with open_suspect(plan.suspect, plan.tokenizer) as suspect:
        if not isinstance(suspect, Scorer) or not suspect.scores:
            return
        for test in todo:
            _score(ask_, (found, plan, test), (suspect, reference), say)


def opened_twins(found: Examination, held: list[Reveal]) -> list[Reveal]:
    """Return of all reveals of twins those that the protocol counted: the coins and the first batches of pairs."""
    counted = _batches_counted(found)
    return [one for one in held if not one.item.id.startswith(BATCH) or int(one.item.id[len(BATCH) :]) <= counted]


def _score(
    ask_: RunAsk, what: tuple[Examination, Plan, PlannedTest], scorers: tuple[Scorer, Scorer | None], say: Told
) -> None:
    found, plan, test = what
    path = ask_.folder / SCORED / f"{test.id}.jsonl"
    pairs = _pairs(ask_, found, test)
    done = _scored(path)
    budget = left_for(ask_, plan, test)
    left = [pair for pair in pairs if pair.digests.id not in done]
    for number, pair in enumerate(left):
        asked, spent = scored_spent(path)
        if asked + 2 > budget.queries or spent >= budget.tokens:
            raise StillwatchError(
                f"examination {ask_.folder}: the budget ended with {len(left) - number} pairs left. What was scored is "
                "kept; a new examination may plan more."
            )
        _append(path, losses_of(pair, *scorers))
        say(f"{test.id}: {len(done) + number + 1} of {len(pairs)} pairs scored")
    rows = _scored(path)
    raw = b"".join(msgspec.json.encode(rows[pair.digests.id]) + b"\n" for pair in pairs)
    counts = (2 * len(pairs), sum((row["first"] is not None) + (row["second"] is not None) for row in rows.values()))
    log_attempt(ask_.state, ask_.folder, attempt(ask_.by, test.id, str(test.parameters["losses"]), counts, ""), raw)


def losses_of(pair: Pair, suspect: Scorer, reference: Scorer | None = None) -> dict[str, Any]:
    """Return the row of one pair; a pair that the suspect does not tell of, or only half, has no losses.

    Args:
        pair: Both answers.
        suspect: Whose losses.
        reference: A model that is surely innocent, whose losses are taken off: what makes a text hard for anybody goes.
    """
    row: dict[str, Any] = {**pair.digests.row(), "first": None, "second": None, "spent": 0}
    if not all(pair.digests.whole):
        return row
    try:
        losses = [suspect.loss(pair.prompt, text) for text in (pair.first, pair.second)]
        if reference is not None:
            held = [reference.loss(pair.prompt, text).mean for text in (pair.first, pair.second)]
            row |= {"reference_first": held[0], "reference_second": held[1]}
    except Refusal:
        return row
    row |= {"first": losses[0].mean, "second": losses[1].mean, "spent": sum(one.spent for one in losses)}
    return row


def _pairs(ask_: RunAsk, found: Examination, test: PlannedTest) -> list[Pair]:
    """Return the pairs to be scored, in the order that the seed draws."""
    assert ask_.vault_key is not None
    name = str(test.parameters["seed"])
    given = Given(test, {name: read(ask_.folder, f"{MATERIALS}/{name}")})
    seed = bytes.fromhex(given.reveals("seed")[0].secret)
    order = seed_stream(seed, f"{test.id} pairs")
    known = {pair for batch in batches(ask_.state)[: _batches_counted(found)] for pair in batch.pairs}
    account = given.text("account")
    reader = Reader(by=ask_.by, reason=f"examination {found.digest[:16]}, test {test.id}")
    key = (ask_.vault_key, ask_.passphrase)
    opened = read_records(ask_.state, VaultAsk(why="twin", account=account), reader, key, time.time())
    if not has_key(ask_.state):
        raise StillwatchError(f"state folder {ask_.state}: has no master.key, so no coin can be told.")
    coins = coin_key(KeyRing(master_key(ask_.state)))
    held = [pair for pair in _read(opened, coins, given.text("template", TEMPLATE)) if pair.digests.digest in known]
    held.sort(key=lambda pair: hmac.digest(order, pair.digests.digest.encode(), "sha256"))
    return held[: test.samples]


def _read(opened: Iterator[Opened], coins: bytes, template: str) -> Iterator[Pair]:
    """Yield the pairs of records that could be opened, first and second as they were asked for."""
    for one in opened:
        text = one.text
        if text is None:
            continue
        answers = (text.twin, text.answer) if coin(coins, text.request_id) else (text.answer, text.twin)
        digests = PairDigests.of(text.request_id, text.nonce, text.request, answers)
        read = [read_served(Served(time=one.head.time, request_id=text.request_id, endpoint=text.endpoint,
                                   account=one.head.account, status=200, streamed=text.streamed,
                                   request=text.request, answer=answer))
                for answer in answers]  # fmt: skip
        prompt = "\n\n".join(turn.text for turn in read[0].messages if turn.text)
        yield Pair(digests, template.replace("{prompt}", prompt), read[0].answer, read[1].answer)


def _batches_counted(found: Examination) -> int:
    """Return how many batches of pairs the ledger had committed to when the protocol was signed."""
    counts = [dict(one.groups).get(GROUP, 0) for one in found.protocol.denominators if one.kind == KIND]
    return max(0, sum(counts) - 1)  # the coins are one


def _there(ask_: RunAsk, test: PlannedTest) -> bool:
    name = str(test.parameters["losses"])
    return (ask_.folder / MATERIALS / name).exists() or any(one.material == name for one in load(ask_.folder).acquired)


def _scored(path: Path) -> dict[str, dict[str, Any]]:
    """Return the rows scored so far by request; what a stop cut short is not one."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return {}
    rows = [msgspec.json.decode(line) for line in raw[: raw.rfind(b"\n") + 1].splitlines()]
    return {row["id"]: row for row in rows}


def _append(path: Path, row: dict[str, Any]) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+b") as file:
        whole = file.read()
        file.truncate(whole.rfind(b"\n") + 1)
        file.seek(0, os.SEEK_END)
        file.write(msgspec.json.encode(row) + b"\n")
        file.flush()
        os.fsync(file.fileno())
