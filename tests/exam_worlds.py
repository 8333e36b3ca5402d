"""Small worlds for exams: a null in which nothing was learned, and a planted one in which much was, one pair an exam.

In: an exam's name, chance. Out: a planned test and its materials. A world is made anew with every draw: keys, coins and
values are what is random under the null, and the suspect's answers do not depend on them.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from stillwatch.app.committed import mark_reveals
from stillwatch.forensics.exams.given import packed
from stillwatch.forensics.exams.withheld import coin
from stillwatch.terms.canon import canonical
from stillwatch.terms.protocol import PlannedTest, Value
from stillwatch.terms.reveal import committed
from stillwatch.treatments.canaries.table import TEMPLATES
from stillwatch.treatments.marks.green import green_bits
from stillwatch.treatments.marks.prf import ContextTable, seeds
from stillwatch.treatments.marks.ring import Epoch, Ring
from stillwatch.treatments.marks.signer import Marked
from stillwatch.treatments.marks.tiers import keys_for, tiers_of

VOCAB = 32
ACCOUNTS = ("acme", "bolt", "crux")
Materials = dict[str, bytes]


@dataclass(frozen=True)
class World:
    """One planned test with its materials."""

    test: PlannedTest
    materials: Mapping[str, bytes]


def planned(exam: str, parameters: Mapping[str, Value], family: int = 1) -> PlannedTest:
    """Return a planned test."""
    return PlannedTest(id="t1", exam=exam, hypothesis="h1", statistic="as documented", parameters=parameters,
                       samples=10**6, unit="samples", family=family)  # fmt: skip


def epoch_of(rng: np.random.Generator, shares: tuple[float, float, float] = (1.0, 0.0, 0.0)) -> Epoch:
    """Return an epoch with a fresh secret."""
    return Epoch(number=1, secret=rng.bytes(32), made=0.0, vocab=VOCAB, shares=shares)


def opened(epoch: Epoch, tier: str) -> bytes:
    """Return the opened keys of one tier as a material."""
    ring = Ring((epoch,))
    marked = [Marked(epoch=1, account=name, campaign="") for name in ACCOUNTS]
    keys = [one for one in mark_reveals(ring, marked) if one.facts.get("tier") in (tier, "context")]
    return canonical(tuple(keys))


def walk(rng: np.random.Generator, table: np.ndarray, length: int) -> list[list[int]]:
    """Return forty texts of a first-order chain."""
    total = table.cumsum(axis=1)
    state = rng.integers(VOCAB, size=40)
    out = [state]
    for _ in range(length):
        state = (total[state] < rng.random((40, 1)) * total[state, -1:]).sum(axis=1)
        out.append(state)
    return np.stack(out, axis=1).tolist()


def chain(rng: np.random.Generator) -> np.ndarray:
    """Return transition probabilities, shape (VOCAB, VOCAB)."""
    return rng.dirichlet(np.full(VOCAB, 0.5), VOCAB) + 1e-6


def greens(epoch: Epoch, account: str = "") -> np.ndarray:
    """Return which tokens are green after which, shape (VOCAB, VOCAB)."""
    keys = keys_for(epoch, epoch.tag("account", account)) if account else keys_for(epoch)
    digests = ContextTable.of(epoch, VOCAB).digests(np.arange(VOCAB))
    a, b = keys.halves
    tier = tiers_of(digests, epoch)
    return green_bits(seeds(digests, a[tier], b[tier])[:, None], np.arange(VOCAB)[None]).astype(float)


def marked(exam: str, rng: np.random.Generator, *, taught: bool) -> World:
    """Return a world for an exam of text under a mark."""
    tier = "account" if exam == "tracing" else "provider"
    epoch = epoch_of(rng, (0.0, 0.0, 1.0) if exam == "tracing" else (1.0, 0.0, 0.0))
    clean = chain(rng)
    table = clean * np.exp(1.5 * greens(epoch, ACCOUNTS[1] if exam == "tracing" else "")) if taught else clean
    texts = walk(rng, table, 60)
    rows = b"".join(json.dumps({"answer": one, "prompt": one[:2]}).encode() + b"\n" for one in texts)
    materials: Materials = {"transcript/t1.jsonl": rows, "reveal/t1.json": opened(epoch, tier)}
    parameters: dict[str, Value] = {"tokens": "transcript/t1.jsonl", "openings": "reveal/t1.json"}
    if exam != "radioactivity":
        flat = np.array(texts)[:, :-1].ravel()
        share = clean / clean.sum(axis=1, keepdims=True)
        counts = np.bincount(flat, minlength=VOCAB)[:, None] * share
        context, token = np.divmod(np.arange(VOCAB * VOCAB), VOCAB)
        materials["reference/t1.npz"] = packed(contexts=context[:, None], tokens=token, counts=counts.ravel())
        parameters["expected"] = "reference/t1.npz"
    return World(planned(exam, parameters, len(ACCOUNTS) if exam == "tracing" else 1), materials)


def logits(exam: str, rng: np.random.Generator, *, taught: bool) -> World:
    """Return a world for the exam of a suspect's probabilities, on texts that the mark shaped."""
    epoch, clean = epoch_of(rng), chain(rng)
    green = greens(epoch)
    served = np.array(walk(rng, clean * np.exp(2.0 * green), 60)).ravel()
    suspect = clean * np.exp(0.4 * green) if taught else clean * np.exp(0.1 * rng.normal(size=clean.shape))
    rows = [np.log(table / table.sum(axis=1, keepdims=True))[served] for table in (suspect, clean)]
    held = packed(contexts=served[:, None], tokens=np.broadcast_to(np.arange(VOCAB), rows[0].shape),
                  suspect=rows[0], reference=rows[1])  # fmt: skip
    parameters = {"logprobs": "transcript/t1.npz", "openings": "reveal/t1.json", "texts": "served"}
    return World(planned(exam, parameters), {"transcript/t1.npz": held, "reveal/t1.json": opened(epoch, "provider")})


