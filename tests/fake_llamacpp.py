"""A server that speaks as llama.cpp's does, with a model of single characters that costs nothing.

Its tokens are bytes; the likeliest next ones depend on the last token alone. Token 2 ends an answer.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np

END = 2
CONTEXT = 200
KEY = "the-upstreams-key"
LETTERS = np.frombuffer(b"abcdefghijklmnopqrstuvwxyz     .,\xc3\xa9", np.uint8).astype(int)


@dataclass
class FakeLlama:
    """What was asked of it."""

    url: str = ""
    asked: list[tuple[str, Any]] = field(default_factory=list)
    ending: float = -9.0
    """Log-probability of the end, at every step."""
    broken_after: int = -1
    """Steps after which it answers with an error; -1 for never."""
    hang_up_at: int = -1
    """Step at which it closes the connection, once, without a word; -1 for never."""

    def paths(self) -> list[str]:
        return [path for path, _ in self.asked]

    def steps(self) -> int:
        return self.paths().count("/completion")


def tops(fake: FakeLlama, prompt: list[int], count: int) -> list[dict[str, Any]]:
    rng = np.random.default_rng(prompt[-1])
    ids = np.unique(LETTERS)
    log_p = np.log(rng.dirichlet(np.full(len(ids), 0.8)) + 1e-6)
    found = sorted([*zip(log_p.tolist(), ids.tolist(), strict=True), (fake.ending, END)], reverse=True)[:count]
    return [{"id": i, "token": "", "bytes": [] if i == END else [i], "logprob": log_p} for log_p, i in found]


def answered(fake: FakeLlama, path: str, body: Any) -> Any:
    if path == "/tokenize":
        whole = {"<|im_end|>": [END]}.get(body["content"]) if body.get("parse_special") else None
        return {"tokens": whole or list(body["content"].encode())}
    if path == "/apply-template":
        return {"prompt": "".join(f"[{m['role']}]{m['content']}" for m in body["messages"])}
    if path == "/completion":
        top = tops(fake, body["prompt"], body["n_probs"])
        return {"completion_probabilities": [{"top_logprobs": top}], "timings/cache_n": 3}
    return {"choices": [{"index": 0, "message": {"role": "assistant", "content": "plain"}}], "got": body}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    fake: FakeLlama

    def log_message(self, *_: Any) -> None:
        pass

    def _send(self, status: int, body: Any) -> None:
        raw = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def _answer(self, body: Any) -> None:
        fake, path = self.fake, self.path
        fake.asked.append((path, body))
        if path == "/completion" and fake.hang_up_at == fake.steps():
            self.close_connection = True
            return
        if self.headers.get("authorization") != f"Bearer {KEY}":
            self._send(401, {"error": {"code": 401, "message": "Invalid API Key"}})
        elif path == "/props":
            settings = {"n_ctx": CONTEXT}
            self._send(200, {"default_generation_settings": settings, "eos_token": "<|im_end|>",
                             "model_alias": "fake", "build_info": "b0"})  # fmt: skip
        elif path == "/completion" and len(body["prompt"]) >= CONTEXT:
            self._send(400, {"error": {"code": 400, "message": "exceeds the available context size"}})
        elif path == "/completion" and fake.broken_after == fake.steps() - 1:
            self._send(500, {"error": {"code": 500, "message": "broken"}})
        else:
            self._send(200, answered(fake, path, body))

    def do_GET(self) -> None:
        self._answer(None)

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("content-length", 0)))
        try:
            body = json.loads(raw)
        except ValueError:
            return self._send(400, {"error": {"code": 400, "message": "no JSON"}})
        self._answer(body)


@contextmanager
def fake_llama() -> Iterator[FakeLlama]:
    """Run one on loopback."""
    fake = FakeLlama()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"fake": fake}))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    fake.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
