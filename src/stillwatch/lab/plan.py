"""A plan of the lab: which cells are run, against which settings files of the product, at which pace.

In: a TOML file, or the name of a packaged plan. Out: a frozen `Plan` and its cells. Unknown names are errors.
Left to `tasks` and `attacks`: what the names stand for. Left to docs/reference/plans.md: every field.
"""

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from importlib import resources
from itertools import product
from pathlib import Path
from typing import Any, Final

from stillwatch.lab.attacks import ATTACKS
from stillwatch.lab.cell import Budget, Cell
from stillwatch.lab.removal import REMOVALS
from stillwatch.lab.slots import Pace
from stillwatch.lab.strategies import STRATEGIES
from stillwatch.lab.tasks import TASKS
from stillwatch.lab.traffic.plan import EVASIONS
from stillwatch.terms.errors import StillwatchError

VERDICTS: Final = ("none", "given", "earned")
PACKAGED: Final = ("quick", "standard", "prompt", "adaptive")


@dataclass(frozen=True, slots=True, kw_only=True)
class Defence:
    """One row of settings."""

    name: str
    settings: Path
    """Settings file of the product."""
    verdict: str = "given"
    """`none`: no verdict; `given`: confirmed from the first request; `earned`: found by the watcher, then confirmed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watching:
    """How campaigns are found and decided on where the verdict is earned."""

    judge_hours: float = 24.0
    """Event hours between two judgements; above 0."""
    decide_hours: float = 24.0
    """Event hours that a person takes to confirm an accusation; 0 or more."""
    background: int = 100
    """Honest accounts beside the task's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adaptive:
    """How a thief who knows the defences asks."""

    evasion: str = "E2"
    """Wording and cover, as in `Cell.evasion`."""
    pace: Pace = field(default_factory=lambda: Pace(infrastructure="clean"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything that decides a run, apart from the data."""

    name: str
    size: float
    """Share of each task's usual items."""
    pace: Pace
    adaptive: Adaptive
    watching: Watching
    defences: Mapping[str, Defence]
    cells: tuple[Cell, ...]


def packaged_folder() -> Path:
    """Return where the packaged plans and their settings files lie."""
    return Path(str(resources.files("stillwatch.lab") / "plans"))


def find_plan(name: str) -> Path:
    """Return the file of a plan: a path as it is, or the name of a packaged plan.

    Raises:
        StillwatchError: there is no such file and no such plan.
    """
    given = Path(name)
    if given.is_file():
        return given
    path = packaged_folder() / f"plan-{name}.toml"
    if path.is_file():
        return path
    known = ", ".join(sorted(file.stem.removeprefix("plan-") for file in packaged_folder().glob("plan-*.toml")))
    raise StillwatchError(f"plan {name}: no such file; give a TOML file, or one of {known}.")


def read_plan(path: Path) -> Plan:
    """Return the plan in a file.

    Raises:
        StillwatchError: it cannot be read, or names or values are not known.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as problem:
        raise StillwatchError(f"plan {path}: {problem.strerror}; give a readable TOML file.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise StillwatchError(f"plan {path}: not TOML ({problem}).") from None
    try:
        return _plan(path, table)
    except (TypeError, KeyError, ValueError) as problem:
        raise StillwatchError(f"plan {path}: {problem}; docs/reference/plans.md has every field.") from None


def _plan(path: Path, table: dict[str, Any]) -> Plan:
    pace = _record(Pace, table.pop("pace", {}))
    asked = table.pop("adaptive", {})
    evasion = asked.pop("evasion", Adaptive().evasion)
    adaptive = Adaptive(evasion=evasion, pace=_numbered(replace(pace, **({"infrastructure": "clean"} | asked))))
    watching = _record(Watching, table.pop("watch", {}))
    defences = {one["name"]: _defence(path, one) for one in table.pop("defence", [])}
    groups = table.pop("cells", [])
    shared: dict[str, Any] = {name: table.pop(name) for name in ("seeds", "queries", "accounts") if name in table}
    size, name = float(table.pop("size", 1.0)), str(table.pop("name", path.stem.removeprefix("plan-")))
    if table:
        raise ValueError(f"{', '.join(table)}: unknown")
    if not 0.0 < size <= 1.0:
        raise ValueError(f"size = {size}: must be above 0 and at most 1")
    cells = tuple(dict.fromkeys(cell for group in groups for cell in _cells({**shared, **group}, adaptive)))
    for cell in cells:
        _check(cell, defences)
    return Plan(name=name, size=size, pace=pace, adaptive=adaptive, watching=watching, defences=defences, cells=cells)


def _record(kind: Any, table: dict[str, Any]) -> Any:
    known = {f.name for f in fields(kind)}
    if unknown := set(table) - known:
        raise ValueError(f"{', '.join(sorted(unknown))}: unknown; must be one of {', '.join(sorted(known))}")
    return _numbered(kind(**table))


_ABOVE_0: Final = ("a_day", "judge_hours")


def _numbered(record: Any) -> Any:
    """Return a record whose numbers can be paced by: a judge that judges every 0 hours would never be done."""
    for one in fields(record):
        value = getattr(record, one.name)
        if one.type in (int, float) and not (type(value) in (int, one.type) and 0 <= value < math.inf):
            raise ValueError(f"{one.name} = {value!r}: must be a number of 0 or more")
        if one.name in _ABOVE_0 and value <= 0:
            raise ValueError(f"{one.name} = {value}: must be above 0")
    return record


def _defence(path: Path, table: dict[str, Any]) -> Defence:
    one: Defence = _record(Defence, {**table, "settings": path.parent / table["settings"]})
    if one.verdict not in VERDICTS:
        raise ValueError(f"defence {one.name}: verdict = {one.verdict!r}; must be one of {', '.join(VERDICTS)}")
    if not one.settings.is_file():
        raise ValueError(f"defence {one.name}: settings file {one.settings.name} is not beside the plan")
    return one


_LISTS: Final = ("tasks", "defences", "attacks", "thieves", "starts", "seeds")


def _cells(group: dict[str, Any], adaptive: Adaptive) -> list[Cell]:
    """Return every combination of a group's lists."""
    group = {"thieves": ["passive"], "starts": ["base"], "seeds": [1], **group}
    lists = [group.pop(name) for name in _LISTS]
    budget = _numbered(Budget(queries=group.pop("queries", 1_000), accounts=group.pop("accounts", 40)))
    evasion, removal = group.pop("evasion", ""), tuple(group.pop("removal", ()))
    strategies = group.pop("strategies", [""])
    if group:
        raise ValueError(f"cells: {', '.join(group)}: unknown")
    return [
        Cell(task=task, defence=defence, attack=attack, thief=thief, start=start, seed=seed, removal=removal,
             strategy=strategy,
             **_ways(strategy, budget, evasion or (adaptive.evasion if thief == "adaptive" else "E0")))
        for task, defence, attack, thief, start, seed in product(*lists)
        for strategy in (strategies if thief == "adaptive" else [""])
    ]  # fmt: skip


def _ways(strategy: str, budget: Budget, evasion: str) -> dict[str, Any]:
    """Return evasion and budget under a strategy; as the plan has them where there is none."""
    if not strategy:
        return {"evasion": evasion, "budget": budget}
    one = STRATEGIES.get(strategy)
    return {"evasion": one.evasion, "budget": replace(budget, accounts=round(budget.accounts * one.spread))}


def pace_of(cell: Cell, plan: Plan) -> Pace:
    """Return how a cell's thief asks: the plan's pace for it, changed as its strategy has it."""
    pace = plan.adaptive.pace if cell.thief == "adaptive" else plan.pace
    if not cell.strategy:
        return pace
    one = STRATEGIES.get(cell.strategy)
    return replace(pace, infrastructure=one.infrastructure, a_day=pace.a_day / one.spread)


def _check(cell: Cell, defences: Mapping[str, Defence]) -> None:
    TASKS.get(cell.task)
    ATTACKS.get(cell.attack)
    for name in cell.removal:
        REMOVALS.get(name)
    if cell.evasion not in EVASIONS:
        raise ValueError(f"cells: evasion = {cell.evasion!r}; must be one of {', '.join(EVASIONS)}")
    if cell.defence not in defences:
        raise ValueError(f"cells: defence {cell.defence!r} is not in the plan; it has {', '.join(defences)}")
