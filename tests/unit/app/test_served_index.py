"""Contexts are noted of answers that were marked, of those who got them, and of nothing else; no text is near them."""

import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stillwatch.app.backup import BackupRequest, back_up
from stillwatch.app.markring import load_ring, new_ring, rotate_ring
from stillwatch.app.restore import RestoreRequest, restore
from stillwatch.app.servedindex import (
    ServedKeeper,
    forget_served,
    marked,
    served_counts,
    served_folder,
    served_keeper,
    served_of,
)
from stillwatch.app.settings import load_settings
from stillwatch.app.state import master_key
from stillwatch.app.vaultmarks import mark_epochs
from stillwatch.engines.tokens import missing
from stillwatch.lab.teacher import model_file
from stillwatch.store.servedindex import ServedIndex, ServedPart
from stillwatch.terms.errors import StillwatchError
from stillwatch.terms.served import Served
from stillwatch.treatments.marks.config import MarkConfig
from stillwatch.treatments.marks.prf import ContextTable, IntArray

NOW = time.time()
TEXT = "zqcanary colourless green ideas sleep"


def as_bytes(text: str) -> IntArray:
    """Stand for a tokeniser: one token a byte."""
    return np.frombuffer(text.encode(), np.uint8).astype(np.int64)


def served(text: str = TEXT, account: str = "acme", **changes: object) -> Served:
    body = {"object": "chat.completion", "choices": [{"index": 0, "finish_reason": "stop",
            "message": {"role": "assistant", "content": text}}]}  # fmt: skip
    one = Served(time=NOW + 1, request_id="r", endpoint="chat", account=account, status=200, action="mark",
                 treatments="watermark", request=b'{"messages": []}', answer=json.dumps(body).encode())  # fmt: skip
    return replace(one, **changes)  # type: ignore[arg-type]


@pytest.fixture
def state(tmp_path: Path) -> Path:
    (tmp_path / "run").mkdir()
    new_ring(tmp_path, MarkConfig(vocabulary=256), NOW - 10)
    return tmp_path


def keeper(state: Path) -> ServedKeeper:
    return ServedKeeper(state, ServedIndex(served_folder(state)), as_bytes, 256, mark_epochs(state))


def contexts_in(state: Path, text: str, epoch: int = 1) -> set[int]:
    table = ContextTable.of(load_ring(state).epoch(epoch), 256)
    return set(table.following(as_bytes(text))[table.width :].tolist())


def test_contexts_of_marked_answers_are_found_again_for_the_account_that_got_them(state: Path) -> None:
    keeping = keeper(state)
    keeping.keep([served(), served("other words", "beta"), served("and more")], NOW)
    keeping.close()
    acme = contexts_in(state, TEXT) | contexts_in(state, "and more")
    assert set(served_of(state, 1, "acme").digests.tolist()) == acme
    assert set(served_of(state, 1, "beta").digests.tolist()) == contexts_in(state, "other words")
    ((count,),) = [served_counts(state, "acme")]
    assert (count.epoch, count.contexts, count.estimate) == (1, len(acme), float(len(acme)))
    assert served_counts(state, "nobody") == ()
    forget_served(state, "acme")
    assert served_counts(state, "acme") == () and served_counts(state, "beta")


@pytest.mark.parametrize(
    "changes", [{"treatments": ""}, {"treatments": "withhold"}, {"status": 499}, {"answer": b""}, {"answer": b"{]"}]
)
def test_what_was_not_served_with_the_mark_is_not_noted(state: Path, changes: dict[str, object]) -> None:
    keeping = keeper(state)
    keeping.keep([served(**changes)], NOW)
    keeping.close()
    assert served_counts(state, "acme") == ()
    assert keeping.status.answers == 0
    assert marked(served(treatments="withhold+watermark"))


def test_neither_text_nor_account_is_in_the_index(state: Path) -> None:
    keeping = keeper(state)
    keeping.keep([served()], NOW)
    keeping.index.fold()
    keeping.keep([served("zqcanary again")], NOW)
    files = [path for path in (state / "marks" / "served").rglob("*") if path.is_file()]
    content = b"".join(path.read_bytes() for path in files) + "".join(map(str, files)).encode()
    assert len(content) > 200
    for word in (b"zqcanary", b"acme", TEXT.encode()[:8]):
        assert word not in content
    assert all(path.stat().st_mode & 0o077 == 0 for path in files)


