"""Calibration: learnt the same again, kept without names, and read back or refused in clear words."""

import json
from functools import cache

import numpy as np
import pytest

from stillwatch.app.calibrate import describe, plain
from stillwatch.app.calibration import read_calibration, write_calibration
from stillwatch.detect.accounts import SCORED
from stillwatch.detect.calibration import CALIBRATION_VERSION, Calibration, calibrate, from_json
from stillwatch.detect.config import DetectConfig
from stillwatch.detect.judge import judge
from stillwatch.detect.population import STRATA
from stillwatch.detect.stability import others_p
from stillwatch.stats.conformal import conformal_p
from stillwatch.store.memory import MemoryStore
from stillwatch.terms.errors import StillwatchError
from stillwatch.terms.event import empty_events
from stillwatch.terms.verdict import Verdicts
from tests.unit.detect.honest import traffic


@cache
def learnt() -> Calibration:
    return calibrate(MemoryStore(traffic(2)), DetectConfig())


@cache
def judged(calibrated: bool) -> Verdicts:
    return judge(MemoryStore(traffic(1)), DetectConfig(), calibration=learnt() if calibrated else None)


def test_the_same_seed_learns_the_same_figures() -> None:
    assert calibrate(MemoryStore(traffic(2)), DetectConfig()).to_json() == learnt().to_json()


def test_the_file_gives_back_what_was_learnt(tmp_path: pytest.TempPathFactory) -> None:
    path = tmp_path / "deep" / "calibration.json"
    write_calibration(learnt(), path)
    back = read_calibration(path)
    assert back.to_json() == learnt().to_json()
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_the_file_holds_no_hash_and_no_name() -> None:
    text = learnt().to_json().decode()
    events = traffic(2)
    for field in ("account", "organisation", "network", "payment"):
        assert not any(str(value) in text for value in np.unique(events[field]) if value)
    assert max((float(n) for n in _numbers(json.loads(text))), default=0.0) < 1e9


def _numbers(value: object) -> list[float]:
    if isinstance(value, dict):
        return [n for item in value.values() for n in _numbers(item)]
    if isinstance(value, list):
        return [n for item in value for n in _numbers(item)]
    return [float(value)] if isinstance(value, int | float) else []


def test_accounts_that_look_linked_set_no_standard() -> None:
    campaigns = judge(MemoryStore(traffic(2)), DetectConfig()).campaigns
    members = {account for campaign in campaigns if campaign.accused for account in campaign.accounts}
    everybody = len(np.unique(traffic(2)["account"]))
    assert members
    assert learnt().left_out >= 0.9 * len(members)
    assert sum(learnt().accounts.values()) + learnt().left_out == everybody


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda file: file | {"version": CALIBRATION_VERSION + 1}, "version 2; must be 1"),
        (lambda file: {k: v for k, v in file.items() if k != "scores"}, "damaged"),
        (lambda file: file | {"scores": {}}, "scores of S1"),
        (lambda file: file | {"scores": {s: {n: v[::-1] for n, v in by.items()} for s, by in file["scores"].items()}},
         "not sorted"),
        (lambda file: file | {"habits": {"probabilities": [[[1.0]]], "accounts": [[1]]}}, "habits"),
        (lambda file: file | {"habits": {"probabilities": [[[1.0], [1.0, 2.0]]], "accounts": [[1]]}}, "habits"),
        (lambda file: [], "damaged"),
    ],
)  # fmt: skip
def test_a_damaged_or_foreign_file_is_refused_in_clear_words(change: object, said: str, tmp_path: object) -> None:
    path = tmp_path / "c.json"
    path.write_text(json.dumps(change(json.loads(learnt().to_json()))), encoding="utf-8")
    with pytest.raises(StillwatchError, match=said) as caught:
        read_calibration(path)
    assert str(path) in str(caught.value) and "stillwatch calibrate" in str(caught.value)


