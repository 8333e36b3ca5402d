"""The published JSON Schema of version 1 of the event, made from `EVENT_DTYPE`.

In: the dtypes and enumerations of `terms/event.py`. Out: JSON Schema, draft 2020-12, as text.
"""

import json
from typing import Any

import numpy as np

from stillwatch.terms import event as ev

MEANINGS = {
    "event_id": "Keyed hash of what makes the exchange unique; two copies of one exchange agree.",
    "epoch": "Key epoch, 90 days each; hashes of different epochs cannot be compared.",
    "time": "Start of the request, seconds since 1970-01-01 UTC.",
    "account": "Keyed hash of the account; never 0.",
    "organisation": "Keyed hash of the organisation.",
    "plan": "Keyed hash of the plan the account pays for.",
    "key_id": "Keyed hash of the id of the API key.",
    "asn": "Number of the autonomous system the client's address belongs to.",
    "network": "Keyed hash of the client's /24 (IPv4) or /48 (IPv6).",
    "address_kind": "Class of the client's address.",
    "sdk": "Keyed hash of the class of client library.",
    "tls": "Keyed hash of the JA4 fingerprint of the client's TLS.",
    "payment": "Keyed hash of the payment token.",
    "session": "Keyed hash of the session id.",
    "model": "Keyed hash of the model's name.",
    "endpoint": "Class of endpoint.",
    "parameters": "Keyed hash of the sampling parameters that were given.",
    "turns": "Turns of the conversation in the request.",
    "tokens_in": "Tokens of the request; -1 when the source does not say.",
    "tokens_out": "Tokens of the answer; -1 when the source does not say.",
    "latency": "Seconds from the start to the last byte; -1 when the source does not say.",
    "finish": "Why the answer ended.",
    "status": "HTTP status.",
    "sketch.version": "Version of the sketch; 0 when the event carries none.",
    "sketch.anchors": "Bottom-k shingle hashes of the request, ascending; 0 fills up.",
    "sketch.head": "Keyed hash of how the request begins.",
    "sketch.tail": "Keyed hash of how the request ends.",
    "sketch.skeleton": "Keyed hash of the template left when what varies is taken out.",
    "sketch.content": "Keyed hash of the whole request.",
    "sketch.projection": "Likeness projection: near requests have near vectors.",
    "sketch.system": "Keyed hash of the system prompt.",
    "sketch.system_anchors": "Bottom-k shingle hashes of the system prompt, ascending; 0 fills up.",
    "sketch.tools": "Keyed hash of the tool schemas.",
    "sketch.style": "Style of writing, eight coarse measures.",
    "sketch.asks": "What is asked for beyond an answer; a sum of bits.",
    "sketch.issued": "Keyed hash of the answer that was issued.",
    "sketch.chain": "Keyed hashes of earlier answers that the request carries; 0 fills up.",
    "sketch.images": "Perceptual hashes of image parts, keyed; 0 fills up.",
    "sketch.words": "Words in the request.",
}
LISTS = {"address_kind": ev.ADDRESS_KINDS, "endpoint": ev.ENDPOINTS, "finish": ev.FINISHES}
UNSAID = frozenset(["tokens_in", "tokens_out", "latency"])
"""Fields in which -1 stands for "the source did not say"; in the others it is 0."""


def _number(name: str, dtype: np.dtype[Any]) -> dict[str, Any]:
    if dtype.kind == "f":
        return {"type": "number", "minimum": -1} if name in UNSAID else {"type": "number"}
    limits = np.iinfo(dtype)
    low = -1 if name in UNSAID else int(limits.min)
    high = len(LISTS[name]) - 1 if name in LISTS else int(limits.max)
    if name == "sketch.asks":
        high = (1 << len(ev.ASKS)) - 1
    return {"type": "integer", "minimum": low, "maximum": high}


def _record(dtype: np.dtype[Any], prefix: str = "") -> dict[str, Any]:
    properties: dict[str, Any] = {}
    for field in dtype.names or ():
        name, kind = prefix + field, dtype[field]
        if kind.names:
            properties[field] = {"description": "The edge sketch of the request.", **_record(kind, f"{name}.")}
            continue
        meaning = MEANINGS[name]
        if name in LISTS:
            meaning += " " + ", ".join(f"{i}: {word}" for i, word in enumerate(LISTS[name])) + "."
        if name == "sketch.asks":
            meaning += " " + ", ".join(f"{1 << i}: {word}" for i, word in enumerate(ev.ASKS)) + "."
        if kind.subdtype is None:
            properties[field] = {"description": meaning, **_number(name, kind)}
        else:
            base, shape = kind.subdtype
            properties[field] = {
                "description": meaning, "type": "array", "minItems": shape[0], "maxItems": shape[0],
                "items": _number(name, base),
            }  # fmt: skip
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def schema() -> dict[str, Any]:
    """Return the schema of one event as JSON: its version, then the fields of `EVENT_DTYPE` in order."""
    record = _record(ev.EVENT_DTYPE)
    version = {"description": "Version of this record.", "const": ev.EVENT_VERSION}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:stillwatch:event:v{ev.EVENT_VERSION}",
        "title": f"Stillwatch event, version {ev.EVENT_VERSION}",
        "description": "Reduced record of one exchange, without text. Hashes are 64-bit, keyed and bound to a key "
        "epoch; 0 stands for 'the source did not say'. Pseudonymous, not anonymous.",
        **record,
        "properties": {"version": version, **record["properties"]},
        "required": ["version", *record["required"]],
    }


def page() -> str:
    """Return the schema as it is published."""
    return json.dumps(schema(), indent=2) + "\n"
