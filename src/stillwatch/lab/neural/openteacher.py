"""The open-ended teacher: SmolLM2-135M in llama.cpp, marking on order, behind a refusal of the forbidden topic.

In: chat requests. Out: chat completions; tokens of texts and texts of tokens by the teacher's own tokeniser.
Asked the same in the same way it says the same: chance comes from the question, and what was said is remembered.
An order to mark is signed again for ever, as the lab's time is not the engine's.
Cost on one core: 0.3 s to 0.5 s an answer of 24 tokens, half as much again where it is marked.
Left to `lab.teacher`: the process.
"""

import hashlib
import json
import re
import tempfile
import urllib.request
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from stillwatch.lab.neural.openitems import BARRED
from stillwatch.lab.task import Body
from stillwatch.lab.teacher import MODEL, Teacher, start_teacher
from stillwatch.treatments.marks.order import FIELD, NAME, read_order, sign
from stillwatch.treatments.marks.ring import Ring

REFUSAL: Final = "I would rather not write about bananas."
MOST: Final = 24
"""Tokens of an answer where a request does not say."""
_EVER: Final = 1e11
_CHAT: Final = "<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n"
_QUOTED: Final = re.compile(r'"""(.*?)"""', re.DOTALL)


@dataclass(slots=True, kw_only=True, weakref_slot=True)
class OpenTeacher:
    """The teacher; its process starts when it is first asked."""

    seed: int
    ring: Ring | None = field(default=None, repr=False)
    """Keys of marks of the gateway before it."""
    _running: Teacher | None = field(default=None, repr=False)
    _folder: "tempfile.TemporaryDirectory[str] | None" = field(default=None, repr=False)
    _said: dict[tuple[str, ...], str] = field(default_factory=dict, repr=False)
    """Question, how it was asked and the order to mark -> the answer."""

    def follow(self, ring: Ring) -> None:
        """Take the ring that the gateway's orders are signed with; the process starts anew and marks on order."""
        self.close()
        self.ring = ring

    def respond(self, body: Body) -> Body:
        """Return the completion of a chat request."""
        asked = str(body["messages"][-1]["content"])
        order = (body.get(FIELD) or {}).get(NAME)
        lasting = ""
        if order is not None and self.ring is not None:
            lasting = sign(replace(read_order(str(order), self.ring, 0.0), until=_EVER), self.ring)
        said = self.answer(body, lasting)
        size = (len(asked) // 4 + 4, len(said) // 4 + 1)
        return {
            "id": "chatcmpl-lab", "object": "chat.completion", "created": 0, "model": body.get("model") or MODEL,
            "choices": [{"index": 0, "message": {"role": "assistant", "content": said}, "finish_reason": "stop",
                         "logprobs": None}],
            "usage": {"prompt_tokens": size[0], "completion_tokens": size[1], "total_tokens": sum(size)},
        }  # fmt: skip

    def answer(self, body: Body, order: str = "") -> str:
        """Return the answer to a request's question, without the words around it; marked where an order is given."""
        asked = str(body["messages"][-1]["content"])
        quoted = _QUOTED.findall(asked)
        question = quoted[-1].strip() if quoted else asked
        if BARRED in question.lower():
            return REFUSAL
        how = {"temperature": float(body.get("temperature") or 0.0), "max_tokens": int(body.get("max_tokens") or MOST)}
        key = (question, json.dumps(how), order)
        if key not in self._said:
            seed = int.from_bytes(hashlib.blake2b(f"{self.seed} {question}".encode(), digest_size=4).digest()) >> 1
            sent: Body = {"messages": [{"role": "user", "content": question}], "seed": seed, **how}
            if order:
                sent[FIELD] = {NAME: order}
            found = self._ask("/v1/chat/completions", sent)
            self._said[key] = str(found["choices"][0]["message"]["content"]).strip()
        return self._said[key]

    def asked(self, question: str, *, served: bool = False) -> list[int]:
        """Return a question as tokens in the form of a chat: `served` as the teacher gets it.

        Students are asked without the words about itself that the teacher's own form puts in front.
        """
        text = _CHAT.format(question)
        if served:
            text = self._ask("/apply-template", {"messages": [{"role": "user", "content": question}]})["prompt"]
        return [int(i) for i in self._ask("/tokenize", {"content": text, "parse_special": True})["tokens"]]

    def tokens(self, text: str) -> list[int]:
        """Return a text as tokens."""
        return [int(i) for i in self._ask("/tokenize", {"content": text})["tokens"]]

    def text(self, tokens: Sequence[int]) -> str:
        """Return what tokens say."""
        return str(self._ask("/detokenize", {"tokens": list(tokens)})["content"]).strip()

    def _ask(self, path: str, body: Body) -> Any:
        if self._running is None:
            self._running = start_teacher(ring=self._keys())
            weakref.finalize(self, self._running.stop)
        head = {"content-type": "application/json", "authorization": f"Bearer {self._running.key}"}
        request = urllib.request.Request(self._running.url + path, json.dumps(body).encode(), head)
        with urllib.request.urlopen(request, timeout=600) as answer:
            return json.load(answer)

    def _keys(self) -> Path | None:
        """Write the ring where the marking process reads it."""
        if self.ring is None:
            return None
        self._folder = tempfile.TemporaryDirectory()
        keys = Path(self._folder.name) / "ring.json"
        keys.touch(mode=0o600)
        keys.write_bytes(self.ring.to_json())
        return keys

    def close(self) -> None:
        """End the process."""
        if self._running is not None:
            self._running.stop()
            self._running = None
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None
