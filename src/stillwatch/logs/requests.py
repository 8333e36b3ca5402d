"""Request bodies of the model APIs, to the fields of an `Exchange`.

In: the JSON body of a chat, completion, responses, messages or embeddings request.
Out: fields added to a dict: messages, tools, parameters, model, endpoint.
Cost: a few microseconds and one microsecond a turn. Left to `answers`: the other half.
"""

from typing import Any

from stillwatch.logs.content import canonical, flatten, parsed, turns
from stillwatch.logs.importer import Row
from stillwatch.terms.exchange import Message

Fields = dict[str, Any]
"""Fields of an `Exchange` found so far, by name."""

PARAMETERS = {
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "n": "n",
    "best_of": "n",
    "choice.count": "n",
    "max_tokens": "max_tokens",
    "max_completion_tokens": "max_tokens",
    "max_output_tokens": "max_tokens",
    "logprobs": "logprobs",
    "top_logprobs": "top_logprobs",
    "seed": "seed",
    "presence_penalty": "presence_penalty",
    "frequency_penalty": "frequency_penalty",
    "stream": "stream",
    "echo": "echo",
    "reasoning_effort": "reasoning_effort",
    "store": "store",
    "dimensions": "dimensions",
}
"""Sampling parameter as written -> as `Exchange.parameters` names it."""

_ENDPOINTS = (
    ("batch", ""),
    ("/chat", "chat"),
    ("chat", "chat"),
    ("acompletion", "chat"),
    ("/messages", "messages"),
    ("anthropic_messages", "messages"),
    ("responses", "responses"),
    ("embed", "embeddings"),
    ("text_completion", "completions"),
    ("/completions", "completions"),
    ("completion", "chat"),
    ("generate_content", "chat"),
    ("messages", "messages"),
)
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_MOST_IDS = 16_384
"""Token ids that are looked at of one text."""
MOST_PROMPTS = 1_024
"""Prompts of one request that are events of their own; what is beyond is joined to the last."""
ASIDE = (
    "response_format", "text", "documents", "chat_template", "chat_template_kwargs", "guided_json",
    "structured_outputs", "output_config", "output_format", "prediction",
)  # fmt: skip
"""Fields beside the turns that a model may read, or that shape its answer in words of the caller's."""
_TEXTS = {"completions": "prompt", "responses": "input", "embeddings": "input"}
_ALL_TEXTS = frozenset({"messages", "prompt", "input"})
_NAMES = frozenset({"chat", "completions", "responses", "messages", "embeddings", "other"})


def endpoint_of(hint: Any) -> str:
    """Return the endpoint that a path, an address or a call type names; empty when it names none.

    >>> endpoint_of("/v1/chat/completions"), endpoint_of("aembedding"), endpoint_of("atext_completion")
    ('chat', 'embeddings', 'completions')
    """
    if type(hint) is not str:
        return ""
    if hint in _NAMES:
        return hint
    low = hint[:200].lower()
    return next((name for word, name in _ENDPOINTS if word in low), "")


def read_parameters(source: Row, out: Fields) -> None:
    """Add the sampling parameters that `source` gives to `out["parameters"]`; texts are cut to short words."""
    found: dict[str, float | str | bool] = dict(out.get("parameters", {}))
    for key, name in PARAMETERS.items():
        value = source.get(key)
        if value is not None:
            kind = type(value)
            if kind is int or kind is float or kind is bool:
                found[name] = value
            elif kind is str and 0 < len(value) <= 32:
                found[name] = _numeric(value)
    reasoning = source.get("reasoning")
    if type(reasoning) is dict and type(reasoning.get("effort")) is str:
        found["reasoning_effort"] = reasoning["effort"][:32]
    form = source.get("response_format")
    if type(form) is dict and type(form.get("type")) is str:
        found["response_format"] = form["type"][:32]
    thinking = source.get("thinking")
    if type(thinking) is dict and type(thinking.get("type")) is str:
        found["thinking"] = thinking["type"][:32]
    if found:
        out["parameters"] = found


def _numeric(value: str) -> float | str | bool:
    """CSV holds numbers and switches as text."""
    if value in ("true", "false", "True", "False"):
        return value in ("true", "True")
    try:
        number = float(value)
    except ValueError:
        return value
    return int(number) if number.is_integer() else number


def read_tools(source: Row, out: Fields) -> None:
    """Add the tool schemas of `source` to `out["tools"]` as canonical JSON."""
    tools = parsed(source.get("tools") or source.get("functions"))
    if tools and type(tools) in (list, dict):
        text = canonical(tools)
        if text:
            out["tools"] = text


