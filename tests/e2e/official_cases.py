"""The table of calls that the official clients must see end alike, asked of the provider and asked of the gateway."""

from dataclasses import dataclass

from tests.e2e import official_calls as ask
from tests.e2e.official_calls import Call


@dataclass(frozen=True, kw_only=True)
class Case:
    """One call, what the fake provider does to it, and how it must end."""

    name: str
    wire: str = "openai"
    call: Call
    script: str = ""
    """What the provider does; see `tests.fake_script`."""
    model: str = "toy-chat"
    retries: int = 0
    """Retries that the client is allowed."""
    timeout: float = 20.0
    raises: str = ""
    """Class of the error; empty when the call goes well."""
    attempts: int = 1
    """Requests that the provider must see."""
    seconds: tuple[float, float] = (0.0, 20.0)
    """How long the call may take."""
    gateway: str = ""
    """Class of the error through the gateway, where it can not be the same; see `why`."""
    why: str = ""


def _error(status: int, kind: str, *, wire: str = "openai", call: Call | None = None) -> Case:
    call = call or (ask.chat() if wire == "openai" else ask.messages())
    return Case(name=f"status {status}", wire=wire, call=call, script=f"status={status}", raises=kind)


def _again(name: str, script: str, *, attempts: int, **more: object) -> Case:
    """A call that may be tried three times."""
    return Case(name=name, call=ask.chat(), script=script, retries=2, attempts=attempts, **more)  # type: ignore[arg-type]


GOOD = (
    Case(name="chat", call=ask.chat()),
    Case(name="chat raw", call=ask.raw_chat),
    Case(name="chat stream", call=ask.chat(stream=True)),
    Case(name="chat stream with usage", call=ask.chat(stream=True, **ask.USAGE)),
    Case(name="chat usage beside choices", call=ask.chat(stream=True, **ask.USAGE), script="usage=last"),
    Case(name="chat without usage", call=ask.chat(stream=True, **ask.USAGE), script="usage=none"),
    Case(name="chat helper", call=ask.chat_helper()),
    Case(name="chat tools", call=ask.chat(tools=[ask.TOOL, ask.OTHER_TOOL])),
    Case(name="chat tools stream", call=ask.chat(tools=[ask.TOOL, ask.OTHER_TOOL], stream=True)),
    Case(name="chat tools helper", call=ask.chat_helper(tools=[ask.TOOL])),
    Case(name="chat after a tool", call=ask.chat(messages=ask.AFTER_TOOL, tools=[ask.TOOL])),
    Case(name="chat parse", call=ask.chat_parse()),
    Case(name="chat parse stream", call=ask.chat_helper(response_format=ask.Person)),
    Case(name="chat logprobs", call=ask.chat(logprobs=True, top_logprobs=5)),
    Case(name="chat logprobs stream", call=ask.chat(logprobs=True, top_logprobs=5, stream=True)),
    Case(name="chat n=3", call=ask.chat(n=3, temperature=1.5)),
    Case(name="chat n=3 stream", call=ask.chat(n=3, stream=True)),
    Case(name="chat cut short", call=ask.chat(max_completion_tokens=2)),
    Case(name="chat unknown fields", call=ask.chat(extra_body={"made_up": [1, {"x": None}]})),
    Case(name="chat identity hints", call=ask.chat(safety_identifier="s", prompt_cache_key="k", metadata={"a": "b"})),
    Case(name="chat keepalives and CRLF", call=ask.chat(stream=True), script="keepalive=1&crlf=1"),
    Case(name="chat without DONE", call=ask.chat(stream=True), script="no-done=1"),
    Case(name="chat byte by byte", call=ask.chat(), script="split=1&chunked=1"),
    Case(name="chat stream byte by byte", call=ask.chat(stream=True, **ask.USAGE), script="split=1"),
    Case(name="chat gzip", call=ask.chat(), script="gzip=1"),
    Case(name="chat stream gzip", call=ask.chat(stream=True), script="gzip=1"),
    Case(name="chat until close", call=ask.chat(), script="close=1"),
    Case(name="chat stream until close", call=ask.chat(stream=True), script="close=1"),
    Case(name="chat large", call=ask.chat(messages=[{"role": "user", "content": "wide 東京 " * 60_000}])),
    Case(name="chat long answer", call=ask.chat(stream=True), script="chunks=400"),
    Case(name="chat left early", call=ask.left_early, script="chunks=50&pause=0.01"),
    Case(name="completions", call=ask.completions(logprobs=2, max_tokens=4)),
    Case(name="completions many", call=ask.completions(prompt=["a", "b"], n=2)),
    Case(name="completions stream", call=ask.completions(stream=True)),
    Case(name="completions stream with usage", call=ask.completions(stream=True, **ask.USAGE)),
    Case(name="responses", call=ask.responses(instructions="Be brief.")),
    Case(name="responses stream", call=ask.responses(stream=True)),
    Case(name="responses helper", call=ask.responses_helper()),
    Case(name="responses reasoning", call=ask.responses_helper(reasoning={"effort": "low", "summary": "auto"})),
    Case(name="responses tools", call=ask.responses(tools=[ask.FLAT_TOOL])),
    Case(name="responses tools helper", call=ask.responses_helper(tools=[ask.FLAT_TOOL])),
    Case(name="responses parse", call=ask.responses_parse()),
    Case(
        name="responses logprobs",
        call=ask.responses(include=["message.output_text.logprobs"], top_logprobs=3, store=False),
    ),
    Case(name="responses conversation", call=ask.conversation, attempts=2),
    Case(name="responses cut short", call=ask.responses(max_output_tokens=3)),
    Case(name="embeddings", call=ask.embeddings(), model="toy-embed"),
    Case(name="embeddings floats", call=ask.embeddings(encoding_format="float", dimensions=8), model="toy-embed"),
    Case(name="models", call=ask.models, attempts=2),
    Case(name="messages", wire="anthropic", call=ask.messages(system="Be brief.", metadata={"user_id": "u"})),
    Case(name="messages stream", wire="anthropic", call=ask.messages(stream=True)),
    Case(name="messages helper", wire="anthropic", call=ask.messages_helper()),
    Case(name="messages tools", wire="anthropic", call=ask.messages(tools=[ask.ANTHROPIC_TOOL])),
    Case(name="messages tools helper", wire="anthropic", call=ask.messages_helper(tools=[ask.ANTHROPIC_TOOL])),
    Case(
        name="messages thinking helper",
        wire="anthropic",
        call=ask.messages_helper(thinking={"type": "enabled", "budget_tokens": 1024}, max_tokens=2048),
    ),
    Case(name="messages parse", wire="anthropic", call=ask.messages_parse()),
    Case(name="messages byte by byte", wire="anthropic", call=ask.messages_helper(), script="split=1&crlf=1"),
    Case(name="messages gzip", wire="anthropic", call=ask.messages_helper(), script="gzip=1"),
    Case(name="messages cut short", wire="anthropic", call=ask.messages(max_tokens=2)),
    Case(name="messages beta header", wire="anthropic", call=ask.messages(extra_headers={"anthropic-beta": "x-2026"})),
    Case(name="count tokens", wire="anthropic", call=ask.count_tokens(tools=[ask.ANTHROPIC_TOOL])),
    Case(name="models", wire="anthropic", call=ask.models, attempts=2),
)
"""Calls that go well."""

