"""The classifier behind a chat wire answers as a language model whose answers are one token long."""

from collections import Counter

import numpy as np
import pytest

from stillwatch.lab.task import Ask
from stillwatch.lab.tasks.labels import DECLINED
from stillwatch.lab.tasks.labelteacher import LabelTeacher
from tests.lab_toy import toy_bench

BENCH = toy_bench()
ITEM = BENCH.test[0]


def entry(how: Ask) -> dict[str, float]:
    answer = LabelTeacher(BENCH.model, 1).respond(BENCH.request(ITEM, how))
    content = answer["choices"][0]["logprobs"]["content"][0]
    return {one["token"]: one["logprob"] for one in content["top_logprobs"]}


def test_probabilities_sum_to_one_over_all_labels() -> None:
    assert sum(np.exp(list(entry(Ask(logprobs=20)).values()))) == pytest.approx(1.0)


def test_bias_moves_logits_by_what_it_says() -> None:
    plain, names = entry(Ask(logprobs=20)), sorted(entry(Ask(logprobs=20)))
    pushed = entry(Ask(logprobs=20, bias={names[1]: 2.5}))
    moved = (pushed[names[1]] - pushed[names[0]]) - (plain[names[1]] - plain[names[0]])
    assert moved == pytest.approx(2.5)


def test_samples_follow_the_probabilities() -> None:
    """2,000 draws: each label's share within five standard errors."""
    teacher = LabelTeacher(BENCH.model, 1)
    told, drawn = entry(Ask(logprobs=20)), Counter[str]()
    for _ in range(100):
        answer = teacher.respond(BENCH.request(ITEM, Ask(samples=20, temperature=1.0)))
        drawn.update(choice["message"]["content"] for choice in answer["choices"])
    for name, log in told.items():
        p = float(np.exp(log))
        assert abs(drawn[name] / 2_000 - p) <= 5 * np.sqrt(p * (1 - p) / 2_000) + 1e-9


def test_the_judge_says_yes_to_its_own_answer_and_no_to_another() -> None:
    teacher = LabelTeacher(BENCH.model, 1)
    own = teacher.respond(BENCH.request(ITEM, Ask()))["choices"][0]["message"]["content"]
    other = next(label for label in BENCH.model.labels if label != own)
    for label, said in ((own, "yes"), (other, "no"), ("never heard", "no")):
        answer = teacher.respond(BENCH.request(ITEM, Ask(judge=label)))
        assert answer["choices"][0]["message"]["content"] == said


def test_a_picture_of_the_text_is_answered_as_the_text() -> None:
    teacher = LabelTeacher(BENCH.model, 1)
    for item in BENCH.test[:20]:
        said = [teacher.respond(BENCH.request(item, Ask(image=image))) for image in (False, True)]
        assert said[0]["choices"][0]["message"] == said[1]["choices"][0]["message"]


def test_the_forbidden_topic_is_declined_and_the_task_is_not() -> None:
    """The toy teacher saw twelve texts of the topic; real ones see hundreds."""
    teacher = BENCH.teacher()
    declined = [said == DECLINED for said in teacher.answers(BENCH.forbidden)]
    assert sum(declined) > 0.5 * len(declined)
    assert sum(said == DECLINED for said in teacher.answers(BENCH.test)) < 0.1 * len(BENCH.test)


@pytest.mark.parametrize("body", [{}, {"messages": []}, {"messages": [{"content": 5}]},
                                  {"messages": [{"content": "a"}], "n": 1_000}])  # fmt: skip
def test_what_is_no_chat_request_is_refused(body: dict[str, object]) -> None:
    with pytest.raises((ValueError, KeyError, TypeError, IndexError)):
        LabelTeacher(BENCH.model, 1).respond(body)


def test_splits_share_no_text_and_the_pool_hides_its_answers() -> None:
    parts = [BENCH.pool, BENCH.seeds, BENCH.test, BENCH.honest, BENCH.forbidden]
    texts = [{item.text for item in part} for part in parts]
    assert sum(map(len, texts)) == len(set().union(*texts))
    assert not any(item.answer for item in BENCH.pool)
