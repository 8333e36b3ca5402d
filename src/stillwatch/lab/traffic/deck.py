"""Deal organic sessions and job texts so that honest accounts share no more than people do.

In: the corpus and a seed. Out: bundles by topic, each dealt once before any is dealt again; texts of
a pool in shards. From the second round on a session comes back in its next person's own words, from
the fourth on it is spliced with another of its topic: one prompt never stands on more than three accounts.
Mutable on purpose: one deck serves one composition.
"""

import random
import re
from collections.abc import Sequence
from typing import Final

from stillwatch.lab.traffic.chance import dice, shuffled
from stillwatch.lab.traffic.corpus import Corpus, Session
from stillwatch.lab.traffic.wording import Wording

ROUNDS: Final = 3
"""Accounts on which the same prompt may stand."""
_SENTENCE: Final = re.compile(r"(?<=[.!?])\s+")


class Deck:
    """Sessions by topic, dealt without replacement."""

    def __init__(self, corpus: Corpus, seed: int) -> None:
        self._corpus = corpus
        self._piles: list[list[int]] = [[] for _ in corpus.near]
        for index, bundle in enumerate(corpus.bundles):
            self._piles[bundle.topic].append(index)
        rng = dice(seed, "deck")
        self._order = [shuffled(rng, pile) for pile in self._piles]
        self._dealt = [0] * len(self._piles)

    def topic(self, rng: random.Random) -> int:
        """Return a topic; those with most sessions left are likeliest."""
        left = [max(1, len(pile) * ROUNDS - dealt) for pile, dealt in zip(self._piles, self._dealt, strict=True)]
        return rng.choices(range(len(left)), left)[0]

    def deal(self, rng: random.Random, topic: int) -> list[Session]:
        """Return the sessions of the next bundle of `topic`, or of the nearest topic dealt less often."""
        near = self._corpus.near[topic][:8]
        chosen = min(near, key=lambda t: self._dealt[t] // max(1, len(self._order[t])) if self._order[t] else 10**9)
        pile = self._order[chosen]
        turn = self._dealt[chosen]
        self._dealt[chosen] += 1
        bundle = self._corpus.bundles[pile[turn % len(pile)]]
        lap = turn // len(pile)
        if lap == 0:
            return list(bundle.sessions)
        session = bundle.sessions[0]
        if lap < ROUNDS:
            return [_own_words(rng, session)]
        other = self._corpus.bundles[pile[rng.randrange(len(pile))]].sessions[0]
        return [_spliced(rng, session, other)]


def _own_words(rng: random.Random, session: Session) -> Session:
    """Return the session as another person would put it: own opening, other follow-ups."""
    first = session.turns[0]
    aside = Wording("aside").sentence(rng)
    text = f"{aside}\n{first}" if rng.random() < 0.5 else f"{first}\n{aside}"
    return Session((text,), session.reply_chars[:1])


def _spliced(rng: random.Random, session: Session, other: Session) -> Session:
    """Return a prompt made of half of one and half of another prompt of the same topic."""
    ours, theirs = _SENTENCE.split(session.turns[0][:1500]), _SENTENCE.split(other.turns[0][:1500])
    front = " ".join(ours[: max(1, len(ours) // 2)]).split()
    back = " ".join(theirs[len(theirs) // 2 :]).split()
    cut, keep = rng.randint(3, max(3, len(front))), rng.randint(0, max(0, len(back) - 3))
    text = " ".join([*front[:cut], Wording("aside").sentence(rng), *back[keep:]])
    return Session((text,), session.reply_chars[:1])


class Shards:
    """Texts of one kind, dealt in a drawn order; after the last the first comes again."""

    def __init__(self, texts: Sequence[str], rng: random.Random) -> None:
        self._texts = shuffled(rng, texts)
        self._next = 0

    def deal(self, n: int) -> list[str]:
        """Return the next `n` texts, fewer when the pool is smaller."""
        n = min(n, len(self._texts))
        taken = [self._texts[(self._next + i) % len(self._texts)] for i in range(n)]
        self._next = (self._next + n) % len(self._texts)
        return taken
