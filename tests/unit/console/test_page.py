"""The HTML report: self-contained, safe against its input, readable without script."""

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.console import Report, render_html
from tests import console_fixture

VOID = {"meta", "link", "br", "hr", "img", "input", "wbr", "source", "col"}
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</style><style>*{display:none}",
    "{{ 7 * 7 }}{% raw %}",
    "a\x00b\x1b]0;title\x07\u202egnp.exe\ud800",
    "&lt;already&gt;",
]


class Reader(HTMLParser):
    """Notes what is open, what is asked for, and which ids stand where."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.errors: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        if len(set(names)) != len(names):
            self.errors.append(f"attribute twice in {tag}: {names}")
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.errors.append(f"</{tag}> closes nothing at line {self.getpos()[0]}")

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def read(page: str) -> Reader:
    """Parse `page` to its end."""
    reader = Reader()
    reader.feed(page)
    reader.close()
    return reader


@pytest.fixture(scope="module")
def page() -> str:
    return render_html(console_fixture.report())


def every_report() -> list[Report]:
    """The full scan, and the ways in which one can be bare."""
    full = console_fixture.report()
    empty = replace(
        full,
        verdicts=replace(full.verdicts, campaigns=(), accounts=(), looked_at=0, notes=(), figures={}),
        names={},
        inputs=(),
        coverage=(),
        timeline={},
        edges={},
        prices=None,
        error=replace(full.error, measured=()),
    )
    lone = replace(full.verdicts.accounts[-1], accused=True, log_e=9.0)
    alone = replace(full, verdicts=replace(full.verdicts, campaigns=(), accounts=(lone,), calibrated=True))
    memberless = replace(full.verdicts.campaigns[0], accounts=(), account_log_e=(), families=(), evidence=())
    bare = replace(full, verdicts=replace(full.verdicts, campaigns=(memberless,), accounts=()), timeline={}, edges={})
    return [full, console_fixture.report(sizes=()), console_fixture.report(candidates=0, honest=0), empty, alone, bare]


@pytest.mark.parametrize("report", every_report())
def test_every_page_is_balanced_html_with_one_place_per_id(report: Report) -> None:
    reader = read(render_html(report))
    ids = [attrs["id"] for _, attrs in reader.tags if "id" in attrs]
    assert reader.errors == [] and reader.open == []
    assert len(set(ids)) == len(ids)
    assert sum(tag == "h1" for tag, _ in reader.tags) == 1
    targets = {attrs["href"] for tag, attrs in reader.tags if tag == "a"}
    assert targets <= {f"#{name}" for name in ids}


@pytest.mark.parametrize("report", every_report())
def test_the_page_asks_nothing_of_the_network(report: Report) -> None:
    page = render_html(report)
    reader = read(page)
    assert not re.search(r"(?i)https?:|//[a-z]|url\(|@import", page)
    assert not {tag for tag, _ in reader.tags} & {"link", "img", "iframe", "object", "embed", "form", "base"}
    asking = {"src", "srcset", "action", "data", "poster", "xlink:href", "style"}
    assert not [name for _, attrs in reader.tags for name in attrs if name in asking or name.startswith("on")]


def test_the_content_policy_lets_exactly_the_page_s_own_style_and_script_run(page: str) -> None:
    def digest(text: str) -> str:
        return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()

    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    style = re.search(r"<style>(.*?)</style>", page, re.S)
    script = re.search(r"<script>(.*?)</script>", page, re.S)
    assert policy and style and script
    assert "default-src 'none'" in policy[1]
    assert f"style-src '{digest(style[1])}'" in policy[1]
    assert f"script-src '{digest(script[1])}'" in policy[1]


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_in_the_input_becomes_markup(name: str) -> None:
    full = console_fixture.report()
    campaign = full.verdicts.campaigns[0]
    evil = replace(campaign.evidence[0], null=name, clears=name, scenario=name, unit=name, detail={name: name})
    hostile = replace(
        full,
        title=name,
        command=name,
        version=name,
        names=dict.fromkeys(full.names, name),
        inputs=(replace(full.inputs[1], path=name, importer=name, reasons={name: 1}, quarantine=name),),
        coverage=(replace(full.coverage[2], scenario=name, missing=(name,)),),
        edges={name: ((0, f"{name}:{name}", 1.0),)},
        timeline={},
        error=replace(full.error, measured=(replace(full.error.measured[0], what=name, source=name),)),
        verdicts=replace(
            full.verdicts,
            notes=(name,),
            figures={name: name, "strata": {name: name}},
            campaigns=(replace(campaign, id=name, families=(name,), evidence=(evil,)), *full.verdicts.campaigns[3:]),
            accounts=tuple(replace(item, surface=name) for item in full.verdicts.accounts),
        ),
    )
    page, calm = render_html(hostile), render_html(full)
    reader, usual = read(page), read(calm)
    assert reader.errors == [] and reader.open == []
    assert {tag for tag, _ in reader.tags} <= {tag for tag, _ in usual.tags} | {"article"}
    assert sum(tag in ("script", "style") for tag, _ in reader.tags) == 2
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", page)
    page.encode("utf-8")


@settings(max_examples=25, deadline=None)
@given(name=st.text(st.characters(exclude_categories=[]), max_size=40))
def test_any_name_at_all_leaves_the_page_balanced(name: str) -> None:
    full = console_fixture.report(sizes=(3,), candidates=1, honest=1)
    reader = read(render_html(replace(full, title=name, names=dict.fromkeys(full.names, name))))
    assert reader.errors == [] and reader.open == []


def test_everything_is_there_without_script(page: str) -> None:
    report = console_fixture.report()
    text = "".join(read(page).text)
    for campaign in report.verdicts.campaigns:
        assert campaign.id in text
        if campaign.accused:
            assert campaign.receipt() in text
            assert all(report.name(account) in text for account in campaign.accounts)
            assert all(item.null in text for item in campaign.evidence)
    for words in ("3 campaigns, 485 accounts", "What would clear it", "stillwatch-out/quarantine.jsonl"):
        assert words in text
    assert "assistant turns, answers" in text and "Honest accounts that came closest" in text


def test_nothing_found_says_what_was_looked_for() -> None:
    text = "".join(read(render_html(console_fixture.report(sizes=()))).text)
    assert "Nothing found" in text and "What could be looked for" in text and "Campaign 1" not in text


def test_a_campaign_of_a_thousand_accounts_stays_under_two_megabytes() -> None:
    page = render_html(console_fixture.report(sizes=(1000,)))
    assert len(page.encode()) < 2_000_000
    assert "880 further accounts left out of the picture" in page


def test_groups_beyond_the_strongest_fifty_are_counted() -> None:
    text = "".join(read(render_html(console_fixture.report(sizes=(3,), candidates=60))).text)
    assert "and 10 weaker groups, listed in the JSON" in text


def test_the_same_report_gives_the_same_page(page: str) -> None:
    assert render_html(console_fixture.report()) == page
