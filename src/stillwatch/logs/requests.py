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
    read_parameters(body, out)
    if body.get("tools") or body.get("functions"):
        read_tools(body, out)


def _own_texts(body: Row, endpoint: str) -> Row:
    """Return a body without texts that its endpoint passes over, where it has the one that the endpoint reads."""
    own = _TEXTS.get(endpoint)
    if own is None or body.get(own) is None:
        return body
    return {name: value for name, value in body.items() if name == own or name not in _ALL_TEXTS}


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
        if body.get("previous_response_id") or body.get("conversation"):
            head += (Message(role="assistant"),)  # what the server kept of the conversation counts as a turn
        source = body["input"]
        embeds = "encoding_format" in body or "embed" in str(body.get("model"))[:80].lower()
        out.setdefault("endpoint", "embeddings" if embeds else "responses")
        return head + (_plain_texts(source) if _all_scalar(source) else turns(source))
    if body.get("prompt") is not None:
        out.setdefault("endpoint", "completions")
        source = body["prompt"]
        return head + (_plain_texts(source) if _all_scalar(source) else turns(source))
    return head


def _all_scalar(source: Any) -> bool:
    """A list of texts or of token ids, as completions and embeddings take it."""
    return type(source) is list and not any(type(item) is dict for item in source)


def _plain_texts(source: list[Any]) -> tuple[Message, ...]:
    """Token ids stand as words of their own: what is asked in them is sketched as what is asked in letters is."""
    lines = [item for item in source if type(item) is str]
    ids = [source] if not lines else []
    for part in (*ids, *(item for item in source if type(item) is list)):
        lines.append(" ".join(_word(item) for item in part[:_MOST_IDS] if type(item) is int))
    text = "\n".join(line for line in lines if line)
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
