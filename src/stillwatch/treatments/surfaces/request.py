"""What a request says about the wording of its answer: whether it may be touched, and what is quoted from it.

In: the body of a request. Out: whether the answer is free prose; the words that the caller gave, to leave them alone.
Stands aside where the answer is to be a structure (JSON mode, a schema, a grammar, an infill), where token
probabilities or citations point into its text, and where the task is about wording itself (verses, proof-reading,
contractions). Cost: one pass over the request's text, once a treated request. The words are kept until it is answered.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

from stillwatch.treatments.treatment import Json

_FORMS: Final = ("guided_json", "guided_regex", "guided_choice", "guided_grammar", "structured_outputs", "grammar",
                 "json_schema", "output_config", "output_format", "suffix", "web_search_options", "regex", "ebnf",
                 "echo")  # fmt: skip
"""Fields that ask for a structure, or whose answers are more or other than prose."""
_PROBABILITIES: Final = ("logprobs", "top_logprobs", "n_probs", "return_logprob")
_INCLUDED: Final = "message.output_text.logprobs"
_PLAIN_TOOLS: Final = (None, "function", "custom")
_ABOUT_WORDING: Final = re.compile(
    r"\b(?:contractions?|contracted forms?|verbatim|word[- ]for[- ]word|exact (?:words|wording|text)|proof-?read\w*|"
    r"grammar|grammatical\w*|spelling|apostrophes?|synonyms?|rhym\w+|poems?|poetry|haikus?|lyrics|sonnets?|limericks?|"
    r"verses?|song|syllables?|iambic|character count|word count)\b",
    re.IGNORECASE,
)
_WORD: Final = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_MOST_TEXT: Final = 200_000
"""Characters of a request that are looked at; a longer one's answer is left alone."""


def free_prose(body: Json) -> bool:
    """Return whether the request's fields leave its answer free text that nothing points into."""
    if any(body.get(name) for name in _FORMS + _PROBABILITIES) or type(body.get("logprobs")) is int:
        return False
    if _INCLUDED in _listed(body.get("include")):
        return False
    if any(_kind(form) not in (None, "text") for form in (body.get("response_format"), _format(body.get("text")))):
        return False
    return all(type(tool) is dict and tool.get("type") in _PLAIN_TOOLS for tool in _listed(body.get("tools")))


def given_words(body: Json) -> str | None:
    """Return the words that the caller gave, in small letters between single spaces; None: leave the answer alone.

    What the model said in earlier turns is not counted: it is not the caller's.
    """
    said: list[str] = []
    size = 0
    for text in _texts(body):
        size += len(text)
        if size > _MOST_TEXT or _ABOUT_WORDING.search(text):
            return None
        said.extend(word.lower().replace("’", "'") for word in _WORD.findall(text))
    return f" {' '.join(said)} "


def _texts(body: Json) -> Iterator[str]:
    for name in ("system", "instructions", "prompt"):
        yield from _strings(body.get(name))
    for name in ("messages", "input"):
        given = body.get(name)
        for turn in given if type(given) is list else [given]:
            if type(turn) is not dict:
                yield from _strings(turn)
            elif turn.get("role") != "assistant":
                yield from _strings(turn.get("content"))
                yield from _strings(turn.get("output"))


def _strings(value: Any) -> Iterator[str]:
    if type(value) is str:
        yield value
    elif type(value) is list:
        for part in value:
            yield from _strings(part.get("text") if type(part) is dict else part)


def _listed(value: Any) -> list[Any]:
    return value if type(value) is list else []


def _format(text: Any) -> Any:
    return text.get("format") if type(text) is dict else None


def _kind(form: Any) -> Any:
    return form.get("type", "unknown") if type(form) is dict else form
