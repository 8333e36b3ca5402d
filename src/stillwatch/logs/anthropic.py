"""Importer `anthropic`: request and answer pairs of the messages API, message batches included.

In: rows with a messages request, its answer, or both; `requests[].params` and `result.message` of batches.
Out: exchanges. Left to `pair`: the wrapping. Left to `batches`: bringing both files of a batch together.
Source: the public Anthropic API reference; names as its request and response objects have them.
"""

from collections.abc import Iterable
from typing import Any

from stillwatch.logs.importer import Lens, Row
from stillwatch.logs.pair import hint_of, read_pair, request_in, response_in
from stillwatch.terms.exchange import Exchange

_EVENTS = ("message_start", "content_block_start", "content_block_delta", "message_delta", "message_stop", "ping")


def is_anthropic(row: Row) -> bool:
    """Return whether a row has marks that only the messages API leaves."""
    if "custom_id" in row and (type(row.get("params")) is dict or type(row.get("result")) is dict):
        return True
    if hint_of(row) == "messages":
        return True
    response = response_in(row)
    if _answer(response):
        return True
    if type(response) is dict and ("choices" in response or "object" in response):
        return False
    request = request_in(row)
    return request is not None and _request(request)


def _answer(response: Any) -> bool:
    if type(response) is dict:
        return response.get("type") == "message" or "stop_reason" in response
    if type(response) is list and response and type(response[0]) is dict:
        return response[0].get("type") in list(_EVENTS)
    return type(response) is str and response.startswith("event: message_start")


def _request(request: Row) -> bool:
    if "anthropic_version" in request or "anthropic_beta" in request:
        return True
    if "messages" not in request:
        return False
    if "system" in request:
        return True
    model, turns = request.get("model"), request["messages"]
    if type(model) is not str or "claude" not in model[:80].lower() or type(turns) is not list:
        return False
    return not any(type(turn) is dict and turn.get("role") in ("system", "developer", "tool") for turn in turns)


class Anthropic:
    """Pairs of request and answer in the shape of the messages API."""

    name = "anthropic"
    about = "Anthropic messages request/response JSONL and message batches"

    def claims(self, row: Row) -> bool:
        """Return whether the row holds a messages request, answer or batch line."""
        return is_anthropic(row)

    def split(self, row: Row) -> Iterable[Row]:
        """Return the requests of a batch document one by one; any other row is one record."""
        requests = row.get("requests")
        if type(requests) is list and "custom_id" not in row:
            return [item for item in requests if type(item) is dict]
        return (row,)

    def read(self, row: Row, lens: Lens) -> Exchange | None:
        """Return the exchange in one row; see `Importer.read`."""
        return read_pair(row, lens, "messages")
