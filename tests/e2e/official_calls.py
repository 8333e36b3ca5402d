"""What a test asks of an official client, written once for its synchronous and its asynchronous form.

Each call takes a client and a model's name and gives back plain JSON: everything that the client showed.
"""

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from pydantic import BaseModel

Call = Callable[[Any, str], Awaitable[Any]]


class Person(BaseModel):
    name: str
    age: int
    tags: list[str]
    happy: bool


PARAMETERS = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
    "required": ["city", "days"],
    "additionalProperties": False,
}
TOOL = {"type": "function", "function": {"name": "forecast", "parameters": PARAMETERS, "strict": True}}
OTHER_TOOL = {"type": "function", "function": {"name": "tide", "parameters": PARAMETERS, "strict": True}}
FLAT_TOOL = {"type": "function", "name": "forecast", "parameters": PARAMETERS, "strict": True}
ANTHROPIC_TOOL = {"name": "forecast", "input_schema": PARAMETERS}
USER = {"role": "user", "content": "Where does the river 東京 begin? 🦊"}
TURNS = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": [{"type": "text", "text": "Say it in one line."}]},
    {"role": "assistant", "content": "So be it."},
    USER,
]
AFTER_TOOL = [
    USER,
    {
        "role": "assistant",
        "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "forecast", "arguments": "{}"}}],
    },
    {"role": "tool", "tool_call_id": "call_1", "content": "rain"},
]
USAGE = {"stream_options": {"include_usage": True}}


async def got(value: Any) -> Any:
    """Return what a call of either form gives."""
    return await value if inspect.isawaitable(value) else value


async def items(stream: Any) -> AsyncIterator[Any]:
    """Go through a stream or a page of either form."""
    if hasattr(stream, "__aiter__"):
        async for item in stream:
            yield item
    else:
        for item in stream:
            yield item


@asynccontextmanager
async def opened(manager: Any) -> AsyncIterator[Any]:
    """Enter a context manager of either form."""
    if hasattr(manager, "__aenter__"):
        async with manager as stream:
            yield stream
    else:
        with manager as stream:
            yield stream


def shown(thing: Any) -> Any:
    """Return all that a client's object holds, as JSON."""
    if isinstance(thing, BaseModel):
        return {**thing.model_dump(mode="json", warnings=False), "_request_id": getattr(thing, "_request_id", None)}
    return [shown(item) for item in thing] if isinstance(thing, list) else thing


def _made(find: Callable[[Any], Any], **more: Any) -> Call:
    async def call(client: Any, model: str) -> Any:
        answer = await got(find(client)(model=model, **more))
        if more.get("stream"):
            return [shown(item) async for item in items(answer)]
        return shown(answer)

    return call


def chat(**more: Any) -> Call:
    """`chat.completions.create`; every chunk when `stream` is set."""
    return _made(lambda client: client.chat.completions.create, **{"messages": TURNS, **more})


def completions(**more: Any) -> Call:
    """`completions.create`."""
    return _made(lambda client: client.completions.create, **{"prompt": "Once upon a time", **more})


def responses(**more: Any) -> Call:
    """`responses.create`."""
    return _made(lambda client: client.responses.create, **{"input": "Where does it begin?", **more})


def embeddings(**more: Any) -> Call:
    """`embeddings.create`."""
    return _made(lambda client: client.embeddings.create, **{"input": ["one", "two 東京"], **more})


def messages(**more: Any) -> Call:
    """`messages.create` of Anthropic."""
    return _made(lambda client: client.messages.create, **{"messages": [USER], "max_tokens": 64, **more})


def count_tokens(**more: Any) -> Call:
    """`messages.count_tokens` of Anthropic."""
    return _made(lambda client: client.messages.count_tokens, **{"messages": [USER], **more})


def chat_parse(**more: Any) -> Call:
    """`chat.completions.parse`."""
    return _made(lambda client: client.chat.completions.parse, messages=TURNS, response_format=Person, **more)


def responses_parse(**more: Any) -> Call:
    """`responses.parse`."""
    return _made(lambda client: client.responses.parse, input="Who?", text_format=Person, **more)


def messages_parse(**more: Any) -> Call:
    """`messages.parse` of Anthropic."""
    return _made(lambda c: c.messages.parse, messages=[USER], max_tokens=64, output_format=Person, **more)


def _streamed(open_: Callable[[Any, str], Any], final: str) -> Call:
    async def call(client: Any, model: str) -> Any:
        async with opened(open_(client, model)) as stream:
            seen = [shown(event) async for event in items(stream)]
            return {"events": seen, "final": shown(await got(getattr(stream, final)()))}

    return call


def chat_helper(**more: Any) -> Call:
    """`chat.completions.stream`, the accumulating helper."""
    return _streamed(lambda c, m: c.chat.completions.stream(model=m, messages=TURNS, **more), "get_final_completion")


def responses_helper(**more: Any) -> Call:
    """`responses.stream`, the accumulating helper."""
    return _streamed(lambda c, m: c.responses.stream(model=m, input="Where?", **more), "get_final_response")


def messages_helper(**more: Any) -> Call:
    """`messages.stream` of Anthropic, the accumulating helper."""
    full = {"messages": [USER], "max_tokens": 64, **more}
    return _streamed(lambda c, m: c.messages.stream(model=m, **full), "get_final_message")


async def conversation(client: Any, model: str) -> Any:
    """Two turns of a stored conversation."""
    first = await got(client.responses.create(model=model, input="My name is Ada."))
    second = await got(client.responses.create(model=model, input="Who am I?", previous_response_id=first.id))
    return [shown(first), shown(second)]


async def unknown_conversation(client: Any, model: str) -> Any:
    """A turn of a conversation that nobody began."""
    return shown(await got(client.responses.create(model=model, input="And?", previous_response_id="resp_none")))


async def models(client: Any, model: str) -> Any:
    """List the models, and look one up."""
    listed = [shown(item) async for item in items(await _page(client.models.list()))]
    return [listed, shown(await got(client.models.retrieve(model)))]


async def _page(page: Any) -> Any:
    return page if hasattr(page, "__aiter__") else await got(page)


async def raw_chat(client: Any, model: str) -> Any:
    """The status, the type and the body, as the client's raw access shows them."""
    raw = await got(client.chat.completions.with_raw_response.create(model=model, messages=TURNS))
    return [raw.status_code, raw.headers.get("content-type"), raw.headers.get("x-ratelimit-limit-requests"), raw.text]


async def left_early(client: Any, model: str) -> Any:
    """Two chunks of a stream, then no more."""
    stream = await got(client.chat.completions.create(model=model, messages=TURNS, stream=True))
    seen = []
    async for chunk in items(stream):
        seen.append(shown(chunk))
        if len(seen) == 2:
            break
    await got(stream.close())
    return seen
