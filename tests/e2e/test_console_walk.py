"""The whole walk in a real browser: a campaign appears while traffic runs, its evidence is read, a person confirms it,
it bites at the gateway, it appeals, two people hear that, and it is released.

The console is the one that `stillwatch run` starts; the time-lapse is shortened.
"""

import http.client
import json
import re
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.support.ui import Select

from tests.browser import browsing, needs_browser, severe, sign_in, text_of, until
from tests.e2e.command_line import Place
from tests.e2e.live_gateway import free_port

pytestmark = needs_browser
SEED, LAPSE = "3", "30"
PASSWORD = "a quiet harbour at dusk"


@dataclass
class Running:
    """One `stillwatch run`."""

    place: Place
    process: "subprocess.Popen[bytes]"
    console: str
    gateway: int
    password: str

    @property
    def state(self) -> Path:
        return self.place.folder / "stillwatch-run" / f"seed-{SEED}" / "state"

    def ask(self, account: str) -> tuple[int, dict[str, Any]]:
        """Call the gateway as one of the made-up accounts."""
        keys = json.loads((self.state.parent / "keys.json").read_bytes())
        connection = http.client.HTTPConnection("127.0.0.1", self.gateway, timeout=30)
        body = {"model": "atlas-small", "messages": [{"role": "user", "content": "Name three uses of iron."}]}
        headers = {"authorization": f"Bearer {keys[account]}", "content-type": "application/json"}
        try:
            connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def add(self, name: str, role: str) -> None:
        """Add a person as an operator does."""
        done = self.place.start("console", "users", "add", name, "--role", role, "--no-password", "--state", self.state)
        assert done.wait(60) == 0
        words = [*("console", "users", "password", name, "--password-stdin", "--state"), self.state]
        process = subprocess.Popen(self.place.command(*words), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                   cwd=self.place.folder, env=self.place.environment())  # fmt: skip
        process.communicate(f"{PASSWORD}\n".encode(), timeout=60)
        assert process.returncode == 0


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    place = Place(tmp_path_factory.mktemp("walk"))
    gateway, console = free_port(), free_port()
    process = place.start("run", "--seed", SEED, "--seconds", LAPSE, "--port", str(gateway), "--console-port",
                          str(console), "--no-teacher", "--quiet")  # fmt: skip
    assert process.stdout is not None
    said, found = "", None
    while found is None:
        line = process.stdout.readline().decode()
        assert line, said
        said += line
        found = re.search(r"password (\S+?)\)", said)
    try:
        yield Running(place, process, f"http://127.0.0.1:{console}", gateway, found[1])
    finally:
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=90)
        assert process.returncode == 0 and b"Traceback" not in err, err.decode(errors="replace")


def test_from_first_start_to_release(running: Running) -> None:
    with browsing() as driver:
        sign_in(driver, running.console, "you", running.password)
        assert "Nothing was judged yet" in text_of(driver) or "campaign" in text_of(driver)
        campaign = _appears(driver)
        member = _reads_the_evidence(driver, campaign)
        assert running.ask(member)[0] == 200
        _decides(driver, "confirm", "one template, one payer")
        status, answer = until(lambda: (found := running.ask(member))[0] == 403 and found, "the refusal")
        assert status == 403 and answer["error"]["code"] == "account_suspended"
        told = re.search(r"ap_[0-9a-f]+", json.dumps(answer))
        assert told is not None, "the refusal names an appeal id"
        _writes_the_appeal_down(driver, running, told[0], member)
        running.add("bo", "approver")
        _a_second_person_agrees(running)
        until(lambda: running.ask(member)[0] == 200, "the release")
        _the_trail_tells_all_of_it(driver, running)
        assert severe(driver) == []


