"""Campaigns collect what their preset says, hide as their evasion says, and share what they are given."""

from collections import Counter, defaultdict

import pytest

from stillwatch.lab.traffic import CampaignPlan, Corpus, Traffic, TrafficPlan, compose, load_corpus
from stillwatch.lab.traffic.plan import DEMO_START, PRESETS
from stillwatch.lab.traffic.wording import shingles
from stillwatch.terms.exchange import Exchange

WRAPPED = [preset for preset in PRESETS if preset not in ("answers", "sweep")]


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return load_corpus()


def campaign(corpus: Corpus, preset: str, evasion: str, infrastructure: str = "shared", seed: int = 2) -> Traffic:
    plan = CampaignPlan(
        preset=preset, accounts=40, requests=15, evasion=evasion, days=3, infrastructure=infrastructure, start_day=1
    )
    return compose(TrafficPlan(seed=seed, honest=0, days=7, campaigns=(plan,)), corpus)


def wrappers(traffic: Traffic) -> list[set[str]]:
    """Return for each request its shingles that five or more requests have: its wrapper's."""
    each = [shingles("\n".join(m.text for m in e.messages if m.role in ("system", "user"))) for e in traffic.exchanges]
    counts = Counter(shingle for found in each for shingle in found)
    return [{shingle for shingle in found if counts[shingle] >= 5} for found in each]


@pytest.mark.parametrize("preset", WRAPPED)
def test_e0_has_one_wrapper_in_every_request(corpus: Corpus, preset: str) -> None:
    assert set.intersection(*wrappers(campaign(corpus, preset, "E0")))


@pytest.mark.parametrize("preset", PRESETS)
def test_e1_rotates_so_that_no_shingle_is_in_a_fifth_of_the_requests(corpus: Corpus, preset: str) -> None:
    traffic = campaign(corpus, preset, "E1")
    texts = ["\n".join(m.text for m in e.messages if m.role == "system") for e in traffic.exchanges]
    texts = [
        f"{head}\n{e.messages[-1].text}" for head, e in zip(texts, traffic.exchanges, strict=True) if e.status == 200
    ]
    counts = Counter(shingle for text in texts for shingle in shingles(text) if "instruction" not in shingle)
    # "1. Input: <noinput> 1. Output:" frames the seeds of bootstrapping whatever the wrapper.
    frames = ("noinput", "output", "input")
    most = max(count for shingle, count in counts.items() if not any(frame in shingle for frame in frames))
    assert most <= 0.2 * len(texts)


def own_words(exchange: Exchange, quoted: set[str]) -> str:
    """Return the part of the last turn that is no quoted work; the two are set apart by an empty line."""
    text = exchange.messages[-1].text
    head, _, tail = text.partition("\n\n")
    if tail in quoted:
        return head
    rest, _, last = text.rpartition("\n\n")
    assert rest in quoted
    return last


@pytest.mark.parametrize("preset", PRESETS)
def test_e2_no_two_requests_share_five_words_outside_the_work_they_quote(corpus: Corpus, preset: str) -> None:
    traffic = campaign(corpus, preset, "E2", "clean")
    quoted = {task.text for task in corpus.tasks.get(preset, ())}
    quoted |= {f"{task.text}\n\n---\n\n{task.slots[0]}" for task in corpus.tasks["grading"]}
    quoted |= {turns[-1][1] for turns in corpus.foreign}
    seeds = {task.text for task in corpus.tasks["bootstrap"]}
    seen: set[str] = set()
    for exchange in traffic.exchanges:
        assert all(message.role != "system" for message in exchange.messages) and not exchange.tools
        text = exchange.messages[-1].text
        if preset == "bootstrap":
            own = "\n\n".join(part for part in text.split("\n\n") if not any(part in seed for seed in seeds))
        else:
            own = text if preset == "sweep" else own_words(exchange, quoted)
        assert own
        if exchange.status != 200:
            continue  # the same request comes again
        assert not seen & shingles(own)
        seen |= shingles(own)


@pytest.mark.parametrize(("evasion", "share"), [("E3-50", 0.5), ("E3-75", 0.75), ("E3-90", 0.9)])
def test_e3_covers_the_share_it_names(corpus: Corpus, evasion: str, share: float) -> None:
    traffic = campaign(corpus, "reasoning", evasion)
    work = {task.text for task in corpus.tasks["reasoning"]}
    covered = sum(not any(task in e.messages[-1].text for task in work) for e in traffic.exchanges)
    assert covered / len(traffic.exchanges) == pytest.approx(share, abs=0.08)


def test_work_is_dealt_from_one_queue_so_that_accounts_hardly_repeat_one_another(corpus: Corpus) -> None:
    traffic = campaign(corpus, "answers", "E0")
    asked = Counter(exchange.messages[-1].text for exchange in traffic.exchanges if exchange.status == 200)
    assert max(asked.values()) == 1


def test_replayed_sessions_bring_answers_that_were_never_given(corpus: Corpus) -> None:
    traffic = campaign(corpus, "replay", "E0")
    given = {exchange.answer for exchange in traffic.exchanges}
    for exchange in traffic.exchanges:
        history = [message.text for message in exchange.messages if message.role == "assistant"]
        assert history and not set(history) & given


def test_tool_requests_do_not_carry_the_mark_of_their_data_set(corpus: Corpus) -> None:
    for evasion in ("E0", "E1"):
        traffic = campaign(corpus, "tools", evasion)
        texts = " ".join(message.text for exchange in traffic.exchanges for message in exchange.messages)
        assert "toolformer" not in texts.lower()


def holders(traffic: Traffic, field: str) -> list[int]:
    """Return how many accounts each value of `field` has."""
    found: dict[str, set[str]] = defaultdict(set)
    for exchange in traffic.exchanges:
        value = exchange.address.rpartition(".")[0] if field == "network" else getattr(exchange, field)
        found[value].add(exchange.account)
    return sorted(map(len, found.values()))


def test_shared_infrastructure_is_few_payments_few_networks_one_client(corpus: Corpus) -> None:
    traffic = campaign(corpus, "grading", "E0", "shared")
    assert len(holders(traffic, "payment")) <= 2
    assert len(holders(traffic, "network")) <= 4
    assert len(holders(traffic, "agent")) == 1


def test_a_proxy_hides_networks_and_pays_for_five_to_ten_accounts_at_a_time(corpus: Corpus) -> None:
    traffic = campaign(corpus, "grading", "E0", "proxy")
    payments = holders(traffic, "payment")
    assert all(size <= 10 for size in payments) and payments[-1] >= 5
    assert len(holders(traffic, "agent")) == 1
    assert max(holders(traffic, "network")) <= 2


def test_clean_infrastructure_shares_nothing(corpus: Corpus) -> None:
    traffic = campaign(corpus, "grading", "E0", "clean")
    assert max(holders(traffic, "payment")) == 1
    assert max(holders(traffic, "network")) == 1
    assert len(holders(traffic, "agent")) > 5


def test_a_campaign_keeps_to_its_days_and_loads_its_accounts_evenly(corpus: Corpus) -> None:
    traffic = campaign(corpus, "reasoning", "E1")
    days = [(exchange.time - DEMO_START) / 86_400 for exchange in traffic.exchanges]
    assert 0.9 <= min(days) and max(days) <= 4.2
    counts = Counter(exchange.account for exchange in traffic.exchanges if exchange.status == 200)
    assert len(counts) == 40 and max(counts.values()) <= 15 and min(counts.values()) >= 8
    hours = Counter(int(day * 24) % 24 for day in days)
    assert min(hours[hour] for hour in range(24)) > 0
