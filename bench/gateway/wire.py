"""The bytes that upstream, client and proxies of this benchmark exchange: OpenAI chat, nothing else.

In: what is asked for. Out: bytes. Paced chunks carry a clock stamp (`time.monotonic`, which all processes of one
machine share), so that the client can tell how long a chunk was on its way.
"""

import re
from typing import Final

JSON, BURST, PACED = "bench-json", "bench-burst", "bench-paced"
"""Models of the dummy upstream: one JSON answer; all chunks at once; one chunk each `PACE` seconds."""
MODELS: Final = (JSON, BURST, PACED)
BURST_CHUNKS: Final = 64
PACE: Final = 0.02
STAMP: Final = re.compile(rb"@(\d{9,}\.\d{6})")
"""A clock stamp inside a chunk: microseconds, with nine digits before the point so that its width is fixed."""
TICKET: Final = re.compile(rb"ticket-(\d+)")
"""Number of a request inside its prompt, by which upstream and client speak of the same one."""
CHUNKS_ASKED: Final = re.compile(rb'"max_tokens": ?(\d+)')
STREAM_ASKED: Final = re.compile(rb'"stream": ?true')
USAGE_ASKED: Final = re.compile(rb'"include_usage": ?true')
MONOTONIC: Final = 10**9
"""Added to a stamp so that its width never changes."""

SYSTEM: Final = "You are a careful assistant of a wholesale nursery. Answer in short, plain sentences, name the plant."
ASKED: Final = (
    "A customer keeps three dwarf lemon trees in clay pots on a balcony that faces west. The leaves of the oldest "
    "tree turn pale between the veins since the nights got cooler, although it is watered every other day with tap "
    "water and fed once a month. The two younger trees stand in the same soil and look well. She asks whether she "
    "should bring the tree inside now, change the water, or feed it more often, and in which order to try these. "
    "Say what to look at first, and after how many days one can tell. She has a jar of chelated iron, a bag of citrus "
    "feed that she bought in spring, and a rain barrel; she would rather not spend more than an hour a week on it."
)
ANSWER: Final = (
    "Look at the newest leaves first: pale between green veins on young growth speaks for too little iron, which "
    "hard tap water locks up in the soil. Use rain water for three weeks before anything else, then a chelated "
    "iron feed at half strength. Bring the lemon inside once nights stay below eight degrees, into the brightest "
    "room you have. New leaves that open green after about twenty days tell that it worked."
)


def body(model: str, *, ticket: int = 0, chunks: int = 0) -> bytes:
    """Return a chat request of about 900 bytes; asks for a stream where the model streams.

    >>> len(body("bench-json")) > 800, b'"stream":true' in body("bench-paced", chunks=5)
    (True, True)
    """
    extra = f',"max_tokens":{chunks or 256}' + (',"stream":true' if model != JSON else "")
    return (
        f'{{"model":"{model}","messages":[{{"role":"system","content":"{SYSTEM}"}},'
        f'{{"role":"user","content":"{ASKED} ticket-{ticket}"}}],"temperature":0.7{extra}}}'
    ).encode()


def request(payload: bytes, key: str, host: str = "localhost") -> bytes:
    """Return the whole HTTP request, with the headers that official clients send."""
    return (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: {host}\r\nAccept: application/json\r\n"
        f"Content-Type: application/json\r\nUser-Agent: OpenAI/Python 3.54.0\r\nX-Stainless-Lang: python\r\n"
        f"X-Stainless-Retry-Count: 0\r\nAuthorization: Bearer {key}\r\nContent-Length: {len(payload)}\r\n\r\n"
    ).encode() + payload


def chunk(content: str, *, finish: str = "null", model: str = PACED) -> bytes:
    """Return one server-sent event of a chat stream."""
    return (
        f'data: {{"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1790000000,"model":"{model}",'
        f'"choices":[{{"index":0,"delta":{{"content":"{content}"}},"finish_reason":{finish}}}]}}\n\n'
    ).encode()


def stamp(now: float) -> str:
    """Return a clock stamp.

    >>> STAMP.search(stamp(12.5).encode()).group(1)
    b'1000000012.500000'
    """
    return f"@{MONOTONIC + now:.6f}"


def stamped(data: bytes) -> list[float]:
    """Return the times of every stamp in `data`.

    >>> stamped(chunk("a " + stamp(12.5)) + chunk(stamp(13.0)))
    [12.5, 13.0]
    """
    return [float(found) - MONOTONIC for found in STAMP.findall(data)]


def framed(data: bytes) -> bytes:
    """Return one chunk of a chunked HTTP body."""
    return b"%x\r\n%b\r\n" % (len(data), data)
