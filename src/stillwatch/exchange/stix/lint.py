"""What may not be told to a competitor: refused before it leaves, and refused again where it arrives.

In: a STIX object. Out: what is wrong with it, in words that do not repeat what was found. Prices, volumes,
customers, capacity and countries are refused by name of property and in free text; so are addresses of mail,
telephone numbers, card numbers and keys. It reads words, not intentions: a person still reads what is published.
Left to `write` and to the hub: refusing. Source: docs/explain/coalition-law.md.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from stillwatch.exchange.stix import extension, tlp

_NAMES: Final = frozenset(
    "price prices pricing cost costs revenue revenues sales turnover spend spending volume volumes discount discounts "
    "margin margins customer customers client clients invoice invoices capacity forecast country nationality "
    "citizenship region tariff rebate profit market".split()
)
_WORDS: Final = (
    r"\b(?:pric(?:e|es|ed|ing)|tariffs?|revenues?|turnover|discounts?|rebates?|profit\w*|margins?|market[ -]shares?|"
    r"customers?|clients?|capacit(?:y|ies)|road ?maps?|invoices?|nationalit(?:y|ies)|citizens?(?:hip)?)\b"
)
_MONEY: Final = r"[$€£¥₹]\s?\d|\b\d[\d.,]*\s?(?:usd|eur|gbp|jpy|cny|dollars?|euros?|pounds?|cents?)\b"
_VOLUME: Final = (
    r"\b\d[\d.,' ]*\s?(?:k|m|bn|thousand|million|billion)?\s?(?:tokens?|requests?|exchanges?|prompts?|calls?|"
    r"queries|users?|accounts?|seats?|messages?)\b"
)
_PATTERNS: Final = (
    ("a commercial word", re.compile(_WORDS, re.IGNORECASE)),
    ("an amount of money", re.compile(_MONEY, re.IGNORECASE)),
    ("a volume", re.compile(_VOLUME, re.IGNORECASE)),
    ("an address of mail", re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]+")),
    ("a telephone number", re.compile(r"\+\d[\d ()/-]{7,}\d")),
    ("a card number", re.compile(r"\b(?:\d[ -]?){13,19}\b")),
    ("an API key", re.compile(r"\b(?:sk|pk|rk)-[\w-]{16,}", re.IGNORECASE)),
    ("a network address", re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b")),
)
_TEXTS: Final = {"name": 120, "description": 1000, "explanation": 500, "summary": 500}
"""Free texts, with the most characters of each."""
_LISTS: Final = frozenset(["labels", "aliases", "authors", "indicator_types", "infrastructure_types", "goals", "roles"])
_FREE: Final = frozenset(["attack-pattern", "extension-definition", "marking-definition"])
"""Types that are held against a published object instead of being read."""


def findings(item: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what of an object may not be shared, each as property and reason; nothing where all may.

    >>> findings({"type": "campaign", "name": "Sweep", "description": "They paid $12 each"})[0]
    'description: holds an amount of money'
    """
    if item.get("type") in _FREE:
        return ()
    return (*_named(item), *_told(item), *_extended(item), *_marked(item))


def _named(item: Mapping[str, Any]) -> Iterator[str]:
    for name in _keys(item, depth=0):
        if _NAMES & set(re.split(r"[^a-z]+", name.lower())):
            yield f"{name[:60]}: may not be shared among competitors"
    if item.get("external_references"):
        yield "external_references: belong to the techniques of ATLAS alone; say it in the description"


def _keys(value: object, *, depth: int) -> Iterator[str]:
    if depth > 20:
        yield "market"  # deeper than any STIX object: refused rather than read
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield str(name)
            yield from _keys(inner, depth=depth + 1)
    elif isinstance(value, list):
        for inner in value:
            yield from _keys(inner, depth=depth + 1)


def _told(item: Mapping[str, Any]) -> Iterator[str]:
    for name, most in _TEXTS.items():
        text = item.get(name)
        if isinstance(text, str):
            if len(text) > most:
                yield f"{name}: has more than {most} characters"
            yield from (f"{name}: holds {what}" for what, pattern in _PATTERNS if pattern.search(text[: most + 1]))
    for name in sorted(_LISTS & set(item)):
        parts = item[name] if isinstance(item[name], list) else [item[name]]
        for what, pattern in _PATTERNS:
            if any(isinstance(part, str) and pattern.search(part[:200]) for part in parts):
                yield f"{name}: holds {what}"


def _extended(item: Mapping[str, Any]) -> Iterator[str]:
    extensions = item.get("extensions")
    for name, content in extensions.items() if isinstance(extensions, Mapping) else ():
        if name != extension.ID:
            yield "extensions: holds one that the coalition does not use"
        else:
            yield from extension.wrong_in(str(item.get("type")), content)


def _marked(item: Mapping[str, Any]) -> Iterator[str]:
    refs = item.get("object_marking_refs")
    refs = refs if isinstance(refs, list) else []
    if tlp.TLP_1 & {str(ref) for ref in refs}:
        yield "object_marking_refs: names a marking of TLP 1; use TLP 2.0"
    levels = [tlp.LEVEL_OF[ref] for ref in refs if isinstance(ref, str) and ref in tlp.LEVEL_OF]
    if item.get("type") != "identity" and (len(levels) != 1 or len(levels) != len(refs)):
        yield "object_marking_refs: must name exactly one level of TLP 2.0, and nothing else"
    if "red" in levels:
        yield "object_marking_refs: TLP:RED is for named people, not for a collection"
    if item.get("granular_markings"):
        yield "granular_markings: are not used; mark the object"