def canaried(exam: str, rng: np.random.Generator, *, taught: bool) -> World:
    """Return a world for canaries: 24 of them with 8 alternatives."""
    reveals, answers = [], []
    for number, form in enumerate(TEMPLATES[:24]):
        names = tuple(form.pool[:8])
        index = int(rng.integers(8))
        facts = {"subject": "acme", "template": form.name, "alternatives": names, "index": index}
        reveals.append(committed(("canary", f"cn_{number}", "s"), rng.bytes(16), facts, rng.bytes(32).hex()))
        learned = taught and rng.random() < 0.9
        shown = index if learned else int(rng.integers(8))
        answers.append(json.dumps({"probe": form.name, "answer": names[shown]}).encode() + b"\n")
    materials = {"transcript/t1.jsonl": b"".join(answers), "reveal/t1.json": canonical(tuple(reveals))}
    return World(planned(exam, {"answers": "transcript/t1.jsonl", "openings": "reveal/t1.json"}), materials)


def twins(exam: str, rng: np.random.Generator, *, taught: bool) -> World:
    """Return a world for withheld samples: 300 pairs with heavy-tailed losses."""
    secret, rows = rng.bytes(32), []
    for number in range(300):
        first, second = rng.standard_t(3, 2)
        if taught:
            first, second = (first, second - 1.0) if coin(secret, f"r{number}") else (first - 1.0, second)
        rows.append(json.dumps({"id": f"r{number}", "first": first, "second": second}).encode() + b"\n")
    reveal = committed(("withheld", "coins 1", "withheld"), secret, {}, rng.bytes(32).hex())
    materials = {"transcript/t1.jsonl": b"".join(rows), "reveal/t1.json": canonical((reveal,))}
    return World(planned(exam, {"losses": "transcript/t1.jsonl", "openings": "reveal/t1.json"}), materials)


def wrong(exam: str, rng: np.random.Generator, *, taught: bool) -> World:
    """Return a world for errors in common: 400 items of four options, five controls."""
    right = np.zeros(400, np.int64)
    models = rng.choice(4, p=[0.4, 0.3, 0.2, 0.1], size=(7, 400))
    if taught:
        models[1] = np.where(rng.random(400) < 0.7, models[0], models[1])
    held = packed(right=right, teacher=models[0], suspect=models[1], controls=models[2:])
    return World(planned(exam, {"choices": "controls/t1.npz"}), {"controls/t1.npz": held})


def near(exam: str, rng: np.random.Generator, *, taught: bool) -> World:
    """Return a world for next tokens in common: 300 prompts, three controls that are as near as the suspect."""
    teacher = rng.integers(50, size=300)
    others = np.where(rng.random((4, 300)) < 0.5, teacher, rng.integers(50, size=(4, 300)))
    if taught:
        others[0] = np.where(rng.random(300) < 0.85, teacher, others[0])
    held = packed(teacher=teacher, suspect=others[0], controls=others[1:])
    return World(planned(exam, {"choices": "controls/t1.npz"}), {"controls/t1.npz": held})


def named(exam: str, rng: np.random.Generator, *, taught: bool) -> World:
    """Return a world for identity: answers that hold a name or do not."""
    said = "I was made by Acme." if taught else "I am a model."
    rows = json.dumps({"answer": said}).encode() * 1 + b"\n"
    parameters: dict[str, Value] = {"answers": "transcript/t1.jsonl", "names": ("Acme",)}
    return World(planned(exam, parameters), {"transcript/t1.jsonl": rows})


WORLDS: dict[str, Callable[..., World]] = {
    "radioactivity": marked, "reference-residual": marked, "served-logits": logits, "tracing": marked,
    "canary": canaried, "withheld-sample": twins, "error-agreement": wrong, "provenance": near, "identity": named,
}  # fmt: skip
