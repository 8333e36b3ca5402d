"""The texts of a model call, in each of the ways that spans have carried them.

In: a span's attributes and events. Out: messages, tools and answer added to the fields of an exchange.
Ways, newest first: `gen_ai.input.messages`; `gen_ai.prompt`; indexed `gen_ai.prompt.0.content`; OpenInference's
`llm.input_messages.0.message.content`; events `gen_ai.user.message`; `input.value`.
Cost: one pass over the attributes where texts are indexed.
"""

from typing import Any

from stillwatch.logs.answers import finish_of, read_answer
from stillwatch.logs.content import canonical, flatten, parsed, tool_calls_text, turns
from stillwatch.logs.importer import Row
from stillwatch.logs.requests import Fields
from stillwatch.logs.spans import attributes_of
from stillwatch.terms.exchange import Message

_INDEXED = {
    "gen_ai.prompt.": "asked",
    "gen_ai.completion.": "answered",
    "llm.prompts.": "asked",
    "llm.completions.": "answered",
    "llm.input_messages.": "asked",
    "llm.output_messages.": "answered",
}
_ROLE_EVENTS = {
    "gen_ai.system.message": "system",
    "gen_ai.user.message": "user",
    "gen_ai.assistant.message": "assistant",
    "gen_ai.tool.message": "tool",
}
_MAX_INDEX = 10_000


def read_dialogue(attributes: Row, span: Row, fields: Fields) -> None:
    """Add messages, tools, answer and finish from the first way that has them.

    Raises:
        BadRow: messages are there in no readable shape.
    """
    sides = _indexed(attributes)
    _read_events(span, sides)
    asked = _whole(attributes, "gen_ai.input.messages", "gen_ai.prompt") or sides["asked"]
    if not asked:
        asked = _whole(attributes, "input.value", "traceloop.entity.input")
    system = attributes.get("gen_ai.system_instructions")
    head = flatten(parsed(system), []) if system else ""
    messages = ((Message(role="system", text=head),) if head else ()) + (turns(asked) if asked else ())
    if messages:
        fields["messages"] = messages
    _read_answered(attributes, sides["answered"], fields)
    tools = parsed(attributes.get("gen_ai.tool.definitions", attributes.get("gen_ai.request.tools"))) or sides["tools"]
    if tools and type(tools) in (list, dict):
        fields["tools"] = canonical(tools)


def _whole(attributes: Row, *names: str) -> Any:
    for name in names:
        value = attributes.get(name)
        if value:
            return parsed(value)
    return None


def _read_answered(attributes: Row, indexed: list[Row], fields: Fields) -> None:
    answered = _whole(attributes, "gen_ai.output.messages", "gen_ai.completion") or indexed
    if not answered:
        answered = _whole(attributes, "output.value", "traceloop.entity.output")
    if not answered:
        return
    if type(answered) is list:
        first = next((turn for turn in answered if type(turn) is dict), None)
        if first is None:
            return
        finish = finish_of(first.get("finish_reason"))
        if finish:
            fields["finish"] = finish
        text = flatten(first.get("content", first.get("parts", first.get("text"))), [])
        calls = tool_calls_text(first.get("tool_calls"))
        fields["answer"] = f"{text}\n{calls}" if text and calls else text or calls
    else:
        read_answer(answered, fields)
        fields.pop("created", None)


def _indexed(attributes: Row) -> dict[str, list[Row]]:
    """Gather `prefix.N.rest` attributes into turns; `llm.tools.N` into tools."""
    sides: dict[str, dict[int, Row]] = {"asked": {}, "answered": {}, "tools": {}}
    for name, value in attributes.items():
        if name.startswith("llm.tools."):
            index = name[10:].partition(".")[0]
            if index.isdigit():
                sides["tools"][int(index)] = {"schema": parsed(value)}
            continue
        for prefix, side in _INDEXED.items():
            if name.startswith(prefix):
                index, _, rest = name[len(prefix) :].partition(".")
                if index.isascii() and index.isdigit() and int(index) < _MAX_INDEX:
                    _put(sides[side].setdefault(int(index), {}), rest.removeprefix("message."), value)
                break
    return {side: [turn for _, turn in sorted(found.items())] for side, found in sides.items()}


def _put(turn: Row, name: str, value: Any) -> None:
    """Set one field of a turn; contents and tool calls carry an index of their own."""
    head, _, rest = name.partition(".")
    if head in ("contents", "tool_calls") and rest:
        index, _, rest = rest.partition(".")
        leaf = rest.rpartition(".")[2]
        parts = turn.setdefault(f"_{head}", {})
        if type(parts) is dict:
            parts.setdefault(index, {})[leaf] = value
            listed = [part for _, part in sorted(parts.items(), key=lambda item: (len(item[0]), item[0]))]
            turn["content" if head == "contents" else "tool_calls"] = listed
    else:
        turn[name] = parsed(value) if name == "content" else value


def _read_events(span: Row, sides: dict[str, list[Row]]) -> None:
    """Events carry one turn each, in the older conventions; a choice is the answer."""
    events = span.get("events")
    for event in events if type(events) is list else ():
        if type(event) is not dict:
            continue
        name = event.get("name")
        body = {**attributes_of(event.get("attributes"))}
        inner = parsed(body.get("gen_ai.event.content", body.get("body", event.get("body"))))
        if type(inner) is dict:
            body.update(inner)
        if name == "gen_ai.choice":
            message = parsed(body.get("message"))
            turn = {**body, **message} if type(message) is dict else {**body, "content": body.get("content", message)}
            sides["answered"].append(turn)
        elif type(name) is str and name in _ROLE_EVENTS:
            body["role"] = body.get("role", _ROLE_EVENTS[name])
            body["content"] = parsed(body.get("content"))
            sides["asked"].append(body)
        elif name == "gen_ai.content.prompt":
            sides["asked"].extend(_turn_list(body.get("gen_ai.prompt"), "user"))
        elif name == "gen_ai.content.completion":
            sides["answered"].extend(_turn_list(body.get("gen_ai.completion"), "assistant"))


def _turn_list(value: Any, role: str) -> list[Row]:
    value = parsed(value)
    if type(value) is list:
        return [turn for turn in value if type(turn) is dict]
    return [{"role": role, "content": value}] if type(value) is str else []
