"""Honest people who chat: topics of their own, pauses and hours of people, homes and browsers.

In: a stage and how many accounts. Out: portraits of stratum `chat`.
"""

import random
from dataclasses import replace
from typing import Final

from stillwatch.lab.traffic.chance import heavy
from stillwatch.lab.traffic.identity import Caller
from stillwatch.lab.traffic.plan import Truth
from stillwatch.lab.traffic.stage import Ask, Portrait, Scene, Stage

FAMILY: Final = 0.04
"""Chance that an account shares its payment and its home with the account before it."""
ONE_SHOT: Final = 0.3
"""Chance that a person asks once and never follows up, as a collector does."""
HOBBY: Final = 0.12
"""Chance that a person chats through a program of their own, with an SDK and a key."""


def chat(stage: Stage, n: int, habit: str) -> list[Portrait]:
    """Return `n` accounts, each with one circle of topics for life."""
    portraits: list[Portrait] = []
    for number in range(n):
        rng = stage.dice(habit, number)
        caller = stage.person(rng)
        if portraits and rng.random() < FAMILY:
            caller = _relative(portraits[-1].caller, caller)
        if rng.random() < HOBBY:
            caller = _hobbyist(stage, rng, caller)
        scene = Scene(habits=stage.rhythm.person(rng), most=1 if rng.random() < ONE_SHOT else 100)
        units = own_chats(stage, rng, scene, volume(stage, rng))
        portraits.append(Portrait(caller=caller, truth=Truth(kind="honest", stratum="chat", habit=habit), units=units))
    return portraits


def volume(stage: Stage, rng: random.Random) -> int:
    """Return how many requests a person sends in the window: heavy-tailed, 3 or more."""
    return heavy(rng, median=10, spread=0.85, low=3, high=stage.plan.chat_requests)


def own_chats(stage: Stage, rng: random.Random, scene: Scene, n: int) -> list[list[Ask]]:
    """Return about `n` requests in sessions of one circle of topics, spread over the window.

    Sessions are dealt from the account's home topic, and one in six from a neighbouring one.
    """
    home = stage.deck.topic(rng)
    near = stage.corpus.near[home][:6]
    units: list[list[Ask]] = []
    asked = 0
    while asked < n:
        for session in stage.deck.deal(rng, home if rng.random() < 0.83 else rng.choice(near)):
            if asked < n:
                units.append(stage.converse(rng, session, 0.0, replace(scene, most=min(scene.most, n - asked))))
                asked += len(units[-1])
    starts = stage.rhythm.sessions(rng, scene.habits, len(units))
    return [[ask._replace(time=start + ask.time) for ask in unit] for unit, start in zip(units, starts, strict=True)]


def _hobbyist(stage: Stage, rng: random.Random, caller: Caller) -> Caller:
    program = stage.machine(rng)
    return replace(program, addresses=caller.addresses, payment=caller.payment or program.payment)


def _relative(elder: Caller, caller: Caller) -> Caller:
    addresses = (elder.addresses[0], *caller.addresses[1:])
    if not elder.payment:
        return replace(caller, addresses=addresses)
    return replace(caller, addresses=addresses, payment=elder.payment, plan=elder.plan)
