"""The rows of the compliance report of one state folder, for the command and for the console.

In: settings, a state folder, the ids asked for. Out: rows, or the console's page of them.
Left to the command: printing.
"""

from collections import Counter
from pathlib import Path

from stillwatch.app.compliance import STATES, Row, catalogue, rows
from stillwatch.app.complianceevidence import Installation, shown_by
from stillwatch.app.consolestate import ConsoleState
from stillwatch.app.control import open_control
from stillwatch.app.settings import load_settings
from stillwatch.console.records import CompliancePage, ControlLine
from stillwatch.terms.errors import StillwatchError


def compliance_rows(config: Path | None, state: Path, controls: tuple[str, ...], now: float) -> tuple[Row, ...]:
    """Return the rows for these controls, for all where none is named.

    Raises:
        StillwatchError: a control is in no framework of the catalogue, or the state folder has no control file.
    """
    known = {control for framework in catalogue()[1] for control in framework.controls}
    for control in controls:
        if control not in known:
            raise StillwatchError(
                f"control {control[:40]!r}: is in no framework of the catalogue; `stillwatch compliance controls` "
                "lists them."
            )
    with open_control(state, new=False) as book:
        here = Installation(settings=load_settings(config), state=state, book=book, now=now)
        found = rows(shown_by(here))
    return tuple(row for row in found if not controls or row.control in controls)


def compliance_page(open_state: ConsoleState, now: float) -> CompliancePage:
    """Return every row as the console shows it."""
    here = Installation(settings=open_state.settings, state=open_state.state, book=open_state.book, now=now)
    found = rows(shown_by(here))
    counts = Counter(row.state for row in found)
    return CompliancePage(
        read=catalogue()[0], states={state: counts[state] for state in STATES},
        items=[
            ControlLine(control=row.control, name=row.name, framework=f"{row.framework} {row.release}".strip(),
                        status=row.status, capability=row.capability, state=row.state, evidence=list(row.evidence))
            for row in found
        ],
    )  # fmt: skip
