"""llama.cpp's HTTP server as a source of next-token candidates.

In: its address and key. Out: tokens of a request, and after any tokens the likeliest candidates with raw
log-probabilities over the whole vocabulary. Cost: one request a token; the server keeps what it has computed of
the common beginning, so each step computes one token. Left to `pick`: choosing.
Source: llama.cpp `tools/server/README.md`, endpoints `/completion`, `/tokenize`, `/apply-template`, `/props`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import aiohttp
import numpy as np
import orjson
from numpy.typing import NDArray

Json = dict[str, Any]
ENDS: Final = (
    "<|endoftext|>", "<|im_end|>", "<|end|>", "<|eot_id|>", "<|eom_id|>", "<|end_of_text|>", "<end_of_turn>", "</s>",
    "<|return|>", "<|endofprompt|>", "<EOT>", "<|turn_end|>",
)  # fmt: skip
"""Texts of tokens that end an answer, in the families that llama.cpp serves."""


class Refused(Exception):
    """llama.cpp answered with an error, which the caller is told as it stands."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(f"status {status}")
        self.status, self.body = status, body


class Candidates(NamedTuple):
    """The likeliest next tokens, likeliest first; shape (k,) each."""

    ids: NDArray[np.int64]
    log_p: NDArray[np.float64]
    """Nats, over the whole vocabulary, before any sampler."""
    pieces: tuple[bytes, ...]
    """What each adds to the text."""
    cached: int
    """Tokens that the server knew already."""


@dataclass(slots=True)
class Model:
    """One llama.cpp server."""

    session: aiohttp.ClientSession = field(repr=False)
    url: str
    """Without `/v1`."""
    candidates: int = 128
    context: int = 0
    """Tokens of prompt and answer together; known after `look`."""
    ends: frozenset[int] = frozenset()
    """Tokens that end an answer."""
    name: str = ""
    """What the server calls its model."""
    build: str = ""
    _plain: int = 0
    """A token that is a letter."""

    async def look(self, key: str) -> None:
        """Ask the server what it serves: how long a context, and which tokens end an answer.

        Raises:
            Refused: it does not answer as a llama.cpp server does, or the key is wrong.
        """
        head = {"accept-encoding": "identity", **({"authorization": f"Bearer {key}"} if key else {})}
        async with self.session.get(f"{self.url}/props", headers=head) as response:
            body = await response.read()
            if response.status != 200:
                raise Refused(response.status, body)
        props = orjson.loads(body)
        texts = {*ENDS, str(props.get("eos_token") or "")} - {""}
        found = [(await self.ask("/tokenize", {"content": text, "parse_special": True}, head))["tokens"]
                 for text in sorted(texts)]  # fmt: skip
        self._plain = (await self.ask("/tokenize", {"content": "a", "add_special": False}, head))["tokens"][0]
        self.ends = frozenset(tokens[0] for tokens in found if len(tokens) == 1)
        self.name, self.build = str(props.get("model_alias", "")), str(props.get("build_info", ""))
        self.context = int(props["default_generation_settings"]["n_ctx"])  # last: it says that all is known

    async def ask(self, path: str, body: Json, head: dict[str, str]) -> Json:
        """Post to the server and return what it answers.

        Raises:
            Refused: it answered with an error.
        """
        head = {**head, "content-type": "application/json", "accept-encoding": "identity"}
        try:
            return await self._post(path, orjson.dumps(body), head)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
            return await self._post(path, orjson.dumps(body), head)  # the connection kept had just been closed

    async def _post(self, path: str, raw: bytes, head: dict[str, str]) -> Json:
        async with self.session.post(self.url + path, data=raw, headers=head) as response:
            content = await response.read()
            if response.status != 200:
                raise Refused(response.status, content)
        found: Json = orjson.loads(content)
        return found

    async def prompt_of(self, body: Json, head: dict[str, str]) -> list[int]:
        """Return the tokens of a request's messages or prompt, as the server itself would make them."""
        text = body.get("prompt")
        if body.get("messages") is not None:
            text = (await self.ask("/apply-template", body, head))["prompt"]
        if isinstance(text, list):
            return text
        asked = {"content": text, "add_special": True, "parse_special": True}
        tokens: list[int] = (await self.ask("/tokenize", asked, head))["tokens"]
        return tokens

    async def after(self, tokens: Sequence[int], slot: int, head: dict[str, str]) -> Candidates:
        """Return the likeliest tokens after these.

        What the server itself would choose is forced to be a letter, which the probabilities do not see: after the
        first bytes of a character, or at the end of an answer, it would give none.

        Args:
            tokens: Prompt and answer so far.
            slot: Which of the server's slots remembers this answer.
            head: Headers with the caller's key.
        """
        found = await self.ask(
            "/completion",
            {
                "prompt": tokens, "n_predict": 1, "n_probs": self.candidates, "cache_prompt": True, "id_slot": slot,
                "temperature": 0.0, "top_k": 1, "samplers": ["top_k"], "post_sampling_probs": False,
                "logit_bias": [[self._plain, 1e9]],
                "response_fields": ["completion_probabilities", "timings/cache_n"],
            },
            head,
        )  # fmt: skip
        top = found["completion_probabilities"][0]["top_logprobs"]
        count = len(top)
        return Candidates(
            np.fromiter((one["id"] for one in top), np.int64, count),
            np.fromiter((one["logprob"] for one in top), np.float64, count),
            tuple(bytes(one["bytes"]) for one in top),
            int(found.get("timings/cache_n", 0)),
        )
