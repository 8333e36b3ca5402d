"""What the vault is given: no more than the settings say, of nobody else, and never at the cost of the intake."""

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest

from stillwatch.app.control import open_control
from stillwatch.app.keepers import Keepers
from stillwatch.app.livefolder import EventClock
from stillwatch.app.notices import Notices
from stillwatch.app.settings import Settings, load_settings
from stillwatch.app.settingscheck import look_over
from stillwatch.app.vault import (
    Reader,
    VaultAsk,
    check_log,
    holdings,
    list_records,
    make_key,
    purge_records,
    read_records,
)
from stillwatch.app.vaultconfig import VaultConfig
from stillwatch.app.vaultkeeper import VAULT, VaultKeeper
from stillwatch.app.vaultseen import vault_line, vault_seen
from stillwatch.store.vaultwriter import VaultWriter
from stillwatch.terms.account import Decision
from stillwatch.terms.errors import StillwatchError
from stillwatch.terms.served import Served

NOW = time.time()
ANN = Reader(by="ann", reason="appeal 7")


def served(n: int, account: str = "") -> Served:
    return Served(
        time=NOW + n, request_id=f"req_{n}", endpoint="chat", account=account or f"acct{n % 3}", status=200,
        request=b"canary-request", answer=b"canary-answer %d" % n, action="mark", treatments="watermark",
    )  # fmt: skip


