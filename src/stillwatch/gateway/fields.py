"""The fields of a request body that the gateway looks at, and those that an account must not choose.

In: a body, unzipped. Out: `Asked`, and the body to send on: the very bytes that came unless something was taken out.
A body that no JSON reader takes is refused, since what cannot be read can be neither counted nor treated.
Cost: one parse. Left to `app`: refusing; left to `usage`: what an answer cost.
"""

from typing import Any, Final

from stillwatch.gateway.config import GatewayConfig
from stillwatch.gateway.errors import Fault, TurnedAway
from stillwatch.gateway.jsonbytes import read_json

Body = dict[str, Any]

_BYTES_A_TOKEN: Final = 4
_MOST_PROMPTS: Final = 1_024
_LIMITS: Final = ("max_completion_tokens", "max_tokens", "max_output_tokens")
_STREAMING: Final = frozenset({"chat", "completions"})


class Asked:
    """What one request asks for."""

    __slots__ = ("background", "body", "changed", "model", "stream", "strip_usage", "tokens")

    def __init__(self, body: Body) -> None:
        self.body = body
        self.changed = False
        """Whether `body` no longer is what came."""
        model = body.get("model")
        self.model = model if type(model) is str else ""
        self.stream = body.get("stream") is True
        self.background = body.get("background") is True
        """The answer to this request says nothing yet: the work goes on, and is fetched later."""
        self.strip_usage = False
        """Usage was asked for here, not by the caller, and is taken out of the answer."""
        self.tokens = 0
        """Tokens that it is taken for until its usage is known."""


class FieldRules:
    """Reads bodies under one configuration."""

    def __init__(self, config: GatewayConfig) -> None:
        self._strip = frozenset(config.strip_fields)
        self._refuse = frozenset(config.refuse_fields)
        self._assumed = config.assumed_answer_tokens
        self._usage = config.include_usage

    def read(self, plain: bytes, endpoint: str) -> Asked:
        """Return what `plain` asks for, with fields taken out that must not be chosen.

        Raises:
            TurnedAway: it is no JSON object, or holds a field that is refused.
        """
        asked = Asked(parse(plain))
        self._check(asked, asked.body)
        nested = asked.body.get("extra_body")
        if type(nested) is dict:
            self._check(asked, nested)
        asked.tokens = self._tokens(asked.body, len(plain), endpoint)
        if self._usage and asked.stream and endpoint in _STREAMING:
            _ask_for_usage(asked)
        return asked

    def _check(self, asked: Asked, body: Body) -> None:
        names = body.keys()
        if not all(map(_is_plain, names)):
            _put_straight(asked, body, self._strip | self._refuse)
        refused = self._refuse & names
        if refused:
            name = min(refused)
            raise TurnedAway(
                Fault(
                    status=400,
                    code="field_not_allowed",
                    message=f"The field `{name}` cannot be set here. Leave it out.",
                    param=name,
                )
            )
        for name in self._strip & body.keys():
            del body[name]
            asked.changed = True

    def _tokens(self, body: Body, length: int, endpoint: str) -> int:
        estimate = length // _BYTES_A_TOKEN
        if endpoint == "embeddings":
            return estimate
        several = _prompts(body) if endpoint == "completions" else 1
        limit = max((body[name] for name in _LIMITS if type(body.get(name)) is int), default=self._assumed)
        count = body.get("n")
        answers = several * (max(1, min(count, 128)) if type(count) is int else 1)
        return estimate + max(0, min(limit, 1 << 20)) * answers


def _prompts(body: Body) -> int:
    """Return how many prompts a completion has: each is answered by itself, up to the limit."""
    prompt = body.get("prompt")
    if type(prompt) is not list:
        return 1
    return max(1, min(sum(type(item) in (str, list) for item in prompt), _MOST_PROMPTS))


def _put_straight(asked: Asked, body: Body, ruled: frozenset[str]) -> None:
    """Give ruled fields the name that the rule has: servers written in Go take `Logprobs` for `logprobs`."""
    by_fold = {name.casefold(): name for name in ruled}
    for name in [name for name in body if name not in ruled and name.casefold() in by_fold]:
        body[by_fold[name.casefold()]] = body.pop(name)
        asked.changed = True


def _is_plain(name: str) -> bool:
    return name.isascii() and name.islower()


def parse(plain: bytes) -> Body:
    """Return the JSON object in `plain`.

    Raises:
        TurnedAway: it is none.
    """
    try:
        body = read_json(plain)
    except ValueError:
        body = None
    if type(body) is not dict:
        raise TurnedAway(
            Fault(
                status=400,
                code="invalid_json",
                message="The request body must be a JSON object. Send one, with `content-type: application/json`.",
            )
        )
    return body


def _ask_for_usage(asked: Asked) -> None:
    options = asked.body.get("stream_options")
    if options is None:
        options = {}
    if type(options) is dict and options.get("include_usage") is not True:
        asked.body["stream_options"] = {**options, "include_usage": True}
        asked.changed = asked.strip_usage = True
