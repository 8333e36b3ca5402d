import base64
import hashlib
import json
import os
import random
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.ledger.merkle import (
    consistency_proof,
    holds_consistency,
    holds_inclusion,
    inclusion_proof,
    leaf_hash,
    root_of,
)

DATA = os.environ.get("STILLWATCH_DATA", "")
VECTORS = Path(DATA) / "vectors" / "rfc6962_merkle_testdata.tar.gz"


def recursive_root(entries: list[bytes]) -> bytes:
    """The definition of RFC 6962 section 2.1, word by word: the second route."""
    if len(entries) <= 1:
        return hashlib.sha256(b"\0" + entries[0] if entries else b"").digest()
    split = 1
    while split * 2 < len(entries):
        split *= 2
    return hashlib.sha256(b"\1" + recursive_root(entries[:split]) + recursive_root(entries[split:])).digest()


def test_roots_are_those_of_the_published_test_tree() -> None:
    entries = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
    root = root_of([leaf_hash(bytes.fromhex(entry)) for entry in entries])
    assert root.hex() == "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"


@given(st.lists(st.binary(max_size=4), max_size=70))
def test_root_is_that_of_the_definition(entries: list[bytes]) -> None:
    assert root_of([leaf_hash(entry) for entry in entries]) == recursive_root(entries)


@given(st.integers(1, 70), st.data())
def test_every_entry_is_proved_and_no_other_is(size: int, data: st.DataObject) -> None:
    leaves = [leaf_hash(bytes([i])) for i in range(size)]
    root, index = root_of(leaves), data.draw(st.integers(0, size - 1))
    proof = inclusion_proof(leaves, index)
    assert holds_inclusion(leaves[index], index, size, proof, root)
    for other in range(-1, size + 2):
        assert holds_inclusion(leaves[index], other, size, proof, root) == (other == index)
    assert not holds_inclusion(leaf_hash(b"x"), index, size, proof, root)
    assert not holds_inclusion(leaves[index], index, size, [*proof, root], root)


@given(st.integers(1, 50), st.integers(0, 50), st.data())
def test_growth_is_proved_and_a_rewritten_past_is_not(small: int, more: int, data: st.DataObject) -> None:
    leaves = [leaf_hash(bytes([i])) for i in range(small + more)]
    sizes, roots = (small, small + more), (root_of(leaves[:small]), root_of(leaves))
    proof = consistency_proof(leaves, small)
    assert holds_consistency(sizes, roots, proof)
    changed = data.draw(st.integers(0, small - 1))
    forged = [leaf_hash(b"forged") if i == changed else leaf for i, leaf in enumerate(leaves)]
    assert not holds_consistency(sizes, (roots[0], root_of(forged)), consistency_proof(forged, small))
    assert not holds_consistency(sizes, roots, [*proof, roots[0]])
    assert not holds_consistency((0, small), roots, [])


def published() -> list[tuple[str, dict[str, object]]]:
    if not DATA or not VECTORS.is_file():
        return []
    with tarfile.open(VECTORS) as archive:
        files = [m for m in archive.getmembers() if m.name.endswith(".json") and "subtree" not in m.name]
        return [(m.name, json.load(archive.extractfile(m))) for m in files]  # type: ignore[arg-type]


@pytest.mark.skipif(not VECTORS.is_file(), reason="STILLWATCH_DATA is not set: no published Merkle vectors")
def test_published_vectors_are_judged_as_they_ask() -> None:
    def raw(text: object) -> bytes:
        return base64.b64decode(str(text or ""))

    right = bad = 0
    for name, case in published():
        proof = [raw(one) for one in case["proof"] or []]  # type: ignore[attr-defined]
        if "leafIdx" in case:
            held = holds_inclusion(
                raw(case["leafHash"]),
                int(case["leafIdx"]),
                int(case["treeSize"]),
                proof,
                raw(case["root"]),  # type: ignore[call-overload]
            )
        else:
            sizes = int(case["size1"]), int(case["size2"])  # type: ignore[call-overload]
            held = holds_consistency(sizes, (raw(case["root1"]), raw(case["root2"])), proof)
        assert held is not case["wantErr"], name
        right, bad = right + held, bad + (not held)
    assert (right, bad) == (12, 184)


def test_vectors_of_our_own_are_judged_as_they_ask() -> None:
    chance, judged = random.Random(6962), 0
    for _ in range(60):
        size = chance.randint(2, 40)
        leaves = [leaf_hash(chance.randbytes(3)) for _ in range(size)]
        index, small, root = chance.randrange(size), chance.randint(1, size - 1), root_of(leaves)
        proof, grown = inclusion_proof(leaves, index), consistency_proof(leaves, small)
        for hashes, hold in (
            (proof, lambda p: holds_inclusion(leaves[index], index, size, p, root)),  # noqa: B023
            (grown, lambda p: holds_consistency((small, size), (root_of(leaves[:small]), root), p)),  # noqa: B023
        ):
            assert hold(hashes)
            at, bit = chance.randrange(len(hashes)), 1 << chance.randrange(8)
            flipped = [bytes([h[0] ^ bit]) + h[1:] if i == at else h for i, h in enumerate(hashes)]
            for wrong in (flipped, hashes[:-1], hashes[1:], [*hashes, root], [root, *hashes], []):
                assert not hold(wrong)
                judged += 1
    assert judged == 720
