import base64
import random
from pathlib import Path

import pytest

from stillwatch.ledger import stamps
from stillwatch.ledger.openssl import holds, stamp_command
from stillwatch.ledger.stampfiles import keep_stamp, stamp_files
from stillwatch.terms.errors import StillwatchError
from tests.proof_rig import answered, authority


@pytest.fixture(scope="module")
def tsa(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return authority(tmp_path_factory.mktemp("tsa") / "one")


def test_stamp_holds_by_both_routes_and_for_no_other_file(tmp_path: Path, tsa: tuple[Path, Path]) -> None:
    note = tmp_path / "note"
    note.write_bytes(b"what was there")
    answer = answered(tsa[0], stamps.request_for(note.read_bytes()))
    kept = keep_stamp(note, answer, tsa[1].read_bytes())
    assert (kept.problem, kept.by_openssl, kept.by) == ("", True, "CN=Test authority")
    assert kept.at.endswith("Z") and stamp_files(note) == (kept,)
    note.write_bytes(b"what was not there")
    (after,) = stamp_files(note)
    assert after.problem and not after.by_openssl
    assert not holds(stamp_command("note", kept.response, kept.roots), tmp_path)


def test_stamp_of_another_authority_is_refused(tmp_path: Path, tsa: tuple[Path, Path]) -> None:
    other = authority(tmp_path / "other")
    note = tmp_path / "note"
    note.write_bytes(b"what was there")
    answer = answered(tsa[0], stamps.request_for(note.read_bytes()))
    with pytest.raises(StillwatchError, match="does not hold"):
        keep_stamp(note, answer, other[1].read_bytes())
    assert stamp_files(note) == () and list(tmp_path.glob("note.*")) == []


def test_what_is_no_answer_or_cut_short_is_refused(tmp_path: Path, tsa: tuple[Path, Path]) -> None:
    content, roots = b"what was there", stamps.read_roots(tsa[1].read_bytes())
    answer = answered(tsa[0], stamps.request_for(content))
    assert stamps.check(answer, content, roots).by == "CN=Test authority"
    for wrong in (b"", b"\x30\x00", answer[:-1], answer + b"\0"):
        with pytest.raises(StillwatchError):
            stamps.check(wrong, content, roots)


def test_refused_request_is_told(tmp_path: Path, tsa: tuple[Path, Path]) -> None:
    refused = answered(tsa[0], b"\x30\x03\x02\x01\x01")
    with pytest.raises(StillwatchError, match="grants"):
        stamps.check(refused, b"x", stamps.read_roots(tsa[1].read_bytes()))


def test_nobody_is_asked_where_the_address_is_none() -> None:
    for url in ("", "file:name", "ftp://tsa.example"):
        with pytest.raises(StillwatchError, match="begins with http"):
            stamps.ask(url, b"x")
    with pytest.raises(StillwatchError, match="PEM"):
        stamps.read_roots(b"no certificate")


def test_no_changed_byte_of_roots_or_answer_ends_in_anything_but_a_refusal(tsa: tuple[Path, Path]) -> None:
    """A changed byte may leave what is stated as it was; it must not state something else, nor break the check."""
    content, pem = b"what was there", tsa[1].read_bytes()
    answer = answered(tsa[0], stamps.request_for(content))
    true, chance = stamps.check(answer, content, stamps.read_roots(pem)), random.Random(3161)
    der = base64.b64decode(b"".join(pem.splitlines()[1:-1]))
    for _ in range(300):
        for raw in (der, answer):
            changed = bytearray(raw)
            changed[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)
            roots = pem
            if raw is der:
                roots = b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(changed) + b"-----END CERTIFICATE-----\n"
            try:
                found = stamps.check(bytes(changed) if raw is answer else answer, content, stamps.read_roots(roots))
            except StillwatchError:
                continue
            assert found == true
