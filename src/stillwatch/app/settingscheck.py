"""What a settings file would do, and what in it cannot work here: for `stillwatch config check`.

In: settings that could be read, the environment, the time. Out: notes on each rule, and warnings. What makes
a file invalid was refused when it was read.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from stillwatch.app.settings import Settings
from stillwatch.policy.check import rule_notes

DAY = 86_400.0
_LOCAL = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What a look at the settings came to."""

    rules: tuple[str, ...]
    """One line a rule, in the order in which they are tried."""
    warnings: tuple[str, ...]
    """What is allowed and yet hardly meant."""


def look_over(settings: Settings, environment: Mapping[str, str], now: float) -> Findings:
    """Return notes and warnings on settings that are valid."""
    policy = settings.policy
    return Findings(
        rules=rule_notes(policy.rules, shadow=policy.shadow),
        warnings=(*_upstream(settings), *_secrets(settings, environment), *_rules(settings, now)),
    )


def _upstream(settings: Settings) -> list[str]:
    gateway = settings.gateway
    found = []
    if not gateway.upstream:
        found.append("gateway.upstream is empty: `stillwatch serve` must be given --upstream.")
    elif gateway.upstream.startswith("http://") and urlsplit(gateway.upstream).hostname not in _LOCAL:
        found.append("gateway.upstream is http to another machine: prompts and answers travel unencrypted.")
    if gateway.credentials == "pass":
        found.append('gateway.credentials = "pass": the upstream sees the callers\' own keys.')
    if settings.watch.calibration and not Path(settings.watch.calibration).is_file():
        found.append(f"watch.calibration: {settings.watch.calibration} is not there.")
    if settings.watch.time_lapse != 1.0:
        found.append("watch.time_lapse is not 1: event time does not run like the clock. For demonstrations only.")
    return found


def _secrets(settings: Settings, environment: Mapping[str, str]) -> list[str]:
    """Return what is wrong with where secrets are to be found; no secret is read."""
    gateway, litellm = settings.gateway, settings.litellm
    found = []
    variables = {"gateway.upstream_key_env": gateway.upstream_key_env, "litellm.token_env": litellm.token_env}
    files = {"gateway.upstream_key_file": gateway.upstream_key_file, "litellm.token_file": litellm.token_file}
    for name, variable in variables.items():
        if variable and not environment.get(variable):
            found.append(f"{name}: the environment variable {variable} is not set here.")
    for name, given in files.items():
        if given and not Path(given).is_file():
            found.append(f"{name}: {given} is not there.")
        elif given and Path(given).stat().st_mode & 0o077:
            found.append(f"{name}: {given} can be read by others; run chmod 600 on it.")
    return found


def _rules(settings: Settings, now: float) -> list[str]:
    policy = settings.policy
    found = []
    for rule in policy.rules:
        if rule.until is not None and rule.until <= now:
            found.append(f"policy rule {rule.name!r}: ended on its own date and orders nothing any more.")
        elif rule.until is not None and rule.until > now + 366 * DAY:
            found.append(f"policy rule {rule.name!r}: lasts for more than a year; look at it sooner.")
    if policy.jitter_seconds < 4 * policy.batch_seconds:
        found.append("policy.jitter_seconds is below four batches: the moment of an effect tells what caused it.")
    if policy.rules and all(policy.in_shadow(rule) or rule.action == "allow" for rule in policy.rules):
        found.append("policy: every rule is in shadow; nothing is done, even once a person confirmed a verdict.")
    return found
