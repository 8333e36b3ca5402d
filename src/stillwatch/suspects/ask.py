"""Ask a suspect everything that is left to ask, within a budget, and keep every answer as it comes.

In: a suspect, probes, a transcript, a budget, a clock. Out: progress; the transcript grows. What was answered before is
not asked again, so that the same call goes on after a break.
Cost: the suspect's. Left to the caller: what to ask.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from stillwatch.suspects.suspect import Probe, Refusal, Reply, Suspect
from stillwatch.suspects.transcript import Transcript
from stillwatch.terms.errors import StillwatchError

FAILURES = 20
"""Refusals in a row after which asking on is of no use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What an examination may ask at most, breaks included."""

    queries: int = 1_000
    tokens: int = 1_000_000
    """Tokens of questions and answers, as the suspect counts them."""

    def __post_init__(self) -> None:
        if self.queries < 1 or self.tokens < 1:
            raise StillwatchError(f"budget of {self.queries} queries, {self.tokens} tokens: both must be at least 1.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """How far asking has come."""

    asked: int
    answered: int
    failed: int
    spent: int
    """Tokens in all, earlier runs included."""
    left: int
    """Probes not yet answered."""
    ended: str = ""
    """`done`, `queries` or `tokens` at the end: what stopped it."""


def ask(
    suspect: Suspect, probes: Iterable[Probe], transcript: Transcript, budget: Budget, clock: Callable[[], str]
) -> Iterator[Asked]:
    """Ask every probe that was not answered yet, and yield after each.

    Args:
        suspect: Whom to ask.
        probes: In a fixed order, ids unique.
        transcript: Where answers go; holds those of earlier runs.
        budget: Over all runs with this transcript.
        clock: Returns the time as ISO 8601.

    Raises:
        StillwatchError: the suspect cannot be asked, or refused 20 times in a row.
    """
    todo = [probe for probe in probes if not transcript.done(probe.id)]
    answered = failed = in_a_row = 0
    ended = "done"
    for probe in todo:
        if transcript.asked >= budget.queries or transcript.spent >= budget.tokens:
            ended = "queries" if transcript.asked >= budget.queries else "tokens"
            break
        try:
            transcript.add(probe, suspect.reply(probe), clock())
            answered, in_a_row = answered + 1, 0
        except Refusal as problem:
            transcript.add(probe, Reply(), clock(), failed=problem.why)
            failed, in_a_row = failed + 1, in_a_row + 1
            if in_a_row >= FAILURES:
                raise StillwatchError(
                    f"suspect {suspect.name}: refused {FAILURES} times in a row, the last with {problem.why}. What was "
                    "answered is kept; the same command goes on from there."
                ) from None
        yield Asked(asked=answered + failed, answered=answered, failed=failed, spent=transcript.spent,
                    left=len(todo) - answered)  # fmt: skip
    yield Asked(asked=answered + failed, answered=answered, failed=failed, spent=transcript.spent,
                left=len(todo) - answered, ended=ended)  # fmt: skip
