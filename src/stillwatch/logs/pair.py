"""Request and answer of one call, in whatever wrapping a log put them.

In: a row. Out: its request body, its answer, the hints beside them, and the `Exchange` that they make.
Used by the importers `openai` and `anthropic`, which differ in what they claim.
Cost: a dozen look-ups. Left to `requests` and `answers`: the bodies.
"""

from typing import Any

from stillwatch.logs.answers import count_of, finish_of, read_answer
from stillwatch.logs.assemble import build
from stillwatch.logs.content import parsed
from stillwatch.logs.identity import Found, identify
from stillwatch.logs.importer import BadRow, Lens, Row
from stillwatch.logs.requests import Fields, endpoint_of, read_request
from stillwatch.terms.exchange import Exchange

REQUESTS = (
    "request",
    "req",
    "request_body",
    "requestBody",
    "body",
    "params",
    "payload",
    "kwargs",
    "request_data",
    "input",
)
RESPONSES = (
    "response",
    "resp",
    "response_body",
    "responseBody",
    "result",
    "output",
    "completion",
    "response_data",
    "answer",
    "reply",
    "chunks",
    "response_chunks",
)
_BODIES = ("body", "json", "data", "message", "content")


def is_body(value: Any) -> bool:
    """Return whether `value` is a request body: an object with something to ask."""
    return type(value) is dict and ("messages" in value or "prompt" in value or "input" in value)


def request_in(row: Row) -> Row | None:
    """Return the request body that stands in `row`, which may be `row` itself; None when there is none."""
    for name in REQUESTS:
        value = row.get(name)
        if value is None:
            continue
        value = parsed(value)
        if is_body(value):
            return dict(value)
        if type(value) is dict:
            for inner in ("body", "json", "json_data", "data", "params"):
                deeper = parsed(value.get(inner))
                if is_body(deeper):
                    return dict(deeper)
    return row if is_body(row) else None


def response_in(row: Row) -> Any:
    """Return the answer that stands in `row`: an object, a list of chunks or a text; None when there is none."""
    for name in RESPONSES:
        value = row.get(name)
        if value is not None and value != "":
            value = parsed(value)
            return _unwrapped(value) if type(value) is dict else value
    return row if "choices" in row else None


def _unwrapped(value: Row) -> Any:
    """Step out of the envelope that HTTP logs and batch results put around a body."""
    if "choices" in value or "usage" in value or "stop_reason" in value:
        return value
    for name in _BODIES:
        inner = value.get(name)
        if name == "content" and type(inner) is not str:
            continue
        inner = parsed(inner)
        if type(inner) in (dict, list) or (type(inner) is str and inner and name != "message"):
            return inner
    return value


def hint_of(row: Row) -> str:
    """Return the endpoint that a path or an address in the row names; empty when none does."""
    request = row.get("request")
    for place in (row, request if type(request) is dict else {}):
        for name in ("url", "endpoint", "path", "uri", "request_path", "call_type"):
            endpoint = endpoint_of(place.get(name))
            if endpoint:
                return endpoint
    return ""


def is_batch(row: Row) -> bool:
    """Return whether the row is a line of a batch file: a request or a result under a `custom_id`."""
    return "custom_id" in row and any(name in row for name in ("body", "params", "response", "result"))


def read_pair(row: Row, lens: Lens, default: str) -> Exchange | None:
    """Return the exchange in a row of a request and its answer.

    Args:
        row: Row in any wrapping.
        lens: How this file's rows are looked at; its `answers` complete a batch's requests.
        default: Endpoint where neither an address nor the body's shape names one.

    Raises:
        BadRow: there is neither a request nor an answer, or `build` refuses what there is.
    """
    fields: Fields = {}
    request = request_in(row)
    batch = is_batch(row)
    answered = _answered(row, lens) if batch else row
    response = response_in(answered)
    if request is None and response is None:
        raise BadRow("request: no messages, prompt or input found, and no answer; name their fields in a mapping file")
    hint = hint_of(row)
    if hint:
        fields["endpoint"] = hint
    if request is not None:
        read_request(request, fields)
    if response is not None:
        _set_status(answered, fields)
        read_answer(response, fields)
    fields.setdefault("endpoint", default)
    if default == "messages" and not hint and fields["endpoint"] == "chat":
        fields["endpoint"] = "messages"
    found = identify(row)
    if request is not None:
        _customer_user(request, row, found)
    _take_figures(found, fields)
    return build(row, found, fields, lens, batch=batch)


def _answered(row: Row, lens: Lens) -> Row:
    """Return the row with the answer: that of the batch's other file, or the row itself."""
    custom = row["custom_id"]
    return lens.answers.get(custom, row) if type(custom) is str else row


def _take_figures(found: Found, fields: Fields) -> None:
    """What neither body said may stand beside them in the row."""
    for name in ("tokens_in", "tokens_out"):
        count = count_of(found.get(name)) if name not in fields else -1
        if count >= 0:
            fields[name] = count
    finish = finish_of(found.get("finish"))
    if finish:
        fields.setdefault("finish", finish)
    if "model" not in fields and type(found.get("model")) is str:
        fields["model"] = found["model"]


def _set_status(row: Row, fields: Fields) -> None:
    envelope = parsed(row.get("response"))
    if type(envelope) is dict:
        status = envelope.get("status_code", envelope.get("statusCode", envelope.get("status")))
        if type(status) is int and 100 <= status <= 599:
            fields["status"] = status
    result = row.get("result")
    kind = result.get("type") if type(result) is dict else None
    if kind in ("errored", "expired", "canceled"):
        fields["status"] = 500
        fields["finish"] = "error"


def _customer_user(request: Row, row: Row, found: Found) -> None:
    """The body's own `user` names the customer's user: it serves where the log names no account and no key."""
    if request is row:
        return
    metadata = request.get("metadata")
    inner = metadata.get("user_id") if type(metadata) is dict else None
    user = request.get("safety_identifier") or request.get("user") or inner
    if user:
        found["end_user"] = user
