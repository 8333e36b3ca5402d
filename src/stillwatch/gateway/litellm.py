"""LiteLLM's proxy as a way in: its log webhook brings events, its HTTP guardrail asks what policy orders.

In: ASGI requests at `/intake/litellm` (callback `generic_api`: an array, lines or one payload, zipped or not) and at
`/beta/litellm_basic_guardrail_api`. Out: one record of kind `litellm` a payload; `NONE` or `BLOCKED` a call.
Both want the intake token. The guardrail fails open: what cannot be told is not blocked. It can only block or wait,
and LiteLLM says a block as HTTP 400, so that the mild actions that change answers stay undone and are counted.
Cost: about 0.1 ms a payload and 0.1 ms a call. Left to `logs.litellm`: reading payloads, naming accounts.
Source: LiteLLM 1.106, integrations/generic_api and guardrail_hooks/generic_guardrail_api.
"""

import asyncio
import hmac
import os
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from stillwatch.gateway.body import read_body, unzipped
from stillwatch.gateway.errors import TurnedAway
from stillwatch.gateway.fields import parse
from stillwatch.gateway.jsonbytes import read_json, write_json
from stillwatch.gateway.ports import Desk, Recorder
from stillwatch.terms.checks import check_range
from stillwatch.terms.errors import StillwatchError
from stillwatch.terms.served import Served

INTAKE: Final = "/intake/litellm"
GUARDRAIL: Final = "/beta/litellm_basic_guardrail_api"
MIN_TOKEN: Final = 16
"""Characters that an intake token must have at least."""

