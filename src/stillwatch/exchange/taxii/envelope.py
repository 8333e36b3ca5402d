"""The body of an addition -> objects with id, type and version.

In: bytes. Out: items to keep, and what was wrong with the others. A STIX bundle is taken as well: whatever stands
beside `objects` is passed over. Left to `acceptance`: what a coalition's collection takes.
Source: TAXII Version 2.1, sections 3.7 and 5.5; STIX 2.1, section 3.2.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from stillwatch.exchange.stix.extension import ID as EXTENSION
from stillwatch.exchange.stix.stamps import micros
from stillwatch.exchange.taxii.objects import Item
from stillwatch.exchange.taxii.refusal import Refusal

STIX_ID: Final = re.compile(
    r"[a-z][a-z0-9-]{1,248}[a-z0-9]--[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.ASCII
)
_SPEC: Final = re.compile(r"[0-9]\.[0-9]", re.ASCII)
_TYPE: Final = re.compile(r"[a-z0-9][a-z0-9-]{1,249}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Wrong:
    """One object that cannot be kept."""

    id: str
    version: str
    why: str


def read_envelope(body: bytes, *, most: int) -> list[dict[str, Any]]:
    """Return the objects of an envelope or a bundle.

    Args:
        body: JSON in UTF-8.
        most: Most objects in one addition.

    Raises:
        Refusal: 400, it is no JSON; 422, it is no envelope; 413, it holds too many objects.
    """
    try:
        envelope = json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise Refusal(400, "The body must be JSON in UTF-8.") from None
    objects = envelope.get("objects") if isinstance(envelope, dict) else None
    if not isinstance(objects, list) or not objects or not all(isinstance(item, dict) for item in objects):
        raise Refusal(422, "The envelope must have a list of objects, at least one.")
    if len(objects) > most:
        raise Refusal(413, f"The envelope has {len(objects)} objects; at most {most} are taken at once.")
    return objects


def read_item(item: Mapping[str, Any]) -> Item | Wrong:
    """Return an object as it is kept, or what is wrong with it."""
    name = item.get("id")
    version = item.get("modified", item.get("created"))
    if not isinstance(name, str) or not STIX_ID.fullmatch(name):
        return Wrong(_shown(name), _shown(version), "Its id is no STIX id.")
    kind, spec = item.get("type"), _spec(item)
    at = micros(version) if version is not None else None
    why = ""
    if not isinstance(kind, str) or not _TYPE.fullmatch(kind) or name.partition("--")[0] != kind:
        why = "Its type is not that of its id."
    elif version is not None and at is None:
        why = "Its modified or created is no STIX time with at most six decimals."
    elif not isinstance(spec, str) or not _SPEC.fullmatch(spec):
        why = "Its spec_version is none."
    if why:
        return Wrong(name, _shown(version), why)
    try:
        body = json.dumps(item, separators=(",", ":"), allow_nan=False).encode("ascii")
    except (ValueError, RecursionError):
        return Wrong(name, _shown(version), "It cannot be written as JSON.")
    author = item.get("created_by_ref")
    return Item(id=name, type=str(kind), spec=str(spec), version=at, version_text=version or "", body=body,
                author=author if isinstance(author, str) and STIX_ID.fullmatch(author) else "",
                revoked=item.get("revoked") is True, digest=_digest(item),
                until=micros(item.get("valid_until")))  # fmt: skip


def _spec(item: Mapping[str, Any]) -> object:
    if "created" not in item and "modified" not in item:
        return item.get("spec_version", "2.1")  # observables may leave it out, and are of 2.1 alone
    return item.get("spec_version", "2.0")


def _digest(item: Mapping[str, Any]) -> str | None:
    extensions = item.get("extensions")
    own = extensions.get(EXTENSION) if isinstance(extensions, Mapping) else None
    digest = own.get("digest") if isinstance(own, Mapping) else None
    return digest if isinstance(digest, str) and re.fullmatch("[0-9a-f]{64}", digest) else None


def _shown(value: object) -> str:
    """Return what may be told back of a value that could be anything."""
    return value if isinstance(value, str) and re.fullmatch(r"[\x21-\x7e]{1,300}", value) else "unknown"


def _no_constant(text: str) -> NoReturn:
    raise ValueError(text)
