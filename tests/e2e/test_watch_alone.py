"""`stillwatch watch`: what middlewares and LiteLLM recorded becomes events, without workers of our own."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from stillwatch.app.livefolder import LiveFolder
from stillwatch.app.spoolkey import spool_key
from stillwatch.gateway.spool import SpoolWriter
from stillwatch.terms.served import Served

CANARY = "canary-51d0"
PROGRAM = [sys.executable, "-c", "from stillwatch.cli import main; main(prog_name='stillwatch')"]


def wire(now: float) -> Served:
    request = {"model": "m", "messages": [{"role": "user", "content": f"{CANARY} how far is the moon"}]}
    answer = {"choices": [{"index": 0, "message": {"content": "far"}, "finish_reason": "stop"}]}
    return Served(
        time=now, request_id="r", endpoint="chat", account="acme", status=200, request=json.dumps(request).encode(),
        answer=json.dumps(answer).encode(),
    )  # fmt: skip


def logged(now: float) -> Served:
    payload = {
        "call_type": "acompletion", "startTime": now - 2, "endTime": now - 1, "status": "success", "model": "m",
        "metadata": {"user_api_key_user_id": "acct-1"}, "messages": [{"role": "user", "content": f"{CANARY} and back"}],
        "response": {"choices": [{"message": {"content": "as far"}, "finish_reason": "stop"}]},
    }  # fmt: skip
    raw = json.dumps(payload).encode()
    return Served(time=now, request_id="", endpoint="other", account="", status=200, kind="litellm", request=raw)


def status_of(folder: LiveFolder) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads((folder.run / "watcher.json").read_bytes())
    except (OSError, ValueError):
        return {}
    return found


def test_both_kinds_of_record_become_events_and_leave_no_text(tmp_path: Path) -> None:
    folder = LiveFolder(tmp_path / "state").made()
    writer = SpoolWriter(folder.spool, spool_key(folder).key, "m1")
    now = time.time()
    for served in (wire(now), logged(now), replace(logged(now), request=b'{"call_type": 1}')):
        assert writer.record(served)
    writer.close()
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "src")}
    command = [*PROGRAM, "watch", "--state", str(folder.state)]
    process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        until = time.monotonic() + 60.0
        while status_of(folder).get("exchanges", 0) < 3 and time.monotonic() < until and process.poll() is None:
            time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
    status = status_of(folder)
    assert process.returncode == 0, said.decode()
    assert (process.returncode, status["exchanges"], status["events"]) == (0, 3, 2), said
    assert list(status["bad"]) == ["payload"]
    assert not list(folder.spool.glob("*.seg"))
    files = [path for path in folder.state.rglob("*") if path.is_file()]
    assert not [path for path in files if CANARY.encode() in path.read_bytes()]
