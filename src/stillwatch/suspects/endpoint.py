"""A suspect behind an OpenAI-compatible address: chat or completions, with or without log-probabilities.

In: address, model, key. Out: a `Suspect`. One request at a time, on the standard library, so that who examines sees
exactly what is sent. Busy answers (429, 5xx) are waited out a few times, longer each time.
Errors name status and kind, never what was said: bodies of errors may quote the prompt.
Cost: one request a probe. Left to `ask`: budgets.
Source: OpenAI's API reference, `chat/completions` and `completions`.
"""

import http.client
import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from stillwatch.suspects.suspect import Loss, Probe, Refusal, Reply, Told
from stillwatch.terms.errors import StillwatchError

WIRES: Final = ("chat", "completions")
BUSY: Final = frozenset({408, 429, 500, 502, 503, 504, 529})
TRIES: Final = 5
_LARGEST: Final = 64 << 20
Json = dict[str, Any]


@dataclass(slots=True, kw_only=True)
class EndpointSuspect:
    """One model behind one address."""

    url: str
    """Up to `/v1`, without what comes after."""
    model: str
    key: str = field(default="", repr=False)
    wire: str = "chat"
    """One of `WIRES`; completions go on from the prompt as it stands."""
    logprobs: bool = False
    """Whether it tells log-probabilities."""
    timeout: float = 120.0
    wait: Callable[[float], None] = field(default=time.sleep, repr=False)
    _line: http.client.HTTPConnection | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
            raise StillwatchError(
                f"suspect address {parts.hostname or self.url[:40]!r}: must be http(s)://host[:port][/path] without "
                "user, password or query; give the key by --key-env."
            )
        if not (self.key.isascii() and self.key.isprintable()):
            raise StillwatchError("suspect key: holds a character that no header can carry; give it by --key-env anew.")
        if self.wire not in WIRES:
            raise StillwatchError(f"suspect wire {self.wire!r}: must be one of {', '.join(WIRES)}.")

    @property
    def name(self) -> str:
        """The model, as it was asked for."""
        return self.model

    @property
    def where(self) -> str:
        """The address."""
        return self.url

    @property
    def access(self) -> str:
        """What it tells."""
        return "logprobs" if self.logprobs else "text"

    def reply(self, probe: Probe) -> Reply:
        """Ask one thing; see `Suspect`."""
        return self._read(self._asked(self._body(probe)), probe)

    @property
    def scores(self) -> bool:
        """Whether it tells losses on given texts; see `Scorer`."""
        return self.wire == "completions" and self.logprobs

    def loss(self, prompt: str, text: str) -> Loss:
        """Return its loss on a text after a prompt, see `Scorer`; needs completions that echo log-probabilities."""
        if not self.scores:
            raise StillwatchError(
                f"suspect {self.model}: tells no losses on given texts; they need the completions wire and logprobs."
            )
        body = {"model": self.model, "prompt": prompt + text, "max_tokens": 1, "temperature": 0.0, "echo": True,
                "logprobs": 1}  # fmt: skip
        return _loss(self._asked(body), len(prompt), len(prompt) + len(text))

    def _asked(self, body: Json) -> bytes:
        """Return the body of a good answer, busy ones waited out.

        Raises:
            Refusal: there is none for this request.
            StillwatchError: there is none for any.
        """
        for attempt in range(TRIES):
            status, read = self._post(body)
            if status == 200:
                return read
            if status in (401, 403):
                raise StillwatchError(f"suspect {self.model}: refuses the key ({status}); give another by --key-env.")
            if status == 404:
                raise StillwatchError(f"suspect {self.model}: there is no such model or address (404).")
            if status not in BUSY:
                raise Refusal(f"status {status}")
            self.wait(min(60.0, 2.0**attempt))
        raise Refusal(f"busy {TRIES} times")

    def close(self) -> None:
        """Close the connection."""
        if self._line is not None:
            self._line.close()
            self._line = None

    def _body(self, probe: Probe) -> Json:
        body: Json = {"model": self.model, "max_tokens": probe.max_tokens, "temperature": probe.temperature}
        if probe.seed:
            body["seed"] = probe.seed
        if self.wire == "chat":
            if probe.tokens:
                raise StillwatchError(f"suspect {self.model}: takes no token ids on the chat wire; use completions.")
            body["messages"] = [{"role": "user", "content": probe.prompt}]
            if probe.top and self.logprobs:
                body |= {"logprobs": True, "top_logprobs": probe.top}
            return body
        body["prompt"] = list(probe.tokens) or probe.prompt
        if probe.top and self.logprobs:
            body["logprobs"] = probe.top
        return body

    def _post(self, body: Json) -> tuple[int, bytes]:
        parts = urlsplit(self.url)
        path = parts.path.rstrip("/") + ("/chat/completions" if self.wire == "chat" else "/completions")
        head = {"content-type": "application/json", "accept": "application/json"}
        if self.key:
            head["authorization"] = f"Bearer {self.key}"
        for fresh in (False, True):
            if self._line is None or fresh:
                self.close()
                kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
                self._line = kind(str(parts.hostname), parts.port, timeout=self.timeout)
            try:
                self._line.request("POST", path, json.dumps(body).encode(), head)
                answer = self._line.getresponse()
                read = answer.read(_LARGEST)
                return answer.status, read
            except TimeoutError:
                self.close()
                return 408, b""
            except (http.client.HTTPException, OSError) as problem:
                if fresh:
                    self.close()
                    if isinstance(problem, ConnectionRefusedError | http.client.InvalidURL):
                        raise StillwatchError(
                            f"suspect {self.model}: nothing answers at {parts.hostname}; check address and port."
                        ) from None
                    return 503, b""
        raise AssertionError("unreachable")

    def _read(self, raw: bytes, probe: Probe) -> Reply:
        try:
            body: Json = json.loads(raw)
            choice = body["choices"][0]
            text = choice["message"].get("content") or "" if self.wire == "chat" else choice["text"]
            usage = body.get("usage") or {}
            told = _told(choice.get("logprobs") or {}) if probe.top else ()
            return Reply(
                text=str(text), told=told, spent=max(0, int(usage.get("total_tokens") or 0)),
                ended="length" if choice.get("finish_reason") == "length" else "stop",
            )  # fmt: skip
        except (ValueError, KeyError, IndexError, TypeError, AttributeError, OverflowError, RecursionError):
            raise Refusal("an answer of another shape") from None


