"""A mark ordered for one account, put in by the teacher behind the running gateway, and read back by the command."""

import http.client
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from stillwatch.app.control import open_control
from stillwatch.app.markring import ring_path
from stillwatch.engines.tokens import missing as no_tokens
from stillwatch.lab.teacher import Teacher, missing, start_teacher
from stillwatch.terms.account import AccountRecord
from tests.e2e.command_line import Place
from tests.e2e.live_gateway import SETTINGS, LiveGateway, until

WHY_NOT = missing() or no_tokens()
pytestmark = pytest.mark.skipif(bool(WHY_NOT), reason=f"peer: the embedded teacher: {WHY_NOT}; `make run` installs it")

OTHERS = 300
RULES = """
[gateway]
upstream_key_file = "upstream.key"
[mark]
delta = 2.0
provider_share = 0.4
campaign_share = 0.0
account_share = 0.6
[policy]
shadow = false
[[policy.rule]]
name = "mark-one-plan"
action = "mark"
needs = "none"
plans = ["marked"]
until = 2099-01-01
treatments = ["watermark"]
approved_by = "the tests"
"""
ASKED = ("the history of iron", "bees", "rivers", "the violin", "bread", "a walk in the rain", "chess", "the sea")


@dataclass
class Marking:
    """A teacher that marks on order, the gateway before it, and what its callers were answered."""

    teacher: Teacher
    gateway: LiveGateway
    keys: dict[str, str] = field(repr=False)

    def raw(self, account: str, body: dict[str, Any], path: str = "/v1/chat/completions") -> bytes:
        """Return an answer as it came."""
        connection = http.client.HTTPConnection("127.0.0.1", self.gateway.port, timeout=60)
        head = {"authorization": f"Bearer {self.keys[account]}", "content-type": "application/json"}
        connection.request("POST", path, json.dumps(body).encode(), head)
        answer = connection.getresponse()
        raw = answer.read()
        connection.close()
        assert answer.status == 200, raw
        return raw

    def ask(self, account: str, about: str, **more: Any) -> str:
        """Return the text of an answer; a stream is put together."""
        body = {"model": "m", "max_tokens": 120, "temperature": 1.0, "top_p": 1.0, "min_p": 0.0, **more,
                "messages": [{"role": "user", "content": f"Write two paragraphs about {about}."}]}  # fmt: skip
        raw = self.raw(account, body)
        if not more.get("stream"):
            return str(json.loads(raw)["choices"][0]["message"]["content"])
        events = [json.loads(line[6:]) for line in raw.split(b"\n") if line.startswith(b"data: {")]
        assert raw.rstrip().endswith(b"data: [DONE]")
        return "".join(choice["delta"].get("content") or "" for event in events for choice in event["choices"])

    def detect(self, texts: list[str], *words: str) -> dict[str, Any]:
        """Return what the command says of texts."""
        folder = self.gateway.place.folder
        (folder / "texts.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
        done = self.gateway.place.run_here("watermark", "detect", "texts.jsonl", "--json", *words)
        found: dict[str, Any] = json.loads(done.stdout)
        assert done.exit_code == found["exit_code"]
        return found

    def counts(self) -> dict[str, int]:
        """Return what the marking server says it did."""
        host, _, port = self.teacher.url.removeprefix("http://").partition(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=5)
        connection.request("GET", "/marks")
        found: dict[str, int] = json.loads(connection.getresponse().read())["counts"]
        connection.close()
        return found


@pytest.fixture(scope="module")
def marking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Marking]:
    place = Place(tmp_path_factory.mktemp("marks"))
    state = place.folder / ".stillwatch"
    (place.folder / "settings.toml").write_text(SETTINGS + RULES)
    place.run_here("watermark", "keys", "new", "--config", "settings.toml")
    teacher = start_teacher(ring=ring_path(state))
    gateway = LiveGateway(place, teacher.url)
    try:
        (place.folder / "settings.toml").write_text(SETTINGS + RULES)
        (place.folder / "upstream.key").write_text(teacher.key + "\n")
        place.run_here("accounts", "set", "acme", "--plan", "marked")
        with open_control(state) as book, book.changing():
            for number in range(OTHERS):
                book.put_account(AccountRecord(account=f"other-{number:03}"))
        plain = json.loads(place.run_here("keys", "create", "--account", "plain", "--json").stdout)["key"]
        gateway.start(workers=1)
        yield Marking(teacher, gateway, {"acme": gateway.key, "plain": plain})
        assert gateway.stop() == 0
    finally:
        gateway.kill()
        teacher.stop()


