"""The record of protective measures: what settings put in force to protect the model, and what was done in fact.

In: a settings file, a state folder. Out: `Measure` records in words a court can read, each with where it comes from.
A measure that is off is listed as off. Left to whoever pleads: whether the measures were reasonable.
"""

import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from stillwatch.app.settings import Settings, load_settings
from stillwatch.forensics.dossier import Measure
from stillwatch.policy.config import PlanLimit
from stillwatch.policy.rule import Rule
from stillwatch.store.control import FILE_NAME

WAITS = {"verdict": "an accusation in force", "confirmed": "a person's confirmation", "none": "nothing",
         "coalition": "what another provider reported"}  # fmt: skip
"""What a rule waits for, in words; those that it may name are `policy.rule.NEEDS`."""


def measures_of(config: Path | None, state: Path, now: float) -> tuple[Measure, ...]:
    """Return the measures that settings put in force, and what the control records say was done.

    Args:
        config: The settings file; None leaves out what settings say.
        state: The state folder.
        now: Seconds since 1970.

    Raises:
        StillwatchError: the settings cannot be read, or a value is out of range.
    """
    found = list(_settings(load_settings(config))) if config is not None else []
    return (*found, *_done(state, now))


def _settings(settings: Settings) -> Iterator[Measure]:
    detect, policy = settings.detect, settings.policy
    yield Measure(
        name="Detection of distillation campaigns",
        state=f"on; one honest account accused with chance at most {detect.alpha:g}, share of honest groups among "
        f"reported campaigns at most {detect.q:g}",
        source="[detect]",
    )
    for limit in policy.limits:
        yield Measure(name=f"Rate limit, plan {limit.plan}", state=", ".join(_rates(limit)) or "none",
                      source="[[policy.limit]]")  # fmt: skip
    for rule in policy.rules:
        yield _rule(rule, shadow=policy.shadow if rule.shadow is None else rule.shadow)
    vault = settings.given.get("vault")
    kept = "sealed text of " + " and of ".join(_vault(vault)) if vault and vault.wanted else "off"
    yield Measure(name="Evidence vault", state=kept, source="[vault]")


def _vault(vault: object) -> Iterator[str]:
    if share := float(getattr(vault, "share", 0.0)):
        yield f"{share:.2%} of answers"
    if getattr(vault, "confirmed", False):
        yield "accounts under a confirmed verdict"
    if getattr(vault, "wants_twins", False):
        yield "requests that are answered twice"


def _rule(rule: Rule, *, shadow: bool) -> Measure:
    what = f"{rule.action}{' with ' + ', '.join(rule.treatments) if rule.treatments else ''}"
    state = f"{'recorded only' if shadow else 'in force'}: {what}, waits for {WAITS.get(rule.needs, rule.needs)}"
    return Measure(name=f"Rule {rule.name}", state=state, source="[[policy.rule]]")


def _rates(limit: PlanLimit) -> Iterator[str]:
    for value, what in ((limit.requests_per_minute, "requests"), (limit.tokens_per_minute, "tokens")):
        if math.isfinite(value):
            yield f"{value:g} {what} a minute"


def _done(state: Path, now: float) -> Iterator[Measure]:
    from stillwatch.app.control import open_control
    from stillwatch.app.markring import load_ring, marked_in, ring_path

    if (state / FILE_NAME).is_file():
        with open_control(state, new=False) as book:
            keys = [key for key in book.keys() if key.good_at(now)]
            verbs = Counter(decision.verb for decision in book.decisions())
            appeals = Counter(appeal.state for appeal in book.appeals())
        held = len({key.account for key in keys})
        yield Measure(
            name="Access by key", state=f"{len(keys)} keys in force, of {held} accounts", source="control file"
        )
        yield Measure(name="Decisions by people", state=_counts(verbs), source="control file")
        yield Measure(name="Appeals", state=_counts(appeals), source="control file")
    if ring_path(state).is_file():
        marked = len({one.account for one in marked_in(state)})
        epochs = len(load_ring(state).epochs)
        yield Measure(
            name="Marks in answers", state=f"{epochs} epochs of keys, {marked} accounts marked", source="marks"
        )


def _counts(counts: Counter[str]) -> str:
    return ", ".join(f"{n} {name}" for name, n in sorted(counts.items())) or "none"
