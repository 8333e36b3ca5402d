"""Twins in the vault and the ledger: both answers sealed, the pair committed to, coins before they fall."""

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest

from stillwatch.app.backup import BackupRequest, back_up
from stillwatch.app.keepers import Keepers
from stillwatch.app.ledger import commit_all, make_ledger, open_ledger, reveals
from stillwatch.app.livefolder import EventClock
from stillwatch.app.notices import Notices
from stillwatch.app.settings import Settings, load_settings
from stillwatch.app.settingscheck import check_startable, look_over
from stillwatch.app.state import master_key
from stillwatch.app.twinbooks import PAIRS, batches, begin_twins, coin_key, commit_pairs, twin_reveals
from stillwatch.app.vault import Reader, VaultAsk, holdings, list_records, make_key, purge_records, read_records
from stillwatch.app.vaultconfig import VaultConfig
from stillwatch.app.vaultkeeper import VAULT, VaultKeeper
from stillwatch.app.vaultseen import vault_line, vault_seen
from stillwatch.forensics.twins import PairDigests, coin
from stillwatch.sketch.keys import KeyRing
from stillwatch.terms.errors import StillwatchError
from stillwatch.terms.reveal import fits
from stillwatch.terms.served import Served

NOW = time.time()
ANN = Reader(by="ann", reason="examination")


def pair(n: int, *, lost: bool = False) -> Served:
    return Served(
        time=NOW + n, request_id=f"req_{n}", endpoint="chat", account=f"acct{n % 3}", status=200, request=b"asked",
        answer=b"" if lost else b"served %d" % n, action="mark", kind="twin", twin=b"withheld %d" % n,
    )  # fmt: skip


