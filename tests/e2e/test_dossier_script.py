"""The script for strangers agrees, and rejects what it must, on the standard library and OpenSSL."""

import subprocess
import sys
from pathlib import Path

import pytest

from stillwatch.app.dossierfiles import (
    ENVELOPE,
    INDEX,
    PAE,
    SEAL,
    SEAL_SIGNATURE,
    SIGNATURE,
    SUMS,
    read_folder,
    sealed_files,
    write_folder,
)
from stillwatch.app.dossierledger import OPENINGS
from stillwatch.ledger.logfile import Opening
from stillwatch.terms.canon import canonical, read_canonical
from tests.proof_rig import (
    answers,
    ledger_of,
    stamped_dossier,
)

OUTER = (INDEX, ENVELOPE, PAE, SIGNATURE, SEAL, SEAL_SIGNATURE, SUMS)


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a state, an examination and its dossier, stamped before and after."""
    return stamped_dossier(tmp_path_factory.mktemp("proof"))


@pytest.fixture(scope="module")
def stranger() -> Path:
    return Path(__file__).parents[2] / "examples" / "verify_dossier.py"


def _script(stranger: Path, folder: Path, key: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", str(stranger), str(folder), "--key", key]
    return subprocess.run(command, capture_output=True, text=True)


def test_strangers_script_agrees_with_openssl_alone(rig: Path, stranger: Path) -> None:
    done = _script(stranger, rig / "dossier", ledger_of(rig).public.fingerprint)
    assert done.returncode == 0, done.stderr
    said = "1 of 1 hypotheses are rejected at error rate 1e-06; kinds of evidence: canary"
    assert done.stdout.splitlines()[-1] == said
    assert done.stdout.count("timestamp ledger/notes") == 2
    assert _script(stranger, rig / "dossier", "0" * 64).returncode == 1


def test_strangers_script_imports_nothing_but_the_standard_library(stranger: Path) -> None:
    import ast

    tree = ast.parse(stranger.read_text())
    names = {a.name for node in ast.walk(tree) if isinstance(node, ast.Import) for a in node.names}
    names |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert names <= set(sys.stdlib_module_names)


def test_strangers_script_rejects_what_a_maker_with_the_key_changed(rig: Path, stranger: Path, tmp_path: Path) -> None:
    better = answers(rig / "state", 32)
    openings = read_canonical((rig / "dossier" / OPENINGS).read_bytes(), tuple[Opening, ...], "x")
    facts = (rig / "dossier/facts.json").read_bytes()
    changes = {
        "transcript": {"materials/transcript/t1.jsonl": better},
        "denominator": {OPENINGS: canonical(tuple(one for one in openings if "items" not in one.payload))},
        "verdict": {"facts.json": facts.replace(b'"rejected":true', b'"rejected":false')},
        "attempts": {"acquisition.json": canonical(())},
        "name": {"x -out y": b""},
        "protocol": {"protocol.json": (rig / "dossier/protocol.json").read_bytes().replace(b"1e-6", b"1e-2")},
    }
    for name, change in changes.items():
        files = {k: v for k, v in read_folder(rig / "dossier").items() if k not in OUTER}
        write_folder(sealed_files({**files, **change}, ledger_of(rig).key(), {}), tmp_path / name)
        done = _script(stranger, tmp_path / name, ledger_of(rig).public.fingerprint)
        assert done.returncode == 1 and "REJECTED" in done.stderr, name
