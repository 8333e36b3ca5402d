"""What an account was not counted for is sketched, wherever it stands; what it was counted for is not, once more."""

import numpy as np
import pytest

from stillwatch.sketch.told import Digests, Told
from stillwatch.terms.event import EventArray
from stillwatch.terms.exchange import Exchange, Message
from tests.unit.sketch.made import NOON, ask, reducer, talk

QUESTION = "Solve the seventh exercise about trains that leave two towns at the same hour, and show each step you take"
GO_ON = "Go on then, please, as you said you would do"


def contents(*exchanges: Exchange) -> list[int]:
    found: list[int] = reducer().reduce(exchanges)["sketch"]["content"].tolist()
    return found


def plain(*texts: str) -> list[int]:
    """Contents of texts, each asked by somebody else."""
    rows = reducer().reduce([ask(text, account=f"other {n}") for n, text in enumerate(texts)])
    found: list[int] = rows["sketch"]["content"].tolist()
    return found


def shares_anchors(row: EventArray, text: str) -> bool:
    own = reducer().reduce([ask(text, account="other")])["sketch"]["anchors"][0]
    return bool(np.isin(row["sketch"]["anchors"], own[own != 0]).any())


def held(*turns: str, account: str = "acme", window: int = 100) -> list[Exchange]:
    """A conversation as it is held: the caller's turns, and an answer to each that comes back with the next."""
    messages: list[Message] = []
    exchanges = []
    for number, turn in enumerate(turns):
        messages.append(Message(role="user", text=turn))
        answer = f"Answer number {number} to {turn}"
        exchanges.append(
            Exchange(time=NOON + number, account=account, messages=tuple(messages[-window:]), answer=answer)
        )
        messages.append(Message(role="assistant", text=answer))
    return exchanges


SAID = ("user", "one"), ("assistant", "Answer number 0 to one")
HIDING = {
    "behind a made-up answer": (("user", QUESTION), ("assistant", "ok"), ("user", GO_ON)),
    "behind several": (("user", QUESTION), ("assistant", "ok"), ("user", "a"), ("assistant", "b"), ("user", GO_ON)),
    "in the made-up answer": (("user", "a"), ("assistant", QUESTION), ("user", GO_ON)),
    "in an answer that opens the request": (("assistant", QUESTION), ("user", GO_ON)),
    "in the start of the answer": (("user", GO_ON), ("assistant", QUESTION)),
    "in a tool's result": (("tool", QUESTION), ("assistant", "ok"), ("user", GO_ON)),
    "before a real question": (
        ("user", QUESTION), ("assistant", "ok"), *SAID, ("user", GO_ON),
    ),
    "in the answer to a real question": (("user", "one"), ("assistant", QUESTION), ("user", GO_ON)),
    "after a real conversation": (
        *SAID, ("user", QUESTION), ("assistant", "ok"), ("user", GO_ON),
    ),
}  # fmt: skip


@pytest.mark.parametrize("turns", HIDING.values(), ids=HIDING)
def test_a_question_is_sketched_wherever_a_caller_puts_it(turns: tuple[tuple[str, str], ...]) -> None:
    made = reducer()
    made.reduce(held("one"))
    row = made.reduce([talk(*turns)])[0]
    assert shares_anchors(row, QUESTION) and shares_anchors(row, GO_ON)
    again = made.reduce([talk(*turns)])[0]
    assert again.tobytes() == row.tobytes(), "the same request again hides nothing either"


def test_a_wrapper_before_made_up_answers_is_in_every_request() -> None:
    rows = reducer().reduce([
        talk(("user", QUESTION), ("assistant", "Understood."), ("user", f"piece of work number {word} of many more"))
        for word in ("one", "two", "three")
    ])  # fmt: skip
    assert all(shares_anchors(row, QUESTION) for row in rows)
    assert len(set(rows["sketch"]["content"].tolist())) == 3


def test_a_real_answer_is_continued_once_and_not_by_every_piece_of_work() -> None:
    opening = held(QUESTION)[0]
    said = ("user", QUESTION), ("assistant", opening.answer)
    rows = reducer().reduce([opening, *(talk(*said, ("user", f"{GO_ON} {word}")) for word in ("once", "twice"))])
    assert [shares_anchors(row, QUESTION) for row in rows] == [True, False, True]


@pytest.mark.parametrize("window", [100, 5, 3, 4])
def test_a_conversation_that_was_held_is_counted_turn_by_turn(window: int) -> None:
    """Whole, and where the client cuts its front off."""
    turns = [f"turn {word} of a talk between friends" for word in ("alpha", "beta", "gamma", "delta", "epsilon")]
    assert contents(*held(*turns, window=window)) == plain(*turns)


