import hashlib
import math

import numpy as np
import pytest

from stillwatch.sketch.asks import bit_of
from stillwatch.sketch.keys import EPOCH_SECONDS, KeyRing
from stillwatch.sketch.similar import cosine, jaccard
from stillwatch.terms.event import ADDRESS_KINDS, EVENT_DTYPE, SKETCH_DTYPE
from stillwatch.terms.exchange import Exchange, Message
from tests.unit.sketch.made import NOON, TORTURE, ask, reducer, talk

LETTER = "Dear team,\n\nplease find attached the {} report for {}.\n- sales\n- costs\n\nKind regards, {}"


def test_a_sketch_has_at_most_512_bytes() -> None:
    assert SKETCH_DTYPE.itemsize <= 512


def test_torture_neither_crashes_nor_differs_between_batch_and_alone() -> None:
    exchanges = [ask(text, answer=text[:1000], session=name) for name, text in TORTURE.items()]
    exchanges += [
        talk(("system", text[:500]), ("user", text[:900]), ("assistant", text[:99])) for text in TORTURE.values()
    ]
    together = reducer().reduce(exchanges)
    again = reducer()
    alone = np.concatenate([again.reduce([exchange]) for exchange in exchanges])
    assert together.tobytes() == alone.tobytes()


def test_an_exchange_that_says_nothing_has_zeros_for_what_is_not_known() -> None:
    row = reducer().reduce([Exchange(time=NOON, account="acme")])[0]
    known = {"event_id", "epoch", "time", "account", "tokens_in", "tokens_out", "latency", "status", "sketch"}
    assert all(row[name] == 0 for name in EVENT_DTYPE.names or () if name not in known)
    sketch = row["sketch"]
    assert all(not np.any(sketch[name]) for name in SKETCH_DTYPE.names or () if name != "version")
    assert len(reducer().reduce([])) == 0


def test_only_what_follows_the_last_answer_is_sketched_of_a_conversation_that_was_held() -> None:
    first, new = "What is the capital of France these days?", "And how many people would you say live there at present?"
    past = [("system", "Be kind."), ("user", first), ("assistant", "Paris.")]
    rows = reducer().reduce([talk(*past[:2], answer="Paris."), talk(*past, ("user", new)), ask(new)])
    for name in ("anchors", "head", "tail", "content", "projection", "style", "words"):
        assert np.array_equal(rows["sketch"][name][1], rows["sketch"][name][2])
    assert rows["turns"].tolist() == [1, 3, 1]
    assert rows["sketch"]["system"].tolist()[2] == 0 != rows["sketch"]["system"][1]


def test_tool_results_after_the_last_answer_are_new_and_a_closing_answer_hides_nothing() -> None:
    rows = reducer().reduce([
        ask("old words"),
        talk(("user", "old words"), ("assistant", ""), ("tool", "result one"), ("tool", "result two")),
        ask("result one\nresult two"),
        talk(("user", "closing words"), ("assistant", "prefill and more")),
        ask("closing words\nprefill and more"),
    ])  # fmt: skip
    content = rows["sketch"]["content"]
    assert content[1] == content[2] != content[3] == content[4] != 0


def test_an_answer_carried_back_matches_the_answer_issued() -> None:
    issued = reducer().reduce([ask("Hi", answer=f"Answer  number {n}\nas it was. ") for n in range(10)])["sketch"][
        "issued"
    ]
    turns = [part for n in range(10) for part in (("user", "Hi"), ("assistant", f"Answer number {n} as it was."))]
    chain = reducer().reduce([talk(*turns, ("user", "Go on"))])["sketch"]["chain"][0]
    assert chain.tolist() == issued[-8:].tolist() and len(set(issued.tolist())) == 10


