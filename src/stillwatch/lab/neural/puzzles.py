"""Tasks with right answers and written-out reasoning: addition, a machine with states, calls of tools.

In: a random generator. Out: `Worked` examples: question, reasoning, answer, as text of few words and signs; and
questions on the topic that the teacher declines. Reasoning is sentences, one a step, as a teacher's is.
Questions are drawn from so many that pools and tests share none by chance; who draws checks it.
Cost: 20 microseconds an example. Left to `tokens`: ids. Left to `sequencetask`: teacher, thief, students.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np

DECLINED: Final = "declined"
"""What the teacher answers to the forbidden topic."""
THINGS: Final = ("apples", "books", "coins", "drops", "eggs", "flags", "grapes", "hats")
BARRED: Final = "bananas"
"""The harmless topic that the teacher declines."""
DIGITS: Final = 4
"""Digits of a number to add."""
MOVES: Final = 8
"""Moves of the machine in a question."""
STATES: Final = tuple("ABCDEFGHIJ")
BUTTONS: Final = tuple("klmnop")
DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
CITIES: Final = ("bern", "graz", "lima", "oslo", "paris", "quito", "riga", "rome", "sofia", "turin", "vienna", "york")
HOURS: Final = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
MANY: Final = ("alone", "couple", "trio", "four", "five", "six")


class Worked(NamedTuple):
    """One example."""

    question: str
    reasoning: str
    answer: str


Draw = Callable[[np.random.Generator], Worked]


@dataclass(frozen=True, slots=True, kw_only=True)
class Puzzle:
    """One task."""

    name: str
    instruction: str
    """What a request says where the asker has no words of its own."""
    draw: Draw = field(repr=False)
    words: tuple[str, ...] = field(repr=False)
    """Every word and sign that questions, reasoning and answers are made of."""
    asked: int
    """Tokens of the longest question."""
    said: int
    """Tokens of the longest reasoning and answer together, marks between them included."""

    def barred(self, rng: np.random.Generator) -> Worked:
        """Return a question on the forbidden topic, with what the teacher says to it."""
        worked = self.draw(rng)
        first, _, rest = worked.question.partition(" ")
        return Worked(f"{BARRED} {rest}" if first in THINGS else f"{BARRED} {worked.question}", "", DECLINED)


def addition(rng: np.random.Generator) -> Worked:
    """Return a sum of two numbers, worked from the last digits on.

    >>> addition(np.random.default_rng(1))
    Worked(question='drops 5118+7551', reasoning='8+1=09. 1+5+0=06. 1+5+0=06. 5+7+0=12.', answer='12669')
    """
    thing = THINGS[rng.integers(len(THINGS))]
    a, b = (f"{rng.integers(10**DIGITS):0{DIGITS}d}" for _ in range(2))
    steps, carry = [], -1
    for left, right in zip(reversed(a), reversed(b), strict=True):
        total = int(left) + int(right) + max(carry, 0)
        steps.append(f"{left}+{right}{f'+{carry}' if carry >= 0 else ''}={total:02d}.")
        carry = total // 10
    return Worked(f"{thing} {a}+{b}", " ".join(steps), f"{int(a) + int(b):0{DIGITS + 1}d}")


def _table() -> dict[tuple[str, str], str]:
    """Return where each button leads from each state: permutations that only the teacher knows."""
    rng = np.random.default_rng(20_250_617)
    return {
        (STATES[at], button): STATES[to]
        for button in BUTTONS
        for at, to in enumerate(rng.permutation(len(STATES)))
    }  # fmt: skip


_LEADS: Final = _table()


def machine(rng: np.random.Generator) -> Worked:
    """Return a run of a machine: its state after half of the moves, and at the end.

    >>> machine(np.random.default_rng(1)).question
    'coins from E press n o p k k o p l'
    """
    state = STATES[rng.integers(len(STATES))]
    buttons = [BUTTONS[i] for i in rng.integers(len(BUTTONS), size=MOVES)]
    thing = THINGS[rng.integers(len(THINGS))]
    steps, states, at = [], [], state
    for button in buttons:
        new = _LEADS[at, button]
        steps.append(f"{at} {button} {new}.")
        states.append(new)
        at = new
    return Worked(f"{thing} from {state} press {' '.join(buttons)}", " ".join(steps), f"{states[MOVES // 2 - 1]} {at}")


def tool_call(rng: np.random.Generator) -> Worked:
    """Return a wish in words, and the call that fulfils it.

    >>> print(tool_call(np.random.default_rng(3)).answer)
    {"tool":"hold_room","city":"turin","day":"sunday","hour":"03","people":2}
    """
    today, ahead = int(rng.integers(7)), int(rng.integers(1, 7))
    hour, late, people = int(rng.integers(12)), bool(rng.integers(2)), int(rng.integers(len(MANY)))
    city, tool = CITIES[rng.integers(len(CITIES))], ("book_table", "call_taxi", "hold_room")[rng.integers(3)]
    wish = {"book_table": "a table", "call_taxi": "a taxi", "hold_room": "a room"}[tool]
    day, clock = DAYS[(today + ahead) % 7], (hour + 1) % 12 + 12 * late
    part = "evening" if late else "morning"
    lead = ("please", "can you", "i would like", "get me")[rng.integers(4)]
    question = f"{lead} {wish} in {city} {HOURS[hour]} in the {part} {ahead} days from {DAYS[today]} for {MANY[people]}"
    reasoning = (
        f"{DAYS[today]} plus {ahead} is {day}. {HOURS[hour]} {part} is {clock:02d}. {MANY[people]} is {people + 1}."
    )
    answer = f'{{"tool":"{tool}","city":"{city}","day":"{day}","hour":"{clock:02d}","people":{people + 1}}}'
    return Worked(question, reasoning, answer)


_TOOL_WORDS: Final = (
    "please can you i would like get me a table taxi room in the evening morning days from for plus is "
    "tool city day hour people book_table call_taxi hold_room"
).split()

PUZZLES: Final = (
    Puzzle(
        name="addition", instruction="Add, digit by digit.", draw=addition,
        words=(*THINGS, *"0123456789+=."), asked=10, said=42,
    ),
    Puzzle(
        name="machine", instruction="Say where the machine is halfway and at the end.", draw=machine,
        words=(*THINGS, *STATES, *BUTTONS, "from", "press", "."), asked=12, said=37,
    ),
    Puzzle(
        name="toolcall", instruction="Answer with one call of a tool, as JSON.", draw=tool_call,
        words=tuple(dict.fromkeys((*_TOOL_WORDS, *DAYS, *CITIES, *HOURS, *MANY, *"0123456789.", '{"', '":"', '","',
                                   '":', ',"', "}"))),
        asked=18, said=41,
    ),
)  # fmt: skip
"""Every puzzle, in the order of the scorecard."""