def test_a_role_that_must_not_cannot(running: Running) -> None:
    running.add("vi", "viewer")
    with browsing(width=390) as driver:
        sign_in(driver, running.console, "vi", PASSWORD)
        until(lambda: "wait" in text_of(driver) or "campaign" in text_of(driver), "the overview")
        driver.get(f"{running.console}/queue")
        assert driver.find_elements(By.CSS_SELECTOR, "form.decide") == []
        script = (
            "const done = arguments[0]; fetch('/decide', {method: 'POST', body: new URLSearchParams({csrf:"
            " document.querySelector('[name=csrf]').value, subject: 'x', verb: 'confirm', reason: 'r'})})"
            ".then(answer => done(answer.status))"
        )
        assert driver.execute_async_script(script) == 403
        driver.get(f"{running.console}/people")
        assert driver.find_elements(By.CSS_SELECTOR, "form.decide, select") == []


def _appears(driver: WebDriver) -> str:
    """Wait on the overview, without touching it, until a campaign is there; return its id."""
    link = until(lambda: driver.find_elements(By.CSS_SELECTOR, "#verdicts .index a"), "the campaign", 120.0)[0]
    name: str = link.find_element(By.TAG_NAME, "b").text
    return name


def _reads_the_evidence(driver: WebDriver, campaign: str) -> str:
    """Open the campaign once traffic has settled, read what it must say, and return one of its accounts."""
    base = driver.current_url.split("/", 3)[0] + "//" + driver.current_url.split("/")[2]
    driver.get(f"{base}/campaign?id={quote(campaign)}")
    page = text_of(driver)
    assert "ruled out" in page and "What would clear it" in page and "Receipt" in page
    assert driver.find_elements(By.CSS_SELECTOR, "svg.graph, svg.strip") and "keyed skeletons" in page
    name: str = driver.find_element(By.CSS_SELECTOR, "#accounts td a").text
    return name


def _decides(driver: WebDriver, verb: str, reason: str) -> None:
    """Decide; while traffic runs the campaign may grow between reading and deciding, and is then read again."""

    def tried() -> bool:
        if driver.find_elements(By.CSS_SELECTOR, ".said.wrong"):
            driver.back()
            driver.refresh()
        driver.find_element(By.NAME, "reason").send_keys(reason)
        driver.find_element(By.CSS_SELECTOR, f"button[value={verb}]").click()
        until(lambda: driver.find_elements(By.CSS_SELECTOR, ".said"), "an answer")
        return "is confirmed" in text_of(driver)

    until(tried, "the confirmation")


def _writes_the_appeal_down(driver: WebDriver, running: Running, told: str, member: str) -> None:
    driver.get(f"{running.console}/appeals")
    driver.find_element(By.CSS_SELECTOR, "#open [name=account]").send_keys(told)
    driver.find_element(By.CSS_SELECTOR, "#open [name=statement]").send_keys("this is our regression suite")
    driver.find_element(By.CSS_SELECTOR, "#open button").click()
    until(lambda: f"Appeal {told} of account {member} is open" in text_of(driver), "the appeal")
    assert "You confirmed this verdict" in text_of(driver)
    driver.find_element(By.CSS_SELECTOR, "article [name=reason]").send_keys("the contract was seen")
    driver.find_element(By.CSS_SELECTOR, "button[value=grant]").click()
    until(lambda: "a second person has to agree" in text_of(driver), "the proposal")
    assert running.ask(member)[0] == 403, "one person alone releases nobody"


def _a_second_person_agrees(running: Running) -> None:
    with browsing(width=390, dark=True) as driver:
        sign_in(driver, running.console, "bo", PASSWORD)
        driver.get(f"{running.console}/queue")
        driver.find_element(By.CSS_SELECTOR, "button[value=agree]").click()
        until(lambda: "is granted" in text_of(driver), "the release")


def _the_trail_tells_all_of_it(driver: WebDriver, running: Running) -> None:
    driver.get(f"{running.console}/trail")
    page = text_of(driver)
    for what in ("decision", "appeal opened", "second person asked for", "proposal closed", "appeal answered"):
        assert what in page, what
    assert "you and bo" in page
    driver.get(f"{running.console}/people")
    role = Select(driver.find_element(By.ID, "role-bo"))
    assert role.first_selected_option.text == "approver"
    done = running.place.run("console", "audit", "--check", "--state", running.state)
    assert done.returncode == 0 and b"the chain holds" in done.stdout
