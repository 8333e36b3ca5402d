"""A live run in a terminal: what is being shown, what was caught and why, and what a person can do about it.

In: a `Report` of live verdicts and what `app` counted. Out: text of at most `width` columns where words allow.
Everything is said once, plainly; nothing here decides anything.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from stillwatch.console import standing
from stillwatch.console.report import Report
from stillwatch.console.terminal import Paper
from stillwatch.console.wording import FAMILIES, chance, count, listing, moment, plural, scenario_title, signed
from stillwatch.terms.action import Action
from stillwatch.terms.verdict import Campaign

_DIM = "\x1b[2m"
EFFECTS: Mapping[str, str] = {
    "allow": "nothing",
    "mark": "its answers would be marked",
    "slow": "its requests would wait and get a smaller share",
    "challenge": "it would be asked to prove who it is before the next answer",
    "coarsen": "its answers would come without log-probabilities and reasoning",
    "perturb": "its log-probabilities would be perturbed",
    "refuse": "it would be refused",
}
"""Action -> what it would do to the account."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What is being shown."""

    seed: int
    teacher: str
    """Name of the model; empty when there is none."""
    no_teacher: str
    """Why there is none."""
    honest: int
    members: int
    requests: int
    days: float
    seconds: float
    url: str
    folder: str
    console: str
    """Address of the console."""
    person: str
    password: str = field(repr=False)
    """Made up, for this run."""
    kept: bool
    """Whether an earlier run's state is gone on with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """The verdicts held against the truth that the watcher never sees."""

    label: str
    members: int
    found: int
    honest: int
    accused: int
    """Honest accounts that are accused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Commands:
    """What a person can type, ready to copy."""

    decide: str
    member: str
    """Calls the gateway with the key of an account of the campaign."""
    bystander: str
    """The same with an honest account's key."""
    python: str
    standing: str
    scan: str
    """The next step: one's own logs, one's own model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caught:
    """A campaign as it is shown."""

    report: Report
    campaign: Campaign
    truth: Truth
    action: Action
    """What policy orders for its strongest member; an `allow` that expires is what a person said."""
    receipt: str
    """What a decision on it pins."""


def opening(setting: Setting, paper: Paper) -> str:
    """Return what is said before the first request."""
    paper.head(f"Stillwatch, live{' again' if setting.kept else ''} (seed {setting.seed})")
    lapse = setting.days * 86_400 / max(setting.seconds, 1e-9)
    lines = {
        "teacher": f"{setting.teacher}, on this machine" if setting.teacher else f"none: {setting.no_teacher}",
        "gateway": f"{setting.url}/v1, its state in {setting.folder}",
        "console": f"{setting.console}/ (sign in as {setting.person}, password {setting.password})",
        "traffic": f"{setting.honest} honest accounts and one campaign of {setting.members}: {count(setting.requests)} "
        f"requests of {setting.days:g} days, sent over the wire with the accounts' own keys in {setting.seconds:g} s "
        f"(time-lapse: one second is {lapse / 3600:.1f} h)",
        "made up": "the accounts, their addresses (believed from this machine alone) and most answers: at most 250 "
        "requests reach the model, for 24 tokens at most; the rest get recorded answers. Verdicts take effect within "
        "seconds here, and within hours by default, so that nobody learns by trying.",
    }
    for name, text in lines.items():
        paper.say(text, bullet=f"  {name:9s}")
    return paper.text()


def caught(shown: Caught, paper: Paper) -> str:
    """Return what was caught, why, and what is done about it."""
    campaign, truth = shown.campaign, shown.truth
    bar = standing.campaign_bar(shown.report.verdicts, campaign)
    weighed = standing.explanations(campaign.evidence)
    refuted = "; ".join(f"{scenario_title(item.scenario)} {signed(item.log_e)}" for item in weighed)
    paper.head(f"Campaign {campaign.id}: {plural(len(campaign.accounts), 'account')} that act as one")
    lines = {
        "how sure": f"{signed(campaign.log_e)} nats, {signed(bar)} needed: so much evidence comes up by chance at most "
        f"{chance(campaign.log_e)}",
        "why": f"every honest explanation is refuted (nats against it): {refuted}",
        "linked by": listing([FAMILIES.get(name, name) for name in campaign.families]),
        "took": f"{plural(campaign.harvest, 'request')} with the campaign's content, {count(campaign.tokens_out)} "
        "answer tokens",
        "receipt": shown.receipt,
        "truth": f"{truth.found} of {truth.members} accounts of the campaign ({truth.label}) found; {truth.accused} of "
        f"{truth.honest} honest accounts accused",
        "action": _said(shown.action),
    }
    for name, text in lines.items():
        paper.say(text, bullet=f"  {name:10s}")
    return paper.text()


def _said(action: Action) -> str:
    effect = EFFECTS.get(action.kind, action.kind)
    if action.shadow:
        return f"{action.kind}, in shadow: written down for each request ({effect}), done to nobody"
    if action.kind == "allow" and action.expires > 0.0:
        return f"none: a person dismissed or released it, and that holds until {moment(action.expires)}"
    if action.kind == "allow":
        return "none: its verdict has not taken effect yet"
    return f"{action.kind}, in force since a person confirmed it"


def next_steps(commands: Commands, page: str, decided: bool, paper: Paper) -> str:
    """Return what to open and what to type; commands stand on lines of their own, unbroken.

    Args:
        commands: What can be typed.
        page: Path of the report.
        decided: Whether a person's decision is in force on the campaign; then nothing is asked.
        paper: Where it is written.
    """
    paper.head("Open")
    paper.lines.append(f"  {page}")
    if not decided:
        paper.head("Confirm it, and it bites (the one command; nothing is refused before)")
        paper.lines.append(f"  {commands.decide}")
    paper.head("Try, from another terminal")
    for why, command in (
        ("an account of the campaign: answered until you confirm, then refused", commands.member),
        ("an honest account: answered before and after", commands.bystander),
        ("the same from Python (pip install openai)", commands.python),
        ("what the account of the campaign is told of itself", commands.standing),
        ("then your own logs", commands.scan),
    ):
        paper.say(f"# {why}", indent=2, style=_DIM)
        paper.lines.append(f"  {command}")
    return paper.text()


def answers(by_teacher: int, replayed: int, teacher: str) -> str:
    """Return who answered, as it must be declared.

    >>> answers(47, 2505, "SmolLM2")
    '47 answers by SmolLM2, 2,505 replayed'
    """
    said = f"{count(by_teacher)} answers by {teacher}, " if teacher else "no answers by a model, "
    return f"{said}{count(replayed)} replayed"
