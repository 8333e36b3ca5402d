"""Honest look-alikes are what they are meant to be: alike for a reason that is not distillation."""

from collections import Counter, defaultdict

import pytest

from stillwatch.lab.traffic import Corpus, Traffic, TrafficPlan, compose, load_corpus
from stillwatch.lab.traffic.wording import shingles
from stillwatch.terms.exchange import Exchange


@pytest.fixture(scope="module")
def traffic() -> Traffic:
    corpus: Corpus = load_corpus()
    return compose(TrafficPlan(seed=9, honest=330, hard_share=0.9), corpus)


def groups(traffic: Traffic, habit: str) -> list[list[Exchange]]:
    """Return the exchanges of each group of `habit`; lone accounts count as one group."""
    found: dict[str, list[Exchange]] = defaultdict(list)
    for exchange in traffic.exchanges:
        truth = traffic.truth[exchange.account]
        if truth.habit == habit:
            found[truth.group].append(exchange)
    assert found
    return list(found.values())


def accounts(exchanges: list[Exchange]) -> set[str]:
    return {exchange.account for exchange in exchanges}


def systems(exchanges: list[Exchange]) -> set[str]:
    return {message.text for exchange in exchanges for message in exchange.messages if message.role == "system"}


def test_a_class_shares_one_exercise_and_one_campus_and_chats_besides(traffic: Traffic) -> None:
    for group in groups(traffic, "class"):
        students = accounts(group)
        holders: dict[str, set[str]] = defaultdict(set)
        networks: dict[str, set[str]] = defaultdict(set)
        for exchange in group:
            networks[exchange.address.rpartition(".")[0]].add(exchange.account)
            for shingle in shingles(exchange.messages[-1].text):
                holders[shingle].add(exchange.account)
        assert max(map(len, holders.values())) >= 0.9 * len(students) >= 9
        assert max(map(len, networks.values())) >= 0.7 * len(students)
        assert sum(len(held) == 1 for held in holders.values()) > len(holders) / 2


def test_an_application_has_one_organisation_key_and_system_prompt_for_all_its_users(traffic: Traffic) -> None:
    for group in groups(traffic, "application"):
        assert len(accounts(group)) >= 30
        assert len({(e.organisation, e.key_id, e.payment, e.agent) for e in group}) == 1
        assert len(systems(group)) == 1


def test_a_company_has_one_address_and_one_payment_and_many_keys(traffic: Traffic) -> None:
    for group in [*groups(traffic, "company"), *groups(traffic, "hospital")]:
        assert len({(e.organisation, e.address, e.payment) for e in group}) == 1
        assert len({e.key_id for e in group}) == len(accounts(group))


def test_a_fleet_has_one_prompt_one_set_of_tools_and_growing_sessions(traffic: Traffic) -> None:
    for group in groups(traffic, "fleet"):
        assert len({e.tools for e in group}) == 1 and len(systems(group)) == 1
        assert max(len(e.messages) for e in group) > 4


def test_evaluators_send_the_same_public_items_as_others(traffic: Traffic) -> None:
    (group,) = groups(traffic, "evaluator")
    holders: dict[str, set[str]] = defaultdict(set)
    for exchange in group:
        holders[exchange.messages[-1].text].add(exchange.account)
    assert sum(len(held) >= 2 for held in holders.values()) > len(holders) / 4


def test_some_evaluators_repeat_their_items_a_week_later(traffic: Traffic) -> None:
    (group,) = groups(traffic, "evaluator")
    times: dict[tuple[str, str], list[float]] = defaultdict(list)
    for exchange in group:
        times[exchange.account, exchange.messages[-1].text].append(exchange.time)
    apart = [seen[-1] - seen[0] for seen in times.values() if len(seen) > 1]
    assert apart and all(6.5 < span / 86_400 < 7.5 for span in apart if span > 86_400)


def test_a_popular_template_is_used_by_unrelated_customers_in_both_halves_of_the_window(traffic: Traffic) -> None:
    (group,) = groups(traffic, "batch")
    holders: dict[str, set[str]] = defaultdict(set)
    times: dict[str, list[float]] = defaultdict(list)
    for exchange in group:
        head = exchange.messages[0].text.partition("\n\n")[0][:60]
        holders[head].add(exchange.account)
        times[head].append(exchange.time)
    head = max(holders, key=lambda text: len(holders[text]))
    assert len(holders[head]) >= 3
    span = (max(times[head]) - min(times[head])) / 86_400
    assert span > 5


def test_a_new_prompt_spreads_only_after_its_release_and_among_strangers(traffic: Traffic) -> None:
    (group,) = groups(traffic, "adopter")
    prompt = Counter(message.text for e in group for message in e.messages if message.role == "system").most_common(1)
    adopted = [e for e in group if e.messages[0].text == prompt[0][0]]
    first = min(e.time for e in adopted)
    assert (first - traffic.exchanges[0].time) / 86_400 > 3.5
    assert len(accounts(adopted)) >= 5
    assert len({e.address for e in adopted}) >= len(accounts(adopted))
    assert any(e.time < first for e in group)


def test_people_sleep_and_production_does_not(traffic: Traffic) -> None:
    (production,) = groups(traffic, "production")
    hours = Counter(int(e.time // 3600) % 24 for e in production)
    assert len(hours) == 24
    (chats,) = groups(traffic, "chat")
    night = [
        sum(1 for e in chats if e.account == account and int(e.time // 3600 - shift) % 24 < 6)
        for account in sorted(accounts(chats))
        for shift in [
            min(range(24), key=lambda s: sum(int(e.time // 3600 - s) % 24 < 6 for e in chats if e.account == account))
        ]
    ]
    assert sum(night) < 0.05 * len(chats)
