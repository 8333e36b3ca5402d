"""A student of a puzzle with the inverse of a mark taken from its logits while it speaks.

In: the student's model, the base, what the student was taught. Out: a hook for draws.
The thief looks at both on its own harvest, token by token. Cost: two passes over the harvest; 10 s for 1,500 rows.
Left to `lab.inverse`: the table.
"""

from dataclasses import dataclass, field

import numpy as np

from stillwatch.lab.inverse import Chances, graded
from stillwatch.lab.neural.sequencemodel import Examples, FloatArray, IntArray, SequenceModel
from stillwatch.lab.neural.words import PAD


@dataclass(frozen=True, slots=True, eq=False)
class Taken:
    """A hook that takes a table from the logits, by the token before; nothing stands before the first."""

    table: FloatArray = field(repr=False)
    """Nats, shape (vocab, vocab)."""

    def __call__(self, logits: FloatArray, said: IntArray, rows: IntArray) -> None:
        """Change the logits in place; see `wordteacher.Hook`."""
        last = said[:, -1] if said.shape[1] else np.full(len(logits), PAD, np.int64)
        logits -= self.table[last]


def chances_of(model: SequenceModel, examples: Examples) -> Chances:
    """Return the model's probabilities after every token that the examples say, added up by that token."""
    vocab, said = model.size.vocab, examples.said
    logs = model.say(examples.asked, forced=said).logs
    keep = said != PAD
    last = np.concatenate((np.full((len(said), 1), PAD, np.int64), said[:, :-1]), axis=1)[keep]
    total = np.zeros((vocab, vocab), np.float32)
    np.add.at(total, last, np.exp(logs[keep]))
    return Chances(total, np.bincount(last, minlength=vocab).astype(np.float32))


def inverse_of(student: SequenceModel, base: SequenceModel, examples: Examples) -> Taken:
    """Return what to take from the student's logits, reckoned against the base on the thief's own harvest."""
    return Taken(graded(chances_of(base, examples), chances_of(student, examples)))
