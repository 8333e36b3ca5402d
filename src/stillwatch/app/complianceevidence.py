"""What each capability shows of itself on this machine: settings, counts and measured figures, read a moment ago.

In: the settings, the control records, the state folder. Out: a `Shown` for each capability of `compliance.MAPPING`.
No account, key or text is in any of it: counts and dates only. What cannot be read is said to be off.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from stillwatch.app.claims import read_live
from stillwatch.app.compliance import Shown
from stillwatch.app.control import Book
from stillwatch.app.markring import ring_path
from stillwatch.app.measured import measured_rates
from stillwatch.app.settings import Settings
from stillwatch.policy.rule import Rule

DAYS_OF_LOGS: Final = 183
"""Six months, as Article 26(6) of Regulation (EU) 2024/1689 asks of logs where it applies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """What evidence is read from."""

    settings: Settings
    state: Path
    book: Book
    now: float
    """Seconds since 1970."""


def shown_by(here: Installation) -> dict[str, Shown]:
    """Return what every capability shows here."""
    return {name: make(here) for name, make in CAPABILITIES.items()}


def _detection(here: Installation) -> Shown:
    live = read_live(here.state)
    lines = [
        f"{rate.what}: measured {100 * rate.measured:.2f} %, 95 % upper bound {100 * rate.upper:.2f} %, of {rate.n:,}; "
        f"promised {100 * rate.promised:.0f} % ({rate.source})"
        for rate in measured_rates()
    ]
    if live.generation < 0:
        return Shown(state="off", lines=(*lines, "No live verdicts were ever published in this state folder."))
    accused = sum(held.accused and here.now < held.expires for held in live.held.values())
    said = f"Live traffic judged until {_day(live.judged_until)}, {accused} accounts accused (published.json)."
    return Shown(state="in force", lines=(said, *lines))


def _limits(here: Installation) -> Shown:
    limits = here.settings.policy.limits
    lines = tuple(
        f"Plan {limit.plan}: {limit.requests_per_minute:g} requests and {limit.tokens_per_minute:g} tokens a minute "
        "([[policy.limit]])"
        for limit in limits
    )
    return Shown(state="in force" if limits else "off", lines=lines or ("No [[policy.limit]] is set.",))


def _identity(here: Installation) -> Shown:
    good = sum(key.good_at(here.now) for key in here.book.keys())
    proved = sum(bool(record.verified) for record in here.book.accounts())
    lines = (
        f"{good} API keys are good, kept as keyed hashes (control.sqlite).",
        f"{proved} of {len(here.book.accounts())} accounts have proved something of themselves.",
        *_rules(here, lambda rule: rule.action == "challenge"),
    )
    return Shown(state="in force" if good else "off", lines=lines)


def _telemetry(here: Installation) -> Shown:
    kept = here.settings.watch.keep_days
    said = f"Events of live traffic are kept {kept:g} days ([watch] keep_days)."
    if kept < DAYS_OF_LOGS:
        asked = f"Article 26(6) asks six months ({DAYS_OF_LOGS} days) of logs, where it applies: raise keep_days."
        return Shown(state="gap", lines=(said, asked))
    return Shown(state="in force", lines=(said,))


def _probabilities(here: Installation) -> Shown:
    fields = ("logprobs", "withhold", "round", "perturb", "dose", "privacy")
    return _by_rules(here, lambda rule: bool(set(fields) & set(rule.applied)), "No rule limits token probabilities.")


def _marks(here: Installation) -> Shown:
    found = _by_rules(
        here, lambda rule: bool({"watermark", "surface", "experts"} & set(rule.applied)), "No rule orders a mark."
    )
    keys = "Keys of marks exist (marks/)." if ring_path(here.state).exists() else "There are no keys of marks."
    return Shown(state=found.state if "exist" in keys else "off", lines=(*found.lines, keys))


def _canaries(here: Installation) -> Shown:
    planted = here.book.canaries()
    good = sum(canary.retired is None and here.now < canary.expires for canary in planted)
    said = f"{good} canaries in force of {len(planted)} ever registered, each committed to before it was served."
    return Shown(state="in force" if good else "off", lines=(said,))


