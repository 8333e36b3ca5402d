import json
import os
import subprocess
import sys

import numpy as np
import pytest

from stillwatch.sketch.siphash import PADDING, SipKey, hash_spans, hash_words
from tests.unit.sketch.scalar import siphash


def spans(strings: list[bytes]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    lengths = np.array([len(s) for s in strings])
    return np.frombuffer(b"".join(strings) + bytes(PADDING), np.uint8), np.cumsum(lengths) - lengths, lengths


def test_the_scalar_route_gives_the_published_value_of_siphash_2_4() -> None:
    key = (0x0706050403020100, 0x0F0E0D0C0B0A0908)
    assert siphash(key, bytes(range(15)), 2, 4) == 0xA129CA6149BE45E5


def test_every_length_agrees_with_the_scalar_route() -> None:
    rng = np.random.default_rng(3)
    strings = [rng.bytes(n) for n in [*range(70), *rng.integers(0, 40, 500)]]
    key = SipKey.from_bytes(rng.bytes(16))
    assert hash_spans(key, *spans(strings)).tolist() == [siphash(key, s) for s in strings]


def test_whole_words_hash_like_the_same_bytes() -> None:
    rng = np.random.default_rng(4)
    words = [rng.integers(0, 2**64, 9, np.uint64) for _ in range(3)]
    key = SipKey(1, 2)
    joined = [b"".join(int(w[i]).to_bytes(8, "little") for w in words) for i in range(9)]
    assert hash_words(key, *words).tolist() == [siphash(key, s) for s in joined]


@pytest.mark.skipif(sys.hash_info.algorithm != "siphash13", reason="this Python hashes bytes another way")
def test_it_is_the_siphash_1_3_that_python_itself_uses() -> None:
    program = "import json; print(json.dumps([hash(bytes(range(n))) for n in range(1, 40)]))"
    environment = {**os.environ, "PYTHONHASHSEED": "0"}  # with seed 0 the interpreter's key is all zeros
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    ours = hash_spans(SipKey(0, 0), *spans([bytes(range(n)) for n in range(1, 40)]))
    assert ours.astype(np.int64).tolist() == json.loads(done.stdout)


def test_no_strings_give_no_hashes() -> None:
    assert len(hash_spans(SipKey(1, 2), *spans([]))) == 0
    assert "1" not in repr(SipKey(1, 1))
