"""Whatever stops the intake, wherever: each answer that is to be kept is in the vault, once."""

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from stillwatch.app import livetake
from stillwatch.app.keepers import Keepers
from stillwatch.app.livefolder import EventClock, LiveFolder
from stillwatch.app.livetake import LiveIntake
from stillwatch.app.notices import Notices
from stillwatch.app.settings import Settings
from stillwatch.app.vault import VaultAsk, list_records, make_key
from stillwatch.app.vaultconfig import VaultConfig
from stillwatch.app.vaultkeeper import VaultKeeper
from stillwatch.gateway.segments import closed_segments
from stillwatch.sketch.address import AddressTable
from stillwatch.sketch.keys import KeyRing
from stillwatch.sketch.reduce import Reducer
from stillwatch.store.vaultwriter import VaultWriter
from tests.unit.app.test_vault_keeper import decide
from tests.unit.app.test_watch_intake import KEY, START, Stopped, fill


class Journal:
    """Stand for the store: remembers which groups it has."""

    def __init__(self) -> None:
        self.groups: set[str] = set()

    def ingested(self, digest: str) -> bool:
        return digest in self.groups

    def ingest(self, digest: str, batches: Any, source: str) -> int:
        self.groups.add(digest)
        return sum(len(batch) for batch in batches)

    def put_names(self, epoch: int, names: dict[int, str]) -> None:
        """Forget them."""


STEPS: tuple[tuple[Any, str], ...] = (
    (livetake, "replace_whole"),
    (VaultWriter, "keep"),
    (VaultWriter, "_write"),
    (VaultKeeper, "tend"),
    (livetake, "read_all_served"),
    (Journal, "ingest"),
    (Path, "unlink"),
)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("step", STEPS, ids=[name for _, name in STEPS])
def test_a_stop_before_or_after_any_step_keeps_each_answer_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: tuple[Any, str], after: bool
) -> None:
    folder = LiveFolder(tmp_path / "state").made()
    public, _ = make_key(tmp_path / "vault.key", folder.state)
    decide(folder.state, "acct1")
    settings = Settings(given={"vault": VaultConfig(public_key=public, confirmed=True)})
    store = Journal()

    def take() -> None:
        keepers = Keepers(folder.state, settings, EventClock(), Notices(role="test"))
        intake = LiveIntake.open(cast(Any, store), Reducer(KeyRing(KEY), AddressTable.empty()), folder, KEY)
        taking = replace(intake, keep=keepers.keep)
        while paths := closed_segments(folder.spool):
            taking.take(paths)

    fill(folder, range(60))
    target, name = step
    real = getattr(target, name)

    def stopping(*given: Any, **more: Any) -> Any:
        if after:
            real(*given, **more)
        raise Stopped

    with monkeypatch.context() as patch:
        patch.setattr(target, name, stopping)
        with pytest.raises(Stopped):
            take()
    fill(folder, range(60, 70), "w1")
    take()
    times = [placed.head.time - START for _, placed in list_records(folder.state, VaultAsk())]
    assert times == [n for n in range(70) if n % 4 == 1]
