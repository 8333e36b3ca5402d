"""Honest machine accounts: pipelines with one template for life, evaluators, judges, data makers.

In: a stage, how many accounts, and the habit's name. Out: portraits of stratum `batch` or `evaluation`.
"""

import random
from dataclasses import dataclass, replace
from typing import Final

from stillwatch.lab.traffic.chance import heavy
from stillwatch.lab.traffic.lexicon import SLOTS
from stillwatch.lab.traffic.plan import DAY, Truth
from stillwatch.lab.traffic.stage import Ask, Portrait, Stage, single
from stillwatch.lab.traffic.wording import Wording

LANGUAGES: Final = ("French", "Spanish", "Dutch", "Polish", "Japanese", "Turkish", "Portuguese", "Hindi", "Korean")
TRANSLATE: Final = ("Translate into {}:", "Translate the following text to {}.", "Translate this to {}, keep the tone:")
TRANSLATED: Final = ("sentence", "german", "message", "news", "booking")
POPULAR: Final = 4
"""Templates that come from a popular tool and are shared by unrelated customers."""


@dataclass(frozen=True, slots=True)
class Pipeline:
    """One customer's template and the kind of text it is applied to."""

    template: str
    pool: str
    brief: bool
    """Answers are labels, not prose."""
    as_system: bool

    def unit(self, stage: Stage, rng: random.Random, at: float, text: str) -> list[Ask]:
        """Return one request over `text`."""
        answer = stage.replies.short(rng) if self.brief else stage.replies.text(rng, 60 + min(900, len(text) // 2))
        if self.as_system:
            return single(at, text, answer, system=self.template)
        return single(at, f"{self.template}\n\n{text}", answer)


KINDS: Final[tuple[tuple[str, tuple[str, ...], bool], ...]] = (
    ("classify", ("message", "utterance", "review", "news"), True),
    ("extract", ("booking", "news", "article", "message"), True),
    ("summarise", ("article", "news", "message", "question"), False),
    ("rewrite", ("review", "sentence", "question", "message"), False),
)
"""Kind of wording, pools it fits, whether answers are brief."""


def draw_pipeline(stage: Stage, rng: random.Random) -> Pipeline:
    """Return a pipeline of a wording of its own."""
    kind, pools, brief = rng.choice(KINDS)
    pool = rng.choice([name for name in pools if name in stage.corpus.pools])
    template = Wording(kind).paragraph(rng, rng.choice((1, 2)))
    if kind == "classify":
        template += " Labels: " + ", ".join(rng.sample(SLOTS["trade"] + SLOTS["criterion"], rng.randint(4, 8))) + "."
    return Pipeline(template, pool, brief, rng.random() < 0.4)


def batch(stage: Stage, n: int, habit: str) -> list[Portrait]:
    """Return customers who run one template or a small fixed set over their own texts, in bursts."""
    popular = [draw_pipeline(stage, stage.dice("popular", i)) for i in range(POPULAR)]
    names = list(stage.corpus.jobs)
    portraits = []
    for number in range(n):
        rng = stage.dice(habit, number)
        size = _size(stage, rng)
        if names and rng.random() < 0.45:
            templates = stage.shards("jobs", names).deal(rng.randint(1, 3))
            texts = [text for name in templates for text in stage.corpus.jobs[name]]
            units = [single(0.0, text, stage.replies.short(rng)) for text in texts[:size]]
        else:
            pipes = [rng.choice(popular)] if rng.random() < 0.25 else _own(stage, rng)
            units = _over(stage, rng, pipes, size)
        portraits.append(_portrait(stage, rng, "batch", habit, timed(stage, rng, units)))
    return portraits


def _own(stage: Stage, rng: random.Random) -> list[Pipeline]:
    return [draw_pipeline(stage, rng) for _ in range(rng.choice((1, 1, 2, 3)))]


def _size(stage: Stage, rng: random.Random) -> int:
    return heavy(rng, median=45, spread=0.7, low=20, high=stage.plan.job_requests)


def _over(stage: Stage, rng: random.Random, pipes: list[Pipeline], size: int) -> list[list[Ask]]:
    """Return `size` requests, the pipelines one after another, each over its own shard of texts."""
    units: list[list[Ask]] = []
    for pipe in pipes:
        for text in stage.shards(pipe.pool, stage.corpus.pools[pipe.pool]).deal(-(-size // len(pipes))):
            units.append(pipe.unit(stage, rng, 0.0, text))
    return units[:size]


def timed(stage: Stage, rng: random.Random, units: list[list[Ask]]) -> list[list[Ask]]:
    """Return the units at the times of a scheduled job."""
    times = stage.rhythm.runs(rng, len(units), chunk=rng.choice((10, 20, 50, 100, 300)))
    return [[ask._replace(time=at) for ask in unit] for unit, at in zip(units, times, strict=True)]


def _portrait(stage: Stage, rng: random.Random, stratum: str, habit: str, units: list[list[Ask]]) -> Portrait:
    return Portrait(caller=stage.machine(rng), truth=Truth(kind="honest", stratum=stratum, habit=habit), units=units)


def routing(stage: Stage, n: int, habit: str) -> list[Portrait]:
    """Return bots that sort what their visitors write: one system prompt, traffic of a production client."""
    portraits = []
    for number in range(n):
        rng = stage.dice(habit, number)
        pool = rng.choice([name for name in ("message", "booking", "utterance") if name in stage.corpus.pools])
        pipe = Pipeline(Wording("classify").paragraph(rng, 2), pool, True, True)
        units = _over(stage, rng, [pipe], min(2 * _size(stage, rng), stage.plan.job_requests))
        times = stage.rhythm.production(rng, len(units))
        units = [[ask._replace(time=at) for ask in unit] for unit, at in zip(units, times, strict=True)]
        portraits.append(_portrait(stage, rng, "batch", habit, units))
    return portraits


def production(stage: Stage, n: int, habit: str) -> list[Portrait]:
    """Return heavy round-the-clock clients at the rates of real ones, as many requests as the plan allows."""
    portraits = []
    for number in range(n):
        rng = stage.dice(habit, number)
        units = _over(stage, rng, [draw_pipeline(stage, rng)], stage.plan.job_requests)
        times = stage.rhythm.production(rng, len(units))
        units = [[ask._replace(time=at) for ask in unit] for unit, at in zip(units, times, strict=True)]
        portraits.append(_portrait(stage, rng, "batch", habit, units))
    return portraits


def translation(stage: Stage, n: int, habit: str) -> list[Portrait]:
    """Return translation pipelines: everybody's template is much the same short sentence."""
    portraits = []
    for number in range(n):
        rng = stage.dice(habit, number)
        pool = rng.choice([pool for pool in TRANSLATED if pool in stage.corpus.pools])
        target = "English" if pool == "german" else rng.choice(LANGUAGES)
        pipe = Pipeline(rng.choice(TRANSLATE).format(target), pool, False, rng.random() < 0.5)
        units = _over(stage, rng, [pipe], _size(stage, rng))
        portraits.append(_portrait(stage, rng, "batch", habit, timed(stage, rng, units)))
    return portraits


def synthetic(stage: Stage, n: int, habit: str) -> list[Portrait]:
    """Return one organisation that has data made for its own product: one generation prompt, few examples."""
    shared = stage.dice(habit)
    pool = shared.choice([name for name in ("message", "booking", "review") if name in stage.corpus.pools])
    prompt = Wording("bootstrap").paragraph(shared, 2) + " " + Wording("rewrite").sentence(shared)
    first = stage.machine(shared)
    portraits = []
    for number in range(n):
        rng = stage.dice(habit, number)
        units = []
        for _ in range(min(2 * _size(stage, rng), stage.plan.job_requests)):
            examples = "\n".join(f"- {text}" for text in rng.sample(stage.corpus.pools[pool], 3))
            units.append(single(0.0, f"{prompt}\n\n{examples}", stage.replies.chat(rng)))
        portrait = _portrait(stage, rng, "batch", habit, timed(stage, rng, units))
        portrait.caller = replace(
            portrait.caller, organisation=first.organisation, payment=first.payment, addresses=first.addresses
        )
        portrait.truth = replace(portrait.truth, group=habit)
        portraits.append(portrait)
    return portraits


FORMATS: Final = ("Question: {}\nAnswer:", "{}", "Q: {}\nA:")
"""Prompt formats of public harnesses; evaluators of one suite mostly use the same."""


def evaluators(stage: Stage, n: int, habit: str) -> list[Portrait]:
    """Return evaluators: public items in file order, the same as others', the same again a week later."""
    suites = sorted(name for name in stage.corpus.pools if name.startswith("eval "))
    portraits = []
    for number in range(n):
        rng = stage.dice(habit, number)
        suite = rng.choice(suites)
        form = FORMATS[0] if rng.random() < 0.6 else rng.choice(FORMATS)
        items = stage.corpus.pools[suite][: min(2 * _size(stage, rng), stage.plan.job_requests // 2)]
        weekly = stage.plan.days > 8 and rng.random() < 0.6
        begin = stage.plan.start + rng.uniform(0, (stage.plan.days - (7.2 if weekly else 0.2)) * DAY)
        units: list[list[Ask]] = []
        for start in (begin, begin + 7 * DAY) if weekly else (begin,):
            at = start
            for item in items:
                at += rng.expovariate(1.0) + 0.1
                units.append(single(at, form.format(item), stage.replies.chat(rng, 300)))
        portraits.append(_portrait(stage, rng, "evaluation", habit, units))
    return portraits


def judges(stage: Stage, n: int, habit: str) -> list[Portrait]:
    """Return customers whose tests let the model judge answers, with a public judge prompt or their own."""
    public = [text for text in stage.corpus.pools.get("judge", ()) if "{question}" in text]
    questions = stage.corpus.pools.get("eval mt_bench", ()) + stage.corpus.pools["question"][:200]
    portraits = []
    for number in range(n):
        rng = stage.dice(habit, number)
        own = Wording("grading").paragraph(rng, 2) + "\n\n{question}\n\n{answer}"
        template = rng.choice(public) if public and rng.random() < 0.6 else own
        suite = rng.sample(questions, min(len(questions), rng.randint(10, 40)))
        asked = (suite * rng.randint(1, 4))[: stage.plan.job_requests]
        units = [single(0.0, _filled(stage, rng, template, q), stage.replies.chat(rng, 500)) for q in asked]
        portraits.append(_portrait(stage, rng, "evaluation", habit, timed(stage, rng, units)))
    return portraits


def _filled(stage: Stage, rng: random.Random, template: str, question: str) -> str:
    text = template.replace("{question}", question)
    for slot in ("{answer}", "{answer_a}", "{answer_b}", "{ref_answer_1}"):
        if slot in text:
            text = text.replace(slot, stage.replies.text(rng, rng.randint(80, 600)))
    return text
