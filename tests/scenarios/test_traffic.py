"""Composed traffic keeps its promises: seeded, whole, and silent about who is who."""

import hashlib
import os
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from stillwatch.lab.traffic import Corpus, Traffic, TrafficPlan, compose, demo_plan, load_corpus, write_litellm
from stillwatch.lab.traffic.honest import HARD
from stillwatch.terms.exchange import Exchange

SCRIPT = """
import hashlib, sys
from pathlib import Path
from stillwatch.lab.traffic import compose, demo_plan, load_corpus, write_litellm
write_litellm(compose(demo_plan(3), load_corpus()).exchanges, Path(sys.argv[1]))
"""


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return load_corpus()


@pytest.fixture(scope="module")
def demo(corpus: Corpus) -> Traffic:
    return compose(demo_plan(3), corpus)


def by_account(traffic: Traffic) -> dict[str, list[Exchange]]:
    accounts: dict[str, list[Exchange]] = defaultdict(list)
    for exchange in traffic.exchanges:
        accounts[exchange.account].append(exchange)
    return accounts


def prompts(exchange: Exchange) -> list[str]:
    return [message.text for message in exchange.messages if message.role == "user"]


def test_the_same_plan_gives_the_same_bytes_in_another_process(demo: Traffic, tmp_path: Path) -> None:
    here, there = tmp_path / "here.jsonl.zst", tmp_path / "there.jsonl.zst"
    write_litellm(demo.exchanges, here)
    environment = {**os.environ, "PYTHONHASHSEED": "77", "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", SCRIPT, str(there)], check=True, env=environment)
    assert hashlib.sha256(here.read_bytes()).digest() == hashlib.sha256(there.read_bytes()).digest()


def test_another_seed_gives_other_accounts_and_other_texts(demo: Traffic, corpus: Corpus) -> None:
    other = compose(demo_plan(4), corpus)
    assert not set(demo.truth) & set(other.truth)
    assert other.exchanges[0].messages != demo.exchanges[0].messages


def test_the_demo_is_a_week_of_six_to_ten_thousand_exchanges_with_every_habit(demo: Traffic) -> None:
    assert 5_500 <= len(demo.exchanges) <= 10_000
    assert {truth.habit for truth in demo.truth.values() if truth.kind == "honest"} == {"chat", *HARD}
    assert len({truth.campaign for truth in demo.truth.values() if truth.campaign}) == 3


def test_exchanges_are_sorted_within_the_window_and_all_accounts_have_their_truth(demo: Traffic) -> None:
    plan = demo_plan(3)
    times = [exchange.time for exchange in demo.exchanges]
    assert times == sorted(times)
    assert plan.start <= times[0] and times[-1] < plan.end
    assert {exchange.account for exchange in demo.exchanges} == set(demo.truth)


def test_nobody_sends_more_than_the_plan_allows(corpus: Corpus) -> None:
    plan = TrafficPlan(seed=8, honest=120, chat_requests=12, job_requests=40, campaigns=demo_plan(3).campaigns)
    traffic = compose(plan, corpus)
    for account, exchanges in by_account(traffic).items():
        habit = traffic.truth[account].habit
        assert sum(exchange.status == 200 for exchange in exchanges) <= {
            "chat": 12,
            "company": 12,
            "application": 12,
        }.get(habit, 45)


NAME, KEY = re.compile(r"user-[0-9a-f]{20}"), re.compile(r"[0-9a-f]{64}")


def test_no_identity_field_tells_honest_from_hostile(demo: Traffic) -> None:
    told = re.compile("honest|hostile|campaign|lab|" + "|".join(HARD) + r"|E[0-3]\b")
    for exchange in demo.exchanges:
        assert NAME.fullmatch(exchange.account) and KEY.fullmatch(exchange.key_id)
        identity = (exchange.organisation, exchange.plan, exchange.agent, exchange.payment, exchange.session)
        assert not any(told.search(value) for value in identity)
    seen: dict[str, dict[str, set[object]]] = {"honest": defaultdict(set), "hostile": defaultdict(set)}
    for exchange in demo.exchanges:
        kind = seen[demo.truth[exchange.account].kind]
        for field in ("plan", "model", "endpoint", "finish", "status"):
            kind[field].add(getattr(exchange, field))
        kind["parameters"] |= set(exchange.parameters)
        kind["client"].add(exchange.agent.partition("/")[0])
    for field, values in seen["hostile"].items():
        assert values <= seen["honest"][field], field


def test_an_honest_history_holds_only_answers_that_this_account_was_given(demo: Traffic) -> None:
    given: dict[str, set[str]] = defaultdict(set)
    for exchange in demo.exchanges:
        if demo.truth[exchange.account].kind == "honest" and demo.truth[exchange.account].habit != "fleet":
            history = {message.text for message in exchange.messages if message.role == "assistant"}
            assert history <= given[exchange.account]
        given[exchange.account].add(exchange.answer)


def test_a_failed_request_is_tried_again(demo: Traffic) -> None:
    failed = [exchange for exchange in demo.exchanges if exchange.status != 200]
    assert 0.002 < len(failed) / len(demo.exchanges) < 0.012
    answered = {(exchange.account, exchange.messages) for exchange in demo.exchanges if exchange.status == 200}
    assert all(not exchange.answer and (exchange.account, exchange.messages) in answered for exchange in failed)


def test_a_prompt_stands_on_at_most_three_chat_accounts(corpus: Corpus) -> None:
    traffic = compose(TrafficPlan(seed=5, honest=700, hard_share=0.1), corpus)
    holders: dict[str, set[str]] = defaultdict(set)
    for exchange in traffic.exchanges:
        asked = prompts(exchange)
        if traffic.truth[exchange.account].habit == "chat" and len(asked) == 1 and len(asked[0].split()) > 12:
            holders[asked[0]].add(exchange.account)
    assert max(map(len, holders.values())) <= 3


def test_without_persistence_accounts_and_volumes_stay_and_templates_wander(corpus: Corpus) -> None:
    kept = compose(TrafficPlan(seed=6, honest=150, hard_share=0.6), corpus)
    loose = compose(TrafficPlan(seed=6, honest=150, hard_share=0.6, persistent=False), corpus)
    assert set(kept.truth) == set(loose.truth)

    def heads(traffic: Traffic) -> float:
        counts = [
            len({exchange.messages[0].text[:25] for exchange in exchanges}) / len(exchanges)
            for account, exchanges in by_account(traffic).items()
            if traffic.truth[account].habit.startswith(("translation", "batch"))
        ]
        return sum(counts) / len(counts)

    assert heads(loose) > 1.5 * heads(kept)


@pytest.mark.skipif("STILLWATCH_DATA" not in os.environ, reason="STILLWATCH_DATA names no data folder")
def test_the_full_folder_composes_three_thousand_honest_accounts() -> None:
    corpus = load_corpus(Path(os.environ["STILLWATCH_DATA"]))
    traffic = compose(TrafficPlan(seed=1, honest=3_000), corpus)
    assert 60_000 <= len(traffic.exchanges) <= 120_000
    assert len(corpus.bundles) > 10_000 and len(corpus.jobs) > 100
