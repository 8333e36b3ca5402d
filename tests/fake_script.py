"""What a test may ask of the fake upstream, request by request.

A script is written as a query string, either in the header `x-fake` or after `?` in the model's name:
`status=429&retry-after=1&times=1`, `toy-chat?cut=120`. Unknown names are an error (status 500 naming them), so
that a misspelt script can not pass for a good answer.
"""

from dataclasses import dataclass, fields
from typing import Any
from urllib.parse import parse_qsl

from tests.fake_answers import seeded


@dataclass(frozen=True, kw_only=True)
class Script:
    """Every knob, and what happens when it is left alone: a good answer at once."""

    times: int = 0
    """How many requests of this very script (and `id`) it holds for; those after it are answered well. 0: all."""
    id: str = ""
    """Tells apart two tests that use the same script."""
    # ---- the answer ----
    chunks: int = 6
    """Words of the answer; one to a chunk when streamed."""
    plain: bool = False
    """Words of plain ASCII only; otherwise some are of two to four bytes a character."""
    text: str = ""
    """The answer itself, where the words are not to be drawn."""
    usage: str = "tail"
    """Where OpenAI streams say usage: `tail` (a last chunk without choices, if asked), `last` (on the last chunk
    with choices, if asked), `forced` (tail, asked or not), `none`."""
    seed: int = 0
    # ---- errors ----
    status: int = 200
    code: str = ""
    type: str = ""
    message: str = ""
    retry_after: str = ""
    retry_after_ms: str = ""
    should_retry: str = ""
    """Value of `x-should-retry`."""
    error_at: int = -1
    """A typed error after so many pieces of a stream."""
    malformed: bool = False
    """A body that is no JSON; in a stream, a data line that is none."""
    html: bool = False
    """The error page of some proxy instead of a JSON error."""
    # ---- the wire ----
    delay: float = 0.0
    """Seconds before the status line."""
    first: float = 0.0
    """Seconds between the head and the first piece of the body."""
    pause: float = 0.0
    """Seconds between pieces of a stream."""
    cut: int = -1
    """The connection dies after so many bytes of the body; 0: after the head; -1: never."""
    dead: bool = False
    """The connection dies before any answer."""
    split: int = 0
    """Bytes a piece of the body that is written at once; 0: as it comes."""
    gzip: bool = False
    """The body is gzipped, if the request accepts it."""
    chunked: bool = False
    """A JSON body without content-length."""
    crlf: bool = False
    """Lines of a stream end in CR LF."""
    keepalive: bool = False
    """Comment lines (OpenAI) before each event."""
    no_done: bool = False
    """The stream ends without `[DONE]`."""
    linger: float = 0.0
    """Seconds that the stream stays open after its last event."""
    close: bool = False
    """`connection: close` and end of body by closing."""

    @classmethod
    def read(cls, text: str) -> "Script":
        """Return the script that `text` says; ValueError names what it does not know."""
        kinds = {field.name: field.type for field in fields(cls)}
        values: dict[str, Any] = {}
        for key, value in parse_qsl(text, keep_blank_values=True):
            name = key.replace("-", "_")
            if name not in kinds:
                raise ValueError(f"script has {key!r}; it knows {', '.join(sorted(kinds))}")
            kind = kinds[name]
            values[name] = value not in ("0", "no") if kind is bool else kind(value)  # type: ignore[operator]
        return cls(**values)

    def answer_words(self, question: Any, salt: str = "") -> list[str]:
        """Return the words of the answer to `question`: the same ones whenever it is asked again."""
        if self.text:
            return [word if i == 0 else f" {word}" for i, word in enumerate(self.text.split(" "))]
        return seeded(f"{self.seed}\0{salt}\0{question!r}", self.chunks, plain=self.plain)
