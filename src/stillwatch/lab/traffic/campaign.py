"""Hostile accounts: one queue of work, spread over accounts, networks and time.

In: a stage, a campaign plan and its number. Out: portraits of its accounts. What a campaign asks is
in `collection`; here stand who asks, from where, when, and what covers it.
"""

import random
from dataclasses import replace

from stillwatch.lab.traffic.collection import Collection, Piece
from stillwatch.lab.traffic.hiding import hidden
from stillwatch.lab.traffic.identity import Caller, host
from stillwatch.lab.traffic.plan import DAY, CampaignPlan, Truth
from stillwatch.lab.traffic.stage import Ask, Portrait, Scene, Stage, sampling
from stillwatch.terms.exchange import Message

SURFACE = {"tools": "agent", "grading": "evaluation", "roleplay": "chat", "replay": "chat"}
"""Preset -> the honest stratum it looks like; others look like `batch`."""
TURNS = (2, 4)
"""Turns of one role-play conversation."""


def campaign(stage: Stage, plan: CampaignPlan, number: int) -> list[Portrait]:
    """Return the accounts of the campaign `plan`, the `number`-th of the traffic plan."""
    rng = stage.dice("campaign", number)
    truth = Truth(
        kind="hostile",
        stratum=SURFACE.get(plan.preset, "batch"),
        habit=plan.label,
        campaign=f"campaign {number} {plan.label}",
    )
    collection = Collection(stage.corpus, plan.preset, plan.evasion, rng)
    portraits = []
    for caller, times in zip(_callers(stage, rng, plan), _times(stage, rng, plan), strict=True):
        portraits.append(Portrait(caller=caller, truth=truth, units=_work(stage, rng, plan, (collection, times))))
    return portraits


def _times(stage: Stage, rng: random.Random, plan: CampaignPlan) -> list[list[float]]:
    """Return each account's times: one even stream over the campaign's days, dealt out in turns."""
    begin = stage.plan.start + plan.start_day * DAY
    span = (begin, min(stage.plan.end, begin + plan.days * DAY))
    volumes = [max(1, round(plan.requests * rng.uniform(0.6, 1.0))) for _ in range(plan.accounts)]
    turns: list[int] = []
    for turn in range(max(volumes)):
        ready = [account for account, volume in enumerate(volumes) if volume > turn]
        rng.shuffle(ready)
        turns += ready
    times: list[list[float]] = [[] for _ in volumes]
    for account, at in zip(turns, stage.rhythm.steady(rng, len(turns), span), strict=True):
        times[account].append(at)
    return times


def _work(stage: Stage, rng: random.Random, plan: CampaignPlan, job: tuple[Collection, list[float]]) -> list[list[Ask]]:
    """Return one account's units: as many requests as it has times, the planned share of them cover."""
    collection, times = job
    units: list[list[Ask]] = []
    done = covered = 0
    while done < len(times):
        left = len(times) - done
        if covered + rng.random() < plan.cover * (done + 1):
            unit = _cover(stage, rng, times[done], min(3, left))
            covered += len(unit)
        elif plan.preset == "roleplay" and not plan.hides:
            unit = _dialogue(stage, rng, collection, times[done : done + min(left, rng.randint(*TURNS))])
        else:
            piece = collection.piece(rng)
            unit = [_ask(stage, rng, hidden(piece, plan.hides, rng), times[done])]
        units.append(unit)
        done += len(unit)
    return units


def _ask(stage: Stage, rng: random.Random, piece: Piece, at: float) -> Ask:
    messages = [Message(role="system", text=piece.system)] if piece.system else []
    messages += [Message(role=role, text=text) for role, text in piece.history]
    messages.append(Message(role="user", text=piece.user))
    return Ask(at, tuple(messages), stage.replies.chat(rng), piece.tools)


def _dialogue(stage: Stage, rng: random.Random, collection: Collection, times: list[float]) -> list[Ask]:
    """Return a conversation of two agents: roles first, then one instruction after another."""
    asking, answering = (rng.choice(side).lower() for side in stage.corpus.roles)
    first = collection.piece(rng)
    roles = f"{answering.capitalize()} / {asking}"
    system = f"{first.system}\n\n{roles}" if first.system else ""
    messages = [Message(role="system", text=system)] if system else []
    asks: list[Ask] = []
    piece = first
    for at in times:
        if asks:
            piece = collection.piece(rng)
        messages.append(Message(role="user", text=piece.user))
        answer = stage.replies.chat(rng)
        asks.append(Ask(at, tuple(messages), answer))
        messages.append(Message(role="assistant", text=answer))
    return asks


def _cover(stage: Stage, rng: random.Random, at: float, most: int) -> list[Ask]:
    """Return an organic session, cut to `most` turns."""
    session = rng.choice(stage.deck.deal(rng, stage.deck.topic(rng)))
    return stage.converse(rng, session, at, Scene(habits=stage.rhythm.person(rng), most=most))


def _callers(stage: Stage, rng: random.Random, plan: CampaignPlan) -> list[Caller]:
    """Return the campaign's accounts with the infrastructure it has."""
    callers = [replace(stage.machine(rng), plan="metered") for _ in range(plan.accounts)]
    if plan.infrastructure == "clean":
        return [replace(caller, addresses=stage.book.homes(rng)[:2]) for caller in callers]
    agent, tls = stage.book.sdk(rng)
    model, parameters = callers[0].model, sampling(rng)
    payments = _payments(stage, rng, plan, callers)
    sites = [stage.book.site(rng) for _ in range(max(2, plan.accounts // 20))]
    dressed = []
    for caller, payment in zip(callers, payments, strict=True):
        if plan.infrastructure == "shared":
            addresses = tuple(host(rng, rng.choice(sites)) for _ in range(rng.randint(1, 3)))
        else:
            addresses = tuple(stage.book.home(rng) for _ in range(rng.randint(2, 6)))
        dressed.append(
            replace(
                caller, addresses=addresses, agent=agent, tls=tls, payment=payment, model=model, parameters=parameters
            )
        )
    return dressed


def _payments(stage: Stage, rng: random.Random, plan: CampaignPlan, callers: list[Caller]) -> list[str]:
    """Return each account's payment token: 25 accounts share one, behind a proxy 5 to 10."""
    tokens: list[str] = []
    while len(tokens) < plan.accounts:
        size = 25 if plan.infrastructure == "shared" else rng.randint(5, 10)
        tokens += [callers[len(tokens)].payment] * size
    tokens = tokens[: plan.accounts]
    rng.shuffle(tokens)
    return tokens
