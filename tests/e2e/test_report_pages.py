"""The report in a real browser: it fits every width, and its script runs under its own policy."""

import re
import shutil
import struct
import subprocess
from html import escape
from pathlib import Path

import pytest

from stillwatch.console import render_html
from tests import console_fixture

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)
SCHEMES = {"dark": 0, "light": 1}
pytestmark = pytest.mark.skipif(BROWSER is None, reason="peer: no Chromium on PATH; the report is not drawn here")


def browse(tmp_path: Path, page: str, width: int, *more: str) -> str:
    """Open `page` at `width` px in a fresh profile and return the document after its script ran."""
    file = tmp_path / "report.html"
    file.write_text(page, "utf-8")
    size = f"--window-size={width},1200"
    command = [str(BROWSER), *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", size, *more, file.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=90, check=True).stdout


def test_the_page_s_own_script_runs_under_its_policy(tmp_path: Path) -> None:
    document = browse(tmp_path, render_html(console_fixture.report()), 1280, "--dump-dom")
    assert document.count('type="button"') >= 4 and 'type="search"' in document


@pytest.mark.parametrize("width", [380, 768, 1280, 1600])
def test_nothing_sticks_out_sideways(tmp_path: Path, width: int) -> None:
    """The page stands in a frame of that width, because a browser window has a least width of its own."""
    page = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", render_html(console_fixture.report()))
    probe = "document.body.dataset.wide = this.contentDocument.documentElement.scrollWidth"
    frame = f'<iframe width="{width}" height="900" frameborder="0" onload="{probe}" srcdoc="{escape(page)}"></iframe>'
    wide = re.search(r'data-wide="(\d+)"', browse(tmp_path, f"<!DOCTYPE html><body>{frame}", 1700, "--dump-dom"))
    assert wide and int(wide[1]) <= width


@pytest.mark.parametrize("scheme", sorted(SCHEMES))
def test_both_colour_schemes_are_drawn(tmp_path: Path, scheme: str) -> None:
    shot = tmp_path / "shot.png"
    dark = f"--blink-settings=preferredColorScheme={SCHEMES[scheme]}"
    browse(tmp_path, render_html(console_fixture.report()), 400, dark, f"--screenshot={shot}")
    data = shot.read_bytes()
    assert struct.unpack(">II", data[16:24]) == (400, 1200)
    assert len(data) > 30_000
