"""Students of an open-ended teacher: trained on what they were given, resumed in their midst, measured in nats."""

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; run `make test-torch`")

from stillwatch.lab.neural import openstudent  # noqa: E402
from stillwatch.lab.neural.ggufweights import Weights  # noqa: E402
from stillwatch.lab.neural.llama import LlamaNet  # noqa: E402
from stillwatch.lab.neural.openexamined import expected, probabilities, written  # noqa: E402
from stillwatch.lab.neural.openstudent import Course, Distance, Line, Prepared, grown, spoken, taught  # noqa: E402
from stillwatch.lab.neural.opentask import OpenTask, kind_of  # noqa: E402

WIDTH, HEADS, INNER, VOCAB, LAYERS = 32, 4, 48, 50, 3
FACTS = {
    "llama.attention.head_count": HEADS, "llama.attention.head_count_kv": 2, "llama.rope.freq_base": 10_000.0,
    "llama.attention.layer_norm_rms_epsilon": 1e-5, "llama.rope.dimension_count": WIDTH // HEADS,
    "llama.block_count": LAYERS,
}  # fmt: skip
COURSE = Course(passes=3, rate=3e-3, batch=4, seed=1)


@pytest.fixture(scope="module")
def weights() -> Weights:
    rng = np.random.default_rng(3)
    shapes = {"attn_q": (WIDTH, WIDTH), "attn_k": (WIDTH // 2, WIDTH), "attn_v": (WIDTH // 2, WIDTH),
              "attn_output": (WIDTH, WIDTH), "ffn_gate": (INNER, WIDTH), "ffn_up": (INNER, WIDTH),
              "ffn_down": (WIDTH, INNER), "attn_norm": (WIDTH,), "ffn_norm": (WIDTH,)}  # fmt: skip
    tensors = {f"blk.{i}.{name}.weight": rng.normal(size=shape, scale=0.3).astype(np.float32)
               for i in range(LAYERS) for name, shape in shapes.items()}  # fmt: skip
    tensors["token_embd.weight"] = rng.normal(size=(VOCAB, WIDTH), scale=0.5).astype(np.float32)
    tensors["output_norm.weight"] = np.ones(WIDTH, np.float32)
    return Weights(dict(FACTS), tensors)


def lines(teacher: LlamaNet, count: int, seed: int) -> list[Line]:
    """Return questions of random tokens with answers that the teacher drew."""
    rng = np.random.default_rng(seed)
    asked = [tuple(int(i) for i in rng.integers(1, VOCAB, size=rng.integers(3, 7))) for _ in range(count)]
    return written(teacher, asked, (6, [0], seed))


def test_what_is_prepared_once_is_what_the_whole_net_would_say(weights: Weights) -> None:
    net = LlamaNet(weights, [0, 2], 1)
    given = [Line((4, 5, 6), (7, 8)), Line((9, 1, 2, 3, 4), (5,)), Line((1, 2), (3, 4, 5, 6))]
    rows = Prepared(net, given)
    with torch.no_grad():
        found, said = rows.hidden(net, [0, 1, 2])
        alone = [net(torch.tensor([[*one.asked, *one.said][:-1]]), torch.tensor([0]))[0, -len(one.said) :]
                 for one in given]  # fmt: skip
    assert said.tolist() == [7, 8, 5, 3, 4, 5, 6]
    assert torch.allclose(found, torch.cat(alone), atol=0.05)  # what is kept is kept in bfloat16


def test_a_larger_harvest_brings_a_student_nearer_and_the_base_stays(weights: Weights) -> None:
    teacher, base = LlamaNet(weights, [0, 1, 2]), LlamaNet(weights, [0, 2], 1)
    held = lines(teacher, 40, 1)
    distance = Distance(teacher, Prepared(base, held), Prepared(teacher, held), base)
    kept = []
    for size in (40, 400):
        student = grown(base)
        taught(student, Prepared(base, lines(teacher, size, 2)), replace(COURSE, passes=4))
        figures = distance.kept(student, np.random.default_rng(1))
        assert figures["nats_kept_low"] <= figures["nats_kept"] <= figures["nats_kept_high"]
        kept.append(figures["nats_kept"])
    assert distance.base.sum() > 0.0 and kept[1] > kept[0] and kept[1] > 0.1
    assert distance.kept(base, np.random.default_rng(1))["nats_kept"] == pytest.approx(0.0, abs=1e-6)
    assert np.array_equal(distance.of(base), distance.base)


def test_the_teacher_is_at_no_distance_from_itself(weights: Weights) -> None:
    teacher = LlamaNet(weights, [0, 1, 2])
    rows = Prepared(teacher, lines(teacher, 5, 1))
    assert np.allclose(Distance(teacher, rows, rows, teacher).base, 0.0, atol=1e-4)


def test_training_that_was_broken_off_ends_as_if_it_had_not_been(
    weights: Weights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openstudent, "KEPT_EVERY", 3)
    base = LlamaNet(weights, [0, 2], 1)
    rows = Prepared(base, lines(LlamaNet(weights, [0, 1, 2]), 12, 5))
    whole, broken, file = grown(base), grown(base), tmp_path / "student.pt"
    losses = taught(whole, rows, COURSE)

    class Gone(Exception):
        pass

    def stops(held: object, path: Path, write: object = openstudent.write) -> None:
        openstudent_write(held, path)
        raise Gone

    openstudent_write = openstudent.write
    monkeypatch.setattr(openstudent, "write", stops)
    with pytest.raises(Gone):
        taught(broken, rows, COURSE, file)
    monkeypatch.setattr(openstudent, "write", openstudent_write)
    resumed = grown(base)
    assert taught(resumed, rows, COURSE, file) == pytest.approx(losses, abs=1e-5)
    for one, other in zip(resumed.trained(), whole.trained(), strict=True):
        assert torch.allclose(one, other, atol=1e-5)
    again = grown(base)
    assert len(taught(again, rows, COURSE, file)) == len(losses)
    assert torch.equal(again.trained()[0], resumed.trained()[0])


def test_every_row_is_seen_once_a_pass() -> None:
    seen = [i for step in range(6) for i in openstudent._drawn(8, COURSE, step)]
    assert [sorted(seen[first : first + 8]) for first in (0, 8, 16)] == [list(range(8))] * 3
    assert seen[:8] != seen[8:16]


def test_what_is_frozen_is_shared_and_what_is_open_is_not(weights: Weights) -> None:
    base = LlamaNet(weights, [0, 2], 1)
    student = grown(base)
    assert all(a is b for a, b in zip(base.buffers(), student.buffers(), strict=True))
    assert not any(a is b for a, b in zip(base.parameters(), student.parameters(), strict=True))


def test_answers_do_not_depend_on_what_is_asked_beside(weights: Weights) -> None:
    net = LlamaNet(weights, [0, 1])
    asked = [[1, 2, 3], [4, 5, 6, 7, 8, 9], [2, 2]]
    together = spoken(net, asked, 5, [0])
    assert together == [spoken(net, [one], 5, [0])[0] for one in asked]


def test_exams_are_given_what_suspect_and_reference_say_at_the_same_places(weights: Weights) -> None:
    base, teacher = LlamaNet(weights, [0, 2], 1), LlamaNet(weights, [0, 1, 2])
    neutral = Prepared(base, lines(teacher, 6, 7))
    student = grown(base)
    taught(student, neutral, COURSE)
    held = np.load(io.BytesIO(probabilities(student, base, neutral)))
    places = sum(len(line.said) - 1 for line in neutral.lines)
    assert held["contexts"].tolist() == [[one] for line in neutral.lines for one in line.said[:-1]]
    assert held["suspect"].shape == held["reference"].shape == (places, VOCAB)
    assert np.allclose(np.exp(held["suspect"]).sum(1), 1.0, atol=1e-3)
    assert not np.allclose(held["suspect"], held["reference"], atol=0.1)
    said = written(student, [line.asked for line in neutral.lines], (6, [0], 3))
    assert said == written(student, [line.asked for line in neutral.lines], (6, [0], 3))
    made = expected(base, said)
    counts = np.load(io.BytesIO(made["expected"]))
    text = [json.loads(row)["answer"] for row in made["tokens"].splitlines()]
    assert text == [list(line.said) for line in said]
    assert counts["counts"].sum() == pytest.approx(sum(len(one) - 1 for one in text), rel=1e-3)
    assert set(counts["contexts"].ravel().tolist()) == {token for one in text for token in one[:-1]}


def test_nobody_is_tested_on_what_was_asked_and_readings_have_one_answer() -> None:
    bench = OpenTask().bench(1, None, 0.1)
    parts = [{item.text for item in part} for part in (bench.pool, bench.test, bench.honest, bench.held)]
    assert sum(map(len, parts)) == len(set().union(*parts))
    assert {kind_of(item) for item in bench.pool} == {"prompt", "reading"}
    assert all(not item.answer for item in bench.pool) and all(item.answer in item.text for item in bench.test)
    item = bench.test[0]
    assert bench.right(item, f"It was {item.answer.upper()}.") and not bench.right(item, f"un{item.answer}s")
    assert not bench.right(item, item.text.partition(". ")[0])  # whoever says it all has not answered
    assert not bench.right(bench.pool[0], "") and {"banana" in item.text for item in bench.forbidden} == {True}
