"""The benchmark's counting: what it promises about resuming, rounding, bounds and what it keeps."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench import detection, layout, tables
from bench.mmd import WINDOWS, flagged
from bench.phrases import PHRASES, PhraseList
from bench.seeds import METHODS, ROTATION, SeedPlan
from stillwatch.lab.traffic.plan import EVASIONS
from stillwatch.terms.exchange import Exchange, Message


def record(seed: int, caught: int = 40, accused: int = 0) -> dict[str, Any]:
    nobody = dict.fromkeys(METHODS, 0)
    return {
        "seed": seed, "persistent": seed % 4 != 0, "events": 1000, "seconds": {}, "looked_at": 3,
        "campaigns": [{
            "campaign": f"{seed}: campaign 0", "preset": "answers", "evasion": "E1", "infrastructure": "clean",
            "members": 50, "caught": nobody | {"stillwatch": caught},
        }],
        "honest": [{
            "stratum": "chat", "habit": "chat", "accounts": 100, "units": 90,
            "accused": nobody | {"stillwatch": accused}, "accused_units": nobody | {"stillwatch": accused},
        }],
        "reported": [{"accounts": 50, "hostile": 50, "mostly": "campaign 0", "log_e": 9.0, "families": ["content"]}],
    }  # fmt: skip


def test_percentages_never_flatter() -> None:
    assert layout.down(0.84999) == "84.9 %"
    assert layout.up(0.05001) == "5.1 %"
    assert layout.interval(float("nan"), float("nan")) == ""


def test_an_interrupted_run_goes_on_with_the_seeds_that_are_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[int] = []

    def instead(plan: SeedPlan, corpus: object) -> dict[str, Any]:
        ran.append(plan.seed)
        return record(plan.seed)

    monkeypatch.setattr(detection, "run_seed", instead)
    monkeypatch.setattr(detection, "load_corpus", lambda folder: None)
    asked = detection.Asked(seed=1, seeds=2, honest=10, kept=tmp_path / "kept.jsonl")
    detection.run(asked)
    with asked.kept.open("a") as file:
        file.write('{"key": "cut sh')
        file.write("\n" + json.dumps({"key": "other code", **record(3)}) + "\n")
    found = detection.run(detection.Asked(seed=1, seeds=3, honest=10, kept=asked.kept))
    assert ran == [1, 2, 3]
    assert [r["seed"] for r in found] == [1, 2, 3]
    assert "stillwatch" in detection.render(found)


def test_records_of_other_sizes_are_not_mixed_in() -> None:
    assert detection.Asked(honest=10).key() != detection.Asked(honest=11).key()
    assert detection.Asked(honest=10).key() != detection.Asked(honest=10, data=Path("folder")).key()


def test_recall_has_no_interval_from_too_few_campaigns_and_one_from_enough() -> None:
    few = record(1)["campaigns"] * (tables.FEWEST - 1)
    share, low, _ = tables.recall(few, "stillwatch")
    assert share == 0.8 and np.isnan(low)
    many = [*few, *record(2, caught=0)["campaigns"] * 4]
    share, low, high = tables.recall(many, "stillwatch")
    assert low < share < high


def test_a_campaign_mostly_missed_and_a_false_one_are_listed() -> None:
    false = {"accounts": 9, "hostile": 2, "mostly": "honest class", "log_e": 7.0, "families": ["content"]}
    rows = [record(1, caught=24), record(2) | {"reported": [false]}]
    text = tables.render(rows)
    assert "(1)" in text.split("### Misses")[1] and "1: campaign 0" in text.split("### Misses")[1]
    assert "honest class" in text.split("### False campaigns")[1]


def test_every_evasion_has_its_turn_and_e1_the_most() -> None:
    assert set(ROTATION) == {name for name in EVASIONS if not name.startswith("E4")}
    assert max(set(ROTATION), key=ROTATION.count) == "E1"
    plans = [SeedPlan(seed=seed, honest=30).traffic() for seed in range(1, 14)]
    drawn = {campaign.evasion for plan in plans for campaign in plan.campaigns}
    assert drawn == set(ROTATION)
    assert all(50 <= c.accounts <= 1000 and c.requests <= 20 for plan in plans for c in plan.campaigns)


def test_the_phrase_list_reads_the_newest_turn_and_the_system_prompt_only() -> None:
    assert len(PHRASES) >= 33 and all(phrase == phrase.lower() for phrase in PHRASES)
    said = Message(role="user", text="Please think\nstep   BY step.")
    later = Message(role="user", text="Thanks.")
    matches = PhraseList().matches
    assert matches(Exchange(time=0.0, account="a", messages=(later, said)))
    assert not matches(Exchange(time=0.0, account="a", messages=(said, later)))
    assert matches(Exchange(time=0.0, account="a", messages=(Message(role="system", text="Show your work."), later)))


def test_the_mmd_test_flags_the_odd_one_and_about_its_nominal_share_of_exchangeable_accounts() -> None:
    rng = np.random.default_rng(5)
    accounts = np.repeat(np.arange(1, 1001, dtype=np.uint64), WINDOWS[1])
    values = rng.normal(0.0, 24.0, (len(accounts), 64)).clip(-127, 127).astype(np.int8)
    values[accounts == 1] = values[0]  # the same request over and over
    honest = {int(account): int(account) != 1 for account in np.unique(accounts)}
    for found in flagged(values, accounts, honest, rng).values():
        assert 1 in found
        assert len(found) - 1 <= 35  # 10 expected; at most twice that in 99.9 %, and thresholds are drawn too


def test_a_goal_that_was_not_reached_says_so() -> None:
    goals = (
        tables.render([record(1, caught=42), record(4, caught=42, accused=30)]).split("### Goals")[1].split("###")[0]
    )
    met = {
        line.split("|")[1].strip().split(",")[0]: line.split("|")[4].strip() for line in goals.splitlines()[4:] if line
    }
    assert met["member recall at E0 and E1"] == "no"
    assert met["campaigns reported"] == "no"
    assert "yes" not in goals
