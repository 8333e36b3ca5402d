"""Accounts: what was agreed with each, kept and changed a field at a time.

In: the control records and the fields to change. Out: the account as it stands.
"""

import re
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, Final

from stillwatch.app.control import Book
from stillwatch.app.controlnames import check_account, check_text
from stillwatch.terms.account import AccountRecord
from stillwatch.terms.action import DECLARED
from stillwatch.terms.errors import StillwatchError

PROOFS: Final = ("contact", "payment", "organisation", "workload")
"""What an account can prove of itself."""
_TEXTS: Final = ("organisation", "plan", "payment")


def set_account(book: Book, account: str, changes: Mapping[str, Any]) -> AccountRecord:
    """Lay changes over an account, made where there is none, and return it as it stands now.

    Args:
        book: The control records.
        account: Its id.
        changes: Names of `AccountRecord` with their new values.

    Raises:
        StillwatchError: a name or a value cannot be one; nothing is changed.
    """
    check_account(account)
    names = {f.name for f in fields(AccountRecord)} - {"account"}
    for name in changes:
        if name not in names:
            raise StillwatchError(f"account {account}: {name} is no field; must be one of {', '.join(sorted(names))}.")
    with book.changing():
        record = replace(book.find_account(account) or AccountRecord(account=account), **changes)
        _check(record)
        book.put_account(record)
    return record


def _check(record: AccountRecord) -> None:
    for name in _TEXTS:
        check_text(name, getattr(record, name), at_most=200)
    if _is_card(record.payment):
        raise StillwatchError("payment: looks like a card number; give your payment provider's token for it.")
    if record.country and not re.fullmatch(r"[A-Z]{2}", record.country):
        raise StillwatchError(f"country {record.country!r}: must be two capital letters, as in ISO 3166, such as DE.")
    if record.workload and record.workload not in DECLARED:
        raise StillwatchError(f"workload {record.workload!r}: must be one of {', '.join(DECLARED)}, or empty.")
    if bool(record.workload) != (record.workload_tokens > 0):
        raise StillwatchError(
            f"workload {record.workload or 'none'} with {record.workload_tokens} tokens a day: a declared workload "
            "needs a quota above 0, and a quota needs a workload."
        )
    for proof in record.verified:
        if proof not in PROOFS:
            raise StillwatchError(f"verified {proof!r}: must be among {', '.join(PROOFS)}.")


def _is_card(text: str) -> bool:
    """Return whether the text is a card number by its length and check digit (Luhn)."""
    digits = re.sub(r"[ -]", "", text)
    if not re.fullmatch(r"\d{13,19}", digits):
        return False
    doubled = [int(d) * (1 + i % 2) for i, d in enumerate(reversed(digits))]
    return sum(d - 9 * (d > 9) for d in doubled) % 10 == 0
