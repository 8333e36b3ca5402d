"""`stillwatch economics`: prices and the lab's rows -> what a theft costs whom.

In: a scorecard of `lab run`, constants. Out: the reckoning as text or JSON. Without a scorecard the one that is
packaged counts: plan `standard`, as measured in bench/RESULTS.md.
"""

from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Final

import msgspec

from stillwatch.lab.cell import Row
from stillwatch.lab.economics.constants import Constants, load_constants
from stillwatch.lab.economics.reckoning import Reckoning, reckon
from stillwatch.lab.scorecard.card import Scorecard
from stillwatch.terms.errors import StillwatchError

KEY: Final = (
    "undefended: found by nobody. contained: the same thief under the full defence; it starts anew each time it is\n"
    "stopped. hidden: a thief with an address, a payment and a client for each account, which is never found."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Economics:
    """The reckoning, what it was made from, and what it was made with."""

    reckoning: Reckoning
    constants: Constants
    source: str
    """Which scorecard."""


def economics(scorecard: Path | None, constants: Path | None) -> Economics:
    """Return the reckoning over a scorecard.

    Args:
        scorecard: `scorecard.json` of a run; the packaged one when None.
        constants: TOML file laid over the packaged constants.

    Raises:
        StillwatchError: a file cannot be read.
    """
    known = load_constants(constants)
    rows, source = _rows(scorecard)
    return Economics(reckoning=reckon(rows, known), constants=known, source=source)


def _rows(path: Path | None) -> tuple[tuple[Row, ...], str]:
    packaged = resources.files("stillwatch.lab.economics") / "data" / "standard.json"
    try:
        content = path.read_bytes() if path is not None else packaged.read_bytes()
        card = msgspec.json.decode(content, type=Scorecard)
    except OSError as problem:
        raise StillwatchError(
            f"{path or packaged}: {problem.strerror}; `stillwatch lab run PLAN` writes one."
        ) from None
    except msgspec.MsgspecError:
        raise StillwatchError(f"{path}: not a scorecard of this version; run the plan again.") from None
    return card.rows, str(path) if path is not None else f"packaged scorecard of plan {card.plan}"


def as_json(found: Economics) -> str:
    """Return everything as JSON."""
    table: dict[str, Any] = {
        "source": found.source, **asdict(found.reckoning),
        "constants": {name: asdict(constant) for name, constant in found.constants.items()},
    }  # fmt: skip
    return msgspec.json.format(msgspec.json.encode(table), indent=2).decode()


def as_text(found: Economics) -> str:
    """Return the reckoning for a terminal."""
    out = [f"From {found.source}; dollars at the disclosed scale.", ""]
    out.append(f"{'task':10s} {'lead kept':>9s} {'answers':>8s} {'undefended':>11s} {'contained':>11s} "
               f"{'campaigns':>9s} {'hidden':>11s}")  # fmt: skip
    for p in found.reckoning.costs:
        contained = "-" if p.contained is None else f"{p.contained:,.0f}"
        out.append(f"{p.task:10s} {100 * p.retained:7.0f} % {p.answers:8,.0f} {p.undefended:11,.0f} {contained:>11s} "
                   f"{p.campaigns:9.1f} {p.hidden:11,.0f}")  # fmt: skip
    if not found.reckoning.costs:
        out.append("No curve: no task was run undefended by `soft` with two budgets or more.")
    out += ["", KEY, ""]
    for figure in found.reckoning.figures:
        out.append(f"{figure.name}: {figure.value:,.4g} {figure.unit}: {figure.how}")
        out.append(f"    assumes: {'; '.join(figure.assumes)}")
    out += ["", "Assumed throughout:", *(f"  {one}" for one in found.reckoning.assumptions), "", "Constants:"]
    out += [f"  {name} = {c.value:,g} {c.unit} [{c.kind}; {c.source}; {c.as_of}]"
            for name, c in found.constants.items()]  # fmt: skip
    return "\n".join(out)
