"""The benchmark of marks measures what it says, on a few documents of the packaged sample."""

from bench.marks import chance, goals, honest, needs
from bench.marks.documents import Documents, documents
from bench.marks.pace import READ, STEP, Time
from stillwatch.forensics.marks.power import tokens_needed


def test_honest_documents_pass_as_often_as_theory_says_and_repeats_spoil_that() -> None:
    found = documents(None, 150)
    assert len(found.tokens) == 150 and max(int(one.max()) for one in found.tokens) < found.vocab
    for width in (1, 2):
        rows = chance.run(found, width, 40, seed=3)
        assert [row.nominal for row in rows] == list(chance.LEVELS) and all(row.tests == 6_000 for row in rows)
        assert all(row.held for row in rows)


def test_a_reader_that_is_off_is_noticed() -> None:
    fine = chance.Level(1, 1, 0.01, 10_000, 81, 0.0060, 0.0107, 0.0080, 0.05)
    off = chance.Level(1, 1, 0.01, 10_000, 520, 0.0465, 0.0580, 0.0080, 0.05)
    assert fine.held and not off.held


def test_the_other_readers_pass_honest_documents_as_often_as_theory_says() -> None:
    found = documents(None, 60)
    rows = honest.run(Documents(found.tokens[:60], found.vocab, found.source), seed=3)
    assert {(row.scheme, row.width) for row in rows} == {
        ("keyed draw", 2), ("keyed draw", 4), ("vLLM gumbel", 4), ("SynthID", 4), ("KGW lefthash", 1),
    }  # fmt: skip
    assert all(row.held and row.tests == row.keys * 60 for row in rows)


def test_a_time_is_judged_by_its_median_and_a_rate_by_its_interval() -> None:
    slow, fast = Time("a", 100.0, 501.0, "us", STEP), Time("b", 2.0, 5.1, "M tokens/s", READ)
    off = chance.Level(1, 1, 0.01, 10_000, 520, 0.0465, 0.0580, 0.0080, 0.05)
    bound = chance.Level(1, 1, 0.01, 1_000, 1, 0.00001, 0.0074, 0.01, 0.05, "KGW lefthash", True)
    assert goals.met(slow) == "no" and goals.met(fast) == "yes, and the aim"
    said = [line.rstrip(" |").split("|")[-1].strip() for line in goals.render([off, bound], [slow, fast]).splitlines()]
    assert said[2:] == ["no", "yes, and the aim", "not at 1e-02", "yes"]


def test_simulated_texts_are_found_as_often_as_promised() -> None:
    rows = needs.run(seed=4)
    for row in rows:
        assert row.simulated > 0.89 and row.union == tokens_needed(row.rate)
        assert row.union < row.wrong_quarter < row.provider + 1 or row.rate > 0.85
