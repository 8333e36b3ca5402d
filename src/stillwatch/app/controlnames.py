"""What may be an account's name, a person's name or a reason; and what looks like a key and may not.

In: what somebody typed. Out: nothing, or an error that does not repeat what could be a key.
"""

import re
from typing import Final

from stillwatch.terms.errors import StillwatchError

LONGEST_ACCOUNT: Final = 128
_KEY_LIKE: Final = re.compile(r"(?i)(?:\b(?:sk|pk|rk)-[\w-]{16,}|^bearer\s)")
_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def looks_like_key(text: str) -> bool:
    """Return whether a text holds what could be an API key. Hashes of keys do not count: logs name accounts so.

    >>> looks_like_key("sk-proj-abcdefghijkl"), looks_like_key("acme-eu"), looks_like_key("0" * 64)
    (True, False, False)
    """
    return bool(_KEY_LIKE.search(text))


def check_account(name: str, where: str = "account") -> None:
    """Raise unless `name` can be an account's; a key given in its place is not repeated.

    Raises:
        StillwatchError: it is empty, too long, padded, has control characters, or looks like a key.
    """
    if looks_like_key(name):
        raise StillwatchError(f"{where}: looks like an API key, not like an account's name; nothing was kept.")
    if not name or name != name.strip() or len(name) > LONGEST_ACCOUNT or _CONTROLS.search(name):
        raise StillwatchError(
            f"{where}: must have 1 to {LONGEST_ACCOUNT} characters, none of them a control character, and no space at "
            "either end."
        )


def check_text(what: str, text: str, *, at_most: int, needed: bool = False) -> None:
    """Raise unless a line of text is short, printable and holds no key.

    Raises:
        StillwatchError: it is missing though needed, too long, has control characters, or holds a key.
    """
    if needed and not text.strip():
        raise StillwatchError(f"{what}: is empty; say it in a few words, for whoever reads this later.")
    if len(text) > at_most:
        raise StillwatchError(f"{what}: has {len(text)} characters; at most {at_most}.")
    if _CONTROLS.search(text):
        raise StillwatchError(f"{what}: has control characters; give one line of plain text.")
    if looks_like_key(text):
        raise StillwatchError(f"{what}: seems to hold an API key; leave it out. Nothing was kept.")
