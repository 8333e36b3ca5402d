"""Turn corpus rows into pools: work that campaigns collect, and texts that honest jobs process.

In: `Sources`. Out: lists of (text, slots) by preset, and texts by kind. A give-away is taken out on
the way: the first line that marks every row of the tool set as such.
Left to `corpus`: freezing them.
"""

from collections.abc import Callable, Iterable
from typing import Final

from stillwatch.lab.traffic.sources import Row, Sources

Entry = tuple[str, tuple[str, ...]]

ANGLES: Final = (
    "causes", "limits", "history", "proof", "methods", "errors", "measurement", "examples", "exceptions", "notation",
    "open questions", "standard cases", "edge cases", "foundations", "applications", "misconceptions",
)  # fmt: skip


def _asked(row: Row) -> str:
    return f"{row['instruction']}\n\n{row['input']}" if row.get("input") else str(row["instruction"])


def _plain(*names: str) -> Callable[[Sources], Iterable[Entry]]:
    def read(sources: Sources) -> Iterable[Entry]:
        for name in names:
            for row in sources.rows(name):
                yield _asked(row), ()

    return read


def _reasoning(sources: Sources) -> Iterable[Entry]:
    for name in ("gsm8k_train", "math_word"):
        for row in sources.rows(name):
            yield row["question"], ()
    for row in sources.rows("math_cot"):
        yield row["instruction"], ()


def _grading(sources: Sources) -> Iterable[Entry]:
    """Yield a question with one candidate answer at a time, four teachers in turn."""
    for key in ("6b_finetuning", "175b_finetuning", "6b_verification", "175b_verification"):
        for row in sources.rows("gsm8k_solutions"):
            if key in row:
                yield row["question"], (row[key]["solution"],)


def _tools(sources: Sources) -> Iterable[Entry]:
    for row in sources.rows("toolformer"):
        lines = row["instruction"].split("\n")
        access = lines[1].partition(":")[2].strip() if len(lines) > 2 else "search"
        asked = f"{lines[-1]}\n\n{row['input']}" if row.get("input") else lines[-1]
        yield asked, tuple(part.strip() for part in access.split(","))


def _seeds(sources: Sources) -> Iterable[Entry]:
    for row in sources.rows("seeds"):
        first = row["instances"][0]
        if row["lang"] == "en":
            yield row["instruction"], (first["input"] or "<noinput>", first["output"])


def _generation(sources: Sources) -> Iterable[Entry]:
    for row in sources.rows("generation"):
        if row["lang"] == "en" and "${" not in row["text"]:
            yield row["text"], ()


def _sweep(sources: Sources) -> Iterable[Entry]:
    subjects = sorted({" ".join(str(row["subject"]).split("_")[-2:]) for row in sources.rows("mmlu")})
    for row in sources.rows("camel"):
        if len(row["role"].split()) > 2:
            continue
        for subject in subjects:
            for angle in ANGLES:
                yield f"{angle} / {subject} / {row['role']}", (subject, angle, str(row["role"]))


TASKS: Final[dict[str, Callable[[Sources], Iterable[Entry]]]] = {
    "bootstrap": _seeds,
    "generation": _generation,
    "answers": _plain("alpaca", "alpaca_gpt4", "codealpaca", "roleplay"),
    "reasoning": _reasoning,
    "grading": _grading,
    "tools": _tools,
    "roleplay": _plain("roleplay"),
    "sweep": _sweep,
}


def task_pools(sources: Sources) -> dict[str, list[Entry]]:
    """Return the work of each preset, each text once, in corpus order."""
    pools: dict[str, list[Entry]] = {}
    for preset, read in TASKS.items():
        seen: set[Entry] = set()
        pool = pools[preset] = []
        for entry in read(sources):
            if entry not in seen:
                seen.add(entry)
                pool.append(entry)
    return pools


def _field(name: str, key: str) -> Callable[[Sources], Iterable[str]]:
    def read(sources: Sources) -> Iterable[str]:
        for row in sources.rows(name):
            yield str(row[key]).strip()

    return read


def _news(sources: Sources) -> Iterable[str]:
    for row in sources.rows("ag_news"):
        yield f"{row['title']}\n{row['description']}"


def _utterances(sources: Sources) -> Iterable[str]:
    for row in sources.rows("restaurant"):
        yield row["userInput"]["text"].strip()


def _articles(sources: Sources) -> Iterable[str]:
    for row in sources.rows("cnn"):
        yield row["article"][:2500]


def _choices(sources: Sources) -> Iterable[str]:
    for row in sources.rows("mmlu"):
        if "A" in row:
            yield f"{row['question']}\nA. {row['A']}\nB. {row['B']}\nC. {row['C']}\nD. {row['D']}"


def _questions(sources: Sources) -> Iterable[str]:
    for row in sources.rows("mmlu"):
        if is_free(row["question"]) and not is_medical(row["subject"]):
            yield str(row["question"])


def _medical(sources: Sources) -> Iterable[str]:
    """Yield cases and questions as a clinician would ask them, without choices to pick from."""
    for row in sources.rows("mmlu"):
        text = str(row["question"]).replace("Which of the following", "What").replace("which of the following", "what")
        if is_medical(row["subject"]) and text.endswith("?") and "following" not in text:
            yield text


def is_medical(subject: str) -> bool:
    """Tell whether an MMLU subject is one that clinicians ask about."""
    return subject in (
        "anatomy", "clinical_knowledge", "college_medicine", "medical_genetics", "nutrition", "professional_medicine",
        "virology",
    )  # fmt: skip


def is_free(question: str) -> bool:
    """Tell whether an MMLU question can be asked without its four choices."""
    return question.endswith("?") and "following" not in question and 25 < len(question) < 600


def _suite(prefix: str) -> Callable[[Sources], Iterable[str]]:
    def read(sources: Sources) -> Iterable[str]:
        for row in sources.rows("eval_suites"):
            if row["suite"].startswith(prefix):
                yield row["turns"][0]

    return read


POOLS: Final[dict[str, Callable[[Sources], Iterable[str]]]] = {
    "message": _field("banking", "text"),
    "utterance": _field("clinc", "text"),
    "booking": _utterances,
    "review": _field("sst2", "sentence"),
    "news": _news,
    "article": _articles,
    "sentence": _field("wmt", "en"),
    "german": _field("wmt", "de"),
    "question": _questions,
    "medical": _medical,
    "code": _field("humaneval", "prompt"),
    "eval gsm8k": _field("gsm8k_test", "question"),
    "eval mmlu": _choices,
    "eval humaneval": _field("humaneval", "prompt"),
    "eval mbpp": _field("mbpp", "prompt"),
    "eval boolq": _field("boolq", "instruction"),
    "eval arc": _field("arc", "instruction"),
    "eval mt_bench": _suite("mt_bench"),
    "eval vicuna": _suite("vicuna"),
    "eval instructions": _suite("self_instruct"),
    "judge": _suite("llm_judge"),
}


def job_pools(sources: Sources) -> dict[str, tuple[str, ...]]:
    """Return the texts of each kind that the sources have, each text once, in corpus order."""
    pools = {kind: tuple(dict.fromkeys(text for text in read(sources) if text)) for kind, read in POOLS.items()}
    return {kind: texts for kind, texts in pools.items() if texts}
