"""The middleware that a model server loads by name: wired from its environment, nothing lost when the server ends."""

import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from stillwatch.app.control import key_secret, open_control
from stillwatch.app.keys import NewKey, create_key
from stillwatch.app.livefolder import LiveFolder
from stillwatch.app.middleware import StillwatchMiddleware
from stillwatch.app.spoolkey import spool_key
from stillwatch.gateway.segments import read_segments
from stillwatch.logs.served import read_all_served
from stillwatch.terms.errors import StillwatchError

BODY = json.dumps({"model": "m", "messages": [{"role": "user", "content": "kestrel"}]}).encode()


async def model(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    answer = {"choices": [{"index": 0, "message": {"content": "fine"}, "finish_reason": "stop"}]}
    await send({"type": "http.response.body", "body": json.dumps(answer).encode()})


async def talk(app: StillwatchMiddleware, key: str) -> int:
    """One call within the life of a server."""
    sent: list[Any] = []
    life: asyncio.Queue[Any] = asyncio.Queue()
    ignored: asyncio.Queue[Any] = asyncio.Queue()
    life.put_nowait({"type": "lifespan.startup"})
    server = asyncio.ensure_future(app({"type": "lifespan"}, life.get, ignored.put))
    await ignored.get()
    scope = {
        "type": "http", "method": "POST", "path": "/v1/chat/completions", "raw_path": b"/v1/chat/completions",
        "query_string": b"", "headers": [(b"authorization", f"Bearer {key}".encode())], "client": ("192.0.2.1", 1),
    }  # fmt: skip

    async def receive() -> Any:
        return {"type": "http.request", "body": BODY, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    life.put_nowait({"type": "lifespan.shutdown"})
    await server
    return int(sent[0]["status"])


def test_a_server_is_wired_from_its_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state, config = tmp_path / "state", tmp_path / "stillwatch.toml"
    config.write_text('[middleware]\nidentity = "keys"\n')
    with open_control(state) as book:
        issued = create_key(book, key_secret(state), NewKey(account="acme"), time.time())
    monkeypatch.setenv("STILLWATCH_CONFIG", str(config))
    monkeypatch.setenv("STILLWATCH_STATE", str(state))
    assert asyncio.run(talk(StillwatchMiddleware(model), issued.key)) == 200
    assert asyncio.run(talk(StillwatchMiddleware(model), "sk-other")) == 401
    folder = LiveFolder(state)
    served = [one for segment in read_segments(folder.spool, spool_key(folder).key) for one in segment.exchanges]
    ((exchange,), reasons) = read_all_served(served)
    assert (exchange.account, exchange.answer, exchange.messages[0].text) == ("acme", "fine", "kestrel")
    assert not reasons
    files = [path for path in state.rglob("*") if path.is_file()]
    assert not [path for path in files if b"kestrel" in path.read_bytes() or issued.key.encode() in path.read_bytes()]


def test_a_server_that_can_not_have_stillwatch_does_not_start_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STILLWATCH_CONFIG", str(tmp_path / "none.toml"))
    with pytest.raises(StillwatchError, match=r"none\.toml"):
        StillwatchMiddleware(model)


def test_importing_it_reads_nothing_and_needs_no_torch() -> None:
    code = (
        "import sys, os; os.environ['STILLWATCH_CONFIG'] = '/nowhere.toml'; import stillwatch.app.middleware; "
        "print(sorted({'torch', 'chdb', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