UNASKED = Case(name="chat usage unasked", call=ask.chat(stream=True), script="usage=forced")
"""A provider that says usage unasked; a gateway that asks in its own interest can not tell, and takes it out."""

ERRORS = (
    _error(400, "BadRequestError"),
    _error(401, "AuthenticationError"),
    _error(403, "PermissionDeniedError"),
    _error(404, "NotFoundError"),
    _error(409, "ConflictError"),
    _error(413, "APIStatusError"),
    _error(422, "UnprocessableEntityError"),
    _error(429, "RateLimitError"),
    _error(500, "InternalServerError"),
    _error(503, "InternalServerError"),
    _error(400, "BadRequestError", wire="anthropic"),
    _error(401, "AuthenticationError", wire="anthropic"),
    _error(403, "PermissionDeniedError", wire="anthropic"),
    _error(404, "NotFoundError", wire="anthropic"),
    _error(409, "ConflictError", wire="anthropic"),
    _error(413, "ContentTooLargeError", wire="anthropic"),
    _error(422, "UnprocessableEntityError", wire="anthropic"),
    _error(429, "RateLimitError", wire="anthropic"),
    _error(500, "InternalServerError", wire="anthropic"),
    _error(503, "ServiceUnavailableError", wire="anthropic"),
    _error(529, "OverloadedError", wire="anthropic"),
    Case(name="stream refused", call=ask.chat(stream=True), script="status=429", raises="RateLimitError"),
    Case(name="responses refused", call=ask.responses(stream=True), script="status=400", raises="BadRequestError"),
    Case(name="own words", call=ask.chat(), script="status=400&code=odd&type=rare&message=m", raises="BadRequestError"),
    Case(name="missing messages", call=ask.chat(messages=[]), raises="BadRequestError"),
    Case(name="no such model", call=ask.models, model="none", raises="NotFoundError", attempts=2),
    Case(name="no such conversation", call=ask.unknown_conversation, raises="BadRequestError"),
    Case(name="error page", call=ask.chat(), script="status=502&html=1", raises="InternalServerError"),
    Case(
        name="error page",
        wire="anthropic",
        call=ask.messages(),
        script="status=502&html=1",
        raises="InternalServerError",
    ),
    Case(name="error gzip", call=ask.chat(), script="status=400&gzip=1", raises="BadRequestError"),
    Case(name="no JSON", call=ask.chat(), script="malformed=1", raises="JSONDecodeError"),
    Case(name="no JSON in a stream", call=ask.chat(stream=True), script="malformed=1", raises="JSONDecodeError"),
    Case(name="error midway", call=ask.chat(stream=True), script="error-at=3", raises="APIError"),
    Case(name="error midway, helper", call=ask.chat_helper(), script="error-at=3&code=odd", raises="APIError"),
    Case(
        name="error midway",
        wire="anthropic",
        call=ask.messages(stream=True),
        script="error-at=4",
        raises="APIStatusError",
    ),
    Case(
        name="error midway, helper",
        wire="anthropic",
        call=ask.messages_helper(),
        script="error-at=4&status=200&type=api_error",
        raises="APIStatusError",
    ),
    Case(name="timeout", call=ask.chat(), script="delay=2", timeout=0.25, raises="APITimeoutError"),
    Case(
        name="timeout in a stream", call=ask.chat(stream=True), script="pause=2", timeout=0.25, raises="APITimeoutError"
    ),
    Case(
        name="timeout", wire="anthropic", call=ask.messages(), script="delay=2", timeout=0.25, raises="APITimeoutError"
    ),
    Case(name="timeout, again", call=ask.chat(), script="delay=2&times=1", timeout=0.4, retries=1, attempts=2),
)
"""Calls that end in an error, the same one whichever way they went."""