def test_an_event_keeps_its_id_in_every_epoch_and_nothing_else_that_is_keyed() -> None:
    early = 228 * EPOCH_SECONDS + 5.0
    exchange = ask("Please explain why the sky is blue in a few words", time=early, model="m", answer="Because.")
    rows = reducer().reduce_all([ask("later", time=NOON), exchange])
    assert rows["epoch"].tolist() == [227, 228, 227]
    own, previous = rows[1], rows[2]
    assert own["event_id"] == previous["event_id"] != rows[0]["event_id"]
    assert own["account"] != previous["account"] and own["model"] != previous["model"]
    assert previous["account"] == rows[0]["account"], "the overlap links the two epochs"
    for name in ("head", "tail", "content", "issued"):
        assert own["sketch"][name] != previous["sketch"][name]
    assert set(own["sketch"]["anchors"].tolist()) & set(previous["sketch"]["anchors"].tolist()) == {0}


def test_each_event_is_hashed_under_the_epoch_of_its_own_time() -> None:
    times = [NOON, NOON + EPOCH_SECONDS, NOON, math.nan]
    exchanges = [ask("one and the same text here", time=time) for time in times]
    together = reducer().reduce(exchanges)
    assert together["epoch"].tolist() == [227, 228, 227, 0]
    assert together["account"][0] == together["account"][2] != together["account"][1]
    assert together.tobytes() == np.concatenate([reducer().reduce([x]) for x in exchanges]).tobytes()
    assert reducer().reduce(exchanges, 9)["epoch"].tolist() == [9] * 4


def test_event_ids_differ_where_any_part_differs() -> None:
    base = {"text": "q", "answer": "a", "session": "s", "account": "acme", "time": NOON}
    changes = [{}, {"text": "r"}, {"answer": "b"}, {"session": "t"}, {"account": "b"}, {"time": NOON + 1},
               {"account": "acmes", "session": ""}]  # fmt: skip
    made = [dict(base, **change) for change in changes]
    ids = reducer().reduce([ask(str(x.pop("text")), **x) for x in made])["event_id"]
    assert len(set(ids.tolist())) == len(changes)


def test_rewording_slots_keeps_the_skeleton_and_likeness_follows_the_words() -> None:
    texts = [LETTER.format("March", "the Berlin office", "Ann"), LETTER.format("April", "our Lisbon store", "Bob"),
             "Why do cats purr?\nAnd do lions roar for the same reason, or for another one entirely?"]  # fmt: skip
    sketch = reducer().reduce([ask(text) for text in texts])["sketch"]
    assert sketch["skeleton"][0] == sketch["skeleton"][1] != sketch["skeleton"][2] != 0
    same, other = cosine(sketch["projection"][0], sketch["projection"][1:])
    assert same > 0.4 > other
    assert jaccard(sketch["anchors"][0], sketch["anchors"][2]) == 0


def test_case_numbers_spacing_and_invisible_characters_do_not_hide_a_text() -> None:
    plain = "Write 3 short poems about the sea and then number each one of them"
    full_width = "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in plain)
    spaced, parted = plain.replace(" ", "  \t"), plain.replace("e", "\u200be")
    variants = [plain, plain.upper(), plain.replace("3", "17"), spaced, parted, full_width]
    sketch = reducer().reduce([ask(text) for text in variants])["sketch"]
    for name in ("anchors", "head", "tail", "content", "projection"):
        assert all(np.array_equal(row, sketch[name][0]) for row in sketch[name])


def test_parameters_are_hashed_in_one_spelling() -> None:
    given = [{"temperature": 1, "top_p": 0.5}, {"top_p": 0.5, "temperature": 1.0, "stream": True, "user": "me"},
             {"temperature": True, "top_p": 0.5}, {}, {"seed": 1.0}, {"seed": 2.0}]  # fmt: skip
    hashes = reducer().reduce([ask("x", parameters=p) for p in given])["parameters"].tolist()
    assert hashes[0] == hashes[1] != hashes[2] and hashes[3] == 0 and hashes[4] == hashes[5] != 0


