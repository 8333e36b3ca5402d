"""A console over a made-up state folder, for tests: three campaigns, published and indexed; people of every role."""

import contextlib
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from stillwatch.app.consoledoor import TokenAsk, make_token
from stillwatch.app.consolepages import Judged, publish_pages
from stillwatch.app.consoleserve import open_console
from stillwatch.app.consolestate import ConsoleState
from stillwatch.app.livefolder import LiveFolder
from stillwatch.app.settings import Settings
from stillwatch.console.passwords import hashed
from stillwatch.console.records import Skeleton
from stillwatch.console.report import Report
from stillwatch.console.web import console_app
from stillwatch.gateway.published import Published, write_published
from stillwatch.policy.hold import DAY
from stillwatch.store.pageindex import PageIndex
from stillwatch.terms.account import AccountRecord
from stillwatch.terms.action import Held
from stillwatch.terms.person import ROLES, Person
from tests.console_fixture import report as fixture_report
from tests.proof_rig import built, examined, made_state

PASSWORD = "correct horse battery"


@cache
def _kept() -> str:
    """Return what is kept of everybody's password; made once, since it costs on purpose."""
    return hashed(PASSWORD)


def held_of(report: Report, now: float) -> dict[str, Held]:
    """Return what a watcher would publish of a report."""
    found = {}
    for campaign in report.verdicts.campaigns:
        if campaign.accused:
            for account in campaign.accounts:
                name = report.name(account)
                found[name] = Held(account=name, log_e=campaign.log_e, accused=True, campaign=campaign.id,
                                   families=campaign.families, since=now - DAY, effective=now - DAY / 2,
                                   expires=now + 7 * DAY)  # fmt: skip
    return found


def publish(folder: Path, report: Report, now: float, generation: int = 1) -> Published:
    """Write verdicts, report and page index as a judgement does."""
    live = LiveFolder(folder).made()
    published = Published(generation=generation, made_at=now, judged_until=now - 60.0, held=held_of(report, now))
    write_published(live.published, published)
    skeletons = {c.id: (Skeleton(key="3fa9c1", accounts=len(c.accounts), requests=c.requests),
                        Skeleton(key="77d210", accounts=6, requests=12)) for c in report.verdicts.campaigns
                 if c.accused}  # fmt: skip
    with PageIndex(live.pages) as index:
        publish_pages(index, Judged(report=report, published=published, skeletons=skeletons, week=()))
    return published


class Rig:
    """A console, and browsers for it."""

    def __init__(self, folder: Path, settings: Settings | None = None, *, roles: tuple[str, ...] = ROLES) -> None:
        self.folder, self.now = folder, time.time()
        self.report = replace(fixture_report(), live=True)
        publish(folder, self.report, self.now)
        self.state = ConsoleState(folder, settings or Settings())
        for role in roles:
            self.state.people.add(Person(name=role, role=role, created=self.now), _kept())
        self.console = open_console(self.state)
        self.app = console_app(self.console)

    def browser(self) -> TestClient:
        """Return a browser that is not signed in."""
        return TestClient(self.app, base_url="http://console.test", follow_redirects=False)

    def signed_in(self, name: str) -> "Browser":
        """Return a browser of somebody signed in, without the cost of a password."""
        browser = self.browser()
        browser.cookies.set("stillwatch_console", self.console.door.begin(name, "test"))
        return Browser(browser)

    def token(self, person: str, role: str = "") -> dict[str, str]:
        """Return the headers of an API call."""
        made = make_token(self.state.people, TokenAsk(person=person, role=role or person), time.time())
        return {"authorization": f"Bearer {made.secret}"}

    def campaign(self, number: int = 0) -> Any:
        """Return an accused campaign of the report."""
        return self.report.verdicts.campaigns[number]

    def member(self, campaign: int = 0, number: int = 0) -> str:
        """Return the name of one of its accounts."""
        return self.report.name(self.campaign(campaign).accounts[number])

    def exhibit(self) -> None:
        """Put a dossier of this state's own ledger, and a scorecard of the lab, where the pages look for them."""
        made_state(self.folder)
        examined(self.folder, self.folder.parent / f"{self.folder.name}-exam")
        built(self.folder, self.folder.parent / f"{self.folder.name}-exam", self.folder / "dossiers" / "suspect-7b")
        card = self.folder / "lab" / "standard" / "scorecard.json"
        card.parent.mkdir(parents=True)
        card.write_bytes((resources.files("stillwatch.lab.economics") / "data" / "standard.json").read_bytes())

    def organise(self, account: str, organisation: str) -> None:
        """Give an account an organisation that was verified."""
        record = AccountRecord(account=account, organisation=organisation, verified=("organisation",))
        self.state.book.put_account(record)


class Browser:
    """Somebody signed in."""

    def __init__(self, client: TestClient) -> None:
        self.client = client

    def get(self, path: str, status: int = 200) -> str:
        """Return a page."""
        answer = self.client.get(path)
        assert answer.status_code == status, (path, answer.status_code, answer.text[:2000])
        return answer.text

    def send(self, path: str, status: int = 303, **form: Any) -> str:
        """Send a form with this session's own token; return the page that says what came of it."""
        csrf = re.search(r'name="csrf" value="([^"]+)"', self.get("/queue"))
        assert csrf is not None
        answer = self.client.post(path, data={"csrf": csrf[1], **form})
        assert answer.status_code == status, (path, answer.status_code, answer.text[:2000])
        return self.get(answer.headers["location"]) if status == 303 else answer.text


@contextlib.contextmanager
def rigged(folder: Path, **more: Any) -> Iterator[Rig]:
    """Make a rig, and close it."""
    rig = Rig(folder, **more)
    try:
        yield rig
    finally:
        rig.state.close()
