"""Exchanges for the tests of this room."""

from typing import Any

from stillwatch.sketch.address import AddressTable
from stillwatch.sketch.keys import EPOCH_SECONDS, KeyRing
from stillwatch.sketch.reduce import Reducer
from stillwatch.terms.exchange import Exchange, Message

NOON = 227.5 * EPOCH_SECONDS

TORTURE = {
    "empty": "",
    "blank": " \t\r\n ",
    "lone surrogate": "ask \ud83d then \udc00 more",
    "emoji": "🙂👩‍👩‍👧🏽☀️🇺🇳" * 20,
    "chinese": "请一步一步地思考，然后回答。" * 9,
    "japanese": "ステップごとに考えてください。",
    "right to left": "مرحبا، كيف الحال؟ שלום עולם",
    "thai": "กรุณาอธิบายทีละขั้นตอน" * 5,
    "nul": "a\x00b\x00\x00c" * 40,
    "crlf": "# One\r\n\r\n- two\r\n- three\r\n",
    "carriage returns": "one\rtwo\rthree",
    "one word over and over": "spam " * 3000,
    "no space": "x" * 5_000_000,
    "numbers": "1234567890" * 500 + " 1 22 333",
    "combining": "e\u0301" * 300 + "Z\u0351\u036b\u0343" * 50,
    "expanding": "ﷺ" * 500,
    "controls": "".join(map(chr, range(1, 160))),
    "private plane": "\ue000\uffff\U0010ffff \U000e0041",
    "only feeds": "\n" * 1000,
}


def reducer(**table: Any) -> Reducer:
    return Reducer(KeyRing(bytes(range(32))), AddressTable.from_ranges(**table))


def ask(text: str, **fields: Any) -> Exchange:
    """One request of one user turn."""
    return Exchange(**{"time": NOON, "account": "acme", "messages": (Message(role="user", text=text),), **fields})


def talk(*turns: tuple[str, str], **fields: Any) -> Exchange:
    """One request of several turns, each (role, text)."""
    messages = tuple(Message(role=role, text=text) for role, text in turns)
    return Exchange(**{"time": NOON, "account": "acme", "messages": messages, **fields})