@pytest.fixture
def state(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    (folder / "run").mkdir(parents=True)
    return folder


@pytest.fixture
def public(tmp_path: Path, state: Path) -> str:
    return make_key(tmp_path / "vault.key", state)[0]


def decide(state: Path, account: str, verb: str = "confirm", *, receipt: str = "r1", days: float = 1.0) -> None:
    with open_control(state) as book:
        book.add_decision(Decision(subject=account, kind="account", accounts=(account,), verb=verb, by="b", reason="r",
                                   at=NOW - 1, expires=NOW + days * 86_400.0, receipt=receipt))  # fmt: skip


def accounts(state: Path) -> list[str]:
    return sorted({placed.head.account for _, placed in list_records(state, VaultAsk())})


def test_off_means_that_nothing_is_made_or_kept(state: Path) -> None:
    decide(state, "acct1")
    before = {path for path in state.rglob("*")}
    keeper = VaultKeeper(state, VaultConfig())
    keeper.keep([served(n) for n in range(300)], NOW)
    keeper.close()
    new = {path.relative_to(state).as_posix() for path in state.rglob("*")} - {
        path.relative_to(state).as_posix() for path in before
    }
    assert new <= {"run/vault.json", "master.key"}
    assert vault_line(vault_seen(state)) == "off: no text is kept"


def test_a_share_keeps_at_most_that_share_of_answers_at_any_moment(state: Path, public: str) -> None:
    keeper = VaultKeeper(state, VaultConfig(public_key=public, share=0.01))
    for start in range(0, 20_000, 500):
        keeper.keep([served(n) for n in range(start, start + 500)], NOW)
        assert keeper.status.kept <= 0.01 * keeper.status.seen
    assert keeper.status.kept > 120, "and hardly less"
    first = {placed.head.id for _, placed in list_records(state, VaultAsk())}
    other = VaultKeeper(state.parent / "other", VaultConfig(public_key=public, share=0.01))
    (state.parent / "other" / "run").mkdir(parents=True, exist_ok=True)
    other.keep([served(n) for n in range(20_000)], NOW)
    assert not first & {placed.head.id for _, placed in list_records(state.parent / "other", VaultAsk())}


@pytest.mark.parametrize("share", [0.0100001, 1.0, -0.1, float("nan")])
def test_no_setting_keeps_more_than_one_answer_in_a_hundred(share: float, public: str) -> None:
    with pytest.raises(StillwatchError, match=r"vault\.share"):
        VaultConfig(public_key=public, share=share)


def test_a_vault_without_a_key_is_refused(tmp_path: Path) -> None:
    for line in ("confirmed = true", "share = 0.001"):
        (tmp_path / "s.toml").write_text(f"[vault]\n{line}\n")
        with pytest.raises(StillwatchError, match=r"vault\.public_key is empty"):
            load_settings(tmp_path / "s.toml")


def test_only_accounts_under_a_confirmed_verdict_are_kept(state: Path, public: str) -> None:
    decide(state, "acct0", receipt="")  # confirmed by a person, but of no verdict
    decide(state, "acct1")
    decide(state, "acct2", "dismiss")
    decide(state, "lapsed", days=-0.00001)
    keeper = VaultKeeper(state, VaultConfig(public_key=public, confirmed=True))
    keeper.keep([served(n) for n in range(9)] + [served(20, "lapsed"), served(21, "nobody")], NOW)
    assert accounts(state) == ["acct1"]
    keeper._decided_at = -1e9
    decide(state, "acct1", "release")
    keeper.keep([served(n) for n in range(30, 40)], NOW)
    assert (keeper.status.kept, accounts(state)) == (3, ["acct1"])


def test_headers_say_what_a_reader_needs_and_no_text(state: Path, public: str) -> None:
    decide(state, "acct1")
    keeper = VaultKeeper(state, VaultConfig(public_key=public, confirmed=True), lambda _: 4)
    keeper.keep([served(1)], NOW)
    ((_, placed),) = list_records(state, VaultAsk(request_id="req_1"))
    head = placed.head
    assert (head.account, head.why, head.action, head.treatments, head.epoch) == ("acct1", "confirmed", "mark",
                                                                                  "watermark", 4)  # fmt: skip
    assert (head.request_bytes, head.answer_bytes) == (14, 15)
    assert b"req_1" not in placed.clear and list_records(state, VaultAsk(request_id="req_2")) == []


def test_a_vault_that_fails_is_counted_and_never_raises(
    state: Path, public: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    decide(state, "acct1")
    keeper = VaultKeeper(state, VaultConfig(public_key=public, confirmed=True))

    def broken(*_: object) -> None:
        raise OSError("canary")

    with monkeypatch.context() as patch:
        patch.setattr(VaultWriter, "keep", broken)
        keeper.keep([served(n) for n in range(6)], NOW)
    keeper.keep([served(n) for n in range(10, 13)], NOW)
    keeper.close()
    assert (keeper.status.failed, keeper.status.kept) == (2, 1)
    assert vault_line(vault_seen(state)) == "on: confirmed accounts; 1 answers kept, 2 lost (OSError)"
    (state / "vault").rename(state / "gone")
    (state / "vault").write_bytes(b"in the way")
    keeper = VaultKeeper(state, VaultConfig(public_key=public, confirmed=True))
    keeper.keep([served(n) for n in range(6)], NOW)
    assert keeper.status.failed == 2


def test_what_is_too_old_goes_although_the_vault_was_turned_off(state: Path, public: str) -> None:
    decide(state, "acct1")
    VaultKeeper(state, VaultConfig(public_key=public, confirmed=True)).keep([served(1)], NOW)
    keeper = VaultKeeper(state, VaultConfig(retention_days=2.0))
    keeper.tend(NOW + 4 * 86_400.0)
    assert (keeper.status.dropped_segments, list_records(state, VaultAsk())) == (1, [])


def kept(state: Path, public: str, n: int = 6) -> None:
    decide(state, "acct1")
    decide(state, "acct2")
    keeper = VaultKeeper(state, VaultConfig(public_key=public, confirmed=True))
    keeper.keep([served(k) for k in range(n)], NOW)
    keeper.close()


def test_a_read_is_on_disk_before_the_first_text_is_shown(state: Path, public: str, tmp_path: Path) -> None:
    kept(state, public)
    reading = read_records(state, VaultAsk(account="acct1"), ANN, (tmp_path / "vault.key", ""), NOW)
    assert check_log(state).entries == ()
    first = next(reading)
    (entry,) = check_log(state).entries
    assert (entry.kind, entry.by, entry.reason, entry.account, entry.count) == ("read", "ann", "appeal 7", "acct1", 2)
    assert first.text is not None and first.text.answer == b"canary-answer 1"
    assert "canary" not in repr(first)
    reading.close()  # whoever reads stops midway
    log = check_log(state)
    assert [(e.kind, e.count, e.outcome) for e in log.entries[1:]] == [("ended", 1, "stopped before the end")]
    assert log.problems == ()
    rest = list(read_records(state, VaultAsk(account="acct2"), ANN, (tmp_path / "vault.key", ""), NOW))
    assert [one.text.answer for one in rest if one.text] == [b"canary-answer 2", b"canary-answer 5"]
    assert check_log(state).entries[-1].outcome == "complete"
    assert b"canary" not in (state / VAULT / "reads.log").read_bytes()


def test_a_read_with_another_key_shows_nothing_and_is_recorded(state: Path, public: str, tmp_path: Path) -> None:
    kept(state, public)
    make_key(tmp_path / "other.key", state)
    with pytest.raises(StillwatchError, match="sealed to key"):
        list(read_records(state, VaultAsk(account="acct1"), ANN, (tmp_path / "other.key", ""), NOW))
    assert [e.outcome for e in check_log(state).entries] == ["", "another key"]


def test_nothing_is_read_when_the_read_cannot_be_recorded(state: Path, public: str, tmp_path: Path) -> None:
    kept(state, public)
    log = state / VAULT / "reads.log"
    log.mkdir()
    with pytest.raises(StillwatchError, match="nothing is read"):
        next(read_records(state, VaultAsk(account="acct1"), ANN, (tmp_path / "vault.key", ""), NOW))
    log.rmdir()
    for ask, who in (
        (VaultAsk(), ("ann", "why")),
        (VaultAsk(account="a"), ("", "why")),
        (VaultAsk(account="a"), ("ann", " ")),
    ):
        with pytest.raises(StillwatchError):
            next(read_records(state, ask, Reader(by=who[0], reason=who[1]), (tmp_path / "vault.key", ""), NOW))


def test_an_altered_record_is_told_and_the_others_are_shown(state: Path, public: str, tmp_path: Path) -> None:
    kept(state, public)
    segment, placed = list_records(state, VaultAsk(account="acct1"))[0]
    content = bytearray(segment.path.read_bytes())
    content[placed.at + placed.size - 1] ^= 1
    segment.path.write_bytes(content)
    shown = list(read_records(state, VaultAsk(account="acct1"), ANN, (tmp_path / "vault.key", ""), NOW))
    assert [one.text is None for one in shown] == [True, False]
    assert check_log(state).entries[-1].outcome == "1 records were altered"
    assert holdings(state).damaged == 1


def test_an_account_that_asks_to_be_forgotten_is(state: Path, public: str) -> None:
    kept(state, public)
    assert purge_records(state, VaultAsk(account="acct1"), ANN, NOW) == 2
    assert accounts(state) == ["acct2"]
    (entry,) = check_log(state).entries
    assert (entry.kind, entry.account, entry.count, entry.by) == ("purge", "acct1", 2, "ann")
    with pytest.raises(StillwatchError, match="says not what"):
        purge_records(state, VaultAsk(), ANN, NOW)
    with pytest.raises(StillwatchError, match="means everything"):
        purge_records(state, VaultAsk(account="acct1"), ANN, NOW, everything=True)
    assert purge_records(state, VaultAsk(), ANN, NOW, everything=True) == 2
    held = holdings(state)
    assert (held.records, held.purges) == (0, 2)


def test_a_private_key_is_not_made_where_the_gateway_could_read_it(state: Path) -> None:
    for out in (state / "vault.key", state / "vault" / ".." / "x.key"):
        with pytest.raises(StillwatchError, match="lies in the state folder"):
            make_key(out, state)
    assert not list(state.rglob("*.key"))


def test_litellm_payloads_and_failed_answers_are_not_kept(state: Path, public: str) -> None:
    decide(state, "acct1")
    keeper = VaultKeeper(state, VaultConfig(public_key=public, confirmed=True))
    keeper.keep([replace(served(1), kind="litellm"), replace(served(4), answer=b"")], NOW)
    assert (keeper.status.seen, keeper.status.kept) == (0, 0)


def test_the_status_is_json_without_accounts(state: Path, public: str) -> None:
    kept(state, public)
    said = json.loads((state / "run" / "vault.json").read_bytes())
    assert (said["kept"], said["confirmed"]) == (4, True)
    assert "acct" not in json.dumps(said)


def test_what_somebody_may_not_expect_of_the_settings_is_said(public: str) -> None:
    def warnings(**values: object) -> list[str]:
        settings = Settings(given={"vault": VaultConfig(public_key=public, **values)})  # type: ignore[arg-type]
        return [line.partition(":")[0] for line in look_over(settings, {}, NOW).warnings if line.startswith("vault")]

    assert warnings() == []
    assert warnings(share=0.001, confirmed=True) == ["vault.share", "vault.confirmed"]
    with pytest.raises(StillwatchError, match=r"vault\.tokenizer = 'gone\.json'"):
        warnings(served_contexts=True, tokenizer="gone.json")


def test_evidence_that_cannot_be_kept_does_not_stop_the_watcher(
    state: Path, public: str, capsys: pytest.CaptureFixture[str]
) -> None:
    vault = VaultConfig(public_key=public, confirmed=True, served_contexts=True, tokenizer="gone.json")
    decide(state, "acct1")
    keepers = Keepers(state, Settings(given={"vault": vault}), EventClock(), Notices(role="watcher"))
    keepers.keep([served(1)])
    keepers.close()
    assert accounts(state) == ["acct1"], "the vault goes on without the index"
    assert "evidence cannot be kept" in capsys.readouterr().err
