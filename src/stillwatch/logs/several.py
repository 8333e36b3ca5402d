"""One request with several prompts, as the exchanges that it is.

In: an `Exchange`. Out: one exchange for each of its prompts, at the same moment, with the tokens shared out; the same
from a log as from the wire. Without it a thousand questions in one request would be one event.
Cost: nothing for a request of one prompt. Left to `requests` and `answers`: finding prompts and their answers.
"""

from dataclasses import replace

from stillwatch.terms.exchange import Exchange, Message


def parted(exchange: Exchange) -> list[Exchange]:
    """Return the exchanges that a request stands for.

    >>> [one.tokens_in for one in parted(Exchange(time=0.0, account="a", several=(("q", ""), ("r", "")), tokens_in=5))]
    [3, 2]
    """
    several = exchange.several
    if len(several) < 2:
        return [exchange]
    head = tuple(message for message in exchange.messages if message.role == "system")
    return [
        replace(
            exchange,
            messages=(*head, Message(role="user", text=text)),
            answer=answer,
            several=(),
            tokens_in=_share(exchange.tokens_in, len(several), place),
            tokens_out=_share(exchange.tokens_out, len(several), place),
        )
        for place, (text, answer) in enumerate(several)
    ]


def _share(tokens: int, parts: int, place: int) -> int:
    return tokens if tokens < 0 else tokens // parts + (place < tokens % parts)
