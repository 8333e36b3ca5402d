"""A puzzle's teacher behind an OpenAI chat wire: it thinks, then answers; its thoughts come as `reasoning_content`.

In: chat requests. Out: chat completions. The question stands between triple quotes in the last message, or is the last
message. It answers `temperature`, `n`, `logprobs`, `top_logprobs` (of the answer, not of the thoughts),
`include_reasoning`, and judges a proposed answer. It declines the forbidden topic.
Signed orders of the gateway are followed as an engine follows them: marks of account and campaign, and experts, where
the bench has the ring they were signed with.
Questions that the bench knows are answered in batches when the first of them is asked: the same answers as one by one,
at a tenth of the time. Cost: 0.1 ms a request then; 60 ms one by one. Left to `loopback`: the socket.
"""

import hashlib
import re
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from stillwatch.lab.markedrows import GreenRows
from stillwatch.lab.neural.sequencemodel import Drawing, FloatArray, IntArray, SequenceModel
from stillwatch.lab.neural.words import PAD, SAY, Words
from stillwatch.lab.task import Body
from stillwatch.treatments.marks.order import FIELD, NAME, MarkOrder, read_order
from stillwatch.treatments.marks.ring import Ring

MODEL: Final = "lab-teacher"
QUOTED: Final = re.compile(r'"""(.*?)"""', re.DOTALL)
PROPOSED: Final = re.compile(r"^Proposed answer: (.+)$", re.MULTILINE)
MOST_ALTERNATIVES: Final = 20
MOST_SAMPLES: Final = 16
TOGETHER: Final = 256
"""Questions that are answered at once."""
DRAWN_AHEAD: Final = 5
"""Answers drawn for each question at once where a temperature is asked for."""
_EVER: Final = 0.0
"""When orders are read: the lab's time is not an engine's."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """One answer."""

    reasoning: str = field(repr=False)
    tokens: tuple[int, ...] = field(repr=False)
    """Of the answer."""
    logs: FloatArray = field(repr=False)
    """Log-probabilities at each of these, shape (n_tokens, vocab)."""
    length: int
    """Tokens said, thoughts included."""


@dataclass(slots=True)
class SequenceTeacher:
    """The teacher at work."""

    model: SequenceModel = field(repr=False)
    words: Words = field(repr=False)
    known: Sequence[str] = field(repr=False)
    """Questions that may be asked, answered in batches."""
    partner: SequenceModel | None = field(default=None, repr=False)
    """The weaker model of `experts`."""
    ring: Ring | None = field(default=None, repr=False)
    """Keys of marks; without them orders are not followed, and counted in `missed`."""
    seed: int = 0
    missed: int = 0
    _greedy: dict[tuple[str, float], Spoken] = field(default_factory=dict, repr=False)
    _drawn: dict[tuple[str, float], deque[Spoken]] = field(default_factory=dict, repr=False)
    _rounds: int = 0

    def respond(self, body: Body) -> Body:
        """Return the chat completion.

        Raises:
            ValueError, KeyError, TypeError: the body is no chat request that can be answered.
        """
        asked = str(body["messages"][-1]["content"])
        quoted = QUOTED.findall(asked)
        question = (quoted[-1] if quoted else asked).strip()
        samples = int(body.get("n") or 1)
        if not 1 <= samples <= MOST_SAMPLES:
            raise ValueError(f"n = {samples}: must be 1 to {MOST_SAMPLES}.")
        temperature = float(1.0 if body.get("temperature") is None else body["temperature"])
        order = self._order(body)
        if proposed := PROPOSED.search(asked):
            own = self.words.text(self.answered(question).tokens)
            yes = own == self.words.text(self.words.tokens(proposed[1]))
            return _completion(body, [_said_alone("yes" if yes else "no")], asked)
        found = [self._one(question, temperature, order) for _ in range(samples)]
        return _completion(body, [self._choice(body, one) for one in found], asked)

    def fresh(self) -> "SequenceTeacher":
        """Return the teacher with its likeliest answers remembered and its draws begun anew."""
        return SequenceTeacher(self.model, self.words, self.known, self.partner, self.ring, self.seed, 0, self._greedy)

    def answered(self, question: str, share: float = 0.0) -> Spoken:
        """Return the likeliest answer to a question, mixed with the weaker model's by `share`."""
        key = (question, share)
        if key not in self._greedy:
            waiting = [one for one in dict.fromkeys((question, *self.known)) if (one, share) not in self._greedy]
            waiting = waiting if question in self.known else [question]
            for first in range(0, len(waiting), TOGETHER):
                batch = waiting[first : first + TOGETHER]
                for one, said in zip(batch, self._say(batch, Drawing(**self._mixed(share))), strict=True):
                    self._greedy[one, share] = said
        return self._greedy[key]

    def _one(self, question: str, temperature: float, order: MarkOrder | None) -> Spoken:
        share = 0.0 if order is None else order.proxy_share
        if order is not None and self.ring is not None:
            epoch = self.ring.epoch(order.epoch)
            hook = GreenRows(epoch, [order], self.model.size.vocab) if epoch.scheme == "green" else None
            self.missed += hook is None
            how = Drawing(temperature=temperature, seed=self._next_seed(question), hook=hook, **self._mixed(share))
            return self._say([question], how)[0]
        if temperature <= 0.0:
            return self.answered(question, share)
        waiting = self._drawn.setdefault((question, temperature), deque())
        if not waiting:
            self._draw(question, temperature)
        return self._drawn[question, temperature].popleft()

    def _draw(self, question: str, temperature: float) -> None:
        """Draw some answers to a question and, where it is known, to those around it."""
        batch = [question]
        if question in self.known:
            at = list(self.known).index(question) // TOGETHER * TOGETHER
            batch = [one for one in self.known[at : at + TOGETHER] if not self._drawn.get((one, temperature))]
        how = Drawing(temperature=temperature, seed=self._next_seed(batch[0]))
        said = self._say([one for one in batch for _ in range(DRAWN_AHEAD)], how)
        for number, one in enumerate(batch):
            mine = said[number * DRAWN_AHEAD : (number + 1) * DRAWN_AHEAD]
            self._drawn.setdefault((one, temperature), deque()).extend(mine)

    def _next_seed(self, text: str) -> int:
        self._rounds += 1
        raw = hashlib.blake2b(f"{self.seed} {self._rounds} {text}".encode(), digest_size=6).digest()
        return int.from_bytes(raw, "big")

    def _mixed(self, share: float) -> dict[str, Any]:
        return {"partner": self.partner, "share": share} if share > 0.0 and self.partner is not None else {}

    def _say(self, questions: Sequence[str], how: Drawing) -> list[Spoken]:
        said = self.model.say(self.words.questions(questions), how)
        return [self._spoken(tokens, logs) for tokens, logs in zip(said.tokens, said.logs, strict=True)]

    def _spoken(self, tokens: IntArray, logs: FloatArray) -> Spoken:
        thought, answer = self.words.parts(tokens)
        at = tokens.tolist().index(SAY) + 1 if SAY in tokens else 0
        told = logs[at : at + len(answer)].astype(np.float32)
        return Spoken(self.words.text(thought), tuple(answer), told, int((tokens != PAD).sum()))

    def _order(self, body: Body) -> MarkOrder | None:
        text = (body.get(FIELD) or {}).get(NAME)
        if text is None:
            return None
        if self.ring is None:
            self.missed += 1
            return None
        return read_order(str(text), self.ring, _EVER)

    def _choice(self, body: Body, one: Spoken) -> Body:
        message: Body = {"role": "assistant", "content": self.words.text(one.tokens)}
        if one.reasoning and body.get("include_reasoning") is not False:
            message["reasoning_content"] = one.reasoning
        logprobs = None
        if body.get("logprobs"):
            top = min(int(body.get("top_logprobs") or 0), MOST_ALTERNATIVES)
            logprobs = {
                "content": [self._entry(token, row, top) for token, row in zip(one.tokens, one.logs, strict=True)]
            }
        return {"message": message, "finish_reason": "stop", "logprobs": logprobs, "length": one.length}

    def _entry(self, token: int, row: FloatArray, top: int) -> Body:
        names = self.words.texts
        listed = [int(i) for i in np.argsort(-row, kind="stable")[:top] if names[int(i)]]
        return {
            "token": names[token], "logprob": float(row[token]), "bytes": None,
            "top_logprobs": [{"token": names[i], "logprob": float(row[i]), "bytes": None} for i in listed],
        }  # fmt: skip


def _said_alone(text: str) -> Body:
    message = {"role": "assistant", "content": text}
    return {"message": message, "finish_reason": "stop", "logprobs": None, "length": 1}


def _completion(body: Body, choices: Sequence[Body], asked: str) -> Body:
    said = sum(int(choice.pop("length")) for choice in choices)
    size = len(asked) // 4 + 4
    return {
        "id": "chatcmpl-lab", "object": "chat.completion", "created": 0, "model": body.get("model") or MODEL,
        "choices": [{"index": number, **choice} for number, choice in enumerate(choices)],
        "usage": {"prompt_tokens": size, "completion_tokens": said, "total_tokens": size + said},
    }  # fmt: skip
