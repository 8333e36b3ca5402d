"""What one composition works with: corpus, plan, and everything that is dealt out only once.

In: plan and corpus. Out: callers, conversations, portraits. Mutable on purpose and private to one
composition. Left to the habit files: who does what.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from stillwatch.lab.traffic.chance import dice, token
from stillwatch.lab.traffic.corpus import Corpus, Session
from stillwatch.lab.traffic.deck import Deck, Shards
from stillwatch.lab.traffic.identity import MODELS, Book, Caller, host
from stillwatch.lab.traffic.plan import TrafficPlan, Truth
from stillwatch.lab.traffic.replies import Replies
from stillwatch.lab.traffic.rhythm import Habits, Rhythm
from stillwatch.lab.traffic.wording import Wording
from stillwatch.terms.exchange import Message


class Ask(NamedTuple):
    """One request and its answer, before anybody sent it."""

    time: float
    messages: tuple[Message, ...]
    answer: str
    tools: str = ""


@dataclass(slots=True, kw_only=True)
class Portrait:
    """One account: who it is, what it is, and its work in units (a session, a request of a job)."""

    caller: Caller
    truth: Truth
    units: list[list[Ask]] = field(default_factory=list, repr=False)


class Stage:
    """Deals names, callers, sessions and texts for one plan."""

    def __init__(self, plan: TrafficPlan, corpus: Corpus) -> None:
        self.plan = plan
        self.corpus = corpus
        self.book = Book(corpus)
        self.rhythm = Rhythm(corpus, plan.start, plan.end)
        self.replies = Replies(corpus.words)
        self.deck = Deck(corpus, plan.seed)
        self._shards: dict[str, Shards] = {}
        self._accounts = 0

    def dice(self, *labels: str | int) -> random.Random:
        """Return the stream of chance that `labels` name under the plan's seed."""
        return dice(self.plan.seed, *labels)

    def shards(self, kind: str, texts: Sequence[str]) -> Shards:
        """Return the one dealer of `texts`, made on the first call for `kind`."""
        if kind not in self._shards:
            self._shards[kind] = Shards(texts, self.dice("shards", kind))
        return self._shards[kind]

    def payment(self, *labels: str | int) -> str:
        """Return a payment token."""
        return "pm_" + token(self.plan.seed, "payment", *labels, digits=20)

    def organisation(self, *labels: str | int) -> str:
        """Return an organisation id."""
        return "org-" + token(self.plan.seed, "organisation", *labels, digits=16)

    def person(self, rng: random.Random) -> Caller:
        """Return a new person at home with a browser or an app; a third pay."""
        agent, tls = self.book.app(rng)
        addresses = self.book.homes(rng)
        if rng.random() < 0.07:
            addresses = (self.book.tunnel(rng), *addresses)
        paid = rng.random() < 0.35
        caller = self._caller(addresses, agent, tls)
        return replace(
            caller,
            plan=rng.choice(("plus", "plus", "pro")) if paid else "free",
            payment=self.payment(caller.name) if paid else "",
            model=rng.choices(MODELS, (3, 3, 1))[0] if paid else MODELS[1],
            sessions=True,
        )

    def machine(self, rng: random.Random) -> Caller:
        """Return a new program with an SDK, on metered billing; most run in data centres, a quarter do not."""
        agent, tls = self.book.sdk(rng)
        if rng.random() < 0.25:
            return self._metered(rng, self._caller(self.book.homes(rng), agent, tls))
        sites = [self.book.site(rng) for _ in range(rng.choice((1, 1, 2)))]
        addresses = tuple(host(rng, rng.choice(sites)) for _ in range(rng.choice((1, 1, 2, 4))))
        return self._metered(rng, self._caller(addresses, agent, tls))

    def _metered(self, rng: random.Random, caller: Caller) -> Caller:
        return replace(
            caller,
            plan=rng.choices(("metered", "scale"), (4, 1))[0],
            organisation=self.organisation(caller.name),
            payment=self.payment(caller.name),
            model=rng.choices(MODELS, (4, 3, 3))[0],
            parameters=sampling(rng),
        )

    def _caller(self, addresses: tuple[str, ...], agent: str, tls: str) -> Caller:
        self._accounts += 1
        seed, number = self.plan.seed, self._accounts
        name = "user-" + token(seed, "account", number, digits=20)
        key_id = token(seed, "key", number, digits=64)
        return Caller(name=name, key_id=key_id, addresses=addresses, agent=agent, tls=tls)

    def converse(self, rng: random.Random, session: Session, start: float, scene: "Scene") -> list[Ask]:
        """Return a session's requests from `start` on, each with the history that was really issued."""
        turns = list(session.turns)
        if len(turns) == 1 and rng.random() < 0.45:
            turns += [Wording("follow").sentence(rng) for _ in range(rng.choice((1, 1, 2, 3)))]
        messages = [Message(role="system", text=scene.system)] if scene.system else []
        asks: list[Ask] = []
        at = start
        for number, turn in enumerate(turns[: scene.most]):
            messages.append(Message(role="user", text=turn))
            known = session.reply_chars[number] if number < len(session.reply_chars) else 0
            answer = self.replies.chat(rng, known)
            asks.append(Ask(at, tuple(messages), answer))
            messages.append(Message(role="assistant", text=answer))
            following = turns[number + 1] if number + 1 < len(turns) else ""
            at += 2.0 + len(answer) / 300 + self.rhythm.pause(rng, scene.habits, len(following))
        return asks


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """How sessions are held: the person's timing, the system prompt, the most turns."""

    habits: Habits
    system: str = ""
    most: int = 100


def sampling(rng: random.Random) -> dict[str, float | str | bool]:
    """Return sampling parameters as programs set them."""
    parameters: dict[str, float | str | bool] = {"temperature": rng.choice((0.0, 0.0, 0.2, 0.7, 1.0))}
    if rng.random() < 0.6:
        parameters["max_tokens"] = rng.choice((64, 256, 512, 1024, 2048))
    if rng.random() < 0.15:
        parameters["top_p"] = rng.choice((0.9, 0.95))
    return parameters


def single(time: float, text: str, answer: str, *, system: str = "") -> list[Ask]:
    """Return a unit of one request of one turn."""
    head = (Message(role="system", text=system),) if system else ()
    return [Ask(time, (*head, Message(role="user", text=text)), answer)]


def group_sizes(rng: random.Random, n: int, low: int, high: int) -> list[int]:
    """Return sizes that add up to `n`, each `low` to `high` as far as `n` allows."""
    sizes: list[int] = []
    while n > 0:
        size = min(n, rng.randint(low, high))
        if 0 < n - size < low // 2:
            size = n
        sizes.append(size)
        n -= size
    return sizes