RETRIES = (
    _again("500 once", "status=500&times=1&retry-after-ms=20", attempts=2),
    _again("503 always", "status=503&retry-after-ms=20", attempts=3, raises="InternalServerError"),
    _again("408 once", "status=408&times=1&retry-after-ms=20", attempts=2),
    _again("409 once", "status=409&times=1&retry-after-ms=20", attempts=2),
    _again("429 once, in ms", "status=429&times=1&retry-after-ms=150", attempts=2, seconds=(0.15, 0.45)),
    _again("429 once, in s", "status=429&times=1&retry-after=1", attempts=2, seconds=(1.0, 1.45)),
    _again("429 twice", "status=429&times=2&retry-after-ms=30", attempts=3),
    _again("429, not before minutes", "status=429&retry-after=600", attempts=1, raises="RateLimitError"),
    _again("429, do not", "status=429&should-retry=false", attempts=1, raises="RateLimitError"),
    _again("500, do not", "status=500&should-retry=false", attempts=1, raises="InternalServerError"),
    _again("400, do", "status=400&times=1&should-retry=true&retry-after-ms=20", attempts=2),
    _again("400 is final", "status=400", attempts=1, raises="BadRequestError"),
    _again("401 is final", "status=401", attempts=1, raises="AuthenticationError"),
    _again("403 is final", "status=403", attempts=1, raises="PermissionDeniedError"),
    _again("no header: a pause of its own", "status=500&times=1", attempts=2, seconds=(0.37, 1.2)),
    Case(
        name="429 once", wire="anthropic", call=ask.messages(), script="status=429&times=1&retry-after-ms=100",
        retries=2, attempts=2,
    ),
    Case(
        name="529 twice", wire="anthropic", call=ask.messages(), script="status=529&times=2&retry-after-ms=30",
        retries=2, attempts=3,
    ),
    Case(
        name="529, do not", wire="anthropic", call=ask.messages(), script="status=529&should-retry=false",
        retries=2, raises="OverloadedError",
    ),
    Case(
        name="stream, 500 once", call=ask.chat(stream=True), script="status=500&times=1&retry-after-ms=20",
        retries=2, attempts=2,
    ),
)  # fmt: skip
"""Calls that official clients try again by themselves, and those that they do not."""

WIRE = (
    Case(
        name="dead provider", call=ask.chat(), script="dead=1", raises="APIConnectionError",
        gateway="InternalServerError",
        why="the caller's own connection lives: it is told that the provider's does not",
    ),
    Case(
        name="dead once", call=ask.chat(), script="dead=1&times=1", retries=2, attempts=2, seconds=(0.0, 1.5),
    ),
    Case(name="cut in a body", call=ask.chat(), script="cut=100", raises="APIConnectionError"),
    Case(
        name="cut in a stream", call=ask.chat(stream=True), script="cut=300", raises="APIConnectionError",
        gateway="APIError", why="a stream can end in a typed error",
    ),
    Case(
        name="cut in a stream", wire="anthropic", call=ask.messages(stream=True), script="cut=700",
        raises="RemoteProtocolError", gateway="APIStatusError", why="a stream can end in a typed error",
    ),
)  # fmt: skip
"""Provider's connections that die."""
