"""What marking costs in time at the embedded teacher: `python -m bench.marks.latency`.

In: nothing. Out: milliseconds a token of answers marked and plain through the same marking server, one after the
other in turn, and microseconds that the mark itself takes. Cost: a minute on one core.
"""

import http.client
import json
import secrets
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from bench.marks.drawn import SUBJECTS
from stillwatch.engines.llamacpp.asked import Asked
from stillwatch.engines.llamacpp.favoured import Favoured
from stillwatch.lab.teacher import Teacher, missing, start_teacher
from stillwatch.treatments.marks.green import GreenMark
from stillwatch.treatments.marks.order import MarkOrder, sign
from stillwatch.treatments.marks.ring import Epoch, Ring

TOKENS = 100
CANDIDATES = 128
ROUNDS = 8


def main() -> None:
    print(f"the mark itself: {own():.0f} us a token at {CANDIDATES} candidates")
    if why := missing():
        sys.exit(f"bench.marks.latency: {why}.")
    ring = Ring.new(secrets.token_bytes(32), time.time())
    order = sign(MarkOrder(epoch=1, account=ring.current.tag("account", "acme"), until=time.time() + 3600), ring)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ring.json"
        path.write_bytes(ring.to_json())
        teacher = start_teacher(ring=path)
        try:
            plain, marked = np.array([_pair(teacher, order, i) for i in range(ROUNDS)]).T
        finally:
            teacher.stop()
    for name, found in (("plain", plain), ("marked", marked)):
        print(f"{name}: {np.median(found):.1f} ms a token, {1e3 / np.median(found):.0f} tokens/s "
              f"({found.min():.1f} to {found.max():.1f} ms in {ROUNDS} answers)")  # fmt: skip
    print(f"marked over plain, in pairs: median {np.median(marked / plain):.2f}")


def own() -> float:
    """Return microseconds a token of choosing under the green mark."""
    rng, epoch = np.random.default_rng(1), Epoch(number=1, secret=bytes(32), made=0.0)
    chooser, ids = Favoured(GreenMark(epoch)), rng.choice(49_152, CANDIDATES, replace=False)
    scores, asked = np.sort(rng.normal(-6, 3, CANDIDATES))[::-1].copy(), Asked(temperature=1.0)
    said = [int(token) for token in ids[:50]]
    spent = []
    for _ in range(2_000):
        begun = time.perf_counter()
        chooser.choose(said, ids, scores, asked, rng)
        spent.append(time.perf_counter() - begun)
    return 1e6 * float(np.median(spent))


def _pair(teacher: Teacher, order: str, number: int) -> tuple[float, float]:
    about = SUBJECTS[number % len(SUBJECTS)]
    body = {"messages": [{"role": "user", "content": f"Write three paragraphs about {about}."}], "max_tokens": TOKENS,
            "temperature": 1.0}  # fmt: skip
    _took(teacher, {**body, "max_tokens": 1})  # the prompt is read once, before either
    plain = _took(teacher, body)
    return plain, _took(teacher, {**body, "vllm_xargs": {"stillwatch_mark": order}})


def _took(teacher: Teacher, body: dict[str, object]) -> float:
    """Return milliseconds a token."""
    host, _, port = teacher.url.removeprefix("http://").partition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=120)
    head = {"authorization": f"Bearer {teacher.key}", "content-type": "application/json"}
    begun = time.perf_counter()
    connection.request("POST", "/v1/chat/completions", json.dumps(body).encode(), head)
    found = json.loads(connection.getresponse().read())
    connection.close()
    return 1e3 * (time.perf_counter() - begun) / max(1, found["usage"]["completion_tokens"])


if __name__ == "__main__":
    main()
