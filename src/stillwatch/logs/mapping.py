"""The mapping file: which column of an unknown log holds what; TOML.

In: a path. Out: checked paths by field, the reading format, and how times are written.
Cost: read once a file. Left to `mapped`: reading rows by it.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stillwatch.logs.moments import UNITS
from stillwatch.terms.errors import StillwatchError

FIELDS: dict[str, str] = {
    "account": "who holds the key: a user id, or a customer id",
    "time": "start of the request",
    "end": "end of the answer",
    "messages": "list of turns, as JSON",
    "prompt": "text of the one user turn",
    "request": "whole request body, as JSON",
    "system": "system prompt",
    "answer": "text of the answer, or the whole response body as JSON",
    "tools": "tool schemas, as JSON",
    "key": "hash or id of the API key",
    "organisation": "organisation or team",
    "plan": "plan or tier that the account pays for",
    "address": "client address, IPv4 or IPv6",
    "agent": "user-agent header",
    "tls": "JA4 TLS fingerprint",
    "payment": "payment token (never a card number)",
    "session": "session or conversation id",
    "model": "model name",
    "endpoint": "path or name of the endpoint",
    "tokens_in": "prompt tokens",
    "tokens_out": "completion tokens",
    "latency": "seconds from start to the last byte",
    "latency_ms": "the same in milliseconds",
    "finish": "finish reason",
    "status": "HTTP status",
    "temperature": "sampling temperature",
    "top_p": "nucleus share",
    "n": "answers asked for",
    "max_tokens": "longest answer allowed, in tokens",
    "logprobs": "whether token probabilities were asked for",
    "seed": "sampling seed",
}
"""Field of `[fields]` -> what it must hold."""

PARAMETER_FIELDS = frozenset({"temperature", "top_p", "n", "max_tokens", "logprobs", "seed"})
FORMATS = ("jsonl", "csv", "parquet")
_SECTIONS = frozenset({"fields", "time", "format", "delimiter"})


def load_mapping(path: Path) -> dict[str, Any]:
    """Return the mapping in `path`: `fields` (field -> dotted path split), `time`, `format`, `delimiter`.

    Raises:
        StillwatchError: no such file, no TOML, an unknown field, or account or time missing.
    """
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise StillwatchError(f"mapping {path}: cannot be read ({error.strerror}); must be a TOML file.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        raise StillwatchError(f"mapping {path}: no valid TOML. Run `stillwatch logs map FILE` for one.") from None
    _check(path, told)
    fields = {slot: tuple(str(column).split(".")) for slot, column in told["fields"].items()}
    return {
        "fields": fields,
        "time": told.get("time", {}),
        "format": told.get("format"),
        "delimiter": told.get("delimiter"),
    }


def _check(path: Path, told: Mapping[str, Any]) -> None:
    unknown = sorted(set(told) - _SECTIONS)
    if unknown:
        raise StillwatchError(f"mapping {path}: {unknown[0]!r} is no section; must be one of {sorted(_SECTIONS)}.")
    fields = told.get("fields")
    if not isinstance(fields, dict) or "account" not in fields or "time" not in fields:
        raise StillwatchError(f'mapping {path}: [fields] must name at least account and time, as in account = "usr".')
    for slot, column in fields.items():
        if slot not in FIELDS:
            raise StillwatchError(f"mapping {path}: fields.{slot}: unknown; must be one of {', '.join(FIELDS)}.")
        if not isinstance(column, str) or not column:
            raise StillwatchError(f"mapping {path}: fields.{slot}: must be the name of a column, or a dotted path.")
    time = told.get("time", {})
    if not isinstance(time, dict) or time.get("unit", "s") not in UNITS or not isinstance(time.get("format", ""), str):
        raise StillwatchError(f"mapping {path}: [time] unit must be one of {', '.join(UNITS)}; format a strptime text.")
    if not isinstance(time.get("hours_behind_utc", 0.0), int | float):
        raise StillwatchError(f"mapping {path}: time.hours_behind_utc: must be hours, such as -2 for UTC+2.")
    if told.get("format", "jsonl") not in FORMATS:
        raise StillwatchError(f"mapping {path}: format must be one of {', '.join(FORMATS)}.")
    delimiter = told.get("delimiter", ",")
    if not isinstance(delimiter, str) or len(delimiter) != 1:
        raise StillwatchError(f"mapping {path}: delimiter must be one character.")