@pytest.fixture(scope="module")
def marked(marking: Marking) -> list[str]:
    """What the account under the rule was answered, half of it in streams."""
    return [marking.ask("acme", about, stream=number % 2 == 0) for number, about in enumerate(ASKED)]


def test_the_right_account_is_named_among_hundreds(marking: Marking, marked: list[str]) -> None:
    found = marking.detect(marked, "--all-accounts")
    assert found["exit_code"] == 1
    assert found["named"] == ["account acme"]
    assert found["tried"] > OTHERS
    assert all(line["fits"] for line in found["lines"])


def test_who_was_marked_is_known_without_being_told(marking: Marking, marked: list[str]) -> None:
    assert marking.detect(marked)["named"] == ["account acme"]
    assert marking.counts().get("marked", 0) >= len(marked)


def test_another_account_in_the_same_traffic_is_not_marked_even_if_it_sends_an_order(marking: Marking) -> None:
    done = marking.counts().get("marked", 0)
    forged = {"vllm_xargs": {"stillwatch_mark": "AAAA"}}
    texts = [marking.ask("plain", about, **forged) for about in ASKED[:4]]
    found = marking.detect(texts, "--all-accounts")
    assert (found["named"], found["exit_code"] in (0, 3)) == ([], True)
    assert marking.counts() == marking.counts() | {"marked": done}  # none more, and no forged order came through
    assert "bad order" not in marking.counts()


def test_keys_that_are_rotated_while_everything_runs_mark_and_read(marking: Marking, marked: list[str]) -> None:
    folder = marking.gateway.place.folder
    assert marking.gateway.place.run_here("watermark", "keys", "rotate", "--config", "settings.toml").exit_code == 0
    notes = ring_path(folder / ".stillwatch").parent

    def noted() -> bool:
        marking.ask("acme", "salt", max_tokens=1)
        return any('"epoch":2' in path.read_text() for path in notes.glob("marked-*.jsonl"))

    until(noted, what="an answer under the new keys")
    texts = [marking.ask("acme", about) for about in ASKED[:4]]
    lines = marking.detect(texts, "--account", "acme")["lines"]
    assert min(lines, key=lambda line: line["log10_p_adjusted"])["epoch"] == 2
    assert marking.detect(marked)["named"] == ["account acme"]  # the old epoch still reads
    assert Path(folder / ".stillwatch" / "marks" / "ring.json").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/completions"])
def test_the_shape_of_an_answer_does_not_tell_that_it_is_marked(marking: Marking, path: str, stream: bool) -> None:
    asked = {"messages": [{"role": "user", "content": "Count to nine."}]} if "chat" in path else {"prompt": "One, two,"}
    for options in ({}, {"stream_options": {"include_usage": True}}) if stream else ({},):
        body = {"model": "m", "max_tokens": 4, "stream": stream, **asked, **options}
        before = marking.counts().get("marked", 0)
        shapes = [_shapes(marking.raw(account, body, path)) for account in ("plain", "acme")]
        assert marking.counts().get("marked", 0) == before + 1
        assert shapes[0] == shapes[1]


def _shapes(raw: bytes) -> list[Any]:
    """Return the names and kinds of all that an answer holds, in order; equal events once."""
    events = [line[6:] for line in raw.split(b"\n") if line.startswith(b"data: {")] or [raw]
    found = [_shape(json.loads(event)) for event in events]
    return [one for i, one in enumerate(found) if i == 0 or one != found[i - 1]]


def _shape(value: Any) -> Any:
    if isinstance(value, dict):
        return [(name, _shape(inner)) for name, inner in value.items()]
    if isinstance(value, list):
        return [_shape(inner) for inner in value]
    return "number" if isinstance(value, (int, float)) else type(value).__name__
