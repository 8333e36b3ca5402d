"""Official clients in both forms, and how one case ended: what it showed, or how it failed."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import anthropic
import openai

from tests.e2e.official_cases import Case
from tests.fake_upstream import FakeUpstream, Received

FORMS = ("sync", "async")


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a case ended, in a form that can be compared."""

    value: Any = None
    error: dict[str, Any] | None = None
    requests: tuple[tuple[str, str, str | None], ...] = ()
    """Method, path and retry count of each request that the provider got."""
    seconds: float = 0.0

    @property
    def kind(self) -> str:
        """Class of the error, or nothing."""
        return self.error["class"] if self.error else ""


class Clients:
    """Both official clients in both forms, towards one address."""

    def __init__(self, url: str, key: str, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        more: dict[str, Any] = {"api_key": key, "max_retries": 0}
        self._made: dict[tuple[str, str], Any] = {
            ("openai", "sync"): openai.OpenAI(base_url=f"{url}/v1", **more),
            ("openai", "async"): openai.AsyncOpenAI(base_url=f"{url}/v1", **more),
            ("anthropic", "sync"): anthropic.Anthropic(base_url=url, **more),
            ("anthropic", "async"): anthropic.AsyncAnthropic(base_url=url, **more),
        }

    def run(self, case: Case, form: str, fake: FakeUpstream) -> Outcome:
        """Run one case and say how it ended."""
        client = self._made[case.wire, form].with_options(max_retries=case.retries, timeout=case.timeout)
        fake.forget()
        begun = time.monotonic()
        value, error = None, None
        model = f"{case.model}?{case.script}" if case.script else case.model
        try:
            value = self._loop.run_until_complete(case.call(client, model))
        except Exception as caught:
            error = failure(caught)
        seconds = time.monotonic() - begun
        return Outcome(value=value, error=error, requests=tuple(map(_request, fake.received)), seconds=seconds)

    def close(self) -> None:
        """Let every connection go."""
        for (_, form), client in self._made.items():
            if form == "sync":
                client.close()
            else:
                self._loop.run_until_complete(client.close())


def _request(seen: Received) -> tuple[str, str, str | None]:
    return seen.method, seen.path, seen.header("x-stainless-retry-count")


def failure(error: Exception) -> dict[str, Any]:
    """Return all that a caller can see of an error."""
    response = getattr(error, "response", None)
    headers = getattr(response, "headers", {})
    body = getattr(error, "body", None)
    inner = body.get("error", body) if isinstance(body, dict) else {}
    return {
        "said": inner if isinstance(inner, dict) else {},
        "class": type(error).__name__,
        "message": str(error),
        **{name: getattr(error, name, None) for name in ("status_code", "code", "type", "param", "request_id", "body")},
        **{name: headers.get(name) for name in ("retry-after", "retry-after-ms", "x-should-retry", "content-type")},
    }


@contextmanager
def event_loop() -> Iterator[asyncio.AbstractEventLoop]:
    """One loop for all asynchronous clients of a module."""
    loop = asyncio.new_event_loop()
    try:
        yield loop
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