def _told(held: Json) -> tuple[Told, ...]:
    """Return alternatives by place, of either wire."""
    if "content" in held:
        places = [[(str(one["token"]), float(one["logprob"])) for one in place["top_logprobs"]]
                  for place in held["content"] or ()]  # fmt: skip
    else:
        places = [[(str(word), float(value)) for word, value in (place or {}).items()]
                  for place in held.get("top_logprobs") or ()]  # fmt: skip
    if not all(math.isfinite(value) for place in places for _, value in place):
        raise ValueError("no logarithm of a probability")
    return tuple(tuple(sorted(place, key=lambda one: (-one[1], one[0]))) for place in places)


def _loss(raw: bytes, first: int, end: int) -> Loss:
    """Return the loss on the tokens that begin within characters `first` to `end` of what was echoed.

    Raises:
        Refusal: it did not echo, or told no probability of some of them.
    """
    try:
        body: Json = json.loads(raw)
        held = body["choices"][0]["logprobs"]
        pairs = zip(held["text_offset"], held["token_logprobs"], strict=True)
        told = [float(value) for at, value in pairs if first <= int(at) < end and (value is not None or first > 0)]
        spent = int((body.get("usage") or {}).get("total_tokens") or 0)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        raise Refusal("no log-probabilities of what was given") from None
    if not told or not all(map(math.isfinite, told)):
        raise Refusal("no log-probabilities of what was given")
    return Loss(nats=-math.fsum(told), tokens=len(told), spent=spent)
