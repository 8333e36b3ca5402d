"""`stillwatch watermark detect`: names whose key a text carries, says when it cannot tell, and keeps no text."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from stillwatch.app.control import open_control
from stillwatch.app.markring import load_ring, new_ring, ring_path, rotate_ring
from stillwatch.app.marktexts import read_given
from stillwatch.cli.main import main
from stillwatch.engines.tokens import missing as no_tokens
from stillwatch.terms.account import AccountRecord
from stillwatch.terms.errors import StillwatchError
from stillwatch.treatments.marks.config import MarkConfig
from stillwatch.treatments.marks.green import GreenMark
from stillwatch.treatments.marks.gumbel import GumbelMark
from stillwatch.treatments.marks.order import MarkOrder
from stillwatch.treatments.marks.ring import Epoch

VOCAB = 1024
CANARY = "zebra-canary"


def say(epoch: Epoch, account: str, length: int, *, campaign: str = "", seed: int = 1) -> list[int]:
    """Return tokens that are marked for an account; every token is as likely without the mark."""
    order = MarkOrder(epoch=epoch.number, account=epoch.tag("account", account), until=1e12,
                      campaign=epoch.tag("campaign", campaign) if campaign else b"")  # fmt: skip
    rng, said = np.random.default_rng(seed), list[int]()
    if epoch.scheme == "gumbel":
        answer = GumbelMark(epoch, order).answer()
        for _ in range(length):
            said.append(answer.pick(np.zeros(VOCAB, np.float32), said, rng))
        return said
    mark = GreenMark(epoch, order)
    for _ in range(length):
        logits = rng.gumbel(size=VOCAB)
        mark.apply(logits, said)
        said.append(int(logits.argmax()))
    return said


class Place:
    """A state folder with keys, three hundred accounts, and files to read."""

    def __init__(self, folder: Path, config: MarkConfig) -> None:
        self.folder, self.state = folder, folder / "state"
        self.epoch = new_ring(self.state, config, 1.0).current
        with open_control(self.state) as book, book.changing():
            for number in range(300):
                book.put_account(AccountRecord(account=f"account-{number:03}"))

    def note(self, account: str, campaign: str = "", epoch: int = 1) -> None:
        line = json.dumps({"epoch": epoch, "account": account, "campaign": campaign}) + "\n"
        with (ring_path(self.state).parent / "marked-w0.jsonl").open("a") as file:
            file.write(line)

    def write(self, *rows: Any, name: str = "texts.jsonl") -> Path:
        path = self.folder / name
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return path

    def run(self, *words: str | Path) -> Result:
        done = CliRunner().invoke(main, ["watermark", "detect", *map(str, words), "--state", str(self.state)])
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done

    def read(self, *words: str | Path) -> dict[str, Any]:
        done = self.run(*words, "--json")
        found: dict[str, Any] = json.loads(done.stdout)
        assert done.exit_code == found["exit_code"]
        return found


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path, MarkConfig(vocabulary=VOCAB, delta=2.0))


def test_the_right_account_is_named_among_three_hundred(place: Place) -> None:
    texts = [{"tokens": say(place.epoch, "account-123", 150, seed=n)} for n in range(8)]
    found = place.read(place.write(*texts))
    assert (found["exit_code"], found["named"]) == (1, ["account account-123"])
    assert found["tried"] == 302 and found["tokens"] == 1200
    shown = place.run(place.write(*texts))
    assert "account-123" in shown.output and "carries a mark" in shown.output and shown.exit_code == 1


def test_an_honest_text_names_nobody_and_a_short_one_is_not_judged(place: Place) -> None:
    rng = np.random.default_rng(4)
    for size, code in ((3_000, 0), (100, 3)):
        np.save(place.folder / "ids.npy", rng.integers(0, VOCAB, size))
        found = place.read(place.folder / "ids.npy")
        assert (found["exit_code"], found["named"]) == (code, [])


def test_accounts_noted_as_marked_are_tried_alone_unless_all_are_asked_for(place: Place) -> None:
    place.note("account-007", "c_1")
    file = place.write({"tokens": say(place.epoch, "account-007", 1200, campaign="c_1")})
    noted = place.read(file)
    assert set(noted["named"]) == {"account account-007", "campaign c_1"} and noted["tried"] == 4
    assert place.read(file, "--all-accounts")["tried"] == 303
    suspect = place.read(file, "--account", "account-007")
    assert min(suspect["lines"], key=lambda line: line["log10_p"])["key"] == "all tiers"


def test_a_suspect_who_is_innocent_is_not_named_though_the_text_is_ours(place: Place) -> None:
    found = place.read(place.write({"tokens": say(place.epoch, "account-001", 1500)}), "--account", "account-002")
    assert (found["exit_code"], found["named"]) == (1, [])
    assert not any(line["who"] for line in found["lines"] if line["log10_p_adjusted"] <= -6)


def test_text_of_an_earlier_epoch_is_read_under_that_one(place: Place) -> None:
    rotate_ring(place.state, MarkConfig(vocabulary=VOCAB, scheme="gumbel", width=2), 2.0)
    first, second = load_ring(place.state).epochs
    for epoch in (first, second):
        found = place.read(place.write({"tokens": say(epoch, "account-050", 900)}))
        assert found["named"] == ["account account-050"]
        assert found["lines"][0]["epoch"] == epoch.number


def test_repeating_a_text_changes_nothing(place: Place) -> None:
    row = {"tokens": say(place.epoch, "account-009", 300)}
    one, many = place.read(place.write(row)), place.read(place.write(*[row] * 20))
    assert [line["log10_p"] for line in one["lines"]] == [line["log10_p"] for line in many["lines"]]


def test_answers_of_both_wires_are_taken_apart(place: Place) -> None:
    rows = [
        {"text": "a"}, {"choices": [{"message": {"content": "b"}}, {"text": "c"}]},
        {"content": [{"type": "text", "text": "d"}, {"type": "thinking"}, {"type": "text", "text": "e"}]},
        {"response": {"choices": [{"message": {"content": "f"}}]}}, {"tokens": [1, 2]},
        {"output": [{"type": "message", "content": [{"type": "output_text", "text": "g"}]}]},
        {"response": {"status_code": 200, "body": {"choices": [{"message": {"content": "h"}}]}}},
    ]  # fmt: skip
    (place.folder / "plain.txt").write_text("i")
    given = read_given((place.write(*rows), place.folder / "plain.txt"))
    assert given.texts == ["a", "b", "c", "de", "f", "g", "h", "i"]
    assert [ids.tolist() for ids in given.tokens] == [[1, 2]]


BAD = (
    b'{"text": "zebra-canary', b'{"x": "zebra-canary"}', b"\xff\xfezebra-canary", b'{"tokens": "zebra-canary"}',
    b'[1, "zebra-canary"]',
)  # fmt: skip


@pytest.mark.parametrize("content", BAD)
def test_what_cannot_be_read_is_named_without_its_content(place: Place, content: bytes) -> None:
    for name in ("bad.jsonl", "bad.npy"):
        (place.folder / name).write_bytes(content)
        done = place.run(place.folder / name)
        assert done.exit_code == 2 and CANARY not in done.output
    with pytest.raises(StillwatchError):
        read_given((place.folder / "bad.npy",))


def test_tokens_of_another_vocabulary_are_refused(place: Place) -> None:
    done = place.run(place.write({"tokens": [1, 2, VOCAB + 5] * 200}))
    assert done.exit_code == 2 and "tokeniser" in done.output


@pytest.mark.skipif(bool(no_tokens()), reason=f"peer: {no_tokens()}")
def test_no_text_reaches_the_disk(place: Place) -> None:
    file = place.folder / "texts.txt"
    file.write_text(f"{CANARY} " * 50)
    before = {path for path in place.folder.rglob("*")}
    done = place.run(file, "--json")
    assert done.exit_code in (0, 2, 3) and CANARY not in done.output
    for path in {*place.folder.rglob("*")} - before:
        assert path.is_dir() or CANARY.encode() not in path.read_bytes()


def test_marks_of_other_engines_need_their_key_and_know_their_settings(place: Place) -> None:
    file = place.write({"tokens": np.random.default_rng(1).integers(0, VOCAB, 900).tolist()})
    assert place.read(file, "--scheme", "vllm", "--key", "15", "--set", "context_width=2")["exit_code"] == 0
    assert place.read(file, "--scheme", "kgw", "--set", "vocab=1024", "--set", "seeding_scheme=selfhash")["tried"] == 1
    assert place.read(file, "--scheme", "synthid", "--key", "5", "--key", "6")["exit_code"] == 0
    for words, said in (
        (("--scheme", "vllm"), "needs the key"),
        (("--scheme", "vllm", "--key", "1", "--set", "wide=2"), "unknown"),
        (("--scheme", "vllm", "--key", "1", "--set", "context_width=x"), "must be int"),
        (("--scheme", "vllm", "--key", "1", "--set", "algorithm=none"), "must be gumbel"),
        (("--scheme", "kgw"), "vocab"), (("--scheme", "surface"), "text"),
    ):  # fmt: skip
        done = place.run(file, *words)
        assert done.exit_code == 2 and said in done.output, done.output


def _npy(descr: str, shape: str, body: bytes = b"") -> bytes:
    header = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': ({shape},)}}".encode()
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + body


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.npy", b""), ("a.npy", _npy("<i8", str(10**15))), ("a.npy", _npy("<u8", "1", b"\xff" * 8)),
        ("a.jsonl", b'{"tokens": [18446744073709551615]}'), ("a.jsonl", b'{"choices": [{"message": "x"}]}'),
    ],
)  # fmt: skip
def test_what_is_no_text_is_said_to_be_none_whatever_it_claims(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(StillwatchError):
        read_given((tmp_path / name,))


def test_rows_of_token_ids_are_read_without_what_fills_them_up(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([[1, 2, -1], [3, 4, 5]], np.int32))
    assert [row.tolist() for row in read_given((tmp_path / "a.npy",)).tokens] == [[1, 2], [3, 4, 5]]
