"""Served exchanges to `Exchange`s, by the readers that logs are read with.

In: a `Served` with the bytes of the wire. Out: the `Exchange` that an import of the same call gives, so that live and
scan agree. Who asked comes from the gateway and never from the body, which the caller wrote; only the conversation it
belongs to is read there. Bytes that are no JSON, cut or missing leave their fields empty, and a request that is of an
odd shape gives what can be read of it: it was answered, so it counts, and no caller may keep itself out of the events.
A payload that LiteLLM's webhook brought (`kind` is `litellm`) goes through the importer of that name instead.
Cost: as an importer, about 30 microseconds with short texts. Left to `sketch`: reducing.
"""

from typing import Any

from stillwatch.logs.answers import read_answer
from stillwatch.logs.assemble import MAX_ID, build
from stillwatch.logs.identity import Found, identify
from stillwatch.logs.importer import BadRow, Lens, Row
from stillwatch.logs.jsontext import served_value
from stillwatch.logs.litellm import LiteLLM
from stillwatch.logs.requests import Fields, read_request
from stillwatch.logs.several import parted
from stillwatch.logs.streams import joined_chunks
from stillwatch.terms.exchange import Exchange
from stillwatch.terms.served import Served

_LENS = Lens()
_LOGGED = LiteLLM()
_ASKED = {
    "chat": ("messages",), "messages": ("messages", "system"), "completions": ("prompt",),
    "responses": ("input", "instructions", "prompt"), "embeddings": ("input",),
}  # fmt: skip
_IDLE = {name: frozenset({"messages", "system", "prompt", "input", "instructions"}.difference(own))
         for name, own in _ASKED.items()}  # fmt: skip
"""Endpoint -> fields with text that only other endpoints read."""


def read_served(served: Served) -> Exchange:
    """Return the exchange that was served.

    Raises:
        BadRow: account or time cannot be right; the reason has no text.
    """
    if served.kind == "litellm":
        return _read_logged(served)
    fields: Fields = {"endpoint": served.endpoint, "status": served.status}
    request = _object(served.request)
    if request is not None:
        _read_asked(_taken(request, served.endpoint), fields)
    _read_answer(served, fields)
    fields["endpoint"], fields["status"] = served.endpoint, served.status
    return build({}, _found(served, request), fields, _LENS)


def _read_logged(served: Served) -> Exchange:
    """What LiteLLM's webhook brought says by itself who asked and when; not later than it was brought."""
    row = _object(served.request)
    if row is None or not _LOGGED.claims(row):
        raise BadRow("payload: not of LiteLLM's shape; use its callback generic_api")
    (payload,) = _LOGGED.split(row)
    exchange = _LOGGED.read(payload, Lens(modified=served.time))
    if exchange is None:
        raise BadRow("payload: holds no exchange")
    return exchange


def read_all_served(served: list[Served] | tuple[Served, ...]) -> tuple[list[Exchange], list[str]]:
    """Return the exchanges in order, several for a request of several prompts, and why others could not be read."""
    exchanges: list[Exchange] = []
    reasons: list[str] = []
    for one in served:
        try:
            exchanges += parted(read_served(one))
        except BadRow as error:
            reasons.append(str(error))
        except Exception as error:  # no body, however odd, may stop the watcher; the error's words may quote it
            reasons.append(f"exchange: of a shape that cannot be read ({type(error).__name__})")
    return exchanges, reasons


def _object(body: bytes) -> Row | None:
    try:
        value = served_value(body) if body else None
    except ValueError:
        return None
    return value if type(value) is dict else None


def _taken(request: Row, endpoint: str) -> Row:
    """Return a request without the fields that its endpoint never looks at, which a caller may fill with anything."""
    idle = _IDLE.get(endpoint, frozenset()) & request.keys()
    return {name: value for name, value in request.items() if name not in idle} if idle else request


def _read_asked(request: Row, fields: Fields) -> None:
    """Add what the request says; of one that an importer would refuse, whatever of its turns are turns."""
    model = request.get("model")
    if type(model) is str and len(model) > MAX_ID:
        request = {**request, "model": model[:MAX_ID]}
    try:
        read_request(request, fields)
    except BadRow:
        read_request({name: _turns_in(value) for name, value in request.items()}, fields)


def _turns_in(value: Any) -> Any:
    """A list without what is no turn; nothing where turns could not stand at all."""
    if type(value) is list:
        return [item for item in value if type(item) in (dict, str)]
    return value if type(value) in (dict, str) else None


def _read_answer(served: Served, fields: Fields) -> None:
    body: Any
    if served.streamed and not served.answer[:1] == b"{":
        # Split as bytes: in text more characters end a line, and they may stand inside an answer.
        body = joined_chunks([line.decode("utf-8", "replace") for line in served.answer.splitlines()])
    else:
        body = _object(served.answer)
    if body:
        read_answer(body, fields)


def _found(served: Served, request: Row | None) -> Found:
    found: Found = {
        "time": served.time, "account": served.account, "key": served.key_id, "organisation": served.organisation,
        "plan": served.plan, "address": served.address, "agent": served.agent, "tls": served.tls,
        "payment": served.payment, "latency": served.latency,
    }  # fmt: skip
    if request is not None:
        session = identify({"request": request}).get("session")
        if session is not None:
            found["session"] = session
    return found
