"""The event of one call: what the watcher gets of it once the answer has gone.

In: a finished `Call`. Out: `Served`, its bytes unzipped and bounded. A request above the bound keeps its shape and
loses what is padding first (`shortened`), so that padding hides nothing; an answer above it keeps its start; of an
embedding only the usage is kept. A stored conversation needs no more: `previous_response_id` stands in the request
and the id in the answer, so that the watcher can count its turns.
Cost: a few microseconds; milliseconds for bodies above the bound.
"""

import time
from typing import Final

import orjson

from stillwatch.gateway.call import Call
from stillwatch.gateway.codings import CODINGS, unzip
from stillwatch.gateway.fields import parse
from stillwatch.gateway.identity import Heads, Trust
from stillwatch.gateway.ports import Caller
from stillwatch.gateway.shortened import shortened
from stillwatch.gateway.usage import read_usage
from stillwatch.terms.served import Served

LEFT: Final = 499
_TAIL: Final = 4_096


def served_of(call: Call, heads: Heads, caller: Caller, trust: Trust, limit: int) -> Served:
    """Return the event of `call`.

    Args:
        call: The call, over and done.
        heads: Its headers.
        caller: Whose key it carried.
        trust: Whose word counts for addresses.
        limit: Most bytes kept of the request, and of the answer.
    """
    client = call.scope.get("client")
    peer = client[0] if client else ""
    trusted = trust.trusts(peer)
    return Served(
        time=call.time,
        request_id=call.request_id,
        endpoint=call.route.endpoint,
        account=caller.account,
        organisation=caller.organisation,
        plan=caller.plan,
        key_id=caller.key_id,
        payment=caller.payment,
        address=trust.address(peer, heads.forwarded) if trusted else peer,
        agent=heads.agent,
        tls=heads.tls if trusted else "",
        status=LEFT if call.gone else call.status,
        latency=time.perf_counter() - call.arrived,
        streamed=call.streamed,
        disconnected=call.gone,
        attempt=heads.attempt,
        action=call.action_name,
        treatments="+".join(call.action.treatments) if call.action.bites else "",
        request=_request(call.plain or b"", limit),
        answer=_answer(call, limit),
    )


def _request(plain: bytes, limit: int) -> bytes:
    return plain if len(plain) <= limit else shortened(parse(plain), limit)


def _answer(call: Call, limit: int) -> bytes:
    kept = call.kept()
    if call.coding:
        kept = _plain(kept, call.coding, limit)
    if call.route.endpoint == "embeddings" and call.answered:
        usage = read_usage(b"", call.tail or kept[-_TAIL:])
        return orjson.dumps({"object": "list", "usage": {"prompt_tokens": max(0, usage.tokens_in)}})
    return kept


def _plain(kept: bytes, coding: str, limit: int) -> bytes:
    if coding not in CODINGS:
        return b""
    try:
        return unzip(kept, coding, limit)
    except ValueError:
        return b""
