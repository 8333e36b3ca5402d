"""Answers of every shape that the gateway serves, with token probabilities and reasoning in all their places."""

import base64
from array import array
from typing import Any

SECRET = "thought that must not leave"
"""Reasoning text wherever an answer holds some."""
TEXT = "said"
"""Text of answers, in which no treatment finds anything to change."""
PROSE = (
    "It's the case that they have to be there, and we don't mind it. For example, this is not often seen. In addition, "
    "a number of shops that you know may need to make sure that someone is there, primarily for each other."
)
"""Text in which treatments that change words find plenty."""

Json = dict[str, Any]


def entry(token: str = "a", own: float = -0.31, tops: tuple[float, ...] = (-0.31, -1.72, -4.04)) -> Json:
    """One position of the chat shape; the drawn token is the likeliest."""
    listed = [{"token": token if i == 0 else f"{token}{i}", "bytes": [97], "logprob": x} for i, x in enumerate(tops)]
    return {"token": token, "bytes": [97], "logprob": own, "top_logprobs": listed}


def entries() -> list[Json]:
    return [entry("a"), entry("b", -0.01, (-0.01, -5.5)), entry("c", -2.5, (-0.2, -2.0, -2.5))]


def older() -> Json:
    """The shape of completions, with an echoed prompt's first token."""
    return {
        "tokens": ["p", "a", "b"],
        "token_logprobs": [None, -0.31, -2.2],
        "top_logprobs": [None, {"a": -0.31, "x": -1.5}, {"y": -0.4, "b": -2.2}],
        "text_offset": [0, 1, 2],
    }


def chat() -> Json:
    message = {
        "role": "assistant", "content": TEXT, "reasoning_content": SECRET, "reasoning": SECRET,
        "reasoning_details": [{"type": "reasoning.text", "text": SECRET}],
        "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"logprobs": [1]}'}}],
    }  # fmt: skip
    choice = {
        "index": 0,
        "finish_reason": "stop",
        "message": message,
        "logprobs": {"content": entries(), "refusal": None},
    }
    return {
        "id": "x", "object": "chat.completion", "model": "m", "choices": [choice],
        "prompt_logprobs": [None, {"5": {"logprob": -3.0, "rank": 2, "decoded_token": "z"}}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 3, "completion_tokens_details": {"reasoning_tokens": 9}},
    }  # fmt: skip


def chat_chunks(positions: list[Json], cut: int) -> list[Json]:
    """A chat stream with `cut` positions an event."""
    parts = [positions[i : i + cut] for i in range(0, len(positions), cut)]
    head = {"index": 0, "delta": {"role": "assistant", "reasoning_content": SECRET}, "logprobs": None}
    choices = [head, *({"index": 0, "delta": {"content": TEXT}, "logprobs": {"content": part}} for part in parts)]
    return [{"id": "x", "object": "chat.completion.chunk", "choices": [choice]} for choice in choices]


def responses() -> Json:
    return {
        "id": "r", "object": "response", "status": "completed",
        "output": [
            {"type": "reasoning", "id": "rs", "encrypted_content": "sealed",
             "summary": [{"type": "summary_text", "text": SECRET}],
             "content": [{"type": "reasoning_text", "text": SECRET}]},
            {"type": "message", "role": "assistant",
             "content": [{"type": "output_text", "text": TEXT, "annotations": [], "logprobs": entries()}]},
            {"type": "function_call", "arguments": '{"reasoning": "mine"}', "name": "f", "call_id": "c"},
        ],
        "reasoning": {"effort": "high", "summary": None},
    }  # fmt: skip


def responses_events() -> list[Json]:
    item = responses()["output"]
    return [
        {"type": "response.created", "response": {"id": "r", "output": []}},
        {"type": "response.output_item.added", "item": {"type": "reasoning", "summary": []}},
        {"type": "response.reasoning_summary_part.added", "part": {"type": "summary_text", "text": SECRET}},
        {"type": "response.reasoning_summary_text.delta", "delta": SECRET},
        {"type": "response.reasoning_summary_text.done", "text": SECRET},
        {"type": "response.reasoning_text.delta", "delta": SECRET},
        {"type": "response.output_item.done", "item": item[0]},
        {"type": "response.content_part.added", "part": {"type": "output_text", "text": "", "logprobs": []}},
        {"type": "response.output_text.delta", "delta": TEXT, "logprobs": entries()},
        {"type": "response.output_text.done", "text": TEXT, "logprobs": entries()},
        {"type": "response.content_part.done", "part": item[1]["content"][0]},
        {"type": "response.output_item.done", "item": item[1]},
        {"type": "response.function_call_arguments.delta", "delta": '{"reasoning"'},
        {"type": "response.completed", "response": responses()},
    ]


def message() -> Json:
    return {
        "id": "m", "type": "message", "role": "assistant",
        "content": [
            {"type": "thinking", "thinking": SECRET, "signature": "sealed"},
            {"type": "redacted_thinking", "data": "sealed"},
            {"type": "text", "text": TEXT},
            {"type": "tool_use", "id": "t", "name": "f", "input": {"thinking": "mine", "logprobs": [-1.0]}},
        ],
        "usage": {"input_tokens": 1, "output_tokens": 2},
    }  # fmt: skip


def message_events() -> list[Json]:
    blocks = message()["content"]
    return [
        {"type": "message_start", "message": {**message(), "content": []}},
        {"type": "content_block_start", "index": 0, "content_block": blocks[0]},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": SECRET}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "sealed"}},
        {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": TEXT}},
        {"type": "content_block_delta", "index": 2, "delta": {"type": "input_json_delta", "partial_json": '{"thin'}},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}},
        {"type": "message_stop"},
    ]


def completions() -> Json:
    choice = {"index": 0, "text": TEXT, "logprobs": older(), "finish_reason": "stop", "prompt_logprobs": [None]}
    return {"id": "c", "object": "text_completion", "choices": [choice]}


def embeddings() -> list[Json]:
    """Embeddings as numbers and as base64 of float32."""
    packed = base64.b64encode(array("f", [0.6, -0.8])).decode()
    return [
        {"object": "list", "data": [{"object": "embedding", "embedding": [0.6, -0.8], "index": 0}]},
        {"object": "list", "data": [{"object": "embedding", "embedding": packed, "index": 0}]},
    ]


def plain() -> list[Json]:
    """Answers without anything to treat."""
    return [
        {"object": "chat.completion", "choices": [{"index": 0, "message": {"role": "assistant", "content": TEXT}}]},
        {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": TEXT}, "logprobs": None}]},
        {"object": "chat.completion.chunk", "choices": [], "usage": {"prompt_tokens": 1}},
        {"type": "message", "content": [{"type": "text", "text": TEXT}]},
        {"type": "ping"},
        {"object": "list", "data": [{"id": "model", "object": "model"}]},
        {"error": {"message": "no", "type": "invalid_request_error"}},
    ]


def every_answer() -> list[Json]:
    """One of every shape, streams as their events."""
    return [
        chat(),
        *chat_chunks(entries(), 1),
        responses(),
        *responses_events(),
        message(),
        *message_events(),
        completions(),
    ]