def test_conversations_of_one_account_do_not_get_in_one_anothers_way() -> None:
    first, second = held("yes", "alpha", "yes", "beta"), held("no", "gamma", "yes", "delta")
    mixed = [exchange for pair in zip(first, second, strict=True) for exchange in pair]
    assert contents(*mixed) == plain("yes", "no", "alpha", "gamma", "yes", "yes", "beta", "delta")


def test_a_turn_that_is_sent_again_is_counted_as_it_was() -> None:
    turns = held("alpha", "beta", "gamma")
    failed = Exchange(time=NOON, account="acme", messages=turns[2].messages, status=500)
    assert contents(*turns[:2], failed, turns[2]) == plain("alpha", "beta", "gamma", "gamma")


def test_spacing_and_thoughts_in_a_history_are_the_clients_to_change() -> None:
    first = ask("alpha  beta", answer="<think>I wonder.</think>\n\nSo be it.")
    second = talk(("user", "alpha beta\n"), ("assistant", "So be  it."), ("user", "gamma"))
    assert contents(first, second) == plain("alpha beta", "gamma")


def test_a_history_without_known_answers_is_taken_as_it_stands() -> None:
    """A log that tells no answers cannot show which were made up."""
    turns = [Exchange(time=x.time, account="acme", messages=x.messages) for x in held("alpha", "beta", "gamma")]
    assert contents(*turns) == plain("alpha", "beta", "gamma")


def test_an_edited_answer_is_counted_once() -> None:
    first, second, third = held("alpha", "beta", "gamma")
    edited = Message(role="assistant", text="shortened by the client")
    after = (edited, second.messages[2])
    rows = [
        first,
        Exchange(time=NOON, account="acme", messages=(first.messages[0], *after), answer=second.answer),
        Exchange(time=NOON, account="acme", messages=(first.messages[0], *after, *third.messages[3:])),
    ]
    assert contents(*rows) == plain("alpha", "shortened by the client\nbeta", "gamma")


def test_accounts_do_not_vouch_for_one_another() -> None:
    rows = reducer().reduce([*held(QUESTION, account="victim"), held(QUESTION, GO_ON)[1]])
    assert shares_anchors(rows[1], QUESTION)


def test_neither_part_of_a_request_is_hidden_by_the_length_of_the_other() -> None:
    noise = " ".join(f"w{chr(97 + n % 26)}{chr(97 + n // 26 % 26)}{chr(97 + n // 676)}" for n in range(3_000))
    rows = reducer().reduce([
        talk(("user", noise), ("assistant", "ok"), ("user", QUESTION)),
        talk(("user", QUESTION), ("assistant", "ok"), ("user", noise), account="b"),
    ])  # fmt: skip
    assert all(shares_anchors(row, QUESTION) for row in rows)


@pytest.mark.parametrize("hide", ["system", "tools", "aside"])
def test_a_question_beside_the_turns_is_sketched_where_the_turns_say_nothing_new(hide: str) -> None:
    def exchange(text: str) -> Exchange:
        if hide == "system":
            return talk(("system", text), ("user", "Begin."))
        return ask("Begin.", **{hide: f'[{{"description": "{text}"}}]'})

    texts = ["The first text that this account has sent to anybody", QUESTION, "Another question about the same hour"]
    rows = reducer().reduce([exchange(text) for text in texts])
    assert [shares_anchors(row, text) for row, text in zip(rows, texts, strict=True)] == [False, True, True]
    assert len(set(rows["sketch"]["content"].tolist())) == 3
    same = reducer().reduce([exchange(texts[0]), exchange(texts[0])])
    assert same["sketch"]["content"][0] == same["sketch"]["content"][1], "what comes with every request is not asked"


def test_what_fails_is_not_remembered() -> None:
    first, second = held(QUESTION, GO_ON)
    made = reducer()
    with pytest.raises(AttributeError):
        made.reduce([first, Exchange(time=NOON, account="acme", address=None)])  # type: ignore[arg-type]
    assert shares_anchors(made.reduce([second])[0], QUESTION)


def test_the_table_keeps_to_its_size_and_forgets_the_oldest_of_a_bucket() -> None:
    table = Digests(8)
    for key in (2, 4, 6, 8, 10):  # all fall into one bucket
        table.put(key, key)
    assert [table.get(key) for key in (2, 4, 6, 8, 10)] == [-1, 4, 6, 8, 10]
    table.settle()
    table.put(12, 1)
    table.put(6, 7)
    table.undo()
    assert [table.get(key) for key in (4, 6, 12)] == [4, 6, -1]


def test_what_is_remembered_holds_no_text_and_is_keyed() -> None:
    talks = held(QUESTION, GO_ON)
    tables = []
    for key in (bytes(32), b"k" * 32):
        told = Told(key, 64)
        with told.reading(talks):
            pass
        assert "exercise" not in repr(told)
        tables.append({int(one) for one in vars_of(told)} - {0})
    assert tables[0] and not tables[0] & tables[1]


def vars_of(told: Told) -> list[int]:
    found: list[int] = told._known._keys.tolist()
    return found