@pytest.fixture
def state(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    (folder / "run").mkdir(parents=True)
    make_ledger(folder, "example.org/log")
    return folder


@pytest.fixture
def config(tmp_path: Path, state: Path) -> VaultConfig:
    return VaultConfig(public_key=make_key(tmp_path / "vault.key", state)[0], twins=0.005)


def kept(state: Path, config: VaultConfig, *served: Served) -> VaultKeeper:
    keeper = VaultKeeper(state, config)
    keeper.keep(served, NOW)
    keeper.close()
    return keeper


def test_a_pair_is_sealed_with_both_answers_and_its_digest_binds_them_in_the_order_of_the_coin(
    tmp_path: Path, state: Path, config: VaultConfig
) -> None:
    begin_twins(state, NOW)
    kept(state, config, *(pair(n) for n in range(20)), pair(20, lost=True))
    key = coin_key(KeyRing(master_key(state)))
    opened = list(read_records(state, VaultAsk(why="twin"), ANN, (tmp_path / "vault.key", ""), NOW))
    assert len(opened) == 21 and holdings(state).by_why["twin"] == 21
    for one in opened:
        text = one.text
        assert text is not None and one.head.why == "twin" and len(text.nonce) == 16
        n = int(text.request_id[4:])
        assert (text.answer, text.twin) == (b"served %d" % n if n < 20 else b"", b"withheld %d" % n)
        answers = (text.twin, text.answer) if coin(key, text.request_id) else (text.answer, text.twin)
        made = PairDigests.of(text.request_id, text.nonce, b"asked", answers)
        assert one.head.pair.hex() == made.digest
        assert made.whole == (bool(answers[0]), bool(answers[1]))
        assert PairDigests.read(made.row()) == made
        swapped = PairDigests.of(text.request_id, text.nonce, b"asked", answers[::-1])
        assert swapped.digest != made.digest
    files = b"".join(path.read_bytes() for path in state.rglob("*") if path.is_file())
    assert b"withheld 7" not in files and b"served 7" not in files


def test_coins_are_committed_to_before_any_pair_and_every_pair_once(state: Path, config: VaultConfig) -> None:
    begin_twins(state, NOW)
    begin_twins(state, NOW + 1)
    ledger = open_ledger(state)
    assert [one.item.id for one in twin_reveals(state)] == ["coins 1"] and commit_all(state) == {}
    kept(state, config, *(pair(n) for n in range(5)))
    kept(state, config, *(pair(n) for n in range(3, 9)))
    assert [len(one.pairs) for one in batches(state)] == [5, 4]
    found = [one for one in reveals(state) if one.item.kind == "withheld"]
    assert [one.item.id for one in found] == ["coins 1", "pairs 1", "pairs 2"] and all(map(fits, found))
    assert {one.item.digest for one in found} <= set(ledger.committed())
    (held,) = [one for one in ledger.denominators() if one.kind == "withheld"]
    assert dict(held.groups) == {"twins": 3}
    assert commit_pairs(state, state / VAULT, NOW) == 0 and commit_all(state) == {}
    assert {p.head.pair.hex() for _, p in list_records(state, VaultAsk())} == {
        p for b in batches(state) for p in b.pairs
    }


def test_a_batch_that_a_stop_kept_from_the_ledger_gets_there_later_and_a_torn_line_is_cut(
    state: Path, config: VaultConfig
) -> None:
    begin_twins(state, NOW)
    kept(state, config, pair(1))
    with (state / PAIRS).open("ab") as file:
        file.write(b'{"number": 2, "at"')
    kept(state, config, pair(1), pair(2))
    assert [len(one.pairs) for one in batches(state)] == [1, 1]
    lines = (state / PAIRS).read_bytes()
    (state / PAIRS).write_bytes(lines.splitlines(keepends=True)[1])
    with pytest.raises(StillwatchError, match="is missing"):
        batches(state)
    (state / PAIRS).write_bytes(b"{}\n")
    with pytest.raises(StillwatchError, match="altered"):
        batches(state)


def test_without_a_ledger_no_coin_falls(tmp_path: Path) -> None:
    with pytest.raises(StillwatchError, match="ledger init"):
        begin_twins(tmp_path, NOW)
    assert not (tmp_path / "twins").exists() and list(twin_reveals(tmp_path)) == []


def test_a_ledger_that_is_gone_costs_the_commitment_alone(state: Path, config: VaultConfig) -> None:
    begin_twins(state, NOW)
    (state / "ledger").rename(state / "elsewhere")
    kept(state, config, pair(1))
    seen = vault_seen(state)
    assert seen is not None and (seen.pairs, seen.committed, seen.problem) == (1, 0, "StillwatchError")
    (state / "elsewhere").rename(state / "ledger")
    kept(state, config)
    assert [len(one.pairs) for one in batches(state)] == [1]
    assert "twin answers" in vault_line(vault_seen(state))


def test_off_keeps_no_pair_and_only_the_vault_sees_one(state: Path, config: VaultConfig) -> None:
    kept(state, replace(config, twins=0.0, share=0.01), pair(1))
    assert holdings(state).records == 0

    class Nosy:
        seen: tuple[Served, ...] = ()

        def keep(self, served: tuple[Served, ...], now: float) -> None:
            self.seen = tuple(served)

        def tend(self, now: float) -> None: ...
        def close(self) -> None: ...

    keepers = Keepers(state, Settings(given={"vault": config}), EventClock(), Notices(role="test", as_json=True))
    nosy = Nosy()
    keepers._all.append(nosy)  # type: ignore[arg-type]
    keepers.keep([pair(1), replace(pair(2), kind="wire")])
    keepers.close()
    assert [one.request_id for one in nosy.seen] == ["req_2"] and holdings(state).by_why["twin"] == 1


def test_an_answer_and_a_pair_of_one_request_are_two_records_and_both_are_purged(
    state: Path, config: VaultConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(VaultKeeper, "_drawn", lambda self, request_id: True)
    wire = replace(pair(1), kind="wire", twin=b"")
    keeper = VaultKeeper(state, replace(config, twins=0.0, share=0.01, twins_confirmed=True))
    for _ in range(2):
        keeper.keep([wire, pair(1)], NOW)
    keeper.close()
    assert sorted(p.head.why for _, p in list_records(state, VaultAsk())) == ["share", "twin"]
    assert purge_records(state, VaultAsk(account="acct1"), ANN, NOW) == 2


@pytest.mark.parametrize(
    "text", ["twins = 0.02", "share = 0.006\ntwins = 0.005", "twins = -0.1", "twins_a_day = 0", "twins_busy = 0"]
)
def test_no_setting_keeps_more_than_one_answer_in_a_hundred(tmp_path: Path, config: VaultConfig, text: str) -> None:
    (tmp_path / "s.toml").write_text(f'[vault]\npublic_key = "{config.public_key}"\n{text}\n')
    with pytest.raises(StillwatchError, match=r"vault\."):
        _ = load_settings(tmp_path / "s.toml").vault


def test_twins_need_a_key_and_an_upstream_that_bills_us(tmp_path: Path, config: VaultConfig) -> None:
    (tmp_path / "s.toml").write_text("[vault]\ntwins = 0.01\n")
    with pytest.raises(StillwatchError, match="public_key is empty"):
        _ = load_settings(tmp_path / "s.toml").vault
    (tmp_path / "s.toml").write_text(
        f'[gateway]\ncredentials = "pass"\n[vault]\npublic_key = "{config.public_key}"\ntwins = 0.01\n'
    )
    with pytest.raises(StillwatchError, match="bill callers"):
        check_startable(load_settings(tmp_path / "s.toml"))
    (tmp_path / "s.toml").write_text(f'[vault]\npublic_key = "{config.public_key}"\ntwins_confirmed = true\n')
    said = look_over(load_settings(tmp_path / "s.toml"), {}, NOW).warnings
    assert any("asks the upstream twice" in one for one in said)


def test_a_backup_takes_along_what_commitments_open_with(tmp_path: Path, state: Path, config: VaultConfig) -> None:
    begin_twins(state, NOW)
    kept(state, config, pair(1))
    back_up(BackupRequest(state=state, target=tmp_path / "b", events=False, now=NOW))
    assert json.loads((tmp_path / "b" / PAIRS).read_bytes())["number"] == 1
    assert not (tmp_path / "b" / VAULT).exists()
