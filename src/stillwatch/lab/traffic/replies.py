"""Answers of the teacher, made of the corpus' own words: the traffic needs their length, not their sense.

In: how long an answer is to be. Out: text of that length, different every time, the same for the
same stream of chance. What one request is answered is what the next request's history holds.
Cost: 0.1 us a character.
"""

import random


class Replies:
    """Draws answers from words with their corpus frequency."""

    def __init__(self, words: tuple[str, ...]) -> None:
        self._words = words

    def text(self, rng: random.Random, chars: int) -> str:
        """Return an answer of about `chars` characters, at least one word."""
        return " ".join(rng.choices(self._words, k=max(1, round(chars / 5.4))))

    def chat(self, rng: random.Random, chars: int = 0) -> str:
        """Return an answer as chat has them; `chars` 0 draws the length."""
        return self.text(rng, chars or min(1600, int(rng.lognormvariate(6.2, 0.7))))

    def short(self, rng: random.Random) -> str:
        """Return a label or a slot value."""
        return self.text(rng, rng.choice((6, 10, 16, 24, 40)))
