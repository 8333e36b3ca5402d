"""How long after a verdict is published does every worker act on it?

In: an upstream. Out: seconds, one a try. Two workers serve; an account asks for its own standing again and again, each
time over a new connection, so that every worker is asked. The last answer that still says `good` ends the wait.
"""

import json
import random
import time
import urllib.request
from typing import Any, Final

from bench.gateway.proxies import Proxy
from bench.gateway.stillwatch import Serving, folder, key_of, publish, serve

PATIENCE: Final = 6.0
SURE: Final = 20
"""Answers in a row that say so, before every worker is taken to know."""


def visibility(upstream: Proxy, tries: int, seed: int) -> list[float]:
    """Return the seconds from publishing to the last answer of a worker that did not know, for each try."""
    serving = Serving(accounts=200, workers=2, enforce=True, held=False)
    rng, found = random.Random(seed), []
    with folder(serving) as state, serve(upstream.port, state, serving) as proxy:
        for number in range(tries):
            time.sleep(rng.uniform(0.0, 1.0))
            published = publish(state, [f"account-{i}" for i in range(number + 1)], generation=number)
            found.append(_until_all_know(proxy.port, key_of(number), published))
    return found


def _until_all_know(port: int, key: str, published: float) -> float:
    knew, row = published, 0
    while row < SURE:
        asked = time.monotonic()
        if asked - published > PATIENCE:
            return float("inf")
        if _standing(port, key)["state"] == "good":
            knew, row = time.monotonic(), 0
        else:
            row += 1
        time.sleep(0.005)
    return knew - published


def _standing(port: int, key: str) -> dict[str, Any]:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/account/standing",
        headers={"authorization": f"Bearer {key}", "connection": "close"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        found: dict[str, Any] = json.loads(answer.read())
    return found
