"""Media types: what a member accepts and what it sends.

In: the headers Accept and Content-Type. Out: nothing, or a refusal with 406 or 415. A type without a version means the
newest that the hub has; anything that is not TAXII is refused, wildcards too, so that no browser reads a collection.
Source: TAXII Version 2.1, section 1.6.8.
"""

from typing import Final

from stillwatch.exchange.taxii.refusal import Refusal

TAXII: Final = "application/taxii+json;version=2.1"
STIX: Final = "application/stix+json;version={}"
BLOB: Final = "application/octet-stream"
VERSION: Final = "2.1"


def check_accept(header: str | None) -> None:
    """Raise unless the member takes TAXII 2.1.

    Raises:
        Refusal: 406.
    """
    for item in (header or "").split(","):
        kind, parameters = _parsed(item)
        if kind == "application/taxii+json" and parameters.get("version", VERSION) == VERSION and _wanted(parameters):
            return
    raise Refusal(406, f"The header Accept must name {TAXII}.")


def check_content(header: str | None) -> None:
    """Raise unless the member sends TAXII 2.1.

    Raises:
        Refusal: 415.
    """
    kind, parameters = _parsed(header or "")
    if kind != "application/taxii+json" or parameters.get("version", VERSION) != VERSION:
        raise Refusal(415, f"The header Content-Type must be {TAXII}.")


def _wanted(parameters: dict[str, str]) -> bool:
    try:
        return float(parameters.get("q", "1")) > 0.0
    except ValueError:
        return False


def _parsed(item: str) -> tuple[str, dict[str, str]]:
    kind, *rest = (part.strip() for part in item.split(";"))
    pairs = (part.partition("=") for part in rest)
    return kind.lower(), {name.strip().lower(): value.strip().strip('"') for name, _, value in pairs}
