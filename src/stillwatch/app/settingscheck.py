"""What a settings file would do, and what in it cannot work here: for `stillwatch config check`.

In: settings that could be read, the environment, the time. Out: notes on each rule, and warnings. What makes
a file invalid was refused when it was read; what `stillwatch serve` could not start with is refused here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from pathlib import Path
from urllib.parse import urlsplit

from stillwatch.app.settings import Settings
from stillwatch.policy.check import disclosures, rule_notes
from stillwatch.terms.errors import StillwatchError

DAY = 86_400.0
_LOCAL = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What a look at the settings came to."""

    rules: tuple[str, ...]
    """One line a rule, in the order in which they are tried."""
    disclosures: tuple[str, ...]
    """What the provider owes its customers in words, since rules bite."""
    warnings: tuple[str, ...]
    """What is allowed and yet hardly meant."""


def look_over(settings: Settings, environment: Mapping[str, str], now: float) -> Findings:
    """Return notes and warnings on settings that are valid.

    Raises:
        StillwatchError: `stillwatch serve` could not start with them.
    """
    check_startable(settings)
    policy = settings.policy
    return Findings(
        rules=rule_notes(policy.rules, shadow=policy.shadow, approved_by=policy.approved_by),
        disclosures=disclosures(policy.rules, shadow=policy.shadow),
        warnings=(
            *_upstream(settings),
            *_addresses(settings),
            *_evidence(settings),
            *_people(settings),
            *_secrets(settings, environment),
            *_rules(settings, now),
        ),
    )


def check_startable(settings: Settings) -> None:
    """Check what no record can see by itself.

    Raises:
        StillwatchError: both listeners have one port, or a file that is named is not there; all of it is said.
    """
    serve, calibration = settings.serve, settings.watch.calibration
    faults = []
    if serve.port and serve.port == serve.admin_port:
        faults.append(
            f"serve.port and serve.admin_port are both {serve.port}: must differ, as callers must not reach metrics; "
            "give another --admin-port."
        )
    if settings.vault.served_contexts and not Path(settings.vault.tokenizer).is_file():
        faults.append(
            f"vault.tokenizer = {settings.vault.tokenizer!r}: no such file; give the tokenizer.json or .gguf of the "
            "model that is served."
        )
    if settings.vault.wants_twins and settings.gateway.credentials == "pass":
        faults.append(
            "vault.twins: the upstream would bill callers for answers that they never get; needs gateway.credentials = "
            '"replace".'
        )
    if calibration and not Path(calibration).is_file():
        faults.append(f"watch.calibration = {calibration!r}: no such file; `stillwatch calibrate` makes one.")
    if faults:
        raise StillwatchError("\n".join(faults))


def _evidence(settings: Settings) -> list[str]:
    """Return what the vault would do that somebody may not expect."""
    vault, policy = settings.vault, settings.policy
    found = []
    if vault.share > 0.0:
        found.append("vault.share: keeps text of accounts that nothing is held against; say so in your notice.")
    if vault.wants_twins:
        found.append("vault.twins: asks the upstream twice for some answers, and keeps both; say so in your notice.")
    stopped = [rule for rule in policy.rules if rule.needs == "confirmed" and rule.action in ("challenge", "refuse")]
    watched = [name for name in ("confirmed", "twins_confirmed") if getattr(vault, name)]
    if watched and stopped and not any(policy.in_shadow(rule) for rule in stopped):
        found.append(f"vault.{watched[0]}: confirmed accounts are challenged or refused, and get no answers to keep.")
    return found


def _people(settings: Settings) -> list[str]:
    """Return where two people are wanted and one would do."""
    console, found = settings.console, []
    if console.two_people == "always" and console.shell == "decide":
        found.append('console.two_people: one person at the shell still decides alone; give console.shell = "propose".')
    if console.shell == "propose" and not console.enabled:
        found.append('console.shell = "propose": approvers agree at the console; start it with console.enabled.')
    return found


def _addresses(settings: Settings) -> list[str]:
    """Return what is open to more than is likely meant."""
    serve, found = settings.serve, []
    for network in settings.gateway.trusted_proxies:
        if ip_network(network).prefixlen == 0:
            found.append(f"gateway.trusted_proxies holds {network}: any caller can forge its address; name the proxy.")
    if not _loopback(serve.admin_host):
        found.append(f"serve.admin_host = {serve.admin_host!r}: others can reach metrics; callers must not.")
    if not _loopback(serve.host):
        found.append(f"serve.host = {serve.host!r}: other machines reach it without TLS; put TLS in front of it.")
    return found


def _loopback(host: str) -> bool:
    try:
        return host in _LOCAL or ip_address(host).is_loopback
    except ValueError:
        return False


def _upstream(settings: Settings) -> list[str]:
    gateway = settings.gateway
    found = []
    if not gateway.upstream:
        found.append("gateway.upstream is empty: `stillwatch serve` must be given --upstream.")
    elif gateway.upstream.startswith("http://") and urlsplit(gateway.upstream).hostname not in _LOCAL:
        found.append("gateway.upstream is http to another machine: prompts and answers travel unencrypted.")
    if gateway.credentials == "pass":
        found.append('gateway.credentials = "pass": the upstream sees the callers\' own keys.')
    if settings.watch.time_lapse != 1.0:
        found.append("watch.time_lapse is not 1: event time does not run like the clock. For demonstrations only.")
    return found


def _secrets(settings: Settings, environment: Mapping[str, str]) -> list[str]:
    """Return what is wrong with where secrets are to be found; no secret is read."""
    gateway, litellm = settings.gateway, settings.litellm
    found = []
    variables = {"gateway.upstream_key_env": gateway.upstream_key_env, "litellm.token_env": litellm.token_env}
    files = {"gateway.upstream_key_file": gateway.upstream_key_file, "litellm.token_file": litellm.token_file}
    matching = settings.matching
    for place in ("first", "second"):
        variables[f"matching.{place}_key_env"] = getattr(matching, f"{place}_key_env")
        files[f"matching.{place}_key_file"] = getattr(matching, f"{place}_key_file")
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
