"""What is held against whom: one figure for one verdict, wherever it is shown; reports of before are still read."""

from dataclasses import replace
from pathlib import Path

import msgspec

from stillwatch.app.claims import claims_of
from stillwatch.app.livefolder import LiveFolder
from stillwatch.app.report import read_report, write_outputs
from stillwatch.app.subjects import matching
from stillwatch.gateway.published import Published, write_published
from stillwatch.terms.action import Held
from tests.console_fixture import report

NOW = 1_800_000_000.0


def test_a_member_is_shown_with_the_strength_that_is_published_of_it(tmp_path: Path) -> None:
    live, page = LiveFolder(tmp_path), report()
    campaign = page.verdicts.campaigns[0]
    name = page.name(campaign.accounts[0])
    assert campaign.account_log_e[0] != campaign.log_e
    write_outputs(page, live.report)
    one = Held(account=name, log_e=campaign.log_e, accused=True, campaign=campaign.id, since=NOW, effective=NOW,
               expires=NOW + 9.0)  # fmt: skip
    write_published(live.published, Published(generation=1, made_at=NOW, judged_until=NOW, held={name: one}))
    for given in (None, live.report):
        claims = claims_of(tmp_path, given)
        assert [claim.log_e for claim in matching(claims, name)] == [campaign.log_e]
        (whole,) = matching(claims, campaign.id)
        assert (whole.log_e, whole.receipt) == (campaign.log_e, campaign.receipt())
        assert len(whole.accounts) == len(campaign.accounts)


def test_a_report_written_before_live_ones_were_told_apart_is_read_as_a_scan(tmp_path: Path) -> None:
    write_outputs(replace(report(), live=True), tmp_path)
    assert read_report(tmp_path).live
    path = tmp_path / "explain.json"
    old = msgspec.json.decode(path.read_bytes())
    del old["live"]
    path.write_bytes(msgspec.json.encode(old))
    assert not read_report(tmp_path).live
