"""Fields of a request that ask for token probabilities, reasoning or several answers.

In: a body. Out: a copy without them, or None where there was nothing to change. Known: OpenAI chat,
completions and responses, Anthropic messages, and the extra switches of vLLM, SGLang and llama.cpp.
"""

from typing import Any, Final

from stillwatch.treatments.treatment import Json

ASK_LOGPROBS: Final = (
    "logprobs", "top_logprobs", "prompt_logprobs", "n_probs", "post_sampling_probs", "return_logprob",
    "top_logprobs_num", "logprob_start_len", "token_ids_logprob", "logprob_token_ids",
)  # fmt: skip
"""Fields that ask for probabilities of tokens."""
ASK_BESIDE: Final = ("prompt_logprobs", "n_probs", "post_sampling_probs", "return_logprob", "top_logprobs_num",
                     "logprob_start_len", "token_ids_logprob", "logprob_token_ids")  # fmt: skip
"""Those among them whose answers have a shape of their own."""
ASK_STATES: Final = ("return_hidden_states",)
"""Fields that ask for the model's inner states."""
_INCLUDED_LOGPROBS: Final = "message.output_text.logprobs"
_SUMMARIES: Final = ("summary", "generate_summary")


def without(body: Json, names: tuple[str, ...]) -> Json:
    """Return a body without these fields, nor under `extra_body`; the body itself when it has none."""
    nested = body.get("extra_body")
    if type(nested) is dict and any(name in nested for name in names):
        body = {**body, "extra_body": {k: v for k, v in nested.items() if k not in names}}
    return {k: v for k, v in body.items() if k not in names} if any(name in body for name in names) else body


def without_included_logprobs(body: Json) -> Json:
    """Return a responses body that does not ask for probabilities under `include`."""
    include = body.get("include")
    if type(include) is not list or _INCLUDED_LOGPROBS not in include:
        return body
    return {**body, "include": [name for name in include if name != _INCLUDED_LOGPROBS]}


def without_reasoning(body: Json) -> Json:
    """Return a body that asks for no reasoning text; how hard the model thinks stays as it was asked.

    `reasoning_format` goes, since one of its values moves reasoning into the answer's own text.
    """
    body = without(body, ("reasoning_format",))
    if "include_reasoning" in body and body["include_reasoning"] is not False:
        body = {**body, "include_reasoning": False}
    asked = body.get("reasoning")
    if type(asked) is dict and any(name in asked for name in _SUMMARIES):
        body = {**body, "reasoning": {k: v for k, v in asked.items() if k not in _SUMMARIES}}
    return body


def capped(body: Json, name: str, most: int) -> Json:
    """Return a body whose whole number `name` is at most `most`; true and false are no numbers."""
    value: Any = body.get(name)
    return {**body, name: most} if type(value) in (int, float) and value > most else body
