"""What a model reads as the question is read here, in whatever part of a request it stands, or is counted as unread."""

import base64
import json
from typing import Any

import pytest

from stillwatch.lab.traffic.plan import DEMO_START
from stillwatch.logs.content import turns
from stillwatch.logs.requests import read_request
from stillwatch.logs.served import read_served
from stillwatch.logs.tally import Tally
from stillwatch.sketch.address import AddressTable
from stillwatch.sketch.keys import KeyRing
from stillwatch.sketch.reduce import Reducer
from stillwatch.terms.exchange import Exchange, Message
from tests.served_calls import served_of

ASKED = "How heavy is the stone in the middle of the nine on the hill?"
PACKED = base64.b64encode(ASKED.encode()).decode()
CALL = Exchange(time=DEMO_START, account="acct", model="m", endpoint="chat")

TEXT = {"type": "text", "text": ASKED}
PARTS: dict[str, Any] = {
    "document": {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": ASKED}},
    "document in parts": {"type": "document", "source": {"type": "content", "content": [TEXT]}},
    "packed document": {"type": "document", "source": {"type": "base64", "media_type": "text/plain", "data": PACKED}},
    "context of a document": {"type": "document", "context": ASKED, "source": {"type": "url", "url": "https://x"}},
    "file": {"type": "file", "file": {"filename": "q.txt", "file_data": f"data:text/plain;base64,{PACKED}"}},
    "plain file": {"type": "file", "file": {"file_data": f"data:text/plain,{ASKED.replace(' ', '%20')}"}},
    "input file": {"type": "input_file", "filename": "q.txt", "file_data": f"data:text/plain;base64,{PACKED}"},
    "thought": {"type": "thinking", "thinking": ASKED},
    "reasoning": {"type": "reasoning", "summary": [{"type": "summary_text", "text": ASKED}]},
    "search result": {"type": "search_result", "title": "t", "content": [TEXT]},
    "tool result": {"type": "tool_result", "content": [{"type": "document", "source": TEXT | {"data": ASKED}}]},
}  # fmt: skip


@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
def test_text_is_read_in_every_kind_of_part(part: Any) -> None:
    read = turns([{"role": "user", "content": [part, {"type": "text", "text": "Go on."}]}])
    assert any(ASKED in message.text for message in read)


def test_a_name_that_is_a_text_is_read() -> None:
    (read,) = turns([{"role": "user", "name": ASKED, "content": "Go on."}])
    assert read.text == f"{ASKED}\nGo on."
    (read,) = turns([{"role": "user", "name": "anna", "content": "Go on."}])
    assert read.text == "Go on."


def test_an_answers_own_thoughts_are_left_out_as_before() -> None:
    (read,) = turns([{"role": "assistant", "content": [PARTS["thought"], {"type": "text", "text": "Ten."}]}])
    assert read.text == "Ten."


UNREAD: dict[str, Any] = {
    "recording": {"type": "input_audio", "input_audio": {"data": PACKED, "format": "wav"}},
    "film": {"type": "video_url", "video_url": {"url": "https://x.invalid/film"}},
    "picture by address": {"type": "image_url", "image_url": {"url": "https://x.invalid/picture"}},
    "file by number": {"type": "input_file", "file_id": "file-1"},
    "PDF": {"type": "document", "source": {"type": "base64", "data": base64.b64encode(b"%PDF-1.7 x").decode()}},
    "damaged picture": {"type": "image_url", "image_url": {"url": "data:image/png;base64,%%"}},
}


@pytest.mark.parametrize("part", UNREAD.values(), ids=UNREAD)
def test_what_no_reader_opens_is_counted_as_unread(part: Any) -> None:
    (read,) = turns([{"role": "user", "content": [{"type": "text", "text": "What does it say?"}, part]}])
    assert (read.text, read.unread) == ("What does it say?", 1)
    tally = Tally()
    tally.add([Exchange(time=0.0, account="a", messages=(read,)), Exchange(time=0.0, account="a")])
    assert tally.fields["unread"] == 1


def test_a_prompt_as_numbers_that_no_reader_turns_into_words_is_counted_as_unread() -> None:
    fields: dict[str, Any] = {"endpoint": "completions"}
    read_request({"model": "m", "prompt_embeds": PACKED}, fields)
    assert [message.unread for message in fields["messages"]] == [1]


@pytest.mark.parametrize(
    ("endpoint", "body"),
    [
        ("responses", {"input": "Go on.", "prompt": {"id": "pmpt_1", "variables": {"q": ASKED}}}),
        ("responses", {"prompt": {"id": "pmpt_1", "variables": {"q": {"type": "input_text", "text": ASKED}}}}),
        ("responses", {"input": "Go on.", "instructions": ASKED}),
        ("messages", {"messages": [], "system": [{"type": "text", "text": ASKED}]}),
        ("completions", {"prompt": "Go on.", "suffix": ASKED}),
        ("chat", {"messages": [{"role": "developer", "content": ASKED}]}),
        ("chat", {"messages": [{"role": "function", "name": "f", "content": ASKED}]}),
    ],
)
def test_every_field_that_the_endpoint_reads_is_read(endpoint: str, body: dict[str, Any]) -> None:
    read = read_served(served_of(CALL, endpoint=endpoint, request=json.dumps({"model": "m", **body}).encode()))
    assert any(ASKED in message.text for message in read.messages)


@pytest.mark.parametrize(
    "field",
    [
        {"response_format": {"type": "json_schema", "json_schema": {"schema": {"description": ASKED}}}},
        {"text": {"format": {"type": "json_schema", "schema": {"description": ASKED}}}},
        {"documents": [{"title": "t", "text": ASKED}]},
        {"chat_template": f"{{{{ '{ASKED}' }}}}"},
    ],
)
def test_forms_and_documents_are_kept_for_the_sketch(field: dict[str, Any]) -> None:
    fields: dict[str, Any] = {}
    read_request({"model": "m", "messages": [{"role": "user", "content": "Begin."}], **field}, fields)
    assert ASKED in fields["aside"]


CYRILLIC = dict(zip(map(ord, "aeopcyxi"), "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456", strict=True))
SPELLINGS = {
    "zero width": "\u200b".join(ASKED),
    "isolates": "\u2067" + "\u2069".join(ASKED),
    "tags": "".join(chr(0xE0000 + ord(letter)) for letter in ASKED),
    "marks": "".join(letter + "\u0336" for letter in ASKED),
    "look-alikes": ASKED.translate(CYRILLIC),
    "greek look-alikes": ASKED.translate({ord("o"): "\u03bf", ord("v"): "\u03bd"}),
    "fillers": "\u3164".join(ASKED),
    "bold": "".join(chr(0x1D41A + ord(letter) - 97) if letter.islower() else letter for letter in ASKED),
}  # fmt: skip


@pytest.mark.parametrize("spelt", SPELLINGS.values(), ids=SPELLINGS)
def test_letters_that_only_eyes_or_machines_take_for_others_hide_nothing(spelt: str) -> None:
    made = Reducer(KeyRing(bytes(range(32))), AddressTable.empty())
    rows = made.reduce(
        [Exchange(time=DEMO_START, account="a", messages=(Message(role="user", text=t),)) for t in (ASKED, spelt)]
    )
    shared = set(rows["sketch"]["anchors"][0].tolist()) & set(rows["sketch"]["anchors"][1].tolist()) - {0}
    assert len(shared) >= 6


@pytest.mark.parametrize(
    "text",
    [
        "\u043c\u043e\u0441\u043a\u0432\u0430 \u0438 \u043e\u0441\u0430",
        "\u03b1\u03b8\u03ae\u03bd\u03b1",
        "na\u00efve caf\u00e9",
    ],
)
def test_words_of_one_alphabet_stay_as_they_are(text: str) -> None:
    from stillwatch.sketch.text import normalise

    assert normalise(text).decode() == text
