"""A teacher whose answers are draws, and students of what it said, each behind an address of its own.

    with Teacher(seed=1) as teacher, Student(texts, seed=1) as student:
        teacher.url, student.url + "/v1"

The teacher answers chats from a chain over words, streamed or not, never alike twice. A student is a chain over words,
counted from texts and smoothed; it tells log-probabilities of what it is given by `/v1/completions` with `echo`.
"""

import json
import math
import threading
from collections import Counter
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

import numpy as np

WORDS = tuple(f"{a}{b}" for a in ("ba", "do", "ki", "lu", "mo", "ne", "ra", "su") for b in ("n", "r", "s", "t", "x"))
LENGTH = 40


class _Server:
    """An HTTP server in a thread; subclasses answer."""

    def __init__(self) -> None:
        outer = self

        class Desk(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # head and body in one packet

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                kind, raw = outer.answer(body)
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Desk)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def answer(self, body: dict[str, Any]) -> tuple[str, bytes]:
        raise NotImplementedError

    def __enter__(self) -> Any:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Teacher(_Server):
    """Answers with forty words of a chain; `said` holds every answer, served or not."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._rng = np.random.default_rng(seed)
        self._chain = self._rng.dirichlet(np.full(len(WORDS), 0.3), len(WORDS))
        self._lock = threading.Lock()
        self.said: list[str] = []

    def text(self) -> str:
        """Return a draw."""
        with self._lock:
            at, words = int(self._rng.integers(len(WORDS))), []
            for _ in range(LENGTH):
                at = int(self._rng.choice(len(WORDS), p=self._chain[at]))
                words.append(WORDS[at])
            self.said.append(" ".join(words))
            return self.said[-1]

    def answer(self, body: dict[str, Any]) -> tuple[str, bytes]:
        text = self.text()
        if body.get("stream"):
            events = [{"choices": [{"index": 0, "delta": {"content": part}}]} for part in (text[:50], text[50:])]
            raw = b"".join(b"data: " + json.dumps(one).encode() + b"\n\n" for one in events) + b"data: [DONE]\n\n"
            return "text/event-stream", raw
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        return "application/json", json.dumps({"object": "chat.completion", "choices": [choice]}).encode()


class Student(_Server):
    """A chain of order two, counted from texts."""

    def __init__(self, texts: Iterable[str]) -> None:
        super().__init__()
        self._pairs: Counter[tuple[str, str, str]] = Counter()
        self._firsts: Counter[tuple[str, str]] = Counter()
        self.asked = 0
        for text in texts:
            words = ["", "", *text.split()]
            for a, b, c in zip(words, words[1:], words[2:], strict=False):
                self._pairs[a, b, c] += 1
                self._firsts[a, b] += 1

    def log_p(self, before: tuple[str, str], word: str) -> float:
        """Return the log-probability of a word after two."""
        share = (self._pairs[*before, word] + 0.05) / (self._firsts[before] + 0.05 * (len(WORDS) + 1))
        return math.log(share)

    def answer(self, body: dict[str, Any]) -> tuple[str, bytes]:
        assert body["echo"] and body["logprobs"]
        self.asked += 1
        words = body["prompt"].split(" ")
        offsets, logs, at = [], [], 0
        for number, word in enumerate(words):
            offsets.append(at)
            logs.append(self.log_p(self._before(words, number), word.strip()) if number else None)
            at += len(word) + 1
        held = {"tokens": words, "text_offset": offsets, "token_logprobs": logs}
        choice = {"index": 0, "text": body["prompt"], "logprobs": held, "finish_reason": "length"}
        said = {"choices": [choice], "usage": {"total_tokens": len(words)}}
        return "application/json", json.dumps(said).encode()

    @staticmethod
    def _before(words: list[str], number: int) -> tuple[str, str]:
        """Return the two words before; what stands before the answer is no word of it."""
        known = ["", "", *(word if word in WORDS else "" for word in words)]
        return known[number], known[number + 1]
