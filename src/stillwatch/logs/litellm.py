"""Importer `litellm`: LiteLLM's standard logging payload, and rows of its spend logs.

In: what the `generic_api` callback posts (an object a line, or arrays of them), or rows exported from
`LiteLLM_SpendLogs`, where texts are only kept under `store_prompts_in_spend_logs`.
Out: exchanges. Account: the key's user id, else the user's e-mail, else the key's hash, else the end user.
What a caller wrote of itself (`requester_metadata`, its own headers) names nobody, so that no thief can choose to be
another account with every request; `--account-field` can point there all the same.
Cost: about 30 microseconds a row with short texts, JSON parsing included.
Source: LiteLLM's StandardLoggingPayload specification and its `LiteLLM_SpendLogs` schema.
"""

from collections.abc import Iterable
from typing import Any

from stillwatch.logs.answers import count_of, read_answer
from stillwatch.logs.assemble import account_in, build, is_text
from stillwatch.logs.content import parsed, turns
from stillwatch.logs.identity import identify
from stillwatch.logs.importer import Lens, Row
from stillwatch.logs.requests import (
    MOST_PROMPTS,
    Fields,
    endpoint_of,
    prompts_in,
    read_parameters,
    read_request,
    read_tools,
)
from stillwatch.terms.exchange import Exchange

_ADMIN = frozenset({"default_user_id", "default_user", "litellm-internal-health-check"})
"""User ids that LiteLLM gives to everyone without one."""

_CALLERS_OWN = frozenset({"requester_metadata", "requester_custom_headers"})
"""Parts of `metadata` that the caller of the proxy wrote."""


class LiteLLM:
    """Rows that LiteLLM's proxy logs."""

    name = "litellm"
    about = "LiteLLM StandardLoggingPayload (generic_api callback) and SpendLogs rows"

    def claims(self, row: Row) -> bool:
        """Return whether the row has the names that only LiteLLM uses together."""
        if "standard_logging_object" in row:
            return True
        if "call_type" not in row:
            return False
        return "startTime" in row or "model_parameters" in row or "request_id" in row and "spend" in row

    def split(self, row: Row) -> Iterable[Row]:
        """Return the payload: the row itself, or what a callback dump wraps."""
        inner = row.get("standard_logging_object")
        return (inner,) if type(inner) is dict else (row,)

    def read(self, row: Row, lens: Lens) -> Exchange | None:
        """Return the exchange in one payload; see `Importer.read`."""
        fields: Fields = {"endpoint": endpoint_of(row.get("call_type")) or "other"}
        _read_request(row, fields)
        found = _identify(row)
        response = parsed(row.get("response"))
        if response:
            read_answer(response, fields)
            fields.pop("created", None)
        for name, column in (("tokens_in", "prompt_tokens"), ("tokens_out", "completion_tokens")):
            count = count_of(row.get(column))
            if count >= 0 and (count or name not in fields):
                fields[name] = count
        model = row.get("model")
        if type(model) is str and model:
            fields["model"] = model
        _read_status(row, fields)
        _read_agent(row, found)
        return build(row, found, fields, lens)


def account_of(metadata: Row) -> str:
    """Return the account that a call with this `metadata` is counted for, empty for none.

    Args:
        metadata: Fields `user_api_key_*`, as in a payload's `metadata` and in a guardrail's `request_data`.

    >>> account_of({"user_api_key_user_id": "default_user_id", "user_api_key_hash": "ab" * 32}) == "ab" * 32
    True
    """
    account = account_in(_identify({"metadata": metadata}))
    return "" if is_text(account) else account


def _identify(row: Row) -> dict[str, Any]:
    metadata = parsed(row.get("metadata"))
    if type(metadata) is dict and not _CALLERS_OWN.isdisjoint(metadata):
        trusted = {name: value for name, value in metadata.items() if name not in _CALLERS_OWN}
        own = identify({"metadata": metadata})
        found = identify({**row, "metadata": trusted})
        if "session" in own and not row.get("session_id"):
            found["session"] = own["session"]
    else:
        found = identify(row)
    if found.get("account") in _ADMIN:
        del found["account"]
    return found


def _read_request(row: Row, fields: Fields) -> None:
    body = row.get("proxy_server_request")
    if body:
        body = parsed(body)
        inner = body.get("body", body) if type(body) is dict else None
        if type(inner) is dict:
            endpoint = fields["endpoint"]
            read_request(inner, fields)
            fields["endpoint"] = endpoint
    messages = row.get("messages")
    if messages and messages != "{}":
        read = turns(messages)
        if read:
            fields["messages"] = read
        if fields["endpoint"] == "completions" and "several" not in fields:
            texts = prompts_in(parsed(messages))
            fields |= {"several": tuple((text, "") for text in texts[:MOST_PROMPTS])} if len(texts) > 1 else {}
    parameters = parsed(row.get("model_parameters"))
    if type(parameters) is dict and parameters:
        read_parameters(parameters, fields)
        if "tools" in parameters or "functions" in parameters:
            read_tools(parameters, fields)


def _read_status(row: Row, fields: Fields) -> None:
    """A failure carries its HTTP status in `error_information`; success is 200."""
    status: Any = row.get("status")
    if status == "failure":
        error = parsed(row.get("error_information"))
        metadata = parsed(row.get("metadata"))
        if type(error) is not dict:
            error = metadata.get("error_information") if type(metadata) is dict else None
        code = count_of(error.get("error_code")) if type(error) is dict else -1
        fields["status"] = code if 100 <= code <= 599 else 500
        fields["finish"] = "error"
    elif status == "success":
        fields["status"] = 200


def _read_agent(row: Row, found: dict[str, Any]) -> None:
    """Spend logs keep the user agent among the request tags."""
    if "agent" in found:
        return
    tags = parsed(row.get("request_tags"))
    for tag in tags if type(tags) is list else ():
        if type(tag) is str and tag.startswith("User-Agent: "):
            found["agent"] = tag[12:]
            if "/" in tag:
                return
