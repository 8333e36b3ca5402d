"""Every page in a real browser, on a laptop and a phone, light and dark: it fits, loads nothing that is forbidden, and
axe finds nothing serious."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webdriver import WebDriver

from tests.browser import browsing, needs_axe, needs_browser, serious, severe, sign_in, text_of, until
from tests.console_rig import PASSWORD, Rig, rigged

pytestmark = needs_browser


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Rig, str]]:
    """A console with one of everything, on a port."""
    with rigged(tmp_path_factory.mktemp("access")) as rig:
        rig.exhibit()
        rig.organise(rig.member(1), "Example Labs")
        analyst = rig.signed_in("analyst")
        analyst.send("/decide", subject=rig.campaign(1).id, verb="confirm", reason="seen", kind="campaign")
        analyst.send("/decide", subject=rig.member(2), verb="confirm", reason="seen", kind="account")
        analyst.send("/appeal/open", account=rig.member(2), statement="ours")
        with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
            server = uvicorn.Server(uvicorn.Config(rig.app, log_config=None, access_log=False, lifespan="off"))
            thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
            thread.start()
            yield rig, f"http://127.0.0.1:{listener.getsockname()[1]}"
            server.should_exit = True
            thread.join(10)


def paths(rig: Rig) -> list[str]:
    return [
        "/", "/campaigns?show=all", f"/campaign?id={rig.campaign().id}", "/accounts", f"/account?name={rig.member(2)}",
        "/queue", "/decisions", "/appeals", "/policy", "/keys", "/dossiers", "/dossier?name=suspect-7b", "/scorecards",
        f"/scorecard?name={rig.console.views.scorecards().items[0].id}", "/compliance", "/trail", "/people",
    ]  # fmt: skip


@pytest.fixture(scope="module")
def laptop(served: tuple[Rig, str]) -> Iterator[WebDriver]:
    """A browser that is signed in."""
    with browsing() as driver:
        sign_in(driver, served[1], "admin", PASSWORD)
        yield driver


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_every_page_fits_and_loads_nothing_that_is_forbidden(served: tuple[Rig, str], width: int, dark: bool) -> None:
    rig, url = served
    with browsing(width=width, dark=dark) as driver:
        sign_in(driver, url, "admin", PASSWORD)
        for path in paths(rig):
            driver.get(url + path)
            wide = driver.execute_script("return document.documentElement.scrollWidth")
            assert wide <= width, (path, wide)
        assert severe(driver) == []


@needs_axe
@pytest.mark.parametrize(("width", "dark"), [(1280, True), (390, False)])
def test_axe_finds_nothing_serious(served: tuple[Rig, str], width: int, dark: bool) -> None:
    rig, url = served
    with browsing(width=width, dark=dark) as driver:
        driver.get(f"{url}/login")
        assert serious(driver) == []
        sign_in(driver, url, "admin", PASSWORD)
        for path in paths(rig):
            driver.get(url + path)
            assert serious(driver) == [], path


def test_the_keyboard_alone_reaches_and_decides(served: tuple[Rig, str], laptop: WebDriver) -> None:
    rig, url = served
    driver = laptop
    driver.get(f"{url}/account?name={rig.member(0, 5)}")
    driver.find_element(By.TAG_NAME, "body").send_keys(Keys.TAB)
    assert driver.switch_to.active_element.text.startswith("Skip")
    driver.switch_to.active_element.send_keys(Keys.ENTER)
    for _ in range(40):
        driver.switch_to.active_element.send_keys(Keys.TAB)
        if driver.switch_to.active_element.get_attribute("name") == "reason":
            break
    driver.switch_to.active_element.send_keys("a class of students", Keys.TAB, Keys.TAB)
    for _ in range(4):
        if driver.switch_to.active_element.get_attribute("value") == "dismiss":
            break
        driver.switch_to.active_element.send_keys(Keys.TAB)
    driver.switch_to.active_element.send_keys(Keys.ENTER)
    until(lambda: "is dismissed" in text_of(driver), "the decision")


def test_what_is_typed_is_not_lost_when_something_new_comes(served: tuple[Rig, str], laptop: WebDriver) -> None:
    rig, url = served
    driver = laptop
    driver.get(f"{url}/account?name={rig.member(0, 6)}")
    field = driver.find_element(By.NAME, "reason")
    field.send_keys("half a sentence")
    time.sleep(1.5)
    rig.organise("somebody else", "Elsewhere")
    until(lambda: driver.find_element(By.ID, "news").is_displayed(), "the notice")
    assert driver.find_element(By.NAME, "reason").get_attribute("value") == "half a sentence"
