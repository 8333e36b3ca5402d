"""What people change by the console or its API: checked by role, by what needs two people, and kept in the trail.

In: who acts, and what is wanted. Out: what came of it. Everything is decided by the same functions as the command line
(`decide`, `appeals`), within one change of the control file, so that the trail and the change are kept both or none.
Two people have to agree where an organisation is confirmed or asked to prove itself, or anybody is where the settings
say so; where who confirmed a verdict hears its appeal; and to what was proposed at the shell.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from stillwatch.app import consoledoor
from stillwatch.app.appeals import Answer, account_told, answer_appeal, open_appeal
from stillwatch.app.consolestate import ConsoleState
from stillwatch.app.controlnames import check_text
from stillwatch.app.decide import MOST_DAYS, Ask, decide
from stillwatch.app.proposals import confirmers, propose, stated_name
from stillwatch.app.subjects import Claim, matching
from stillwatch.console import records as r
from stillwatch.console.office import Forbidden, Me, Wish
from stillwatch.console.rights import MEANING, may
from stillwatch.terms.action import CLEARING, VERBS
from stillwatch.terms.errors import StillwatchError
from stillwatch.terms.person import Actor, Proposal, acting_as

DONE: Final = {
    "confirm": "confirmed",
    "dismiss": "dismissed",
    "release": "released",
    "step_up": "asked to prove itself",
}


class ConsoleChanges:
    """`console.office.Changes` over a state folder."""

    def __init__(self, open_state: ConsoleState, clock: Callable[[], float] = time.time) -> None:
        self._s, self._clock = open_state, clock

    # ---- verdicts ----

    def decide(self, me: Me, wish: Wish) -> r.Done:
        """Decide, or propose where two people are needed.

        Raises:
            Forbidden: the role is not enough.
            StillwatchError: there is nothing to decide on, or more accounts have joined than the person read of.
        """
        self._need(me, "decide")
        now, book = self._clock(), self._s.book
        claims = self._s.claims_on(wish.subject)
        self._check_seen(wish, claims)
        ask = Ask(subject=wish.subject, verb=wish.verb, by=me.name, reason=wish.reason, days=wish.days, kind=wish.kind)
        with acting_as(Actor(me.name, me.how)), book.changing():
            tried = decide(book, ask, claims, now, dry_run=True)
            why = self._two_people(wish.verb, tried.decision.accounts)
            if why:
                number = propose(
                    self._s.people,
                    Proposal(kind="decision", subject=wish.subject, verb=wish.verb, by=me.name, reason=wish.reason,
                             days=wish.days, why=why, receipt=tried.decision.receipt, at=now),
                )  # fmt: skip
                return _proposed(number, why)
            done = decide(book, ask, claims, now)
        return _decided(done.decision.id, wish.subject, wish.verb, len(done.decision.accounts))

    def close(self, me: Me, number: int, agree: bool) -> r.Done:
        """Agree to a proposal, or turn it down; who proposed it may only withdraw it.

        Raises:
            Forbidden: the role is not enough, or the person may not be the second.
            StillwatchError: there is no such open proposal, or what was proposed cannot be done any more.
        """
        now, book, people = self._clock(), self._s.book, self._s.people
        with acting_as(Actor(me.name, me.how)), book.changing():
            found = people.proposal(number)
            if found is None or found.state != "open":
                raise StillwatchError(f"proposal {number}: is not open; see the queue for those that are.")
            if not agree:
                self._need(me, "decide" if stated_name(found.by) == me.name else "second")
                people.close_proposal(number, "withdrawn", me.name, now)
                return r.Done(message=f"Proposal {number} is withdrawn.", state="done", proposal=number)
            self._check_second(me, found)
            people.close_proposal(number, "agreed", me.name, now)
            if found.kind == "appeal":
                done = self._answer(found.subject, found.verb, f"{found.by} and {me.name}", found, now)
            else:
                ask = Ask(subject=found.subject, verb=found.verb, by=f"{found.by} and {me.name}", reason=found.reason,
                          days=found.days)  # fmt: skip
                made = decide(book, ask, self._s.claims_on(found.subject), now).decision
                done = _decided(made.id, found.subject, found.verb, len(made.accounts))
        return replace(done, proposal=number)

    # ---- appeals ----

    def open_appeal(self, me: Me, account: str, statement: str) -> r.Done:
        """Write down an appeal in an account's name, or under the appeal id that the account was told.

        Raises:
            Forbidden: the role is not enough.
            StillwatchError: the account has an appeal open, or the id was told to nobody.
        """
        self._need(me, "open_appeal")
        book, now, appeal_id = self._s.book, self._clock(), ""
        if account.startswith("ap_"):
            appeal_id, account = account, account_told(account, book, self._s.facts(now).held, self._s.secret)
        with acting_as(Actor(me.name, me.how)):
            appeal = open_appeal(book, account, statement, now, appeal_id)
        return r.Done(message=f"Appeal {appeal.id} of account {account} is open.", state="done", appeal=appeal.id)

    def answer_appeal(self, me: Me, wish: Wish) -> r.Done:
        """Grant or refuse an appeal, or propose it where who answers confirmed the verdict.

        Raises:
            Forbidden: the role is not enough.
            StillwatchError: there is no such open appeal.
        """
        self._need(me, "answer_appeal")
        if wish.verb not in ("grant", "refuse"):
            raise StillwatchError(f"appeal {wish.verb[:40]!r}: must be grant or refuse.")
        _check_reason(wish)
        now, book = self._clock(), self._s.book
        with acting_as(Actor(me.name, me.how)), book.changing():
            appeal = next((a for a in book.appeals() if a.id == wish.subject), None)
            if appeal is None or appeal.state != "open":
                raise StillwatchError(f"appeal {wish.subject[:80]}: is not open.")
            about = [d for d in book.decisions() if appeal.account in d.accounts]
            one = Proposal(kind="appeal", subject=appeal.id, verb=wish.verb, by=me.name, reason=wish.reason,
                           days=wish.days, why=f"{me.name} confirmed the verdict and cannot hear its appeal alone",
                           at=now)  # fmt: skip
            if me.name in confirmers(about):
                return _proposed(propose(self._s.people, one), one.why)
            return self._answer(appeal.id, wish.verb, me.name, one, now)

    def _answer(self, appeal: str, verb: str, by: str, said: Proposal, now: float) -> r.Done:
        answer = Answer(id=appeal, grant=verb == "grant", by=by, reason=said.reason, days=said.days)
        done = answer_appeal(self._s.book, answer, now)
        told = f"Appeal {appeal} of account {done.appeal.account} is {done.appeal.state}."
        return r.Done(message=told, state="done", appeal=appeal, decision=done.release.id if done.release else None)

    # ---- people ----

    def add_person(self, me: Me, name: str, role: str, subject: str) -> r.Done:
        """Add a person; a password is set at the command line, where no page ever sees it."""
        self._need(me, "people")
        with acting_as(Actor(me.name, me.how)):
            consoledoor.add_person(
                self._s.people, consoledoor.NewPerson(name=name, role=role, subject=subject), self._clock()
            )
        return r.Done(message=f"{name} is added as {role}.", state="done")

    def change_person(self, me: Me, name: str, role: str, disabled: bool | None) -> r.Done:
        """Change a role (empty leaves it), disable or enable; nobody changes their own."""
        self._need(me, "people")
        if name == me.name:
            raise Forbidden("Nobody changes their own role; ask another admin.")
        if not role and disabled is None:
            raise StillwatchError(f"person {name[:64]!r}: nothing to change; give a role, or disabled.")
        people, now = self._s.people, self._clock()
        with acting_as(Actor(me.name, me.how)), self._s.book.changing():
            if role:
                consoledoor.change_role(people, name, role, now)
            if disabled is not None:
                consoledoor.set_disabled(people, name, disabled, now)
        return r.Done(message=f"{name} is changed.", state="done")

    def revoke_token(self, me: Me, token: str) -> r.Done:
        """End a token: one's own, or anybody's for an admin."""
        mine = any(t.id == token and t.person == me.name for t in self._s.people.tokens())
        if not mine:
            self._need(me, "people")
        with acting_as(Actor(me.name, me.how)):
            if not self._s.people.revoke_token(token, self._clock()):
                raise StillwatchError(f"token {token[:40]!r}: there is none that is good.")
        return r.Done(message=f"Token {token} is ended.", state="done")

    # ---- what holds for all of them ----

    def _need(self, me: Me, right: str) -> None:
        if not may(me.role, right):
            raise Forbidden(f"The role {me.role} may not {MEANING[right]}.")

    def _check_seen(self, wish: Wish, claims: tuple[Claim, ...]) -> None:
        if wish.verb not in VERBS:
            raise StillwatchError(f"decide {wish.verb[:40]!r}: must be one of {', '.join(VERBS)}.")
        claim = next((c for c in matching(claims, wish.subject) if wish.kind in ("", c.kind)), None)
        more = len(claim.accounts) + claim.nameless - wish.seen if claim is not None and wish.seen else 0
        if more > 0 and wish.verb not in CLEARING:
            raise StillwatchError(f"{wish.subject}: {more} accounts have joined since you read it; read it again.")

    def _two_people(self, verb: str, accounts: tuple[str, ...]) -> str:
        """Return why a second person has to agree; empty where nobody has to."""
        if verb in CLEARING:
            return ""
        if self._s.settings.console.two_people == "always":
            return "it may make rules bite, which takes two people here"
        names = sorted(set(self._s.people.organisations(accounts).values()))
        if not names:
            return ""
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        return f"it touches the organisation {names[0]}{more}"

    def _check_second(self, me: Me, found: Proposal) -> None:
        self._need(me, "second" if found.kind == "decision" else "answer_appeal")
        if stated_name(found.by) == me.name:
            raise Forbidden("Who proposed it cannot agree to it; another person has to.")
        if found.kind == "appeal":
            appeal = next((a for a in self._s.book.appeals() if a.id == found.subject), None)
            about = [d for d in self._s.book.decisions() if appeal is not None and appeal.account in d.accounts]
            if me.name in confirmers(about):
                raise Forbidden("Both of you confirmed the verdict; somebody who did not has to hear the appeal.")


def _check_reason(wish: Wish) -> None:
    check_text("reason", wish.reason, at_most=1000, needed=True)
    if not 0.0 < wish.days <= MOST_DAYS:
        raise StillwatchError(f"days {wish.days:g}: must be above 0 and at most {MOST_DAYS:g}.")


def _proposed(number: int, why: str) -> r.Done:
    return r.Done(message=f"Proposed (number {number}): {why}, so a second person has to agree.", state="proposed",
                  proposal=number)  # fmt: skip


def _decided(number: int, subject: str, verb: str, accounts: int) -> r.Done:
    many = f", {accounts} accounts" if accounts > 1 else ""
    return r.Done(message=f"{subject} is {DONE[verb]}{many}; decision {number}.", state="done", decision=number)
