"""Bodies of the OpenAI API for the fake upstream: what was asked in, what would be answered out.

Each builder takes a request body and a script, and returns the JSON answer, or the events of a stream.
"""

import base64
import json
import struct
from collections.abc import Callable
from typing import Any

from tests.fake_answers import CREATED, digest, logprob_entries, sample, tokens_of
from tests.fake_script import Script

Json = dict[str, Any]
Events = list[tuple[str | None, Any]]
"""Name of each event (None where the protocol gives it none) and its data."""


class Unanswerable(Exception):
    """The request is one that the real API would refuse."""

    def __init__(self, status: int, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.param, self.code = status, message, param, code


def _identity(body: Json, script: Script) -> str:
    """Return digits that are equal for the same question, streamed or not."""
    shown = {key: value for key, value in body.items() if key not in ("stream", "stream_options")}
    return digest(f"{script.seed}\0{json.dumps(shown, sort_keys=True)}")


def _cut(words: list[str], limit: Any) -> tuple[list[str], str]:
    return (words[:limit], "length") if type(limit) is int and limit < len(words) else (words, "stop")


def _usage(tokens_in: int, tokens_out: int) -> Json:
    return {
        "prompt_tokens": tokens_in,
        "completion_tokens": tokens_out,
        "total_tokens": tokens_in + tokens_out,
        "prompt_tokens_details": {"cached_tokens": tokens_in // 2, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def _schema(body: Json) -> Any:
    form = body.get("response_format") or {}
    return (form.get("json_schema") or {}).get("schema") if form.get("type") == "json_schema" else None


def _called(body: Json) -> list[Json]:
    """Return the functions that the fake model calls: every one offered, unless a tool's answer is already there."""
    messages = body.get("messages") or []
    if not body.get("tools") or body.get("tool_choice") == "none" or (messages and messages[-1].get("role") == "tool"):
        return []
    return [tool["function"] for tool in body["tools"] if tool.get("type") == "function"]


def _calls(body: Json, key: str) -> list[Json]:
    return [
        {
            "id": f"call_{digest(key + str(i))[:24]}",
            "type": "function",
            "function": {"name": spec["name"], "arguments": json.dumps(sample(spec.get("parameters") or {}, key))},
        }
        for i, spec in enumerate(_called(body))
    ]


def chat(body: Json, script: Script) -> Json | Events:
    """Answer `/v1/chat/completions`."""
    if not body.get("messages"):
        raise Unanswerable(400, "Missing required parameter: 'messages'.", param="messages")
    key = _identity(body, script)
    choices = [_choice(body, script, key, i) for i in range(body.get("n") or 1)]
    usage = _usage(tokens_of(body["messages"]), sum(len(words) for words, _ in choices))
    base = {
        "id": f"chatcmpl-{key[:24]}",
        "object": "chat.completion",
        "created": CREATED,
        "model": body.get("model"),
        "service_tier": "default",
        "system_fingerprint": "fp_fake",
    }
    if body.get("stream"):
        return _chat_events(body, script, {**base, "object": "chat.completion.chunk"}, choices, usage)
    return {**base, "choices": [choice for _, choice in choices], "usage": usage}


def _choice(body: Json, script: Script, key: str, index: int) -> tuple[list[str], Json]:
    calls = _calls(body, f"{key}{index}")
    schema = _schema(body)
    if schema is not None:
        text = json.dumps(sample(schema, f"{key}{index}"), ensure_ascii=False)
        words, finish = [text[i : i + 7] for i in range(0, len(text), 7)], "stop"
    elif calls:
        words, finish = [], "tool_calls"
    else:
        words, finish = _cut(
            script.answer_words(body["messages"], str(index)), body.get("max_completion_tokens", body.get("max_tokens"))
        )
    message: Json = {"role": "assistant", "content": "".join(words) or None, "refusal": None, "annotations": []}
    if calls:
        message["tool_calls"] = calls
    logprobs = None
    if body.get("logprobs"):
        logprobs = {"content": logprob_entries(words, body.get("top_logprobs") or 0), "refusal": None}
    return words, {"index": index, "message": message, "logprobs": logprobs, "finish_reason": finish}


def _chat_events(body: Json, script: Script, base: Json, choices: list[tuple[list[str], Json]], usage: Json) -> Events:
    asked = script.usage == "forced" or bool((body.get("stream_options") or {}).get("include_usage"))
    tail = asked and script.usage in ("tail", "forced")
    null = {"usage": None} if tail else {}
    chunks: list[Json] = []

    def add(index: int, delta: Json, *, finish: str | None = None, logprobs: Json | None = None) -> None:
        choice = {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": finish}
        chunks.append({**base, "choices": [choice], **null})

    for words, choice in choices:
        index = choice["index"]
        add(index, {"role": "assistant", "content": "" if words else None, "refusal": None})
        for i, word in enumerate(words):
            entry = choice["logprobs"] and {"content": [choice["logprobs"]["content"][i]], "refusal": None}
            add(index, {"content": word}, logprobs=entry)
        for i, call in enumerate(choice["message"].get("tool_calls", [])):
            spec = call["function"]
            head = {**call, "index": i, "function": {"name": spec["name"], "arguments": ""}}
            add(index, {"tool_calls": [head]})
            for at in range(0, len(spec["arguments"]), 9):
                part = {"index": i, "function": {"arguments": spec["arguments"][at : at + 9]}}
                add(index, {"tool_calls": [part]})
        add(index, {}, finish=choice["finish_reason"])
    if asked and script.usage == "last":
        chunks[-1]["usage"] = usage
    elif tail:
        chunks.append({**base, "choices": [], "usage": usage})
    return [(None, chunk) for chunk in chunks]


def completions(body: Json, script: Script) -> Json | Events:
    """Answer `/v1/completions`."""
    key = _identity(body, script)
    prompts = body.get("prompt") if type(body.get("prompt")) is list else [body.get("prompt") or ""]
    top = body.get("logprobs")
    base = {"id": f"cmpl-{key[:24]}", "object": "text_completion", "created": CREATED, "model": body.get("model")}
    choices, pieces = [], []
    for index, prompt in enumerate(prompt for prompt in prompts for _ in range(body.get("n") or 1)):
        words, finish = _cut(script.answer_words(prompt, str(index)), body.get("max_tokens"))
        whole = _completion(words, index, top, finish)
        choices.append(whole)
        pieces += [_completion([word], index, top, None) for word in words]
        pieces.append(_completion([], index, None, finish))
    usage = _usage(tokens_of(prompts), sum(len(choice["text"].split()) for choice in choices))
    if not body.get("stream"):
        return {**base, "choices": choices, "usage": usage}
    events: Events = [(None, {**base, "choices": [piece]}) for piece in pieces]
    if (body.get("stream_options") or {}).get("include_usage"):
        events = [(None, {**chunk, "usage": None}) for _, chunk in events]
        events.append((None, {**base, "choices": [], "usage": usage}))
    return events


def _completion(words: list[str], index: int, top: Any, finish: str | None) -> Json:
    logprobs = None
    if type(top) is int:
        entries = logprob_entries(words, top)
        logprobs = {
            "tokens": words,
            "token_logprobs": [entry["logprob"] for entry in entries],
            "top_logprobs": [{t["token"]: t["logprob"] for t in entry["top_logprobs"]} for entry in entries],
            "text_offset": [len("".join(words[:i])) for i in range(len(words))],
        }
    return {"text": "".join(words), "index": index, "logprobs": logprobs, "finish_reason": finish}


def embeddings(body: Json, script: Script) -> Json:
    """Answer `/v1/embeddings`; base64 where it is asked for, as the official client does by default."""
    source = body.get("input")
    texts = source if type(source) is list and source and type(source[0]) in (str, list) else [source]
    data = []
    for index, text in enumerate(texts):
        raw = digest(f"{script.seed}{text}").encode() * ((body.get("dimensions") or 32) // 32 + 1)
        vector = [(byte - 76) / 128 for byte in raw[: body.get("dimensions") or 32]]
        packed = base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
        value = packed if body.get("encoding_format") == "base64" else vector
        data.append({"object": "embedding", "index": index, "embedding": value})
    count = tokens_of(texts)
    return {
        "object": "list",
        "data": data,
        "model": body.get("model"),
        "usage": {"prompt_tokens": count, "total_tokens": count},
    }


def models(names: tuple[str, ...]) -> Json:
    """Answer `GET /v1/models`."""
    return {"object": "list", "data": [model(name) for name in names]}


def model(name: str) -> Json:
    """Answer `GET /v1/models/{name}`."""
    return {"id": name, "object": "model", "created": CREATED, "owned_by": "fake"}


def error(status: int, script: Script, refused: Unanswerable | None = None) -> Json:
    """Return an error body in OpenAI's shape."""
    kind, code = {
        401: ("invalid_request_error", "invalid_api_key"),
        403: ("invalid_request_error", "unsupported_country_region_territory"),
        404: ("invalid_request_error", "model_not_found"),
        429: ("requests", "rate_limit_exceeded"),
    }.get(status, ("server_error" if status >= 500 else "invalid_request_error", None))
    return {
        "error": {
            "message": script.message or (refused.message if refused else f"The fake upstream answers {status}."),
            "type": script.type or kind,
            "param": refused.param if refused else None,
            "code": script.code or (refused.code if refused else None) or code,
        }
    }


Builder = Callable[[Json, Script], Json | Events]
