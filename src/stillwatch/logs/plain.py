"""Importer `plain`: rows whose column names say by themselves what they hold.

In: CSV, JSONL or Parquet rows with a time, somebody, and a prompt or an answer under well-known names.
Out: exchanges. Left to `mapped`: names that only their owner understands.
"""

from collections.abc import Iterable
from typing import Any

from stillwatch.logs.aliases import slot_of, text_slot_of
from stillwatch.logs.answers import count_of, finish_of, read_answer
from stillwatch.logs.assemble import build
from stillwatch.logs.content import canonical, flatten, parsed, turns
from stillwatch.logs.identity import identify
from stillwatch.logs.importer import Lens, Row
from stillwatch.logs.requests import Fields, endpoint_of, read_parameters, read_request
from stillwatch.terms.exchange import Exchange, Message

_WHO = frozenset({"account", "key", "end_user"})
_TEXT = frozenset({"messages", "prompt", "request", "answer"})


def text_columns(row: Row) -> Row:
    """Return text slot -> value for the columns of `row` that name one, the best name first."""
    found: Row = {}
    ranks: dict[str, int] = {}
    for name, value in row.items():
        hit = text_slot_of(name)
        if hit is not None and value is not None and value != "" and hit[1] < ranks.get(hit[0], 1 << 30):
            found[hit[0]], ranks[hit[0]] = value, hit[1]
    return found


def read_texts(texts: Row, fields: Fields) -> None:
    """Add messages, tools and answer from text slots to `fields`.

    Raises:
        BadRow: messages are there in no readable shape.
    """
    request = parsed(texts.get("request"))
    if type(request) is dict:
        read_request(request, fields)
    elif request is not None and "prompt" not in texts and "messages" not in texts:
        texts = {**texts, "messages": request}
    if texts.get("messages") is not None:
        fields["messages"] = turns(texts["messages"])
    elif texts.get("prompt") is not None:
        prompt = parsed(texts["prompt"])
        read = turns(prompt) if type(prompt) in (list, dict) else ()
        fields["messages"] = read or (Message(role="user", text=flatten(prompt, [])),)
    system = flatten(parsed(texts.get("system")), [])
    if system:
        fields["messages"] = (Message(role="system", text=system), *fields.get("messages", ()))
    tools = parsed(texts.get("tools"))
    if tools and type(tools) in (list, dict):
        fields["tools"] = canonical(tools)
    if texts.get("answer") is not None:
        read_answer(texts["answer"], fields)


def read_figures(found: Row, fields: Fields) -> None:
    """Add token counts, model, endpoint and finish reason from slots to `fields`."""
    for name in ("tokens_in", "tokens_out"):
        count = count_of(found.get(name))
        if count >= 0:
            fields[name] = count
    model: Any = found.get("model")
    if type(model) is str:
        fields["model"] = model
    finish = finish_of(found.get("finish"))
    if finish:
        fields["finish"] = finish
    named = endpoint_of(found.get("endpoint"))
    fields["endpoint"] = named or fields.get("endpoint") or ("chat" if fields.get("messages") else "other")


class Plain:
    """Rows of any make whose names are unambiguous."""

    name = "plain"
    about = "CSV, JSONL or Parquet whose column names are well known: time, user, prompt, response"

    def claims(self, row: Row) -> bool:
        """Return whether names say plainly who asked, when, and what."""
        slots = {hit[0] for name in row if (hit := slot_of(name)) is not None}
        texts = {hit[0] for name in row if (hit := text_slot_of(name)) is not None}
        if "time" not in slots or not texts & _TEXT:
            return False
        return bool(slots & _WHO) or bool(_WHO & identify(row).keys())

    def split(self, row: Row) -> Iterable[Row]:
        """Return the row: it is one record."""
        return (row,)

    def read(self, row: Row, lens: Lens) -> Exchange | None:
        """Return the exchange in one row; see `Importer.read`."""
        fields: Fields = {}
        read_texts(text_columns(row), fields)
        found = identify(row)
        read_figures(found, fields)
        read_parameters(row, fields)
        return build(row, found, fields, lens)
