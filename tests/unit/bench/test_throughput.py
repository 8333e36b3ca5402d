"""The scan benchmark: copies are other people with other words, and memory has a budget."""

from bench.throughput import BUDGET_GIB, BUDGET_UP_TO, over_budget, scaled
from stillwatch.terms.exchange import Exchange, Message

SENT = [
    Exchange(
        time=float(number), account=f"account-{number}", key_id="k", address="24.7.9.1", payment="",
        messages=(Message(role="user", text="Fold the laundry, then 3 towels."),), answer="Done.",
    )
    for number in range(3)
]  # fmt: skip


def test_copies_share_no_words_and_no_identity_but_keep_their_lengths() -> None:
    sent = list(scaled(SENT, 8, seed=1))
    assert len(sent) == 8
    assert len({x.account for x in sent}) == 8
    first = [x for x in sent if x.account.startswith("account-0")]
    words = [set(x.messages[0].text.lower().split()) for x in first]
    assert not words[0] & words[1] - {"3"}
    assert len({len(x.messages[0].text) for x in first}) == 1
    assert len({x.address.rpartition(".")[0] for x in first}) == 3
    assert all(x.payment == "" for x in sent)


def test_the_first_copy_is_the_traffic_itself() -> None:
    assert list(scaled(SENT, 3, seed=1)) == SENT


def test_memory_over_budget_is_told_and_time_never_is() -> None:
    slow = {"size": BUDGET_UP_TO, "peak_gib": BUDGET_GIB, "wall": 1e9}
    fat = {"size": BUDGET_UP_TO, "peak_gib": BUDGET_GIB + 0.1, "wall": 1.0}
    assert over_budget([slow]) == []
    assert len(over_budget([slow, fat])) == 1
