"""Every kind of suspect answers as the one in memory does, and is asked within a budget, once, and for good."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from stillwatch.suspects.ask import Asked, Budget, ask
from stillwatch.suspects.endpoint import EndpointSuspect
from stillwatch.suspects.local import LocalSuspect
from stillwatch.suspects.memory import MemorySuspect
from stillwatch.suspects.suspect import Probe, Refusal, Reply, Suspect
from stillwatch.suspects.texts import TextSuspect
from stillwatch.suspects.transcript import Transcript
from stillwatch.terms.errors import StillwatchError

WORDS = ("null", "one", "two", "three", "four", "five", "six", "seven")


class Counting:
    """A model whose next token is the last plus one, with known probabilities."""

    def sample(
        self, n: int, length: int, seed: int, *, temperature: float = 1.0, prompts: npt.ArrayLike | None = None
    ) -> npt.NDArray[np.int64]:
        start = 0 if prompts is None else int(np.asarray(prompts)[0, -1])
        return (np.arange(1, length + 1)[None] + start).repeat(n, axis=0) % len(WORDS)

    def logits(self, contexts: npt.ArrayLike) -> npt.NDArray[Any]:
        last = np.asarray(contexts)[:, -1]
        return np.where(np.arange(len(WORDS)) == (last[:, None] + 1) % len(WORDS), 3.0, 0.0)


MODEL = Counting()


def counted(probe: Probe) -> Reply:
    """Answer as the model does, in words."""
    start = [WORDS.index(word) for word in probe.prompt.split()]
    said = MODEL.sample(1, probe.max_tokens, 0, prompts=[start])[0].tolist()
    whole = [*start, *said]
    told = tuple(_told(whole[:place], probe.top) for place in range(len(start), len(whole))) if probe.top else ()
    return Reply(text=" ".join(WORDS[token] for token in said), told=told, spent=len(whole), ended="length")


def _told(before: list[int], top: int) -> tuple[tuple[str, float], ...]:
    logits = MODEL.logits([before])[0]
    log_p = logits - np.logaddexp.reduce(logits)
    return tuple((WORDS[i], float(log_p[i])) for i in np.argsort(-log_p, kind="stable")[:top])


class Handler(BaseHTTPRequestHandler):
    """The OpenAI wire, chat and completions, over the same answers; busy once on request."""

    busy = 0

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.headers["authorization"] != "Bearer k":
            return self._send(401, {"error": {"message": "secret prompt"}})
        if Handler.busy:
            Handler.busy -= 1
            return self._send(429, {})
        chat = self.path.endswith("/chat/completions")
        prompt = body["messages"][0]["content"] if chat else body["prompt"]
        if prompt == "refuse":
            return self._send(400, {"error": {"message": "secret prompt"}})
        top = body.get("top_logprobs", 0) if chat else body.get("logprobs", 0)
        reply = counted(Probe(id="x", prompt=prompt, max_tokens=body["max_tokens"], top=top))
        choice: dict[str, Any] = {"finish_reason": "length"}
        if chat:
            choice["message"] = {"role": "assistant", "content": reply.text}
            places = [{"top_logprobs": [{"token": w, "logprob": v} for w, v in place]} for place in reply.told]
            choice["logprobs"] = {"content": places} if top else None
        else:
            choice["text"] = reply.text
            choice["logprobs"] = {"top_logprobs": [dict(place) for place in reply.told]} if top else None
        return self._send(200, {"choices": [choice], "usage": {"total_tokens": reply.spent}})

    def _send(self, status: int, body: dict[str, Any]) -> None:
        raw = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    server.server_close()


@pytest.fixture(params=["memory", "chat", "completions", "local"])
def suspect(request: pytest.FixtureRequest, address: str) -> Iterator[Suspect]:
    if request.param == "memory":
        found: Suspect = MemorySuspect(counted)
    elif request.param == "local":
        spell = lambda ids: " ".join(WORDS[i] for i in ids)  # noqa: E731
        tokenise = lambda text: [WORDS.index(word) for word in text.split()]  # noqa: E731
        found = LocalSuspect(model=MODEL, name="m", where="here", tokenise=tokenise, spell=spell)
    else:
        found = EndpointSuspect(url=address, model="m", key="k", wire=request.param, logprobs=True, wait=lambda _: None)
    yield found
    found.close()
    found.close()


PROBES = [Probe(id=f"p{i}", prompt=f"one {WORDS[i]}", max_tokens=3, top=2, seed=1) for i in range(6)]


def test_every_kind_answers_as_the_one_in_memory(suspect: Suspect) -> None:
    for probe in PROBES:
        got, wanted = suspect.reply(probe), counted(probe)
        assert (got.text, got.spent, got.ended) == (wanted.text, wanted.spent, wanted.ended)
        assert [len(place) for place in got.told] == [2, 2, 2]
        for place, other in zip(got.told, wanted.told, strict=True):
            assert [value for _, value in place] == pytest.approx([value for _, value in other])
    plain = suspect.reply(Probe(id="q", prompt="one two", max_tokens=2))
    assert plain.text == "three four" and plain.told == ()
    assert suspect.name and suspect.where and suspect.access in ("text", "logprobs", "weights")
    assert "one two" not in repr(PROBES[2]) and "three" not in repr(plain)


def run(suspect: Suspect, path: Path, budget: Budget, probes: list[Probe] | None = None) -> Asked:
    return list(ask(suspect, probes or PROBES, Transcript.open(path), budget, lambda: "2026-01-01T00:00:00Z"))[-1]


def test_asking_keeps_to_the_budget_and_goes_on_without_asking_twice(suspect: Suspect, tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    first = run(suspect, path, Budget(queries=4))
    assert (first.answered, first.left, first.ended) == (4, 2, "queries")
    again = run(suspect, path, Budget(queries=10))
    assert (again.answered, again.left, again.ended) == (2, 0, "done")
    rows = list(Transcript.open(path).rows())
    assert [row.probe for row in rows] == [probe.id for probe in PROBES]
    assert [row.reply.text for row in rows] == [counted(probe).text for probe in PROBES]
    assert rows[0].reply.told == suspect.reply(PROBES[0]).told
    assert path.stat().st_mode & 0o077 == 0
    spent = Transcript.open(path).spent
    other = run(suspect, tmp_path / "u.jsonl", Budget(tokens=spent // 2))
    assert other.ended == "tokens" and 0 < other.answered < 6


def test_a_torn_last_row_is_asked_again_and_a_damaged_one_stops_all(tmp_path: Path) -> None:
    suspect, path = MemorySuspect(counted), tmp_path / "t.jsonl"
    run(suspect, path, Budget(queries=3))
    whole = path.read_bytes()
    path.write_bytes(whole[:-9])
    assert run(suspect, path, Budget()).answered == 4 and path.read_bytes().startswith(whole)
    path.write_bytes(b"{}\n" + whole)
    with pytest.raises(StillwatchError, match="line 1: is damaged"):
        Transcript.open(path)


def test_refusals_are_kept_and_counted_and_end_the_asking_where_nothing_else_comes(tmp_path: Path) -> None:
    def no(probe: Probe) -> Reply:
        raise Refusal("status 400")

    suspect, path = MemorySuspect(no), tmp_path / "t.jsonl"
    with pytest.raises(StillwatchError, match="20 times in a row"):
        run(suspect, path, Budget(), [Probe(id=f"p{i}") for i in range(30)])
    assert Transcript.open(path).asked == 20 and not list(Transcript.open(path).rows())


def test_a_busy_endpoint_is_waited_for_and_errors_quote_nothing(address: str) -> None:
    waited: list[float] = []
    suspect = EndpointSuspect(url=address, model="m", key="k", wait=waited.append)
    Handler.busy = 2
    assert suspect.reply(PROBES[0]).text and waited == [1.0, 2.0]
    with pytest.raises(Refusal) as refused:
        suspect.reply(Probe(id="p", prompt="refuse"))
    assert refused.value.why == "status 400"
    wrong = EndpointSuspect(url=address, model="m", key="wrong", wait=waited.append)
    with pytest.raises(StillwatchError, match="refuses the key") as told:
        wrong.reply(PROBES[0])
    assert "secret prompt" not in str(told.value) and "wrong" not in repr(wrong)
    gone = EndpointSuspect(url="http://127.0.0.1:9/v1", model="m", wait=waited.append)
    with pytest.raises(StillwatchError, match="nothing answers"):
        gone.reply(PROBES[0])
    for bad in ("ftp://x", "http://u:p@x/v1", "x"):
        with pytest.raises(StillwatchError, match="suspect address"):
            EndpointSuspect(url=bad, model="m")


def test_texts_come_in_order_from_files_and_rows_and_errors_name_lines(tmp_path: Path) -> None:
    (tmp_path / "b.jsonl").write_text('{"answer": "x", "prompt": "q"}\n\n{"tokens": [1, 2]}\n', "utf-8")
    (tmp_path / "a.txt").write_text("plain", "utf-8")
    held = list(TextSuspect(path=tmp_path).held())
    assert [one.id for one in held] == ["a.txt", "b.jsonl:1", "b.jsonl:3"]
    assert [one.prompt for one in held] == ["", "q", ""] and held[2].reply.tokens == (1, 2)
    (tmp_path / "c.jsonl").write_text('{"answer": "fine"}\n{"secret": "text"}\n', "utf-8")
    with pytest.raises(StillwatchError, match="c.jsonl:2") as told:
        list(TextSuspect(path=tmp_path).held())
    assert "secret" not in str(told.value)
    with pytest.raises(StillwatchError, match="must be a folder"):
        list(TextSuspect(path=tmp_path / "none").held())


def test_a_link_in_a_suspects_folder_reads_no_file_of_this_machine(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("a secret of whoever examines", "utf-8")
    folder = tmp_path / "suspect"
    folder.mkdir()
    (folder / "a.txt").write_text("fine", "utf-8")
    (folder / "b.txt").symlink_to(tmp_path / "mine.txt")
    with pytest.raises(StillwatchError, match="b.txt is a link"):
        list(TextSuspect(path=folder).held())


def test_a_text_or_row_larger_than_any_answer_is_refused_unread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    monkeypatch.setattr("stillwatch.suspects.texts.MOST_BYTES", 100)
    (tmp_path / "a.jsonl").write_text('{"answer": "' + "x" * 200 + '"}\n', "utf-8")
    with pytest.raises(StillwatchError, match=r"a\.jsonl: has a row"):
        list(TextSuspect(path=tmp_path).held())
    (tmp_path / "a.jsonl").unlink()
    (tmp_path / "a.txt").write_text("x" * 101, "utf-8")
    with pytest.raises(StillwatchError, match="cut it into"):
        list(TextSuspect(path=tmp_path).held())


@pytest.mark.parametrize("row", [b'{"tokens": [Infinity]}', b'{"answer": ' + b"[" * 5_000, b'{"tokens": [NaN]}'])
def test_a_row_that_is_no_text_is_named_whatever_it_is(tmp_path: Path, row: bytes) -> None:
    (tmp_path / "a.jsonl").write_bytes(row + b"\n")
    with pytest.raises(StillwatchError, match=r"a\.jsonl:1"):
        list(TextSuspect(path=tmp_path).held())


def test_windows_line_endings_of_a_text_are_line_endings(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"one\r\ntwo\rthree\n")
    assert next(iter(TextSuspect(path=tmp_path).held())).reply.text == "one\ntwo\nthree\n"


ODD_ANSWERS = {
    "usage beyond all numbers": b'{"choices": [{"message": {"content": "x"}}], "usage": {"total_tokens": 1e999}}',
    "nested without end": b'{"choices": ' + b"[" * 5_000,
    "no probability": b'{"choices": [{"message": {"content": "x"}, "logprobs": {"content": [{"top_logprobs": '
    b'[{"token": "x", "logprob": NaN}]}]}}]}',
}  # fmt: skip


@pytest.mark.parametrize("odd", ODD_ANSWERS)
def test_whatever_a_suspect_answers_is_an_answer_or_a_refusal(odd: str, monkeypatch: pytest.MonkeyPatch) -> None:
    suspect = EndpointSuspect(url="http://127.0.0.1:9/v1", model="m", logprobs=True)
    monkeypatch.setattr(EndpointSuspect, "_post", lambda self, body: (200, ODD_ANSWERS[odd]))
    with pytest.raises(Refusal):
        suspect.reply(Probe(id="p", prompt="q", top=1))


def test_a_suspect_cannot_widen_its_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = b'{"choices": [{"message": {"content": "x"}}], "usage": {"total_tokens": -1000000}}'
    monkeypatch.setattr(EndpointSuspect, "_post", lambda self, body: (200, raw))
    assert EndpointSuspect(url="http://127.0.0.1:9/v1", model="m").reply(Probe(id="p", prompt="q")).spent == 0


def test_a_key_that_no_header_carries_is_refused_before_it_is_sent_or_shown() -> None:
    with pytest.raises(StillwatchError, match="suspect key") as told:
        EndpointSuspect(url="http://127.0.0.1:9/v1", model="m", key="sk-hidden\n")
    assert "hidden" not in str(told.value)