def test_each_epoch_has_its_own_index_from_the_moment_it_is_made(state: Path) -> None:
    rotate_ring(state, MarkConfig(vocabulary=256), NOW + 100)
    keeping = keeper(state)
    keeping.keep([served(), served("later words", time=NOW + 200), served("before all", time=NOW - 50)], NOW)
    assert set(served_of(state, 1, "acme").digests.tolist()) == contexts_in(state, TEXT)
    assert set(served_of(state, 2, "acme").digests.tolist()) == contexts_in(state, "later words", 2)
    rotate_ring(state, MarkConfig(vocabulary=256), NOW + 300)
    keeping.epoch_at = mark_epochs(state, lambda event: event + 250.0)
    assert keeping.epoch_at(NOW + 100) == 3, "keys are dated by the wall"


def test_what_fails_is_counted_and_the_others_are_noted(state: Path) -> None:
    def odd(text: str) -> IntArray:
        if "odd" in text:
            raise ValueError(text)
        return as_bytes(text)

    keeping = replace(keeper(state), tokeniser=odd)
    keeping.keep([served("an odd one"), served()], NOW)
    assert (keeping.status.failed, keeping.status.answers, keeping.status.problem) == (1, 1, "ValueError")
    (served_folder(state) / "new.log").unlink()
    (served_folder(state) / "new.log").mkdir()
    keeping.keep([served("more")], NOW)
    keeping.close()
    assert keeping.status.failed == 2


def test_an_index_without_a_tokeniser_is_refused(tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text("[vault]\nserved_contexts = true\n")
    with pytest.raises(StillwatchError, match=r"vault\.tokenizer is empty"):
        load_settings(tmp_path / "s.toml")


def test_a_backup_holds_the_index_and_never_the_vault(state: Path, tmp_path: Path) -> None:
    master_key(state)
    keeping = keeper(state)
    keeping.keep([served(), served("other words", "beta")], NOW)
    (state / "vault").mkdir()
    (state / "vault" / "2026-01-01-00000000-0000.vault").write_bytes(b"sealed")
    made = back_up(BackupRequest(state=state, target=tmp_path / "b.tar", now=NOW))
    assert "marks/served.index" in made.files and not [name for name in made.files if "vault" in name]
    kept = served_counts(state, "acme")
    keeping.keep([served("after the backup")], NOW)
    restore(RestoreRequest(source=tmp_path / "b.tar", state=state, replace=True, now=NOW))
    assert served_counts(state, "acme") == kept and served_counts(state, "beta")
    assert not (state / "marks" / "served.index").exists()
    assert len(list((state / "vault").iterdir())) == 1, "the vault stays where its retention reaches it"


def test_a_packed_sample_stays_a_sample(tmp_path: Path) -> None:
    index = ServedIndex(tmp_path / "one", most=5)
    index.add([ServedPart(3, b"t" * 16, np.arange(10, 90, dtype=np.uint64))])
    index.pack(tmp_path / "packed")
    other = ServedIndex(tmp_path / "two", most=5)
    other.unpack(tmp_path / "packed")
    back, there = other.load(3, b"t" * 16), index.load(3, b"t" * 16)
    assert (back.digests.tolist(), back.below) == (there.digests.tolist(), there.below) == ([10, 11, 12, 13, 14], 15)
    (tmp_path / "packed").write_bytes((tmp_path / "packed").read_bytes()[:-1])
    with pytest.raises(StillwatchError, match="too soon"):
        other.unpack(tmp_path / "packed")


@pytest.mark.skipif(bool(missing()), reason=f"peer: {missing()}")
@pytest.mark.skipif(model_file() is None, reason="peer: the file of the embedded teacher's model is not installed")
def test_the_settings_name_the_tokeniser_of_the_model_that_is_served(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    new_ring(tmp_path, MarkConfig(), NOW - 10)
    (tmp_path / "s.toml").write_text(f'[vault]\nserved_contexts = true\ntokenizer = "{model_file()}"\n')
    keeping = served_keeper(tmp_path, load_settings(tmp_path / "s.toml"))
    assert keeping is not None
    keeping.keep([served()], NOW)
    keeping.close()
    tokens = keeping.tokeniser(TEXT)
    ((count,),) = [served_counts(tmp_path, "acme")]
    assert count.contexts == len(set(tokens[:-1].tolist())) > 5
    assert served_keeper(tmp_path, load_settings(None)) is None
