"""Records are frozen, show no text, and a receipt changes when any figure does."""

import dataclasses
from typing import Any

import numpy as np
import pytest

from stillwatch.terms.event import EVENT_DTYPE, SKETCH_DTYPE, empty_events
from stillwatch.terms.exchange import Exchange, Message
from stillwatch.terms.verdict import Campaign, Evidence

CANARY = "canary-3f9a"
EVIDENCE = Evidence(scenario="S2", null="chance", log_e=9.0, n=40, unit="account", detail={"shared": 3})
CAMPAIGN = Campaign(
    id="c1", accounts=(1, 2), account_log_e=(4.0, 3.0), families=("content", "payment"), log_e=9.0,
    evidence=(EVIDENCE,), accused=True, requests=40,
    first_seen=0.0, last_seen=9.0, tokens_in=7, tokens_out=8, harvest=30,
)  # fmt: skip


def test_an_exchange_shows_no_text_and_no_credential_in_its_repr() -> None:
    hidden = ("key_id", "address", "agent", "payment", "session", "tools", "answer")
    message = Message(role="user", text=CANARY, images=(CANARY.encode(),))
    exchange = Exchange(time=0.0, account="a", messages=(message,), **dict.fromkeys(hidden, CANARY))
    assert CANARY not in repr(exchange) and CANARY not in repr(message) and CANARY not in f"{exchange}"


@pytest.mark.parametrize("record", [EVIDENCE, CAMPAIGN, Message(role="user"), Exchange(time=0.0, account="a")])
def test_records_are_frozen(record: Any) -> None:
    for field in dataclasses.fields(record):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(record, field.name, None)


def test_equal_campaigns_have_equal_receipts_and_any_change_shows() -> None:
    assert CAMPAIGN.receipt() == dataclasses.replace(CAMPAIGN).receipt()
    assert len(CAMPAIGN.receipt()) == 32
    changed = {
        "id": "c2", "accounts": (1, 3), "account_log_e": (4.0, 3.5), "families": ("content",), "log_e": 9.5,
        "evidence": (dataclasses.replace(EVIDENCE, n=41),), "accused": False, "requests": 41, "first_seen": 0.5,
        "last_seen": 9.5, "tokens_in": 8, "tokens_out": 9, "harvest": 31,
    }  # fmt: skip
    assert set(changed) == {field.name for field in dataclasses.fields(CAMPAIGN)}
    receipts = {dataclasses.replace(CAMPAIGN, **{name: value}).receipt() for name, value in changed.items()}
    assert len(receipts | {CAMPAIGN.receipt()}) == len(changed) + 1


def test_an_empty_event_says_nothing_and_a_sketch_fits_its_bound() -> None:
    assert not np.any(empty_events(3).view(np.uint8))
    assert SKETCH_DTYPE.itemsize <= 512
    assert EVENT_DTYPE["sketch"] == SKETCH_DTYPE