def test_a_file_cut_short_or_absent_is_refused_in_clear_words(tmp_path: object) -> None:
    whole = learnt().to_json()
    for cut in (0, 1, len(whole) // 2, len(whole) - 3):
        with pytest.raises(StillwatchError, match="damaged"):
            from_json(whole[:cut])
    with pytest.raises(StillwatchError, match="damaged"):
        from_json(b"\xff\xfe")
    with pytest.raises(StillwatchError, match="No such file"):
        read_calibration(tmp_path / "none.json")


def test_no_traffic_is_refused() -> None:
    with pytest.raises(StillwatchError, match="no events"):
        calibrate(MemoryStore(empty_events()), DetectConfig())


def test_a_thin_stratum_is_warned_of_and_everything_is_printed() -> None:
    lines = "\n".join(describe(learnt()))
    assert "warning: stratum agent" in lines and "after 30 blocks" in lines
    for name in STRATA:
        assert f"\n{name}: {learnt().accounts[name]:,} accounts" in lines
    told = plain(learnt())
    assert {(s["scenario"], s["stratum"]) for s in told["stability"]} == {(s.name, n) for s in SCORED for n in STRATA}
    assert [a["blocks"] for a in told["stability"][0]["false_alarms"]] == [1, 1, 7, 7, 30, 30]
    json.dumps(told, allow_nan=False)


def test_a_block_is_compared_with_the_blocks_of_others_only() -> None:
    rng = np.random.default_rng(1)
    account, score = rng.integers(0, 12, 80), rng.integers(0, 6, 80).astype(np.float64)
    slow = [
        conformal_p(score[i], score[account != account[i]], cluster=account[account != account[i]]) for i in range(80)
    ]
    assert np.allclose(others_p(score, account), slow)


@pytest.mark.parametrize("calibrated", [False, True])
def test_verdicts_are_the_same_every_time(calibrated: bool) -> None:
    again = judge(MemoryStore(traffic(1)), DetectConfig(), calibration=learnt() if calibrated else None)
    assert again == judged(calibrated)
    assert again.calibrated is calibrated


@pytest.mark.parametrize("calibrated", [False, True])
def test_receipts_of_campaigns_name_every_scenario_and_rest_on_the_explanations_alone(calibrated: bool) -> None:
    accused = [campaign for campaign in judged(calibrated).campaigns if campaign.accused]
    assert accused
    for campaign in accused:
        lines = {e.scenario: e for e in campaign.evidence}
        by_text = ["S2"] if "chance" in lines else []  # one found by its payers shares no text to speak of
        assert [name for name in lines if name[0] == "S"] == ["S1", *by_text, "S3", "S6", "S10", "S13"]
        assert not by_text or lines["S2"].log_e == lines["chance"].log_e
        assert campaign.log_e <= min(e.log_e for name, e in lines.items() if name[0] != "S") + 1e-3
    assert all(e.scenario[0] != "S" for c in judged(calibrated).campaigns if not c.accused for e in c.evidence)


def test_without_a_calibration_nobody_is_accused_alone() -> None:
    verdicts = judged(False)
    members = {account for campaign in verdicts.campaigns if campaign.accused for account in campaign.accounts}
    assert {verdict.account for verdict in verdicts.accounts if verdict.accused} == members
    assert all(verdict.campaign is not None for verdict in verdicts.accounts)


def test_with_a_calibration_the_closest_honest_accounts_show_their_own_evidence() -> None:
    closest = [verdict for verdict in judged(True).accounts if not verdict.accused]
    assert closest
    for verdict in closest:
        own = {e.scenario: e for e in verdict.evidence if e.scenario[0] == "S"}
        assert set(own) == {scenario.name for scenario in SCORED}
        assert own["S13"].detail["accuses"] == 0 and own["S13"].detail["flag"] == 0
    assert judged(True).figures["flagged"]["of"] == len(np.unique(traffic(1)["account"]))


def test_a_calibration_over_another_span_is_said_so() -> None:
    events = traffic(1)
    short = events[events["time"] < events["time"].min() + 86_400.0]
    notes = judge(MemoryStore(short), DetectConfig(), calibration=learnt()).notes
    assert any("7.0 days and this log 1.0" in note for note in notes)
