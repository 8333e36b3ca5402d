"""Inside vLLM: its own application loads the middleware by name, and every call ends as its client expects."""

import json
import os
import subprocess
import time
from pathlib import Path

import pytest

import stillwatch
from stillwatch.app.control import key_secret, open_control
from stillwatch.app.keys import NewKey, create_key
from stillwatch.app.livefolder import LiveFolder
from stillwatch.app.spoolkey import spool_key
from stillwatch.gateway.segments import read_segment

ROOT = Path(__file__).parents[2]


def test_vllm_s_own_application_serves_through_the_middleware(tmp_path: Path) -> None:
    python = os.environ.get("STILLWATCH_VLLM_PYTHON", "")
    if not python:
        pytest.skip("STILLWATCH_VLLM_PYTHON does not name a Python that has vLLM; see docs/howto/vllm-middleware.md")
    state = tmp_path / "state"
    with open_control(state) as book:
        key = create_key(book, key_secret(state), NewKey(account="acme"), time.time()).key
    run = subprocess.run(
        [python, ROOT / "tests/peers/vllm_app.py", state, key], capture_output=True, timeout=120,
        env={**os.environ, "PYTHONPATH": str(Path(stillwatch.__file__).parents[1])},
    )  # fmt: skip
    assert run.returncode == 0, run.stderr.decode()[-3000:]
    told = json.loads(run.stdout.splitlines()[-1])
    assert "StillwatchMiddleware" in told["added"]
    assert (told["whole"], told["streamed"]) == ("one two three", "one two three")
    assert (told["refused"], told["broken"], told["no_key"], told["batch"]) == (400, 500, 401, 404)
    folder = LiveFolder(state)
    segments = sorted(folder.spool.glob("*.seg"))
    served = [one for path in segments for one in read_segment(path, spool_key(folder).key).exchanges]
    assert sorted(one.status for one in served) == [200, 200, 400, 500]
