"""`python -m stillwatch.engines.llamacpp`: run a marking server before a llama.cpp server.

In: its address, the file with the keys of marks, perhaps a proxy's. Out: the address it listens on, as the
first line of standard output. It ends on SIGTERM or SIGINT, and with `--with-parent` when its standard input closes.
"""

import argparse
import asyncio
import contextlib
import logging
import signal
import sys
import threading
from pathlib import Path

import aiohttp

from stillwatch.engines.llamacpp.model import Model
from stillwatch.engines.llamacpp.orders import Orders
from stillwatch.engines.llamacpp.proxy import load_proxy
from stillwatch.engines.llamacpp.server import MarkingServer
from stillwatch.engines.ringfile import RingFile
from stillwatch.terms.errors import StillwatchError
from stillwatch.treatments.poe import Proxy


def main(words: list[str] | None = None) -> int:
    """Serve until told to end; 0. 2 where the proxy's file is not good."""
    asked = _arguments().parse_args(words)
    try:
        proxy = load_proxy(asked.proxy) if asked.proxy else None
    except StillwatchError as problem:
        print(problem, file=sys.stderr)
        return 2
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s")
    asyncio.run(_serve(asked, proxy))
    return 0


def _arguments() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(prog="python -m stillwatch.engines.llamacpp", description=__doc__)
    found.add_argument("--upstream", required=True, help="address of the llama.cpp server, without /v1")
    found.add_argument("--ring", required=True, type=Path, help="file with the keys of marks: marks/ring.json")
    made = "file of a proxy for orders of `experts`: python -m stillwatch.engines.llamacpp.proxy"
    found.add_argument("--proxy", type=Path, help=made)
    found.add_argument("--host", default="127.0.0.1")
    found.add_argument("--port", type=int, default=0, help="0 for any that is free")
    found.add_argument("--candidates", type=int, default=128, help="likeliest tokens to choose among")
    found.add_argument("--slots", type=int, default=1, help="answers that the llama.cpp server makes at once")
    found.add_argument("--refuse", action="store_true", help="refuse what is ordered marked and cannot be")
    found.add_argument("--with-parent", action="store_true", help="end when standard input closes")
    return found


async def _serve(asked: argparse.Namespace, proxy: Proxy | None) -> None:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    if asked.with_parent:
        threading.Thread(target=_wait_for_end, args=(loop, stop), daemon=True).start()
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=10)
    async with aiohttp.ClientSession(timeout=timeout, auto_decompress=False) as session:
        model = Model(session, asked.upstream.rstrip("/").removesuffix("/v1"), asked.candidates)
        server = MarkingServer(model, Orders(RingFile(asked.ring), proxy), slots=asked.slots, refuse=asked.refuse)
        async with server.listening(asked.host, asked.port) as url:
            print(url, flush=True)
            await stop.wait()


def _wait_for_end(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    sys.stdin.buffer.read()
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(stop.set)


if __name__ == "__main__":
    sys.exit(main())