def _human(here: Installation) -> Shown:
    decisions, appeals = here.book.decisions(), here.book.appeals()
    by = {verb: sum(d.verb == verb for d in decisions) for verb in ("confirm", "dismiss", "release")}
    lines = (
        "No rule refuses, perturbs or plants a canary before a person confirmed: such a policy cannot be loaded.",
        f"Decisions by people: {by['confirm']} confirmed, {by['dismiss']} dismissed, {by['release']} released.",
        f"Appeals: {len(appeals)}, of which {sum(a.state == 'open' for a in appeals)} open and "
        f"{sum(a.state == 'granted' for a in appeals)} granted.",
    )
    return Shown(state="in force", lines=lines)


def _minimisation(here: Installation) -> Shown:
    vault = here.settings.vault
    on = bool(vault.public_key) and vault.wanted
    text = (
        f"Text: a share of {vault.share:g} of answers; of confirmed accounts: {vault.confirmed}; of requests answered "
        f"twice: a share of {vault.twins:g}, of confirmed accounts: {vault.twins_confirmed}; for "
        f"{vault.retention_days:g} days, sealed to a key that is not here ([vault])."
        if on
        else "No text is kept: the vault is off ([vault])."
    )
    lines = ("Events hold keyed hashes and sketches of at most 512 bytes (docs/reference/event.md).", text)
    return Shown(state="in force", lines=lines)


def _retention(here: Installation) -> Shown:
    return Shown(
        state="in force", lines=(f"Events go by whole partitions after {here.settings.watch.keep_days:g} days.",)
    )


def _subjects(here: Installation) -> Shown:
    masked = len(here.book.account_keys())
    said = f"{masked} accounts of live traffic have a key of their own, which `stillwatch privacy erase` destroys."
    return Shown(state="in force", lines=(said,))


def _evidence(here: Installation) -> Shown:
    folder = here.state / "ledger"
    if not folder.is_dir():
        return Shown(state="off", lines=("There is no ledger; `stillwatch ledger init` makes it.",))
    points = sum(1 for path in folder.rglob("*") if "checkpoint" in path.name and path.is_file())
    return Shown(state="in force", lines=(f"A ledger exists, with {points} files of signed checkpoints (ledger/).",))


def _red_team(here: Installation) -> Shown:
    cards = sorted(here.state.glob("lab/**/scorecard.json"))
    if not cards:
        return Shown(
            state="off", lines=("No scorecard of the lab lies in this state folder; `stillwatch lab run` makes one.",)
        )
    newest = max(cards, key=lambda path: path.stat().st_mtime)
    when = _day(newest.stat().st_mtime)
    return Shown(
        state="in force", lines=(f"{len(cards)} scorecards, the newest of {when} ({newest.relative_to(here.state)}).",)
    )


def _sharing(here: Installation) -> Shown:
    folder = here.state / "coalition"
    if not folder.is_dir():
        return Shown(state="off", lines=("This state folder belongs to no coalition.",))
    return Shown(state="in force", lines=("This state folder is a member of a coalition (coalition/).",))


def _by_rules(here: Installation, takes: Callable[[Rule], bool], nothing: str) -> Shown:
    rules = [rule for rule in here.settings.policy.rules if takes(rule)]
    if not rules:
        return Shown(state="off", lines=(nothing,))
    biting = any(not here.settings.policy.in_shadow(rule) for rule in rules)
    return Shown(state="in force" if biting else "shadow", lines=_rules(here, takes))


def _rules(here: Installation, takes: Callable[[Rule], bool]) -> tuple[str, ...]:
    policy = here.settings.policy
    return tuple(
        f"Rule {rule.name}: {rule.action} ({', '.join(rule.applied) or 'no treatment'}), needs {rule.needs}, "
        f"{'shadow' if policy.in_shadow(rule) else 'bites'} ([[policy.rule]])"
        for rule in policy.rules
        if takes(rule)
    )


def _day(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%MZ")


CAPABILITIES: Final[dict[str, Callable[[Installation], Shown]]] = {
    "detection": _detection, "limits": _limits, "identity": _identity, "telemetry": _telemetry,
    "probabilities": _probabilities, "marks": _marks, "canaries": _canaries, "human decision": _human,
    "minimisation": _minimisation, "retention": _retention, "access and erasure": _subjects, "evidence": _evidence,
    "red team": _red_team, "sharing": _sharing,
}  # fmt: skip
"""Every capability, in the order of the report."""
