"""`stillwatch serve` as a child process: started, waited for, drained.

In: the run's folder and a port. Out: a running gateway, or an error that says where its log is. It stands in a
session of its own, so that Ctrl-C reaches it only through its parent, which drains it.
"""

import asyncio
import contextlib
import os
import signal
import socket
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import Final

import aiohttp

from stillwatch.app.runfolder import RunFolder
from stillwatch.terms.errors import StillwatchError

START_SECONDS: Final = 45.0
STOP_SECONDS: Final = 20.0
COMMAND: Final = (
    "from stillwatch.app.gatewayprocess import end_with_parent; end_with_parent(); "
    "from stillwatch.cli import main; main()"
)


@dataclass(slots=True)
class GatewayProcess:
    """A running gateway."""

    url: str
    process: asyncio.subprocess.Process = field(repr=False)

    async def stop(self) -> None:
        """Drain it, and end it when draining takes too long; twice does no harm."""
        with contextlib.suppress(ProcessLookupError):
            self.process.terminate()
        try:
            await asyncio.wait_for(self.process.wait(), STOP_SECONDS)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            await self.process.wait()


async def start_gateway(folder: RunFolder, port: int) -> GatewayProcess:
    """Start the gateway and return when it is ready.

    Raises:
        StillwatchError: it ended, or was not ready in time.
    """
    log = folder.open_log()
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", COMMAND, "serve", "--config", str(folder.settings),
            "--state", str(folder.live.state),
            stdin=asyncio.subprocess.PIPE, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    finally:
        os.close(log)
    gateway = GatewayProcess(f"http://127.0.0.1:{port}", process)
    try:
        await _until_ready(gateway, folder)
    except BaseException:
        await gateway.stop()
        raise
    return gateway


async def _until_ready(gateway: GatewayProcess, folder: RunFolder) -> None:
    until = time.monotonic() + START_SECONDS
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2.0)) as session:
        while time.monotonic() < until:
            if gateway.process.returncode is not None:
                raise StillwatchError(f"the gateway ended at once; {folder.log} says why.")
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                async with session.get(f"{gateway.url}/readyz") as response:
                    if response.status == 200:
                        return
            await asyncio.sleep(0.1)
    raise StillwatchError(f"the gateway was not ready within {START_SECONDS:.0f} s; {folder.log} says why.")


def end_with_parent() -> None:
    """Be told to stop once the parent is gone, however it went: its end of standard input closes then."""

    def wait() -> None:
        while os.read(0, 1024):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="parent", daemon=True).start()


def free_port(wanted: int) -> int:
    """Return `wanted` where nobody listens on it, else a port that is free."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return int(probe.getsockname()[1])
    raise StillwatchError("no port of 127.0.0.1 is free.")
