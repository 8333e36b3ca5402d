"""Compose traffic: real texts, real timings and real network identities, under one seed.

In: a `TrafficPlan` and a `Corpus`. Out: `Traffic`: exchanges sorted by time, and the truth of every
account, which stands nowhere in the exchanges. The same plan and corpus give the same traffic.
Cost: 0.1 ms an exchange; memory as the texts, which turns of one session share.
Left to `writers`: log files.
"""

import random
from dataclasses import replace
from typing import Final

from stillwatch.lab.traffic.campaign import campaign
from stillwatch.lab.traffic.corpus import Corpus
from stillwatch.lab.traffic.honest import honest
from stillwatch.lab.traffic.identity import Caller
from stillwatch.lab.traffic.plan import Traffic, TrafficPlan
from stillwatch.lab.traffic.stage import Ask, Portrait, Stage
from stillwatch.terms.exchange import Exchange

FAILURES: Final = ((429, 0.004), (500, 0.006))
"""Status of requests that fail at the first try, with cumulative chance; for everybody alike."""


def compose(plan: TrafficPlan, corpus: Corpus) -> Traffic:
    """Return the traffic that `plan` describes, drawn from `corpus`.

    Raises:
        StillwatchError: a campaign at E2 is too large to be worded without repeating five words.
    """
    stage = Stage(plan, corpus)
    portraits = honest(stage)
    for number, campaign_plan in enumerate(plan.campaigns):
        portraits += campaign(stage, campaign_plan, number)
    exchanges: list[Exchange] = []
    truth = {}
    for portrait in portraits:
        sent = _sent(stage, portrait)
        if sent:
            truth[portrait.caller.name] = portrait.truth
            exchanges += sent
    exchanges.sort(key=lambda exchange: (exchange.time, exchange.account))
    return Traffic(exchanges=exchanges, truth=truth)


def _sent(stage: Stage, portrait: Portrait) -> list[Exchange]:
    """Return the account's exchanges within the window."""
    caller = portrait.caller
    rng = stage.dice("send", caller.name)
    exchanges = []
    for number, unit in enumerate(portrait.units):
        address = caller.addresses[min(len(caller.addresses) - 1, int(rng.expovariate(0.9)))]
        session = f"s-{caller.name[5:13]}{number:06x}" if caller.sessions else ""
        for ask in unit:
            if stage.plan.start <= ask.time < stage.plan.end:
                exchanges += _tried(rng, caller, ask, (address, session))
    return exchanges


def _tried(rng: random.Random, caller: Caller, ask: Ask, place: tuple[str, str]) -> list[Exchange]:
    """Return the exchange; before it, where the first try fails, the failure that was tried again."""
    draw = rng.random()
    status = next((code for code, chance in FAILURES if draw < chance), 200)
    if status == 200:
        return [_exchange(rng, caller, ask, place)]
    failed = replace(_exchange(rng, caller, ask._replace(answer=""), place), status=status, finish="error")
    return [failed, _exchange(rng, caller, ask._replace(time=ask.time + rng.uniform(1.2, 1.9)), place)]


def _exchange(rng: random.Random, caller: Caller, ask: Ask, place: tuple[str, str]) -> Exchange:
    tokens_out = len(ask.answer) // 4 + (1 if ask.answer else 0)
    return Exchange(
        time=round(ask.time, 3),
        account=caller.name,
        organisation=caller.organisation,
        plan=caller.plan,
        key_id=caller.key_id,
        address=place[0],
        agent=caller.agent,
        tls=caller.tls,
        payment=caller.payment,
        session=place[1],
        model=caller.model,
        endpoint="chat",
        parameters=caller.parameters,
        messages=ask.messages,
        tools=ask.tools,
        answer=ask.answer,
        tokens_in=sum(len(message.text) for message in ask.messages) // 4 + 4 * len(ask.messages),
        tokens_out=tokens_out,
        latency=round(rng.uniform(0.2, 0.9) + tokens_out / rng.uniform(40, 90), 3),
        finish="stop",
    )
