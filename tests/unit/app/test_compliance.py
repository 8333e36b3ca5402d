"""A compliance report cites only controls that exist, and says of each only what is so on this machine."""

import gzip
import os
import re
import time
from pathlib import Path

import pytest

from stillwatch.app.compliance import MAPPING, STATES, Shown, catalogue, rows
from stillwatch.app.complianceevidence import CAPABILITIES
from stillwatch.app.compliancereport import compliance_rows
from stillwatch.app.control import open_control
from stillwatch.app.keys import NewKey, create_key
from stillwatch.terms.errors import StillwatchError

DATA = os.environ.get("STILLWATCH_DATA", "")
SHOWN = {name: Shown(state="off", lines=("nothing",)) for name in CAPABILITIES}


def state_of(rows_: object, capability: str) -> set[str]:
    return {row.state for row in rows_ if row.capability == capability}  # type: ignore[attr-defined]


def test_every_capability_is_mapped_and_every_control_is_answered() -> None:
    assert MAPPING.keys() == CAPABILITIES.keys()
    controls = {control for framework in catalogue()[1] for control in framework.controls}
    assert controls == {control for ids in MAPPING.values() for control in ids}
    for row in rows(SHOWN):
        assert row.state in STATES and row.mapping == "ours" and row.release and row.status and row.evidence


@pytest.mark.parametrize("wrong", ["AML.T9999", "LLM10:2026", "aml.t0040"])
def test_an_unknown_control_fails(wrong: str, tmp_path: Path) -> None:
    with pytest.raises(StillwatchError, match="no framework"):
        rows(SHOWN, {"detection": (wrong,)})
    open_control(tmp_path).close()
    with pytest.raises(StillwatchError, match="no framework"):
        compliance_rows(None, tmp_path, (wrong,), time.time())


def test_a_capability_that_shows_nothing_fails() -> None:
    with pytest.raises(StillwatchError, match="shows nothing"):
        rows(SHOWN, {"magic": ("AML.T0040",)})


def test_evidence_follows_the_settings_and_the_state(tmp_path: Path) -> None:
    now = time.time()
    state, config = tmp_path / "state", tmp_path / "s.toml"
    state.mkdir()
    with open_control(state) as book:
        config.write_text("")
        before = compliance_rows(config, state, (), now)
        assert state_of(before, "identity") == {"off"} and state_of(before, "marks") == {"off"}
        assert state_of(before, "telemetry") == {"gap"}, "ninety days are less than six months"
        assert state_of(before, "limits") == {"off"}
        key = create_key(book, b"s" * 32, NewKey(account="acme-secret-name"), now).key
        config.write_text(
            '[watch]\nkeep_days = 200\n[[policy.limit]]\nplan = "*"\nrequests_per_minute = 60\n'
            '[[policy.rule]]\nname = "a"\naction = "coarsen"\nexpires_days = 7\ntreatments = ["withhold"]\n'
            "shadow = true\n"
        )
        after = compliance_rows(config, state, (), now)
    assert state_of(after, "identity") == {"in force"}
    assert state_of(after, "telemetry") == {"in force"}
    assert state_of(after, "limits") == {"in force"}
    assert state_of(after, "probabilities") == {"shadow"}
    said = " ".join(line for row in after for line in row.evidence)
    assert "acme-secret-name" not in said and key not in said
    assert [row.control for row in compliance_rows(config, state, ("GDPR-22",), now)] == ["GDPR-22"]


@pytest.mark.skipif(not DATA, reason="STILLWATCH_DATA names no data folder")
def test_ids_of_atlas_are_those_that_its_release_has() -> None:
    text = gzip.decompress((Path(DATA) / "vectors" / "mitre_atlas_5.6.yaml.gz").read_bytes()).decode()
    known = set(re.findall(r"id: (AML\.[A-Z]+[0-9.]+)", text))
    later = {"AML.M0039"}  # of release 2026.09
    cited = {c for f in catalogue()[1] if f.name == "MITRE ATLAS" for c in f.controls}
    assert cited - known <= later