def test_asks_in_parameters_are_flagged() -> None:
    given = {"logprobs": {"top_logprobs": 5}, "samples": {"n": 4}, "reasoning": {"reasoning.summary": "auto"}}
    for ask_name, parameters in given.items():
        row = reducer().reduce([ask("hello", parameters=parameters)])
        assert row["sketch"]["asks"][0] == bit_of(ask_name)
    off = {"logprobs": False, "n": 1, "best_of": 1.0, "thinking": "disabled", "top_logprobs": 0}
    assert reducer().reduce([ask("hello", parameters=off)])["sketch"]["asks"][0] == 0


def test_addresses_are_kept_as_networks_and_kinds() -> None:
    made = reducer(kinds=[("8.8.0.0/16", "datacentre")], asns=[("8.8.8.0", "8.8.8.255", 15169)], tor=["9.9.9.9"])
    rows = made.reduce([ask("x", address=a) for a in ("8.8.8.8", "8.8.8.99", "9.9.9.9", "10.0.0.1", "nonsense", "")])
    assert rows["asn"].tolist() == [15169, 15169, 0, 0, 0, 0]
    kinds = [ADDRESS_KINDS[k] for k in rows["address_kind"]]
    assert kinds == ["datacentre", "datacentre", "tor", "private", "unknown", "unknown"]
    assert rows["network"][0] == rows["network"][1] != rows["network"][2] and rows["network"][3:].tolist() == [0, 0, 0]


def test_figures_out_of_range_are_held_at_the_bounds_of_their_columns() -> None:
    row = reducer().reduce([ask("x", tokens_in=10**12, tokens_out=-(10**12), status=10**6, latency=math.inf)])[0]
    assert (row["tokens_in"], row["tokens_out"], row["status"]) == (2**31 - 1, -1, 65_535)


def test_no_text_stays_in_the_row_or_in_any_repr() -> None:
    canary = "canary7f3a wanders through quiet gardens while nobody looks at it"
    fields = dict.fromkeys(("organisation", "plan", "key_id", "agent", "payment", "session", "model", "answer"), canary)
    exchange = talk(
        ("system", canary), ("user", canary), ("assistant", canary), ("user", canary), account=canary, **fields
    )
    made = reducer()
    row = made.reduce([exchange])
    held = [repr(made), repr(vars(made)["_epochs"]), row.tobytes().decode("latin-1")]
    held += [repr(vars(hasher)) for hasher in vars(made)["_epochs"].values()]
    assert not any("canary7f3a" in text for text in held)
    assert hashlib.blake2b(canary.encode(), digest_size=8).digest() not in row.tobytes(), "every hash is keyed"


def test_long_text_is_not_remembered() -> None:
    made = reducer()
    made.reduce([ask("x" * 50, tools="secret tool " * 50, session="s" * 400)])
    kept = vars(made)["_epochs"][227].by_purpose
    assert not kept["tools"] and not kept["session"] and list(kept["account"]) == ["acme"]


@pytest.mark.parametrize("role", ["system", "developer"])
def test_dates_in_a_system_prompt_do_not_make_it_another_one(role: str) -> None:
    rows = reducer().reduce([talk((role, f"Be brief. Today is 2026-11-{day}."), ("user", "hi")) for day in (21, 22)])
    assert rows["sketch"]["system"][0] == rows["sketch"]["system"][1] != 0


def test_two_masters_share_no_hash() -> None:
    from stillwatch.sketch.address import AddressTable
    from stillwatch.sketch.reduce import Reducer

    exchange = ask(LETTER, model="m", session="s", answer="a", tools="{}", payment="p")
    rows = [Reducer(KeyRing(key * 16), AddressTable.empty()).reduce([exchange])[0] for key in (b"a", b"b")]
    for name in ("event_id", "account", "model", "session", "payment"):
        assert rows[0][name] != rows[1][name]
    for name in ("head", "tail", "skeleton", "content", "issued", "tools"):
        assert rows[0]["sketch"][name] != rows[1]["sketch"][name]


def test_messages_with_other_roles_are_read_as_new_turns() -> None:
    message = Message(role="function", text="some result")
    row = reducer().reduce([Exchange(time=NOON, account="a", messages=(message,))])[0]
    assert row["turns"] == 1 and row["sketch"]["words"] == 2
