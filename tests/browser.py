"""A real Chromium for tests, and axe where it is there; both are peers.

Chromium and its driver are found on PATH. axe-core, a script of the npm package of that name, is named by
STILLWATCH_AXE.
"""

import contextlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException, WebDriverException
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webdriver import WebDriver

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
DRIVER = shutil.which("chromedriver")
AXE = os.environ.get("STILLWATCH_AXE", "")
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
)  # fmt: skip
needs_browser = pytest.mark.skipif(
    CHROMIUM is None or DRIVER is None, reason="peer: no Chromium with chromedriver on PATH; nothing is clicked here"
)
needs_axe = pytest.mark.skipif(
    not AXE or not Path(AXE).is_file(), reason="peer: STILLWATCH_AXE names no axe-core; accessibility is not checked"
)


@contextlib.contextmanager
def browsing(*, width: int = 1280, height: int = 900, dark: bool = False) -> Iterator[WebDriver]:
    """Open a browser with a profile of its own."""
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for flag in FLAGS:
        options.add_argument(flag)
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(str(DRIVER)))
    try:
        driver.set_page_load_timeout(60)
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
        yield driver
    finally:
        driver.quit()


def sign_in(driver: WebDriver, url: str, name: str, password: str) -> None:
    """Sign in to a console."""
    driver.get(f"{url}/login")
    driver.find_element(By.NAME, "name").send_keys(name)
    driver.find_element(By.NAME, "password").send_keys(password)
    driver.find_element(By.CSS_SELECTOR, "button.strong").click()
    until(lambda: "/login" not in driver.current_url, "signing in")


def until(met: Callable[[], Any], what: str, seconds: float = 60.0) -> Any:
    """Wait for something to be so; elements that a page has just replaced are looked for again."""
    end = time.monotonic() + seconds
    while True:
        with contextlib.suppress(StaleElementReferenceException, NoSuchElementException):
            if found := met():
                return found
        assert time.monotonic() < end, f"{what} did not come about in {seconds:g} s"
        time.sleep(0.2)


def text_of(driver: WebDriver) -> str:
    """Return what the page says."""
    with contextlib.suppress(WebDriverException):
        return driver.find_element(By.TAG_NAME, "body").text
    return ""


def serious(driver: WebDriver) -> list[str]:
    """Return what axe finds on the page that is serious or worse."""
    driver.execute_script(Path(AXE).read_text(encoding="utf-8"))
    found = driver.execute_async_script(
        "const done = arguments[0]; axe.run(document).then(r => done(r.violations.map(v => [v.impact, v.id,"
        " v.nodes[0].html])))"
    )
    return [f"{what}: {where}" for impact, what, where in found if impact in ("serious", "critical")]


def severe(driver: WebDriver) -> list[str]:
    """Return what the browser complains of: blocked scripts, styles, files that are not there."""
    return [entry["message"] for entry in driver.get_log("browser") if entry["level"] == "SEVERE"]
