"""Canaries for tests, drawn as a plan draws them but from a seed."""

from dataclasses import replace
from random import Random

from stillwatch.terms.canary import CanaryRecord
from stillwatch.treatments.canaries import TEMPLATES, Canary, drawn
from stillwatch.treatments.canaries.draw import commitment_of

SECRET = b"c" * 32
LATE = 4e9


def record(template: str, seed: int = 0, **more: object) -> CanaryRecord:
    """Return a committed record of one template; `more` are fields of it."""
    rng = Random(f"{template} {seed}")
    blank = CanaryRecord(
        id=f"cn_{rng.getrandbits(64):016x}", subject="a1", kind="account", accounts=("a1",), template=template,
        alternatives=16, nonce=f"{rng.getrandbits(128):032x}", commitment="", made=1.0, expires=LATE, by="ada",
        reason="seen", decision=1,
    )  # fmt: skip
    blank = replace(blank, **more)  # type: ignore[arg-type]
    return replace(blank, commitment=commitment_of(blank, drawn(blank, SECRET), SECRET))


def records(seed: int = 0, count: int = len(TEMPLATES), **more: object) -> tuple[CanaryRecord, ...]:
    """Return records of the first `count` templates."""
    return tuple(record(form.name, seed, **more) for form in TEMPLATES[:count])


def canaries(seed: int = 0, count: int = len(TEMPLATES), **more: object) -> tuple[Canary, ...]:
    """Return canaries of the first `count` templates."""
    return tuple(drawn(one, SECRET) for one in records(seed, count, **more))
