"""What a request asks, as one keyed digest: equal for the same question, and nothing else to be had from it.

In: a request's body and a key. Out: 16 bytes; no text is kept. Cost: one pass over the prompt.
How an answer is to be drawn (temperature, number of choices) is no part of what is asked.
"""

import hashlib
import json
from typing import Any, Final

from stillwatch.treatments.treatment import Json

_ASKED: Final = (
    "model", "messages", "prompt", "suffix", "input", "system", "instructions", "tools", "previous_response_id",
    "conversation",
)  # fmt: skip


def prompt_digest(body: Json, key: bytes) -> bytes:
    """Return the digest of what a body asks."""
    return digest_of({name: body[name] for name in _ASKED if name in body}, key)


def digest_of(said: Any, key: bytes) -> bytes:
    """Return the keyed digest of anything that JSON can say."""
    text = json.dumps(said, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.blake2b(text.encode(), key=key[:64], digest_size=16).digest()
