"""Keys, canaries, dossiers and scorecards as the console lists them: epochs, doses, states; never a secret or a value.

In: the control file, the keys of marks, the settings, two folders. Out: records of `console.records`.
Files of the folders are named and sized; of a scorecard or dossier in JSON a few plain figures are shown.
"""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from stillwatch.app.canaries import state_of
from stillwatch.app.consolestate import ConsoleState
from stillwatch.app.markring import load_ring, ring_path
from stillwatch.app.settings import Settings
from stillwatch.app.vaultseen import vault_line, vault_seen
from stillwatch.console import records as r
from stillwatch.sketch.keys import EPOCH_SECONDS, epoch_of
from stillwatch.terms.errors import StillwatchError

LISTED: Final = 200
"""Entries of a folder that are listed, newest first."""
LARGEST_READ: Final = 2_000_000
"""Bytes of a JSON file up to which its figures are shown."""
TITLES: Final = ("title", "name", "suspect", "dossier", "kind", "schema")


def keys_page(open_state: ConsoleState) -> r.KeysPage:
    """Return epochs, doses and canaries."""
    now = time.time()
    counts = open_state.key_counts(now)
    sketch = epoch_of(now) if open_state.ring() is not None else None
    return r.KeysPage(
        api_keys_good=counts["good"], api_keys_ended=counts["ended"], api_keys_ending_soon=counts["ending_soon"],
        sketch_epoch=sketch, sketch_epoch_ends=(sketch + 1) * EPOCH_SECONDS if sketch is not None else None,
        mark_epochs=_mark_epochs(open_state.state),
        canaries=[
            r.CanaryLine(
                id=c.id, subject=c.subject, accounts=len(c.accounts), template=c.template, alternatives=c.alternatives,
                commitment=c.commitment[:16], made=c.made, expires=c.expires, by=c.by, state=state_of(c, now),
            )
            for c in reversed(open_state.book.canaries())
        ],
        doses=list(_doses(open_state.settings)), vault=vault_line(vault_seen(open_state.state)),
    )  # fmt: skip


def _mark_epochs(state: Path) -> list[r.EpochLine]:
    if not ring_path(state).is_file():
        return []
    try:
        ring = load_ring(state)
    except StillwatchError:
        return []
    return [
        r.EpochLine(epoch=e.number, since=e.made, in_use=e.number == ring.current.number) for e in reversed(ring.epochs)
    ]


def _doses(settings: Settings) -> Iterator[r.DoseLine]:
    """Yield each treatment that a rule orders, with how much of it the settings give."""
    t, mark = settings.treatments, settings.mark
    said = {
        "watermark": f"{mark.scheme}, {mark.delta:g} nats on preferred tokens, context of {mark.width}",
        "logprobs": f"{t.logprobs_top} alternatives, {t.logprobs_a_day:,.0f} different pairs a day",
        "dose": f"from {t.dose_nats:g} nats or {t.dose_prompts:,.0f} prompts, in full at {2 * t.dose_nats:g} nats or "
        f"{100 * t.dose_prompts:,.0f} prompts",
        "privacy": f"epsilon {t.privacy_epsilon:g} a day at delta {t.privacy_delta:g}",
        "experts": f"{100 * t.experts_share:g} % of the smaller model",
    }
    for rule in settings.policy.rules:
        for name in rule.applied:
            yield r.DoseLine(rule=rule.name, treatment=name, shadow=settings.policy.in_shadow(rule),
                             dose=said.get(name, "as it stands"))  # fmt: skip


def dossiers(open_state: ConsoleState) -> r.FileList:
    """Return the dossiers: folders, or files, of the folder that is set."""
    given = open_state.settings.console.dossiers
    folder = Path(given) if given else open_state.state / "dossiers"
    return r.FileList(folder="console.dossiers", set=bool(given) or folder.is_dir(), items=_listed(folder, whole=True))


def scorecards(open_state: ConsoleState) -> r.FileList:
    """Return the scorecards of the lab."""
    folder = scorecard_folder(open_state)
    given = bool(open_state.settings.console.scorecards)
    return r.FileList(folder="console.scorecards", set=given or folder.is_dir(), items=_listed(folder, whole=False))


def scorecard_folder(open_state: ConsoleState) -> Path:
    """Return where scorecards lie."""
    given = open_state.settings.console.scorecards
    return Path(given) if given else open_state.state / "lab"


def _listed(folder: Path, *, whole: bool) -> list[r.FileLine]:
    """Return what a folder holds, newest first: its entries, or the JSON and HTML files at most two folders deep."""
    if not folder.is_dir():
        return []
    if whole:
        found = [path for path in folder.iterdir() if not path.name.startswith(".")]
    else:
        found = [p for depth in ("*", "*/*", "*/*/*") for p in folder.glob(depth) if p.suffix in (".json", ".html")]
    lines = []
    for path in found:
        try:
            lines.append(_file_line(folder, path))
        except OSError:
            continue
    return sorted(lines, key=lambda line: (-line.made, line.name))[:LISTED]


def _file_line(folder: Path, path: Path) -> r.FileLine:
    status = path.stat()
    size = sum(p.stat().st_size for p in path.rglob("*") if p.is_file()) if path.is_dir() else status.st_size
    told = _told(path)
    title = next((str(told[name]) for name in TITLES if isinstance(told.get(name), str)), "")
    figures = {
        str(key).replace("_", " "): f"{value:g}" if isinstance(value, float) else str(value)
        for key, value in list(told.items())[:40]
        if isinstance(value, (int, float, bool))
    }
    return r.FileLine(name=path.relative_to(folder).as_posix(), made=status.st_mtime, bytes=size, title=title[:120],
                      kind="folder" if path.is_dir() else path.suffix.removeprefix("."),
                      figures=dict(list(figures.items())[:6]))  # fmt: skip


def _told(path: Path) -> dict[str, Any]:
    """Return what a JSON file, or a folder's main JSON file, says at its top."""
    if path.is_dir():
        inside = sorted(path.glob("*.json"), key=lambda p: (p.name not in ("dossier.json", "manifest.json"), p.name))
        if not inside:
            return {}
        path = inside[0]
    if path.suffix != ".json" or path.stat().st_size > LARGEST_READ:
        return {}
    try:
        found = msgspec.json.decode(path.read_bytes())
    except (OSError, msgspec.DecodeError):
        return {}
    return found if isinstance(found, dict) else {}


def scorecard_bytes(open_state: ConsoleState, name: str) -> tuple[bytes, str] | None:
    """Return content and kind of one listed scorecard; None where it is none of them."""
    folder = scorecard_folder(open_state).resolve()
    path = (folder / name).resolve()
    if not path.is_relative_to(folder) or path.suffix not in (".json", ".html") or not path.is_file():
        return None
    return path.read_bytes(), path.suffix.removeprefix(".")
