"""Notices that a caller left while its answer is under way, and stops the work for it.

ASGI says so only to who waits for it. A task a request that mostly ends by being cancelled costs about as much as
all other work of the gateway on that request, so the waiting is done by hand: the awaitable of `receive` is stepped
whenever the future that it waits for is done, which is what a task does, without the task.
Cost: a few microseconds a request.
"""

import asyncio
from collections.abc import Generator
from typing import Any

from stillwatch.gateway.body import Receive
from stillwatch.gateway.call import Call


class Departure:
    """Cancels the task that made it when the caller of `call` leaves; `call.gone` tells why."""

    __slots__ = ("_call", "_receive", "_waiting", "_work")

    def __init__(self, call: Call, receive: Receive) -> None:
        """Watch from now on. The request's body must have been read."""
        self._call = call
        self._receive = receive
        self._work = asyncio.current_task()
        self._waiting: Generator[Any, Any, Any] | None = receive().__await__()
        self._step(None)

    def _step(self, done: "asyncio.Future[Any] | None") -> None:
        """Go on waiting; called once for each future that the server's `receive` waits for."""
        if self._waiting is None:
            return
        try:
            future = next(self._waiting)
        except StopIteration as ended:
            self._heard(ended.value)
        except Exception:
            self._waiting = None  # the server cannot say; its `send` will tell
        else:
            if future is None:
                asyncio.get_running_loop().call_soon(self._step, None)
            else:
                future._asyncio_future_blocking = False
                future.add_done_callback(self._step)

    def _heard(self, message: Any) -> None:
        if message["type"] != "http.disconnect":
            self._waiting = self._receive().__await__()
            asyncio.get_running_loop().call_soon(self._step, None)
            return
        self._waiting = None
        if not self._call.finished and self._work is not None:
            self._call.gone = True
            self._work.cancel()

    def stop(self) -> None:
        """Watch no longer."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.close()