_LARGE: Final = 131_072
_AT_ONCE: Final = 32
_SHED: Final = frozenset(
    "model_map_information hidden_params cost_breakdown guardrail_information error_str status_fields "
    "autorouter_baseline_observation response_cost_failure_debug_info standard_built_in_tools_params "
    "zero_cost_diagnostic".split()
)
"""Parts of a payload that no importer reads."""

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class LiteLLMConfig:
    """Section `[litellm]`: a LiteLLM proxy that logs here and asks here; off until a token is named."""

    token_env: str = ""
    """Name of the environment variable that holds the intake token; empty for none."""
    token_file: str = ""
    """File whose first line is the intake token; empty for none. Used when `token_env` is empty."""
    max_body_bytes: int = 67_108_864
    """Largest batch of logs, as sent and unzipped, in bytes; above 0."""
    longest_wait_seconds: float = 10.0
    """Longest that the guardrail lets a slowed call wait, in seconds; 0 or more."""

    def __post_init__(self) -> None:
        check_range("litellm.max_body_bytes", self.max_body_bytes, low=0, high=1 << 40)
        check_range("litellm.longest_wait_seconds", self.longest_wait_seconds, low=-1e-9, high=600.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What the two routes are made of."""

    desk: Desk
    recorder: Recorder
    account_of: Callable[[dict[str, Any]], str]
    """Names the account of a call's `user_api_key_*` fields, as the importer names it; empty for none."""
    clock: Callable[[], float] = time.time
    """Seconds since 1970."""


def intake_token(config: LiteLLMConfig) -> str:
    """Return the intake token from where the settings say; empty when they name nothing, which turns both routes off.

    Raises:
        StillwatchError: what they name is not there, or the token is too short.
    """
    if config.token_env:
        token, said = os.environ.get(config.token_env, "").strip(), f"litellm.token_env = {config.token_env!r}"
    elif config.token_file:
        said = f"litellm.token_file = {config.token_file!r}"
        try:
            token = Path(config.token_file).read_text().partition("\n")[0].strip()
        except OSError as error:
            raise StillwatchError(f"{said}: must be readable; {error.strerror}.") from None
    else:
        return ""
    if len(token) < MIN_TOKEN:
        raise StillwatchError(
            f"{said}: holds {len(token)} characters; a token must have {MIN_TOKEN} or more, and be random. "
            "`openssl rand -hex 32` makes one."
        )
    return token


def litellm_routes(config: LiteLLMConfig, token: str, sources: Sources) -> dict[str, ASGIApp]:
    """Return the ASGI routes by path; none where there is no token.

    >>> litellm_routes(LiteLLMConfig(), "", None)
    {}
    """
    if not token:
        return {}
    routes = LiteLLMRoutes(config, token, sources)
    return {INTAKE: routes.intake, GUARDRAIL: routes.guardrail}


class LiteLLMRoutes:
    """Both routes of one worker."""

    def __init__(self, config: LiteLLMConfig, token: str, sources: Sources) -> None:
        self._config = config
        self._token = token.encode()
        self._sources = sources
        self.counts: Counter[str] = Counter()
        """What was taken and what failed, by name; names only."""

    async def intake(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take logged payloads. Always 200 once they were read, since LiteLLM would send the whole batch again."""
        plain = await self._body(scope, receive, send)
        if plain is None:
            return
        payloads, skipped = await _off_loop(len(plain), split_payloads, plain)
        dropped = 0
        now = self._sources.clock()
        for at, raw in enumerate(payloads):
            served = Served(
                time=now, request_id="", endpoint="other", account="", status=200, kind="litellm", request=raw
            )
            dropped += not self._sources.recorder.record(served)
            if at % _AT_ONCE == _AT_ONCE - 1:
                await asyncio.sleep(0)
        self.counts.update(payloads=len(payloads), skipped=skipped, dropped=dropped)
        await _reply(send, 200, {"taken": len(payloads) - dropped, "skipped": skipped, "dropped": dropped})

    async def guardrail(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Say whether a call may go on."""
        plain = await self._body(scope, receive, send)
        if plain is None:
            return
        reason = ""
        try:
            asked = await _off_loop(len(plain), parse, plain)
            if asked.get("input_type", "request") == "request":
                reason = await self._judge(asked)
        except Exception:  # a guardrail that fails must not stop a model that works
            self.counts["failed"] += 1
        if reason:
            self.counts["blocked"] += 1
            await _reply(send, 200, {"action": "BLOCKED", "blocked_reason": reason})
        else:
            await _reply(send, 200, {"action": "NONE"})

    async def _judge(self, asked: dict[str, Any]) -> str:
        """Return why the call is blocked; empty to let it go on."""
        who = asked.get("request_data")
        who = who if type(who) is dict else {}
        account = self._sources.account_of(who)
        if not account:
            self.counts["nameless"] += 1
            return ""
        key, model = who.get("user_api_key_hash"), asked.get("model")
        desk, now = self._sources.desk, self._sources.clock()
        caller = desk.holder(account, key if type(key) is str else "")
        action = desk.action(caller, model if type(model) is str else "", "chat", now)
        if not action.bites:
            return ""
        refusal = desk.refusal(caller, action, now)
        if refusal is not None:
            return refusal.message or refusal.code
        if action.kind == "slow":
            await asyncio.sleep(min(action.delay_seconds, self._config.longest_wait_seconds))
        elif action.kind != "mark":
            self.counts[f"undone {action.kind}"] += 1
        return ""

    async def _body(self, scope: Scope, receive: Receive, send: Send) -> bytes | None:
        """Return the unzipped body of a caller who has the token; None once another answer was sent."""
        headers = {name: value for name, value in scope["headers"]}
        if scope["method"] != "POST":
            await _reply(send, 405, {"error": {"message": "POST only.", "code": "method_not_allowed"}})
            return None
        if not self._welcome(headers):
            self.counts["unauthorised"] += 1
            message = "The intake token is missing or wrong. Send it as a bearer token or as x-api-key."
            await _reply(send, 401, {"error": {"message": message, "code": "invalid_intake_token"}})
            return None
        most = self._config.max_body_bytes
        length = headers.get(b"content-length", b"")
        try:
            body = await read_body(receive, int(length) if length.isdigit() else -1, most, 60.0)
            return await unzipped(body, headers.get(b"content-encoding", b"").decode("latin-1").lower(), most)
        except TurnedAway as turned:
            self.counts["unread"] += 1
            fault = turned.fault
            await _reply(send, fault.status, {"error": {"message": fault.message, "code": fault.code}})
        except ConnectionResetError:
            pass
        return None

    def _welcome(self, headers: Mapping[bytes, bytes]) -> bool:
        given = headers.get(b"authorization", b"")
        given = given[7:] if given[:7].lower() == b"bearer " else headers.get(b"x-api-key", b"")
        return hmac.compare_digest(given.strip(), self._token)


async def _off_loop(size: int, work: Callable[[bytes], Any], plain: bytes) -> Any:
    """A large body is read beside the loop, so that other callers are served meanwhile."""
    return work(plain) if size < _LARGE else await asyncio.to_thread(work, plain)


def split_payloads(plain: bytes) -> tuple[list[bytes], int]:
    """Return each payload of a batch as JSON, without what no importer reads, and how many entries were none.

    Args:
        plain: An array of payloads, one payload, or one a line.

    >>> split_payloads(b'[{"id": "a", "hidden_params": {}}, 7]')
    ([b'{"id":"a"}'], 1)
    """
    entries: list[Any]
    try:
        whole = read_json(plain)
        entries = whole if type(whole) is list else [whole]
    except ValueError:
        entries = [_line(line) for line in plain.splitlines() if line.strip()]
    kept = [{k: v for k, v in entry.items() if k not in _SHED} for entry in entries if type(entry) is dict]
    return [write_json(entry) for entry in kept], len(entries) - len(kept)


def _line(raw: bytes) -> Any:
    try:
        return read_json(raw)
    except ValueError:
        return None


async def _reply(send: Send, status: int, body: Any) -> None:
    content = orjson.dumps(body)
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(content))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
