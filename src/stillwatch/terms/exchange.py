"""One request and its answer as an importer reads it: with its text, in memory only.

An `Exchange` is the last record that holds text. `sketch` reduces it to an `Event`, and it is
dropped; nothing writes it to disk, logs it, or puts it into an error.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One turn of the request. Its text is kept out of `repr`, so that no log shows it."""

    role: str
    """`system`, `user`, `assistant` or `tool`; `developer` is read as `system`."""
    text: str = field(default="", repr=False)
    """All text parts of the turn, joined by a line feed."""
    images: tuple[bytes, ...] = field(default=(), repr=False)
    """Encoded image parts that came inline; references by address are left out."""
    unread: int = 0
    """Parts that no reader here opens: recordings, films, files that are no text, pictures by address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One exchange as the source named it. Empty text means that the source did not say."""

    time: float
    """Start of the request, seconds since 1970-01-01 UTC."""
    account: str
    """User id, else key hash, else what `--account-field` names; never empty."""
    organisation: str = ""
    plan: str = ""
    key_id: str = field(default="", repr=False)
    """Hash or id of the API key as the source has it; hashed again before it is kept."""
    address: str = field(default="", repr=False)
    """Client address, IPv4 or IPv6, as written."""
    agent: str = field(default="", repr=False)
    """User-agent header, reduced to an SDK class before it is kept."""
    tls: str = ""
    """JA4 TLS client fingerprint."""
    payment: str = field(default="", repr=False)
    """Payment token (never a card number), hashed before it is kept."""
    session: str = field(default="", repr=False)
    model: str = ""
    endpoint: str = ""
    """`chat`, `completions`, `responses`, `messages`, `embeddings` or `other`."""
    parameters: Mapping[str, float | str | bool] = field(default_factory=dict)
    """Sampling parameters that were given: temperature, top_p, n, max_tokens, logprobs, seed, ..."""
    messages: tuple[Message, ...] = field(default=(), repr=False)
    tools: str = field(default="", repr=False)
    """Canonical JSON of the tool schemas, keys sorted; empty when none were sent."""
    aside: str = field(default="", repr=False)
    """Canonical JSON of what else a model may read: schemas of the answer's form, documents, further texts."""
    answer: str = field(default="", repr=False)
    several: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """Where one request holds several prompts: each with its answer, which is empty where the source has none."""
    tokens_in: int = -1
    """Prompt tokens; -1 when the source does not say (likewise below)."""
    tokens_out: int = -1
    latency: float = -1.0
    """Seconds from start to the last byte; -1 when unknown."""
    finish: str = ""
    status: int = 200
