"""What is on record in tests/golden is what torch and Transformers answer today."""

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; run `make test-torch`")
pytest.importorskip("transformers", reason="transformers is not installed; run `make test-torch`")

from tests.golden import make_transformers  # noqa: E402
from tests.golden_answers import golden  # noqa: E402


def test_kgw_answers_are_those_on_record() -> None:
    recorded = golden("transformers_kgw.json")
    assert make_transformers.permutations() == recorded["randperm"]
    assert make_transformers.kgw() == recorded["cases"]


def test_synthid_answers_are_those_on_record() -> None:
    recorded = golden("transformers_synthid.json")
    assert make_transformers.tables() == recorded["tables"]
    assert make_transformers.synthid() == recorded["cases"]
