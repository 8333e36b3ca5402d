"""The last step of every importer: who, when and what, checked and put into an `Exchange`.

In: slots from `identity` and fields from `requests` and `answers`. Out: an `Exchange`, or `BadRow` with a reason.
Cost: about 6 microseconds. Reasons name a field and what was found, never its text.
"""

from datetime import UTC, datetime
from typing import Any

from stillwatch.logs.content import parsed
from stillwatch.logs.identity import Found, safe_id
from stillwatch.logs.importer import EARLIEST, GRACE_SECONDS, BadRow, Lens, Row, kind_of
from stillwatch.logs.moments import to_seconds
from stillwatch.logs.requests import Fields, endpoint_of
from stillwatch.terms.exchange import Exchange

MAX_ID = 200
"""Longest id that is believed, in characters; anything longer is a text in the wrong place."""
_MAX_WORDS = 6


def at(row: Any, path: tuple[str, ...]) -> Any:
    """Return what stands at a dotted path, entering JSON kept as text; None where nothing does."""
    joined = ".".join(path)
    if type(row) is dict and joined in row:
        return row[joined]
    for name in path:
        row = parsed(row)
        if type(row) is dict:
            row = row.get(name)
        elif type(row) is list and name.isdigit() and int(name) < len(row):
            row = row[int(name)]
        else:
            return None
    return row


def build(row: Row, found: Found, fields: Fields, lens: Lens, *, batch: bool = False) -> Exchange:
    """Return the exchange that a row's parts add up to.

    Args:
        row: The row itself, for `--account-field`.
        found: Slots from `identify`.
        fields: Exchange fields read from request and answer; `created` may stand in for the time.
        lens: How this file's rows are looked at.
        batch: The row is of a batch file, which carries no time: the file's own then serves.

    Raises:
        BadRow: no account, no time, a time that cannot be right, or text where an id must stand.
    """
    time = _time(found, fields, lens, batch)
    fields.pop("created", None)
    key = safe_id(found.get("key"))
    account = _account(row, found, lens)
    latency = fields.pop("latency", None)
    if latency is None:
        latency = _latency(found, time)
    if "status" not in fields:
        status = _status(found.get("status"))
        if status:
            fields["status"] = status
    if "endpoint" not in fields:
        fields["endpoint"] = endpoint_of(found.get("endpoint")) or "other"
    if len(fields.get("model", "")) > MAX_ID:
        raise BadRow(f"model: a text of more than {MAX_ID} characters; must be a name")
    return Exchange(
        time=time,
        account=account,
        key_id=key[:MAX_ID],
        organisation=_label("organisation", found),
        plan=_label("plan", found),
        address=_address(found.get("address")),
        agent=_line(found.get("agent"), 512),
        tls=_label("tls", found),
        payment=safe_id(found.get("payment"))[:MAX_ID],
        session=safe_id(found.get("session"))[:MAX_ID],
        latency=latency,
        **fields,
    )


def account_in(found: Found) -> str:
    """Return who is counted: the user id, else the key, else the end user; empty for nobody."""
    return safe_id(found.get("account")) or safe_id(found.get("key")) or safe_id(found.get("end_user"))


def _account(row: Row, found: Found, lens: Lens) -> str:
    if lens.account_path:
        account = safe_id(at(row, lens.account_path))
        if not account:
            raise BadRow(f"account: nothing usable at {'.'.join(lens.account_path)}, which --account-field names")
    else:
        account = account_in(found)
        if not account:
            raise BadRow("account: no user id, key hash or end user found; name its field with --account-field")
    if is_text(account):
        raise BadRow(f"account: a text of {len(account)} characters; must be an id; see --account-field")
    return account


def is_text(value: str) -> bool:
    """Ids are short and have few blanks: a prompt in the wrong column must not become a name in a report."""
    return len(value) > MAX_ID or "\n" in value or value.count(" ") >= _MAX_WORDS


def _label(slot: str, found: Found) -> str:
    value = safe_id(found.get(slot))
    return "" if not value or is_text(value) else value


def _line(value: Any, limit: int) -> str:
    return value[:limit] if type(value) is str else ""


def _address(value: Any) -> str:
    """The first address of a forwarded list, without port and brackets."""
    if type(value) is not str:
        return ""
    first = value.split(",", 1)[0].strip().strip('"')
    if first.startswith("["):
        return first[1:].partition("]")[0]
    if first.count(":") == 1:
        first = first.partition(":")[0]
    return first if len(first) <= 45 else ""


def _time(found: Found, fields: Fields, lens: Lens, batch: bool) -> float:
    given = found.get("time")
    if given is None:
        given = fields.get("created")
    if given is None:
        given = found.get("end")
    if given is None:
        if batch and lens.modified < float("inf"):
            lens.assumed_times += 1
            return lens.modified
        raise BadRow("time: no field with the start of the request found; name it in a mapping file")
    seconds = to_seconds(given)
    if seconds is None:
        raise BadRow(f"time: {kind_of(given)} that is no time; must be epoch seconds, ms, us, ns or ISO 8601")
    if seconds < EARLIEST:
        raise BadRow(f"time: {_day(seconds)}, before 2015; check the unit and the clock of the source")
    if seconds > lens.modified + GRACE_SECONDS:
        raise BadRow(f"time: {_day(seconds)}, more than a day after the file was written; check the source's clock")
    return seconds


def _day(seconds: float) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).date().isoformat()
    except (ValueError, OverflowError, OSError):
        return "a time outside the calendar"


def _latency(found: Found, start: float) -> float:
    millis = _number(found.get("latency_ms"))
    if millis >= 0:
        return millis / 1e3
    seconds = _number(found.get("latency"))
    if seconds >= 0:
        return seconds
    end = to_seconds(found["end"]) if "end" in found else None
    return end - start if end is not None and 0 <= end - start < 86400 else -1.0


def _number(value: Any) -> float:
    try:
        number = float(value) if type(value) in (int, float, str) else -1.0
    except (ValueError, OverflowError):
        return -1.0
    return number if 0 <= number < 1e9 else -1.0


def _status(value: Any) -> int:
    """Return an HTTP status from a number or a word; 0 when the source does not say."""
    if type(value) is str:
        if value.isascii() and value.isdigit() and len(value) == 3:
            return int(value)
        return {"failure": 500, "error": 500, "failed": 500, "success": 200, "ok": 200}.get(value.lower(), 0)
    return value if type(value) is int and 100 <= value <= 599 else 0
