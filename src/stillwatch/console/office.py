"""What the console's pages ask of the rest: one port for looking, one for changing, one for signing in.

In: names and numbers from a request. Out: records of `records`; None where there is no such thing.
Left to `app`: answering. Every method may be called from any thread.
"""

from dataclasses import dataclass
from typing import Any, Protocol

from stillwatch.console import records as r
from stillwatch.terms.person import SignedIn


@dataclass(frozen=True, slots=True)
class Me:
    """Who acts: a person in a role, through one door."""

    name: str
    role: str
    how: str
    """`console` or `api`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A decision that a person wants."""

    subject: str
    verb: str
    reason: str
    days: float = 30.0
    kind: str = ""
    seen: int = 0
    """Accounts that the person read of; refused where more have joined since. 0 does not check."""


class Views(Protocol):
    """Looking."""

    def stamp(self) -> str:
        """Return what changes whenever a page may have changed; cheap to ask each second."""
        ...

    def waiting(self) -> int:
        """Return how much waits for a person: verdicts, proposals, appeals."""
        ...

    def overview(self) -> r.Overview:
        """Return the first page."""
        ...

    def campaigns(self, start: int, limit: int, accused: bool | None) -> r.CampaignList:
        """Return a part of the campaigns by rank."""
        ...

    def campaign(self, name: str) -> r.CampaignPage | None:
        """Return one campaign."""
        ...

    def campaign_card(self, name: str) -> dict[str, Any] | None:
        """Return what `cards.campaign` draws of it."""
        ...

    def members(self, name: str, start: int, limit: int) -> r.MemberList | None:
        """Return a part of its accounts."""
        ...

    def accounts(self, starts: str, after: str, limit: int) -> r.AccountList:
        """Return a part of the accounts: by rank, or by name where `starts` or `after` is given."""
        ...

    def account(self, name: str) -> r.AccountPage | None:
        """Return one account."""
        ...

    def queue(self) -> r.Queue:
        """Return what waits."""
        ...

    def proposals(self) -> r.ProposalList:
        """Return the open proposals."""
        ...

    def decisions(self, before: int | None, limit: int) -> r.DecisionList:
        """Return decisions, newest first."""
        ...

    def appeals(self) -> r.AppealList:
        """Return appeals, open ones first."""
        ...

    def appeal(self, name: str) -> r.AppealLine | None:
        """Return one appeal."""
        ...

    def policy(self) -> r.PolicyPage:
        """Return the rules and whom they would touch."""
        ...

    def simulate(self, toml: str) -> r.Simulation:
        """Return whom other rules would touch.

        Raises:
            StillwatchError: they are no rules.
        """
        ...

    def keys(self) -> r.KeysPage:
        """Return epochs, doses and canaries."""
        ...

    def dossiers(self) -> r.DossierList:
        """Return the dossiers."""
        ...

    def dossier(self, name: str) -> r.DossierPage | None:
        """Return one dossier."""
        ...

    def dossier_file(self, name: str, file: str) -> tuple[bytes, str] | None:
        """Return content and name of a file of a dossier; None for what is handed out to nobody."""
        ...

    def scorecards(self) -> r.ScorecardList:
        """Return the lab's scorecards."""
        ...

    def scorecard(self, name: str) -> r.ScorecardPage | None:
        """Return one scorecard by its id."""
        ...

    def scorecard_file(self, name: str, file: str) -> tuple[bytes, str] | None:
        """Return content and name of a file of a scorecard; None for any other file."""
        ...

    def compliance(self) -> r.CompliancePage:
        """Return this installation held against the controls that auditors cite."""
        ...

    def trail(self, before: int | None, limit: int) -> r.TrailList:
        """Return changes, newest first."""
        ...

    def people(self) -> r.PeopleList:
        """Return people and tokens."""
        ...


class Changes(Protocol):
    """Changing; each method checks the role, and raises StillwatchError for what cannot be done.

    Raises:
        Forbidden: the person may not.
    """

    def decide(self, me: Me, wish: Wish) -> r.Done:
        """Decide, or propose where two people are needed."""
        ...

    def close(self, me: Me, number: int, agree: bool) -> r.Done:
        """Agree to a proposal, or turn it down; who proposed it may withdraw it."""
        ...

    def open_appeal(self, me: Me, account: str, statement: str) -> r.Done:
        """Write down an appeal."""
        ...

    def answer_appeal(self, me: Me, wish: Wish) -> r.Done:
        """Answer one: `wish.subject` is its id, `wish.verb` is `grant` or `refuse`."""
        ...

    def add_person(self, me: Me, name: str, role: str, subject: str) -> r.Done:
        """Add a person; a password is set at the command line."""
        ...

    def change_person(self, me: Me, name: str, role: str, disabled: bool | None) -> r.Done:
        """Change a role (empty leaves it), disable or enable."""
        ...

    def revoke_token(self, me: Me, token: str) -> r.Done:
        """End a token: one's own, or anybody's for who may."""
        ...


class Door(Protocol):
    """Signing in."""

    def anyone(self) -> bool:
        """Return whether there is anybody who could sign in."""
        ...

    def check(self, name: str, password: str, address: str) -> str:
        """Return the person's name; empty where name and password do not fit.

        Raises:
            TooSoon: after too many failures.
        """
        ...

    def person_of(self, subject: str) -> str:
        """Return the person of an identity provider's subject; empty for nobody."""
        ...

    def begin(self, name: str, how: str) -> str:
        """Begin a session and return its secret."""
        ...

    def session(self, secret: str, *, quiet: bool) -> tuple[SignedIn, str] | None:
        """Return the session and, where its secret is due to change, the new one; None where it is no good.

        Args:
            secret: From the cookie.
            quiet: Asked by the page itself, not by the person: it does not keep the session from idling out.
        """
        ...

    def end(self, secret: str) -> None:
        """Sign out."""
        ...

    def bearer(self, secret: str) -> Me | None:
        """Return who holds a token."""
        ...


class Forbidden(Exception):
    """The person may not do it; answered with 403."""


class TooSoon(Exception):
    """Too many failures; answered with 429. The argument is the seconds to wait."""
