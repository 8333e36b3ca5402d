"""Put what a campaign asks where the model reads it and a reader of the newest turn does not.

In: a request as it is meant. Out: the same request with an everyday sentence as its newest turn, and what is asked
before a made-up answer, in one, or in the system text. Left to `collection`: what is asked.
"""

import random
from dataclasses import replace
from typing import Final

from stillwatch.lab.traffic.collection import Piece
from stillwatch.lab.traffic.wording import Wording

_AGREED: Final = ("Ok.", "Sure.", "Understood.", "Of course, one moment.", "Certainly.", "I will.")


def hidden(piece: Piece, where: str, rng: random.Random) -> Piece:
    """Return `piece` hidden.

    Args:
        piece: What is asked.
        where: `turn`, `answer`, `system`, or empty for nowhere.
        rng: Where the everyday sentences are drawn.
    """
    if not where:
        return piece
    newest = Wording("follow").sentence(rng)
    asked = f"{piece.system}\n\n{piece.user}".strip()
    if where == "system":
        return replace(piece, system=asked, user=newest)
    if where == "turn":
        made_up = ("user", asked), ("assistant", rng.choice(_AGREED))
    else:
        made_up = ("user", Wording("follow").sentence(rng)), ("assistant", asked)
    return replace(piece, system="", history=(*piece.history, *made_up), user=newest)
