"""Content in every shape of the wire formats becomes the same few words."""

import base64
from typing import Any

import pytest

from stillwatch.logs.answers import read_answer
from stillwatch.logs.anthropic import Anthropic
from stillwatch.logs.content import call_text, turns
from stillwatch.logs.importer import BadRow, Lens
from stillwatch.logs.litellm import LiteLLM
from stillwatch.logs.openai import OpenAI
from stillwatch.logs.requests import read_request
from stillwatch.logs.streams import joined_chunks

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(64))
DATA = "data:image/png;base64," + base64.b64encode(PNG).decode()
LENS = Lens()


def said(source: Any) -> list[tuple[str, str]]:
    return [(message.role, message.text) for message in turns(source)]


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": {"url": DATA, "detail": "low"}},
        {"type": "image_url", "image_url": DATA},
        {"type": "input_image", "image_url": DATA},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": DATA.partition(",")[2]}},
        {"type": "blob", "mime_type": "image/png", "content": DATA.partition(",")[2]},
    ],
)
def test_inline_images_come_as_bytes(part: dict[str, Any]) -> None:
    (message,) = turns([{"role": "user", "content": [{"type": "text", "text": "see"}, part]}])
    assert (message.text, message.images) == ("see", (PNG,))


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
        {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
        {"type": "image", "source": {"type": "file", "file_id": "f"}},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,@@@"}},
        {"type": "uri", "uri": "gs://a/b.png"},
        {"type": "input_file", "file_id": "x"},
    ],
)
def test_references_and_damaged_images_are_left_out(part: dict[str, Any]) -> None:
    (message,) = turns([{"role": "user", "content": [part, {"type": "text", "text": "see"}]}])
    assert (message.text, message.images) == ("see", ())


def test_tool_calls_read_the_same_in_every_wire_format() -> None:
    expected = [("user", "find it"), ("assistant", 'look {"a":1,"b":2}'), ("tool", "found"), ("user", "thanks")]
    call = {"name": "look", "arguments": '{"b": 2, "a": 1}'}
    openai = [
        {"role": "user", "content": "find it"},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "type": "function", "function": call}]},
        {"role": "tool", "tool_call_id": "1", "content": "found"},
        {"role": "user", "content": "thanks"},
    ]
    anthropic = [
        {"role": "user", "content": "find it"},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "hidden", "signature": "x"},
                {"type": "tool_use", "id": "1", "name": "look", "input": {"b": 2, "a": 1}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "1", "content": [{"type": "text", "text": "found"}]},
                {"type": "text", "text": "thanks"},
            ],
        },
    ]
    responses = [
        {"role": "user", "content": "find it"},
        {"type": "reasoning", "summary": []},
        {"type": "function_call", "call_id": "1", **call},
        {"type": "function_call_output", "call_id": "1", "output": "found"},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "thanks"}]},
    ]
    otel = [
        {"role": "user", "parts": [{"type": "text", "content": "find it"}]},
        {
            "role": "assistant",
            "parts": [{"type": "tool_call", "id": "1", "name": "look", "arguments": {"a": 1, "b": 2}}],
        },
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "1", "response": "found"}]},
        {"role": "user", "parts": [{"type": "text", "content": "thanks"}]},
    ]
    for source in (openai, anthropic, responses, otel):
        assert said(source) == expected


def test_an_answer_equals_the_assistant_turn_that_quotes_it() -> None:
    blocks = [
        {"type": "thinking", "thinking": "hidden"},
        {"type": "text", "text": "I look."},
        {"type": "tool_use", "id": "1", "name": "look", "input": {"b": 2, "a": 1}},
    ]
    message = {
        "role": "assistant",
        "content": "I look.",
        "tool_calls": [{"function": {"name": "look", "arguments": "{}"}}],
    }
    for body, turn in (
        ({"type": "message", "content": blocks, "stop_reason": "tool_use"}, {"role": "assistant", "content": blocks}),
        ({"choices": [{"message": message, "finish_reason": "tool_calls"}]}, message),
    ):
        fields: dict[str, Any] = {}
        read_answer(body, fields)
        assert [("assistant", fields["answer"])] == said([turn])
        assert fields["finish"] == "tool"


def test_arguments_that_are_no_json_are_kept_as_they_are() -> None:
    assert call_text("f", "{broken") == "f {broken"
    assert call_text("f", None) == "f"


