"""RFC 9497's vectors, by the library that is used and by a second implementation that shares no code with it."""

import json
import os
import secrets
from pathlib import Path
from typing import Any

import pytest
from voprf import ristretto

from stillwatch.exchange.notary.blind import NotaryKey, blind, finish
from tests import second_oprf as second

GOLDEN = Path(__file__).parents[2] / "golden" / "rfc9497_ristretto255.json"
DATA = os.environ.get("STILLWATCH_DATA", "")


def suites() -> dict[int, dict[str, Any]]:
    return {suite["mode"]: suite for suite in json.loads(GOLDEN.read_text())["suites"]}


def parts(vector: dict[str, Any], name: str) -> list[bytes]:
    return [bytes.fromhex(part) for part in vector[name].split(",")]


@pytest.mark.skipif(not DATA, reason="set STILLWATCH_DATA to the folder of shared data")
def test_the_packaged_vectors_are_those_of_the_rfc() -> None:
    published = json.loads((Path(DATA) / "vectors" / "rfc9497_voprf_vectors.json").read_text())
    wanted = [s for s in published if s["identifier"] == "ristretto255-SHA512" and s["mode"] in (0, 1)]
    assert list(suites().values()) == wanted


def test_the_library_gives_all_eight_known_answers_of_the_verifiable_mode() -> None:
    suite = suites()[1]
    evaluator = ristretto.Evaluator.from_seed(bytes.fromhex(suite["seed"]), bytes.fromhex(suite["keyInfo"]))
    assert evaluator.public_key.serialize() == bytes.fromhex(suite["pkSm"])
    right = 0
    for vector in suite["vectors"]:
        blinded = [ristretto.BlindedInput.deserialize(part) for part in parts(vector, "BlindedElement")]
        reply = evaluator.evaluate_batch(blinded).serialize()
        elements = [reply[at : at + 32] for at in range(64, len(reply), 32)]
        right += sum(a == b for a, b in zip(elements, parts(vector, "EvaluationElement"), strict=True))
        outputs = [evaluator.evaluate_known_input(value) for value in parts(vector, "Input")]
        right += sum(a == b for a, b in zip(outputs, parts(vector, "Output"), strict=True))
    assert right == 8


def test_the_second_implementation_gives_all_twenty_values_of_both_modes() -> None:
    right = 0
    for mode, suite in suites().items():
        secret, public = second.derive(bytes.fromhex(suite["seed"]), bytes.fromhex(suite["keyInfo"]), mode)
        right += secret == bytes.fromhex(suite["skSm"])
        assert mode == 0 or public == bytes.fromhex(suite["pkSm"])
        for vector in suite["vectors"]:
            values, scalars = parts(vector, "Input"), parts(vector, "Blind")
            blinded = [second.blind(v, s, mode) for v, s in zip(values, scalars, strict=True)]
            evaluated = [second.times(secret, element) for element in blinded]
            outputs = [second.finalize(*triple) for triple in zip(values, scalars, evaluated, strict=True)]
            right += sum(a == b for a, b in zip(blinded, parts(vector, "BlindedElement"), strict=True))
            right += sum(a == b for a, b in zip(evaluated, parts(vector, "EvaluationElement"), strict=True))
            right += sum(a == b for a, b in zip(outputs, parts(vector, "Output"), strict=True))
            if mode == 1:
                r, proof = bytes.fromhex(vector["Proof"]["r"]), bytes.fromhex(vector["Proof"]["proof"])
                assert second.prove(secret, public, blinded, evaluated, r) == proof
                assert second.proves(public, blinded, evaluated, proof)
    assert right == 20


def test_both_implementations_agree_on_random_inputs() -> None:
    seed = secrets.token_bytes(32)
    ours, (secret, public) = NotaryKey(seed), second.derive(seed, b"stillwatch notary epoch", 1)
    assert ours.public == public
    for length in (*range(1, 40), 512, 4096):
        value = secrets.token_bytes(length)
        assert ours.output(value) == second.output(value, secret, 1)


def test_each_implementation_verifies_the_others_proofs() -> None:
    seed = secrets.token_bytes(32)
    ours, (secret, public) = NotaryKey(seed), second.derive(seed, b"stillwatch notary epoch", 1)
    values = [secrets.token_bytes(9) for _ in range(5)]
    sent = blind(values)
    elements = [sent.wire[at : at + 32] for at in range(0, len(sent.wire), 32)]
    reply = ours.evaluate(sent.wire)
    evaluated = [reply[at : at + 32] for at in range(64, len(reply), 32)]
    assert second.proves(public, elements, evaluated, reply[:64])
    assert not second.proves(public, elements, evaluated[::-1], reply[:64])
    made = second.prove(secret, public, elements, evaluated) + b"".join(evaluated)
    assert finish(sent, made, ours.public) == [second.output(value, secret, 1) for value in values]
