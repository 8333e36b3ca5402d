"""Honest accounts that look coordinated because they belong together, or follow the same fashion.

In: a stage, how many accounts, and the habit's name. Out: portraits, with `Truth.group` naming who
belongs together. A class, an application, a company, a fleet of agents, a hospital, the adopters of
a new prompt, tutors.
"""

import random
from dataclasses import replace
from typing import Final

from stillwatch.lab.traffic.chance import heavy
from stillwatch.lab.traffic.chat import own_chats, volume
from stillwatch.lab.traffic.corpus import Session
from stillwatch.lab.traffic.identity import host
from stillwatch.lab.traffic.plan import DAY, Truth
from stillwatch.lab.traffic.stage import Ask, Portrait, Scene, Stage, group_sizes
from stillwatch.lab.traffic.wording import Wording
from stillwatch.terms.exchange import Message

STEPWISE: Final = (
    "Let's think step by step.", "Please reason step by step.", "Show all the steps.", "Explain your reasoning.",
    "Think step by step, then give the answer.", "Show your work so a student can follow.",
)  # fmt: skip


def _truth(habit: str, stratum: str = "chat", group: str = "") -> Truth:
    return Truth(kind="honest", stratum=stratum, habit=habit, group=group)


def classes(stage: Stage, n: int, habit: str) -> list[Portrait]:
    """Return classes of 20-40 students with one exercise, one campus and own words, over one to three days."""
    portraits = []
    for number, size in enumerate(group_sizes(stage.dice(habit), n, 20, 40)):
        shared = stage.dice(habit, "group", number)
        exercise = stage.shards("question", stage.corpus.pools["question"]).deal(1)[0]
        if len(exercise) < 160 and "eval mbpp" in stage.corpus.pools:
            exercise += "\n\n" + shared.choice(stage.corpus.pools["eval mbpp"])
        campus, zone = stage.book.campus(shared), shared.randrange(0, 12)
        first = stage.plan.start + shared.uniform(0, max(0.1, stage.plan.days - 3)) * DAY
        span = (first, min(stage.plan.end, first + shared.uniform(1, 3) * DAY))
        for student in range(size):
            rng = stage.dice(habit, number, student)
            caller = stage.person(rng)
            caller = replace(caller, addresses=(host(rng, campus), *caller.addresses))
            scene = Scene(habits=stage.rhythm.person(rng, zone=zone))
            units = own_chats(stage, rng, scene, max(2, volume(stage, rng) // 2))
            for start in stage.rhythm.between(rng, scene.habits, rng.choice((1, 1, 2)), span):
                units.append(stage.converse(rng, _pasted(rng, exercise), start, scene))
            portraits.append(Portrait(caller=caller, truth=_truth(habit, group=f"{habit} {number}"), units=units))
    return portraits


def _pasted(rng: random.Random, text: str) -> Session:
    """Return the text with a person's own words around it."""
    aside, other = Wording("aside").sentence(rng), Wording("follow").sentence(rng)
    form = rng.choice(("{a}\n\n{t}", "{t}\n\n{a}", "{a}\n{t}\n{o}", "{t}"))
    return Session((form.format(a=aside, t=text, o=other),), ())


def applications(stage: Stage, n: int, habit: str) -> list[Portrait]:
    """Return products on top of the API: 30-200 end users under one organisation, key and system prompt."""
    portraits = []
    for number, size in enumerate(group_sizes(stage.dice(habit), n, 30, 200)):
        shared = stage.dice(habit, "group", number)
        server = stage.machine(shared)
        system = Wording("system").paragraph(shared, shared.randint(3, 5))
        for user in range(size):
            rng = stage.dice(habit, number, user)
            scene = Scene(habits=stage.rhythm.person(rng), system=system)
            caller = replace(server, name=stage.person(rng).name)
            units = own_chats(stage, rng, scene, volume(stage, rng))
            portraits.append(Portrait(caller=caller, truth=_truth(habit, group=f"{habit} {number}"), units=units))
    return portraits


def companies(stage: Stage, n: int, habit: str) -> list[Portrait]:
    """Return companies behind one address and one payment: 10-40 employees with chats of their own."""
    return [
        portrait
        for number, size in enumerate(group_sizes(stage.dice(habit), n, 10, 40))
        for portrait in _employees(stage, (habit, number), size)
    ]


def _employees(stage: Stage, label: tuple[str, int], size: int) -> list[Portrait]:
    shared = stage.dice(label[0], "group", label[1])
    address, organisation = stage.book.home(shared), stage.organisation(*label)
    payment, zone = stage.payment(*label), shared.randrange(0, 12)
    portraits = []
    for number in range(size):
        rng = stage.dice(*label, number)
        agent, tls = stage.book.browser(rng)
        caller = replace(stage.person(rng), addresses=(address,), organisation=organisation, payment=payment)
        caller = replace(caller, plan="team", agent=agent, tls=tls)
        scene = Scene(habits=replace(stage.rhythm.person(rng, zone=zone), weekend=0.1))
        units = own_chats(stage, rng, scene, volume(stage, rng))
        portraits.append(Portrait(caller=caller, truth=_truth(label[0], group=f"{label[0]} {label[1]}"), units=units))
    return portraits


def hospitals(stage: Stage, n: int, habit: str) -> list[Portrait]:
    """Return hospitals: clinicians of one organisation who ask for explanations in one narrow domain."""
    portraits = []
    for number, size in enumerate(group_sizes(stage.dice(habit), n, 20, 60)):
        staff = _employees(stage, (habit, number), size)
        for person, portrait in enumerate(staff):
            rng = stage.dice(habit, number, person, "ward")
            scene = Scene(habits=stage.rhythm.person(rng), most=3)
            texts = stage.shards("medical", stage.corpus.pools["medical"]).deal(volume(stage, rng))
            sessions = [Session((f"{Wording('clinic').sentence(rng)}\n\n{text}",), ()) for text in texts]
            starts = stage.rhythm.sessions(rng, scene.habits, len(sessions))
            portrait.units = [stage.converse(rng, s, at, scene) for s, at in zip(sessions, starts, strict=True)]
        portraits += staff
    return portraits


def fleets(stage: Stage, n: int, habit: str) -> list[Portrait]:
    """Return agent fleets: 3-12 service accounts with one system prompt and one set of tools."""
    tooled = [session for session in stage.corpus.agents if session.tools]
    portraits = []
    for number, size in enumerate(group_sizes(stage.dice(habit), n, 3, 12)):
        shared = stage.dice(habit, "group", number)
        system = Wording("harness").paragraph(shared, 3)
        tools = shared.choice(tooled).tools
        owner = stage.machine(shared)
        for agent in range(size):
            rng = stage.dice(habit, number, agent)
            caller = replace(owner, name=stage.machine(rng).name)
            units: list[list[Ask]] = []
            for _ in range(heavy(rng, median=20, spread=0.6, low=6, high=stage.plan.job_requests // 4)):
                units.append(_agent_run(rng, rng.choice(tooled).turns, system, tools))
            truth = _truth(habit, "agent", f"{habit} {number}")
            portraits.append(Portrait(caller=caller, truth=truth, units=timed_runs(stage, rng, units)))
    return portraits


def _agent_run(rng: random.Random, turns: tuple[tuple[str, str], ...], system: str, tools: str) -> list[Ask]:
    """Return one session: a request for every answer in it, history growing; times count from 0."""
    messages = [Message(role="system", text=system)]
    asks = []
    at = 0.0
    for role, text in turns:
        if role == "assistant":
            asks.append(Ask(at, tuple(messages), text, tools))
            at += rng.uniform(2, 12)
        messages.append(Message(role=role, text=text))
    return asks


def timed_runs(stage: Stage, rng: random.Random, units: list[list[Ask]]) -> list[list[Ask]]:
    """Return sessions moved to the times of a production client."""
    starts = stage.rhythm.production(rng, len(units))
    return [[ask._replace(time=start + ask.time) for ask in unit] for unit, start in zip(units, starts, strict=True)]


def adopters(stage: Stage, n: int, habit: str) -> list[Portrait]:
    """Return unrelated people who take up a new, popular prompt once it comes out within the window."""
    shared = stage.dice(habit)
    prompt = Wording("harness").paragraph(shared, 4)
    release = stage.plan.start + shared.uniform(0.35, 0.65) * stage.plan.days * DAY
    portraits = []
    for number in range(n):
        rng = stage.dice(habit, number)
        caller = stage.person(rng) if rng.random() < 0.6 else stage.machine(rng)
        scene = Scene(habits=stage.rhythm.person(rng))
        adopted = release + rng.expovariate(1 / (0.15 * stage.plan.days * DAY))
        units = [
            _under(prompt, unit) if unit[0].time > adopted else unit
            for unit in own_chats(stage, rng, scene, max(6, volume(stage, rng)))
        ]
        portraits.append(Portrait(caller=caller, truth=_truth(habit), units=units))
    return portraits


def _under(system: str, unit: list[Ask]) -> list[Ask]:
    head = Message(role="system", text=system)
    return [ask._replace(messages=(head, *ask.messages)) for ask in unit]


def tutors(stage: Stage, n: int, habit: str) -> list[Portrait]:
    """Return tutors: own exercises, always asking for the steps with one of the usual phrases."""
    portraits = []
    pool = "eval gsm8k" if "eval gsm8k" in stage.corpus.pools else "question"
    for number in range(n):
        rng = stage.dice(habit, number)
        phrase = rng.choice(STEPWISE)
        texts = stage.shards(f"tutor {pool}", stage.corpus.pools[pool]).deal(volume(stage, rng))
        scene = Scene(habits=stage.rhythm.person(rng), most=3)
        sessions = [Session((f"{text}\n\n{phrase}",), ()) for text in texts]
        starts = stage.rhythm.sessions(rng, scene.habits, len(sessions))
        units = [stage.converse(rng, s, at, scene) for s, at in zip(sessions, starts, strict=True)]
        portraits.append(Portrait(caller=stage.person(rng), truth=_truth(habit), units=units))
    return portraits