@pytest.mark.parametrize(("source", "found"), [(5, "a number"), ([{"role": "user", "content": "x"}, 5], "item 1")])
def test_messages_of_a_wrong_type_are_refused_by_name(source: Any, found: str) -> None:
    with pytest.raises(BadRow, match=found):
        turns(source)


@pytest.mark.parametrize(
    ("body", "endpoint", "messages"),
    [
        ({"prompt": "tell"}, "completions", [("user", "tell")]),
        ({"prompt": ["one", "two"]}, "completions", [("user", "one\ntwo")]),
        ({"prompt": [1, 2, 3]}, "completions", [("user", "zqb zqc zqd")]),
        ({"prompt": [[1, 2], [3, None]]}, "completions", [("user", "zqb zqc\nzqd")]),
        ({"input": "tell"}, "responses", [("user", "tell")]),
        ({"input": "tell", "instructions": "be"}, "responses", [("system", "be"), ("user", "tell")]),
        ({"model": "text-embedding-3-small", "input": ["a", "b"]}, "embeddings", [("user", "a\nb")]),
        ({"messages": [{"role": "developer", "content": "be"}]}, "chat", [("system", "be")]),
        ({"system": [{"type": "text", "text": "be"}], "messages": []}, "messages", [("system", "be")]),
    ],
)
def test_each_kind_of_request_is_told(body: Any, endpoint: str, messages: list[tuple[str, str]]) -> None:
    fields: dict[str, Any] = {}
    read_request(body, fields)
    assert fields["endpoint"] == endpoint
    assert [(m.role, m.text) for m in fields.get("messages", ())] == messages


def test_parameters_and_tools_come_in_one_spelling() -> None:
    tool = {"type": "function", "function": {"name": "f", "parameters": {"b": 1, "a": 2}}}
    body = {"max_completion_tokens": 9, "logprobs": True, "n": 3, "reasoning": {"effort": "high"}, "tools": [tool]}
    fields: dict[str, Any] = {}
    read_request({**body, "messages": [], "stop": ["x"], "response_format": {"type": "json_schema"}}, fields)
    assert fields["parameters"] == {
        "max_tokens": 9,
        "logprobs": True,
        "n": 3,
        "reasoning_effort": "high",
        "response_format": "json_schema",
    }
    assert fields["tools"] == '[{"function":{"name":"f","parameters":{"a":2,"b":1}},"type":"function"}]'


def test_streams_of_tool_calls_are_put_together() -> None:
    def delta(**part: Any) -> dict[str, Any]:
        return {"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "function": part}]}}]}

    body = joined_chunks([delta(name="look", arguments=""), delta(arguments='{"a"'), delta(arguments=": 1}"), {}])
    assert body["content"] == 'look {"a":1}', "as the turn that quotes it is read"


def test_a_failed_call_carries_its_status() -> None:
    row = {"timestamp": 1_760_000_000, "user": "u", "request": {"messages": [{"role": "user", "content": "x"}]}}
    for response, status in (
        ({"status_code": 429, "body": {"error": {"type": "rate_limit"}}}, 429),
        ({"error": {"code": 503, "message": "CANARY"}}, 503),
    ):
        exchange = OpenAI().read({**row, "response": response}, LENS)
        assert exchange is not None
        assert (exchange.status, exchange.finish, exchange.answer) == (status, "error", "")


def test_litellm_failures_admins_and_redaction() -> None:
    row: dict[str, Any] = {
        "call_type": "acompletion",
        "startTime": 1_760_000_000,
        "status": "failure",
        "error_information": {"error_code": "429"},
        "metadata": {"user_api_key_user_id": "default_user_id", "user_api_key_hash": "ab" * 32},
        "messages": [{"role": "user", "content": "redacted-by-litellm"}],
        "response": {"choices": [{"message": {"content": "redacted-by-litellm"}}]},
    }
    exchange = LiteLLM().read(row, LENS)
    assert exchange is not None
    assert (exchange.status, exchange.finish, exchange.account) == (429, "error", "ab" * 32)
    assert (exchange.messages[0].text, exchange.answer) == ("", "")


def test_an_anthropic_customers_user_serves_where_nothing_else_names_anybody() -> None:
    body = {"model": "claude-3", "metadata": {"user_id": "them"}, "messages": [{"role": "user", "content": "x"}]}
    exchange = Anthropic().read({"time": 1_760_000_000, "request": body}, LENS)
    assert exchange is not None and exchange.account == "them"
