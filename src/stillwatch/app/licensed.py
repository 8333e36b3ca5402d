"""A licensed student, from grant to signed card: the lab's teacher behind the gateway, asked by who may.

In: a folder, a seed, how many tokens are granted. Out: the student's file, its card, and how good it became. The
provider gives a grant and the holder asks under it with proofs, through the gateway's own wire; the account is under a
confirmed verdict meanwhile, and would be refused without the grant. Then the student is trained on the answers alone.
Cost: 20 s on one core. Left to `labgateway`: the gateway. Left to `lab.tasks`: teacher and student.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp
import numpy as np

from stillwatch.app.grantcard import provider_key, read_card, sign_card
from stillwatch.app.grantholder import Holder, make_holder_key, read_public_key
from stillwatch.app.grantkeys import grants_of
from stillwatch.app.grants import Licence, issue_grant
from stillwatch.app.labgateway import LabGateway, gateway_before, write_secrets
from stillwatch.app.livefolder import LiveFolder
from stillwatch.app.settings import Settings
from stillwatch.lab.task import Ask, Bench, HarvestRow, Item
from stillwatch.lab.tasks import TASKS
from stillwatch.policy.config import PolicyConfig
from stillwatch.policy.rule import Rule
from stillwatch.terms.errors import StillwatchError

ACCOUNT: Final = "acme-research"
DAY: Final = 86_400.0
SIZE: Final = 0.25
"""Share of the task's set that is used."""
PATH: Final = "/v1/chat/completions"


@dataclass(frozen=True, slots=True, kw_only=True)
class Licensed:
    """What came of it."""

    grant: str
    student: Path
    card: Path
    asked: int
    """Requests that were answered under the grant."""
    refused_without: int
    """Status that the same account got with no grant."""
    ended_with: str
    """What the gateway said when the grant was used up; empty where the pool ended first."""
    tokens: int
    base: float
    """Share of right answers before the harvest, on items that nobody asked about."""
    trained: float
    teacher: float


async def licensed_student(folder: Path, seed: int, tokens: int, say: Callable[[str], None]) -> Licensed:
    """Run the whole of it in a new folder.

    Raises:
        StillwatchError: the folder is there already, or the gateway does not do what a grant promises.
    """
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        raise StillwatchError(f"folder {folder}: is there already; name a new one with --out.") from None
    say("training the teacher")
    bench = next(task for task in TASKS if task.name == "banking").bench(seed, None, SIZE)
    state = folder / "state"
    write_secrets(state, seed)
    refuse = Rule(name="confirmed", action="refuse", needs="confirmed", shadow=False, expires_days=30.0)
    settings = Settings(given={"policy": PolicyConfig(rules=(refuse,), approved_by="lab")})
    async with (
        bench.serving() as upstream,
        gateway_before(upstream, settings, LiveFolder(state), ((), time.time(), seed)) as lab,
        aiohttp.ClientSession() as session,
    ):
        lab.desk.grants = grants_of(state)
        visit = _Visit(lab, session, bench, _holder(lab, folder, state, tokens))
        say("asking under the grant")
        harvest, ended = await visit.harvest(say)
        refused = await visit.without_grant()
        lab.refresh()
        used = lab.book.grant_use()
        grant = lab.book.grants()[0].id
        say("training the student")
        rng = np.random.default_rng((seed, 0x11CE))
        student, base = bench.train(harvest, "base", rng), bench.base("base")
        scores = [_score(bench, model) for model in (base, student, bench.teacher())]
        file = folder / "student.npz"
        _keep(student, file)
        about = {"task": "banking", "right before": f"{scores[0]:.3f}", "right": f"{scores[1]:.3f}",
                 "teacher": f"{scores[2]:.3f}", "answers": str(len(harvest))}  # fmt: skip
        card = folder / "model-card.dsse.json"
        card.write_bytes(sign_card(lab.book, state, grant, file, about))
        (folder / "provider.pem").write_bytes(provider_key(state).pem)
        read_card(card.read_bytes(), provider_key(state), file)
    return Licensed(
        grant=grant, student=file, card=card, asked=len(harvest), refused_without=refused, ended_with=ended,
        tokens=used.get(grant, 0), base=scores[0], trained=scores[1], teacher=scores[2],
    )  # fmt: skip


def _holder(lab: LabGateway, folder: Path, state: Path, tokens: int) -> Holder:
    """Return the holder of a new grant, whose account is under a confirmed verdict."""
    key = folder / "holder.key"
    public = make_holder_key(key)
    licence = Licence(
        account=ACCOUNT, organisation="Acme Research Ltd", models=("*",), tokens=tokens, purposes=("routing of mail",),
        expires=time.time() + 30 * DAY, by="provider", reason="worked example",
    )  # fmt: skip
    made = issue_grant(lab.book, state, licence, public, time.time() - 1.0)
    lab.confirm([ACCOUNT], ACCOUNT)
    (folder / "grant.jwt").write_text(made.token + "\n", encoding="ascii")
    return Holder(read_public_key(key.read_text(encoding="utf-8"), key.name), made.token)


@dataclass(frozen=True, slots=True)
class _Visit:
    lab: LabGateway
    session: aiohttp.ClientSession
    bench: Bench
    holder: Holder

    async def harvest(self, say: Callable[[str], None]) -> tuple[list[HarvestRow], str]:
        rows: list[HarvestRow] = []
        for number, item in enumerate(self.bench.pool):
            self.lab.at(time.time())
            if number % 50 == 0:
                self.lab.refresh()
                say(f"asking under the grant: {number} answers")
            status, body = await self._ask(item, self.holder.headers("POST", self.lab.url + PATH, time.time()))
            if status != 200:
                return rows, str(body.get("error", {}).get("code", status))
            text = body["choices"][0]["message"]["content"].strip()
            rows.append(HarvestRow(item=item, answer=text))
        return rows, ""

    async def without_grant(self) -> int:
        """Return the status that the account gets with a key of its own."""
        from stillwatch.app.control import key_secret
        from stillwatch.app.keys import NewKey, create_key

        secret = key_secret(self.lab.folder.state)
        issued = create_key(self.lab.book, secret, NewKey(account=ACCOUNT), time.time())
        self.lab.refresh()
        return (await self._ask(self.bench.pool[0], {"Authorization": f"Bearer {issued.key}"}))[0]

    async def _ask(self, item: Item, heads: dict[str, str]) -> tuple[int, dict[str, Any]]:
        async with self.session.post(self.lab.url + PATH, json=self.bench.request(item, Ask()), headers=heads) as got:
            body: dict[str, Any] = await got.json()
            return got.status, body


def _score(bench: Bench, model: Any) -> float:
    answers = model.answers(bench.test)
    return float(np.mean([bench.right(item, answer) for item, answer in zip(bench.test, answers, strict=True)]))


def _keep(student: Any, file: Path) -> None:
    model = student.model
    np.savez_compressed(file, labels=np.array(model.labels), weights=model.weights.astype(np.float32), bias=model.bias)
