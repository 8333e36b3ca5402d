"""Values as they are written -> the one spelling that every member makes tokens of.

In: a kind and a text. Out: `TokenInput` with canonical bytes. Two members who know one thing must spell it alike, so
these rules are part of the wire: a change of any is a new version of the head in `series`. Never a full card number:
it has no business here. Left to `template`: texts. See docs/reference/tokens.md.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Final

from stillwatch.sketch.network import is_private, parse_address
from stillwatch.terms.coalition import TokenInput
from stillwatch.terms.errors import StillwatchError

_SCHEME: Final = re.compile(r"([a-z][a-z0-9]{1,15}):(.+)", re.DOTALL)
_IBAN: Final = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}")
_CARD: Final = re.compile(r"([0-9]{6,8})-([0-9]{4})-([0-9]{2})([0-9]{2})")
_EMAIL: Final = re.compile(r"[^@\s]{1,64}@[^@\s]{3,253}")
_ETHEREUM: Final = re.compile(r"0x[0-9a-f]{40}")
_LONG_DIGITS: Final = re.compile(r"(?<![0-9])[2-6](?:[ -]?[0-9]){12,18}(?![0-9])")
_LONGEST: Final = 512


def payment(text: str) -> TokenInput:
    """Return a means of payment, by what it begins with.

    `iban:` without spaces, upper case, check digits right; `card:` first six to eight digits, last four, expiry as
    `MMYY`; `email:` of a payment service, lower case; `wallet:` Ethereum's in lower case, others as they are;
    anything else is `opaque:`, such as a fingerprint that a payment processor gives to several members.

    Raises:
        StillwatchError: it is empty, malformed, or holds what can be a full card number. The value is not repeated.

    >>> payment("IBAN: de89 3704 0044 0532 0130 00").value, payment("card:424242-4242-0730").value
    (b'iban:DE89370400440532013000', b'card:424242-4242-0730')
    >>> payment(" fp_9aX ").value
    b'opaque:fp_9aX'
    """
    text = _plain("payment", text)
    match = _SCHEME.fullmatch(text[:16].lower() + text[16:])
    scheme, rest = (match[1], text[len(match[1]) + 1 :].strip()) if match else ("", text)
    if scheme not in _PAYMENTS:
        scheme, rest = "opaque", text.removeprefix("opaque:").strip()
    if scheme not in ("iban", "card"):  # those two have forms of their own, which no full number fits
        _no_card_number(rest)
    canonical = _PAYMENTS[scheme](rest)
    if not canonical:
        raise StillwatchError(f"payment: is no {scheme}; see docs/reference/tokens.md for how it is written.")
    return TokenInput("payment", f"{scheme}:{canonical}".encode())


def device(text: str) -> TokenInput:
    """Return a device's identifier: of at least eight characters, hexadecimal digits in lower case.

    What thousands share is none: an agent, a TLS fingerprint, a kind of browser.

    Raises:
        StillwatchError: it is empty, too short or too long.

    >>> device("AB12CD34EF").value, device("Pixel-7f3a-Q9").value
    (b'ab12cd34ef', b'Pixel-7f3a-Q9')
    """
    text = _plain("device", text)
    if len(text) < 8:
        raise StillwatchError("device: has fewer than eight characters; what many share tells no device from another.")
    return TokenInput("device", (text.lower() if re.fullmatch(r"[0-9A-Fa-f]+", text) else text).encode())


def address(text: str) -> TokenInput:
    """Return a public address: an IPv4 address whole, an IPv6 address by its /64.

    Raises:
        StillwatchError: it is no address, or a private or special one.

    >>> address("9.9.9.9:443").value, address("2620:FE::9").value, address("::ffff:9.9.9.9").value
    (b'9.9.9.9', b'2620:fe:0:0::/64', b'9.9.9.9')
    """
    parsed = parse_address(text)
    if parsed is None or is_private(parsed):
        raise StillwatchError("address: is no public IPv4 or IPv6 address.")
    version, number = parsed
    if version == 4:
        return TokenInput("address", ".".join(str(number >> shift & 255) for shift in (24, 16, 8, 0)).encode())
    groups = ":".join(f"{number >> shift & 0xFFFF:x}" for shift in (112, 96, 80, 64))
    return TokenInput("address", f"{groups}::/64".encode())


def _plain(kind: str, text: str) -> str:
    """Return the text composed (NFC) and trimmed."""
    try:
        text = unicodedata.normalize("NFC", text).strip()
        text.encode()
    except UnicodeEncodeError:
        text = ""
    if not 0 < len(text) <= _LONGEST or not text.isprintable():
        raise StillwatchError(f"{kind}: must be 1 to {_LONGEST} printable characters.")
    return text


def _no_card_number(text: str) -> None:
    for match in _LONG_DIGITS.finditer(text):
        if _luhn("".join(c for c in match[0] if c.isdigit())):
            raise StillwatchError(
                "payment: holds what can be a full card number, which has no business here; give the processor's "
                "fingerprint, or card:FIRST6-LAST4-MMYY."
            )


def _luhn(digits: str) -> bool:
    total = 0
    for at, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + at % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def _iban(text: str) -> str:
    text = re.sub(r"\s", "", text).upper()
    if not _IBAN.fullmatch(text):
        return ""
    return text if int("".join(str(int(c, 36)) for c in text[4:] + text[:4])) % 97 == 1 else ""


def _card(text: str) -> str:
    """Return six leading digits whatever was given: members know six or eight of them."""
    match = _CARD.fullmatch(text)
    if not match or not 1 <= int(match[3]) <= 12:
        return ""
    return f"{match[1][:6]}-{match[2]}-{match[3]}{match[4]}"


def _email(text: str) -> str:
    text = text.lower()
    return text if _EMAIL.fullmatch(text) else ""


def _wallet(text: str) -> str:
    return text.lower() if _ETHEREUM.fullmatch(text.lower()) else text


_PAYMENTS: Final[Mapping[str, Callable[[str], str]]] = {
    "iban": _iban,
    "card": _card,
    "email": _email,
    "wallet": _wallet,
    "opaque": str,
}
