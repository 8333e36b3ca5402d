"""A classifier behind an OpenAI chat wire: the label as the answer's text, its probability as a token's.

In: chat requests. Out: chat completions. The text to classify stands between triple quotes in the last message, or is
the last message, or is a picture. It answers `temperature`, `n`, `logprobs`, `top_logprobs` and `logit_bias` as a
language model whose answers are one token long, and judges a proposed label when asked to.
Cost: 0.3 ms a request. Left to `labels`: training it. Left to `loopback`: the socket.
"""

import re
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from scipy.special import log_softmax

from stillwatch.lab import picture
from stillwatch.lab.learn.features import hashed
from stillwatch.lab.learn.softmax import Floats, Softmax
from stillwatch.lab.task import Body

MOST_ALTERNATIVES: Final = 20
"""As common APIs allow."""
MOST_SAMPLES: Final = 32
MODEL: Final = "lab-teacher"
QUOTED: Final = re.compile(r'"""(.*?)"""', re.DOTALL)
PROPOSED: Final = re.compile(r"^Proposed answer: (.+)$", re.MULTILINE)
YES: Final = "yes"
NO: Final = "no"


@dataclass(slots=True)
class LabelTeacher:
    """The teacher at work; draws at temperatures above 0 follow the order of requests."""

    model: Softmax = field(repr=False)
    seed: int
    rng: np.random.Generator = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng((self.seed, 0x7EAC))

    def respond(self, body: Body) -> Body:
        """Return the chat completion.

        Raises:
            ValueError, KeyError, TypeError: the body is no chat request that can be answered.
        """
        asked, size = read_text(body["messages"][-1]["content"])
        size += sum(_size(message["content"]) for message in body["messages"][:-1])
        quoted = QUOTED.findall(asked)
        text = quoted[-1].strip() if quoted else asked
        logits = self.model.log_probabilities(hashed([text]))[0]
        names = self.model.labels
        proposed = PROPOSED.search(asked)
        if proposed is not None:
            at = names.index(proposed[1].strip()) if proposed[1].strip() in names else -1
            says_yes = logits[at] if at >= 0 else -30.0
            names, logits = (YES, NO), np.array([says_yes, np.log1p(-min(np.exp(says_yes), 1.0 - 1e-12))])
        logits = log_softmax(_biased(logits, names, body.get("logit_bias")))
        return self._completion(body, names, logits, size)

    def _completion(self, body: Body, names: tuple[str, ...], logs: Floats, size: int) -> Body:
        samples = int(body.get("n") or 1)
        if not 1 <= samples <= MOST_SAMPLES:
            raise ValueError(f"n = {samples}: must be 1 to {MOST_SAMPLES}.")
        temperature = float(1.0 if body.get("temperature") is None else body["temperature"])
        drawn = self._draw(logs, temperature, samples)
        top = min(int(body.get("top_logprobs") or 0), MOST_ALTERNATIVES) if body.get("logprobs") else -1
        return {
            "id": "chatcmpl-lab", "object": "chat.completion", "created": 0, "model": body.get("model") or MODEL,
            "choices": [
                {
                    "index": number, "finish_reason": "stop",
                    "message": {"role": "assistant", "content": names[at]},
                    "logprobs": None if top < 0 else {"content": [_entry(names, logs, at, top)]},
                }
                for number, at in enumerate(drawn)
            ],
            "usage": {"prompt_tokens": size // 4 + 4, "completion_tokens": samples,
                      "total_tokens": size // 4 + 4 + samples},
        }  # fmt: skip

    def _draw(self, logs: Floats, temperature: float, samples: int) -> list[int]:
        if temperature <= 0.0:
            return [int(logs.argmax())] * samples
        scaled = np.exp(log_softmax(logs / temperature))
        return [int(at) for at in self.rng.choice(len(logs), size=samples, p=scaled / scaled.sum())]


def _biased(logits: Floats, names: tuple[str, ...], bias: Any) -> Floats:
    """Return logits with what the request adds to single tokens, at most 100 either way."""
    if not bias:
        return logits
    added = np.zeros(len(names))
    at = {name: i for i, name in enumerate(names)}
    for name, amount in bias.items():
        if name in at:
            added[at[name]] = min(max(float(amount), -100.0), 100.0)
    return np.asarray(logits + added)


def _entry(names: tuple[str, ...], logs: Floats, at: int, top: int) -> Body:
    order = np.argsort(-logs, kind="stable")[:top]
    return {
        "token": names[at], "logprob": float(logs[at]), "bytes": None,
        "top_logprobs": [{"token": names[i], "logprob": float(logs[i]), "bytes": None} for i in order],
    }  # fmt: skip


def read_text(content: Any) -> tuple[str, int]:
    """Return what a message says and how long it is in characters; pictures are read, and count as 340.

    Raises:
        ValueError, KeyError, TypeError: it is neither text nor a list of parts.
    """
    if isinstance(content, str):
        return content, len(content)
    said, size = [], 0
    for part in content:
        if part["type"] == "image_url":
            said.append(f'"""{picture.read(picture.from_url(part["image_url"]["url"]))}"""')
            size += 340
        else:
            said.append(str(part["text"]))
            size += len(said[-1])
    return "\n".join(said), size


def _size(content: Any) -> int:
    return len(content) if isinstance(content, str) else 0
