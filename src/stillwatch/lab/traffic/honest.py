"""The honest mixture: which habits there are, and how many accounts each gets.

In: a stage. Out: portraits of all honest accounts. A new habit is one function and one line here.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from stillwatch.lab.traffic import crowds, jobs
from stillwatch.lab.traffic.chance import shuffled
from stillwatch.lab.traffic.chat import chat
from stillwatch.lab.traffic.stage import Portrait, Stage

Habit = Callable[[Stage, int, str], list[Portrait]]

HARD: Final[dict[str, tuple[int, Habit]]] = {
    "batch": (18, jobs.batch),
    "application": (15, crowds.applications),
    "class": (12, crowds.classes),
    "company": (10, crowds.companies),
    "evaluator": (8, jobs.evaluators),
    "fleet": (6, crowds.fleets),
    "hospital": (6, crowds.hospitals),
    "adopter": (5, crowds.adopters),
    "routing": (5, jobs.routing),
    "translation": (5, jobs.translation),
    "tutor": (4, crowds.tutors),
    "judge": (3, jobs.judges),
    "production": (2, jobs.production),
    "synthetic": (1, jobs.synthetic),
}
"""Habit of a hard negative -> share in percent, and what makes it."""

SOLO: Final = ("chat", "batch", "translation", "routing", "evaluator", "judge", "tutor")
"""Habits whose accounts stand alone; their work is what shuffled habits deal anew."""


def honest(stage: Stage) -> list[Portrait]:
    """Return the portraits of every honest account of the stage's plan."""
    hard = round(stage.plan.honest * stage.plan.hard_share)
    portraits = chat(stage, stage.plan.honest - hard, "chat")
    for habit, n in quotas(hard).items():
        portraits += HARD[habit][1](stage, n, habit)
    return portraits if stage.plan.persistent else without_habits(stage, portraits)


def quotas(n: int) -> dict[str, int]:
    """Return how many of `n` accounts each habit gets: by largest remainder, so that they add up.

    >>> sum(quotas(67).values())
    67
    """
    total = sum(share for share, _ in HARD.values())
    exact = {habit: n * share / total for habit, (share, _) in HARD.items()}
    counts = {habit: int(value) for habit, value in exact.items()}
    by_rest = sorted(exact, key=lambda habit: (counts[habit] - exact[habit], habit))
    for habit in by_rest[: n - sum(counts.values())]:
        counts[habit] += 1
    return {habit: count for habit, count in counts.items() if count}


def without_habits(stage: Stage, portraits: list[Portrait]) -> list[Portrait]:
    """Return the portraits with the units of lone accounts dealt anew within each stratum.

    Every account keeps who it is and how many units it has; what it asks comes from the whole
    stratum's mixture, so that no topic, template or tool stays with it.
    """
    for stratum in ("chat", "batch", "evaluation"):
        lone = [p for p in portraits if p.truth.stratum == stratum and p.truth.habit in SOLO]
        units = shuffled(stage.dice("without habits", stratum), [unit for p in lone for unit in p.units])
        for portrait in lone:
            n = len(portrait.units)
            portrait.units, units = units[:n], units[n:]
            portrait.truth = replace(portrait.truth, habit=f"{portrait.truth.habit} shuffled")
    return portraits
