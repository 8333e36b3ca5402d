"""The JSON API as a table: each operation with what it takes, what it gives, and the right it needs.

In: nothing. Out: `OPERATIONS`, from which routes and the OpenAPI document are both made, so that they cannot differ.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from stillwatch.console import records as r
from stillwatch.console.office import Changes, Me, Views, Wish
from stillwatch.console.rights import rights_of

Reason = Annotated[
    str, Meta(min_length=1, max_length=1000, description="Why, in one line, for whoever reads it later.")
]
Name = Annotated[str, Meta(min_length=1, max_length=200)]
Days = Annotated[float, Meta(gt=0, le=366, description="How long it holds, days.")]


class DecisionBody(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A decision on a verdict."""

    subject: Name
    verb: Literal["confirm", "dismiss", "release", "step_up"]
    reason: Reason
    days: Days = 30.0
    kind: Literal["", "account", "campaign"] = ""
    seen: Annotated[float, Meta(ge=0, le=100_000_000, description="Accounts that you read of; 0 does not check.")] = 0.0


class CloseBody(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What a second person says of a proposal."""

    agree: bool


class AppealBody(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """An appeal that an account's holder made."""

    account: Annotated[str, Meta(min_length=1, max_length=200, description="Account, or the appeal id it was told.")]
    statement: Annotated[str, Meta(max_length=4000)] = ""


class AnswerBody(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The answer to an appeal."""

    verb: Literal["grant", "refuse"]
    reason: Reason
    days: Days = 30.0


class RulesBody(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Rules to try on the last week."""

    rules: Annotated[str, Meta(max_length=60_000, description="TOML: `[policy]` of a settings file.")]


class PersonBody(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A person to add."""

    name: Annotated[str, Meta(pattern="^[a-z0-9][a-z0-9_.@-]{0,39}$")]
    role: Literal["viewer", "analyst", "approver", "admin"]
    subject: Annotated[str, Meta(max_length=200)] = ""


class PersonChange(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What to change of a person."""

    role: Literal["", "viewer", "analyst", "approver", "admin"] = ""
    disabled: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One part of the path, or of the query."""

    name: str
    where: str
    """`path` or `query`."""
    kind: str
    """`string`, `integer` or `boolean`."""
    about: str
    low: int = 0
    high: int = 1_000_000_000
    default: Any = None


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, checked."""

    me: Me
    views: Views
    changes: Changes
    given: dict[str, Any]
    body: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One thing that can be asked."""

    method: str
    path: str
    name: str
    about: str
    gives: type[Any]
    answer: Callable[[Asked], Any]
    """Returns a record; None where there is no such thing."""
    right: str = "look"
    takes: tuple[Parameter, ...] = ()
    body: type[Any] | None = None


_START: Final = Parameter(name="start", where="query", kind="integer", about="First line, from 0.", default=0)
_LIMIT: Final = Parameter(name="limit", where="query", kind="integer", about="Lines at most.", low=1, high=200,
                          default=50)  # fmt: skip
_BEFORE: Final = Parameter(name="before", where="query", kind="integer", about="Number below which to go on.", low=1)


def _path(name: str, about: str, kind: str = "string") -> Parameter:
    return Parameter(name=name, where="path", kind=kind, about=about, low=1)


OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation(
        method="GET", path="/me", name="me", about="Who asks, and what they may do.", gives=r.Me,
        answer=lambda q: r.Me(name=q.me.name, role=q.me.role, may=rights_of(q.me.role)),
    ),
    Operation(
        method="GET", path="/overview", name="overview", about="Traffic, verdicts, promised and realised errors.",
        gives=r.Overview, answer=lambda q: q.views.overview(),
    ),
    Operation(
        method="GET", path="/campaigns", name="campaigns", about="Campaigns by rank, accused ones first.",
        gives=r.CampaignList, takes=(
            _START, _LIMIT,
            Parameter(name="accused", where="query", kind="boolean", about="Only these; left out: all."),
        ),
        answer=lambda q: q.views.campaigns(q.given["start"], q.given["limit"], q.given["accused"]),
    ),
    Operation(
        method="GET", path="/campaigns/{campaign}", name="campaign", about="One campaign.", gives=r.CampaignPage,
        takes=(_path("campaign", "Its id."),), answer=lambda q: q.views.campaign(q.given["campaign"]),
    ),
    Operation(
        method="GET", path="/campaigns/{campaign}/accounts", name="members", about="Its accounts, strongest first.",
        gives=r.MemberList, takes=(_path("campaign", "Its id."), _START, _LIMIT),
        answer=lambda q: q.views.members(q.given["campaign"], q.given["start"], q.given["limit"]),
    ),
    Operation(
        method="GET", path="/accounts", name="accounts", about="Judged accounts by rank, or any by start of name.",
        gives=r.AccountList, takes=(
            Parameter(name="starts", where="query", kind="string", about="Start of the name.", high=200, default=""),
            Parameter(name="after", where="query", kind="string", about="`next` of the part before.", high=200,
                      default=""), _LIMIT,
        ),
        answer=lambda q: q.views.accounts(q.given["starts"], q.given["after"], q.given["limit"]),
    ),
    Operation(
        method="GET", path="/accounts/{account}", name="account", about="One account.", gives=r.AccountPage,
        takes=(_path("account", "Its name."),), answer=lambda q: q.views.account(q.given["account"]),
    ),
    Operation(method="GET", path="/queue", name="queue", about="What waits for a person.", gives=r.Queue,
              answer=lambda q: q.views.queue()),
    Operation(
        method="GET", path="/decisions", name="decisions", about="Decisions, newest first.", gives=r.DecisionList,
        takes=(_BEFORE, _LIMIT), answer=lambda q: q.views.decisions(q.given["before"], q.given["limit"]),
    ),
    Operation(
        method="POST", path="/decisions", name="decide", right="decide", body=DecisionBody, gives=r.Done,
        about="Decide on a verdict, or propose it where two people have to agree.",
        answer=lambda q: q.changes.decide(q.me, Wish(
            subject=q.body.subject, verb=q.body.verb, reason=q.body.reason, days=q.body.days, kind=q.body.kind,
            seen=int(q.body.seen),
        )),
    ),
    Operation(
        method="POST", path="/proposals/{proposal}", name="close", right="decide", body=CloseBody, gives=r.Done,
        about="Agree to a proposal as the second person, or turn it down.",
        takes=(_path("proposal", "Its number.", "integer"),),
        answer=lambda q: q.changes.close(q.me, q.given["proposal"], q.body.agree),
    ),
    Operation(method="GET", path="/appeals", name="appeals", about="Appeals, open ones first.", gives=r.AppealList,
              answer=lambda q: q.views.appeals()),
    Operation(
        method="POST", path="/appeals", name="open_appeal", right="open_appeal", body=AppealBody, gives=r.Done,
        about="Write down an appeal.",
        answer=lambda q: q.changes.open_appeal(q.me, q.body.account, q.body.statement),
    ),
    Operation(
        method="GET", path="/appeals/{appeal}", name="appeal", about="One appeal.", gives=r.AppealLine,
        takes=(_path("appeal", "Its id."),), answer=lambda q: q.views.appeal(q.given["appeal"]),
    ),
    Operation(
        method="POST", path="/appeals/{appeal}/answer", name="answer_appeal", right="answer_appeal", body=AnswerBody,
        gives=r.Done, about="Grant or refuse an appeal, or propose it where you confirmed the verdict.",
        takes=(_path("appeal", "Its id."),),
        answer=lambda q: q.changes.answer_appeal(q.me, Wish(
            subject=q.given["appeal"], verb=q.body.verb, reason=q.body.reason, days=q.body.days,
        )),
    ),
    Operation(method="GET", path="/policy", name="policy", about="The rules, and whom they would have touched.",
              gives=r.PolicyPage, answer=lambda q: q.views.policy()),
    Operation(
        method="POST", path="/policy/simulation", name="simulate", right="try_policy", body=RulesBody,
        gives=r.Simulation, about="Who would have been affected last week by other rules; nothing is changed.",
        answer=lambda q: q.views.simulate(q.body.rules),
    ),
    Operation(method="GET", path="/keys", name="keys", about="Epochs, doses and canaries; never a secret.",
              gives=r.KeysPage, answer=lambda q: q.views.keys()),
    Operation(method="GET", path="/dossiers", name="dossiers", about="Dossiers, newest first.", gives=r.DossierList,
              answer=lambda q: q.views.dossiers()),
    Operation(
        method="GET", path="/dossiers/{dossier}", name="dossier", about="One dossier: conclusion, findings, seal.",
        gives=r.DossierPage, takes=(_path("dossier", "Name of its folder."),),
        answer=lambda q: q.views.dossier(q.given["dossier"]),
    ),
    Operation(method="GET", path="/scorecards", name="scorecards", about="Scorecards of the lab, newest first.",
              gives=r.ScorecardList, answer=lambda q: q.views.scorecards()),
    Operation(
        method="GET", path="/scorecards/{scorecard}", name="scorecard", gives=r.ScorecardPage,
        about="One scorecard: what was kept, what it cost whom.", takes=(_path("scorecard", "Its id."),),
        answer=lambda q: q.views.scorecard(q.given["scorecard"]),
    ),
    Operation(method="GET", path="/compliance", name="compliance", gives=r.CompliancePage,
              about="This installation held against the controls that auditors cite; every mapping is ours.",
              answer=lambda q: q.views.compliance()),
    Operation(
        method="GET", path="/trail", name="trail", about="The audit trail, newest first.", gives=r.TrailList,
        takes=(_BEFORE, _LIMIT), answer=lambda q: q.views.trail(q.given["before"], q.given["limit"]),
    ),
    Operation(method="GET", path="/people", name="people", about="People and tokens.", gives=r.PeopleList,
              right="people", answer=lambda q: q.views.people()),
    Operation(
        method="POST", path="/people", name="add_person", right="people", body=PersonBody, gives=r.Done,
        about="Add a person; the password is set at the command line.",
        answer=lambda q: q.changes.add_person(q.me, q.body.name, q.body.role, q.body.subject),
    ),
    Operation(
        method="POST", path="/people/{person}", name="change_person", right="people", body=PersonChange, gives=r.Done,
        about="Change a role, disable or enable.", takes=(_path("person", "Their name."),),
        answer=lambda q: q.changes.change_person(q.me, q.given["person"], q.body.role, q.body.disabled),
    ),
    Operation(
        method="POST", path="/tokens/{token}/end", name="end_token", gives=r.Done, about="End a token.",
        takes=(_path("token", "Its id."),), answer=lambda q: q.changes.revoke_token(q.me, q.given["token"]),
    ),
)  # fmt: skip
"""Everything that can be asked, in the order in which it is documented."""