def read_request(body: Row, out: Fields) -> None:
    """Add what a request body says to `out`; fields it lacks are left as they are.

    Raises:
        BadRow: the turns are no list of objects.
    """
    model = body.get("model")
    if type(model) is str and model:
        out["model"] = model
    messages = _messages(_own_texts(body, out.get("endpoint", "")), out)
    if messages:
        out["messages"] = messages
    if out.get("endpoint") == "completions":
        _read_several(body, out)
    aside = [body[name] for name in ASIDE if type(body.get(name)) in (dict, list, str)]
    if aside and (text := canonical(aside)):
        out["aside"] = text
    read_parameters(body, out)
    if body.get("tools") or body.get("functions"):
        read_tools(body, out)


def _read_several(body: Row, out: Fields) -> None:
    """Take a list of prompts apart, and read what is to stand after each answer as part of what is asked."""
    texts = prompts_in(body.get("prompt"))
    suffix = body.get("suffix")
    if type(suffix) is str and suffix:
        texts = [f"{text}\n{suffix}" for text in texts or [""]]
        out["messages"] = (*_systems(out), Message(role="user", text="\n".join(texts)))
    if body.get("prompt_embeds"):
        out["messages"] = (*out.get("messages", ()), Message(role="user", unread=1))
    if len(texts) > 1:
        most = texts[: MOST_PROMPTS - 1]
        texts = [*most, "\n".join(texts[len(most) :])]
        out["several"] = tuple((text, "") for text in texts if text)


def _systems(out: Fields) -> tuple[Message, ...]:
    return tuple(message for message in out.get("messages", ()) if message.role == "system")


def prompts_in(source: Any) -> list[str]:
    """Return the prompts that a `prompt` holds: one text, one list of token ids, or a list of such.

    >>> prompts_in(["a", "b"]), prompts_in([0, 1]), prompts_in("a")
    (['a', 'b'], ['zqa zqb'], ['a'])
    """
    if type(source) is str:
        return [source] if source else []
    if type(source) is not list:
        return []
    if any(type(item) in (str, list) for item in source):
        return [text for item in source if (text := item if type(item) is str else _ids(item))]
    return [text] if (text := _ids(source)) else []


def _ids(source: Any) -> str:
    """Token ids stand as words of their own: what is asked in them is sketched as what is asked in letters is."""
    return " ".join(_word(item) for item in source[:_MOST_IDS] if type(item) is int) if type(source) is list else ""


def _own_texts(body: Row, endpoint: str) -> Row:
    """Return a body without texts that its endpoint passes over, where it has the one that the endpoint reads."""
    own = _TEXTS.get(endpoint)
    if own is None or body.get(own) is None:
        return body
    stored = {"prompt"} if endpoint == "responses" and type(body.get("prompt")) is dict else set()
    return {name: value for name, value in body.items() if name == own or name in stored or name not in _ALL_TEXTS}


def _messages(body: Row, out: Fields) -> tuple[Message, ...]:
    system = body.get("system") or body.get("instructions")
    head: tuple[Message, ...] = ()
    if system is not None:
        text = flatten(parsed(system), [])
        head = (Message(role="system", text=text),) if text else ()
    if body.get("messages") is not None:
        out.setdefault("endpoint", "messages" if head and "instructions" not in body else "chat")
        return head + turns(body["messages"])
    if body.get("input") is not None:
        head += _filled(body, out)
        if body.get("previous_response_id") or body.get("conversation"):
            head += (Message(role="assistant"),)  # what the server kept of the conversation counts as a turn
        source = body["input"]
        embeds = "encoding_format" in body or "embed" in str(body.get("model"))[:80].lower()
        out.setdefault("endpoint", "embeddings" if embeds else "responses")
        return head + (_plain_texts(source) if _all_scalar(source) else turns(source))
    if type(body.get("prompt")) is dict and out.get("endpoint") == "responses":
        return head + _filled(body, out)
    if body.get("prompt") is not None:
        out.setdefault("endpoint", "completions")
        source = body["prompt"]
        return head + (_plain_texts(source) if _all_scalar(source) else turns(source))
    return head


def _filled(body: Row, out: Fields) -> tuple[Message, ...]:
    """Return what a caller fills into a stored prompt of the responses API, as a turn of its own."""
    stored = body.get("prompt")
    variables = stored.get("variables") if type(stored) is dict and out.get("endpoint") == "responses" else None
    return turns([{"role": "user", "content": list(variables.values())}]) if type(variables) is dict else ()


def _all_scalar(source: Any) -> bool:
    """A list of texts or of token ids, as completions and embeddings take it."""
    return type(source) is list and not any(type(item) is dict for item in source)


def _plain_texts(source: list[Any]) -> tuple[Message, ...]:
    text = "\n".join(prompts_in(source))
    return (Message(role="user", text=text),) if text else ()


def _word(token: int) -> str:
    """Return a token id as a word that no language has.

    >>> _word(0), _word(27), _word(49_151)
    ('zqa', 'zqbb', 'zqlsuc')
    """
    letters = ""
    number = abs(token)
    while number or not letters:
        number, digit = divmod(number, 26)
        letters += _LETTERS[digit]
    return "zq" + letters
