"""Beginning treatments: what one of them lacks costs no other."""

from typing import Any

import pytest

from stillwatch.gateway.call import Call
from stillwatch.gateway.ports import Caller
from stillwatch.gateway.routes import find_route
from stillwatch.gateway.treater import Marking, Treater
from stillwatch.terms.action import Action
from stillwatch.terms.errors import StillwatchError
from stillwatch.treatments import TREATMENTS, Occasion
from stillwatch.treatments.marks.ring import Ring
from stillwatch.treatments.marks.signer import Marks


def called(*treatments: str) -> Call:
    async def send(_: object) -> None: ...

    call = Call({}, send, find_route("/v1/chat/completions"), "req_1", 1_000)
    call.caller = Caller(account="acme", key_id="k")
    call.action = Action(kind="perturb", rule="r", treatments=treatments)
    return call


def no_keys() -> Marks | None:
    raise StillwatchError("mark ring: is no ring.")


def test_keys_that_cannot_be_read_cost_no_treatment_that_does_without() -> None:
    treater = Treater(bytes(32), marking=Marking(no_keys))
    assert treater.begin(called("withhold", "perturb"), 0.0) is not None
    with pytest.raises(StillwatchError, match="ring"):
        treater.begin(called("watermark"), 0.0)


class Watched:
    """An occasion that notes what of it is looked at."""

    def __init__(self) -> None:
        self.seen: set[str] = set()
        self._occasion = Occasion(key=bytes(32), account="acme", endpoint="chat", marks=Marks(Ring.new(bytes(32), 0.0)))

    def __getattr__(self, name: str) -> Any:
        self.seen.add(name)
        return getattr(self._occasion, name)


def test_every_treatment_that_looks_for_keys_is_given_them() -> None:
    looking = set()
    for kind in TREATMENTS:
        watched = Watched()
        kind.begin(watched)  # type: ignore[arg-type]
        if "marks" in watched.seen:
            looking.add(kind.name)
    asked = set()
    for name in (kind.name for kind in TREATMENTS):
        treater = Treater(bytes(32), marking=Marking(lambda name=name: asked.add(name)))  # type: ignore[misc]
        treater.begin(called(name), 0.0)
    assert asked == looking
