"""The record of protective measures: what the provider's settings put in force to protect the model.

In: a settings file. Out: `Measure` records in words a court can read, each with the setting that it comes from.
A measure that is off is listed as off. Left to whoever pleads: whether the measures were reasonable.
"""

import math
from collections.abc import Iterator
from pathlib import Path

from stillwatch.app.settings import Settings, load_settings
from stillwatch.forensics.dossier import Measure
from stillwatch.policy.rule import Rule

_WAITS = {"verdict": "an accusation in force", "confirmed": "a person's confirmation", "none": "nothing"}


def measures_of(config: Path) -> tuple[Measure, ...]:
    """Return the measures that a settings file puts in force.

    Raises:
        StillwatchError: it cannot be read, or a value is out of range.
    """
    return tuple(_measures(load_settings(config)))


def _measures(settings: Settings) -> Iterator[Measure]:
    detect, policy = settings.detect, settings.policy
    yield Measure(
        name="Detection of distillation campaigns",
        state=f"on; one honest account accused with chance at most {detect.alpha:g}, share of honest groups among "
        f"reported campaigns at most {detect.q:g}",
        source="[detect]",
    )  # fmt: skip
    yield Measure(name="Access only with a key", state="every request needs a key of a known account", source="gateway")
    for limit in policy.limits:
        yield Measure(name=f"Rate limit, plan {limit.plan}", state=", ".join(_rates(limit)) or "none",
                      source="[[policy.limit]]")  # fmt: skip
    for rule in policy.rules:
        yield _rule(rule, shadow=policy.shadow if rule.shadow is None else rule.shadow)
    vault = settings.given.get("vault")
    kept = f"sealed text of {vault.share:.2%} of answers" if vault and vault.wanted else "off"
    yield Measure(name="Evidence vault", state=kept, source="[vault]")


def _rule(rule: Rule, *, shadow: bool) -> Measure:
    what = f"{rule.action}{' with ' + ', '.join(rule.treatments) if rule.treatments else ''}"
    state = f"{'recorded only' if shadow else 'in force'}: {what}, waits for {_WAITS[rule.needs]}"
    return Measure(name=f"Rule {rule.name}", state=state, source="[[policy.rule]]")


def _rates(limit: object) -> Iterator[str]:
    for name, what in (("requests_per_minute", "requests"), ("tokens_per_minute", "tokens")):
        value = float(getattr(limit, name))
        if math.isfinite(value):
            yield f"{value:g} {what} a minute"
