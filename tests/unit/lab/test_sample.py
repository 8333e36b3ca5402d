"""The packaged sample holds nothing but permissively licensed data, and every file says so."""

import os
from pathlib import Path

import pytest

import stillwatch.lab.traffic
from stillwatch.lab.traffic import load_corpus
from stillwatch.terms.errors import StillwatchError
from tools import build_sample

FOLDER = Path(stillwatch.lab.traffic.__file__).parent / "data"
ALLOWED = {
    "Apache-2.0", "MIT", "CC BY 4.0", "CC BY 3.0", "ODC-By 1.0", "BSD-2-Clause", "BSD-3-Clause (JA4)", "facts",
}  # fmt: skip


def notice() -> dict[str, list[str]]:
    rows = [line.split(" | ") for line in (FOLDER / "NOTICE.md").read_text(encoding="utf-8").splitlines()]
    return {row[0].strip("|` "): row[1:] for row in rows if row[0].startswith("| `")}


def test_every_packaged_file_names_source_licence_and_changes() -> None:
    entries = notice()
    assert set(entries) == {path.name for path in FOLDER.iterdir()} - {"NOTICE.md"}
    for source, licence, changes in entries.values():
        assert source and changes
        assert licence in ALLOWED


def test_the_sample_stays_small() -> None:
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) <= 1_500_000


def test_the_sample_feeds_every_preset_and_habit() -> None:
    corpus = load_corpus()
    assert all(len(corpus.tasks[preset]) >= 150 for preset in corpus.tasks if preset != "generation")
    assert corpus.foreign and corpus.agents and corpus.client_rates and corpus.pools["medical"]
    assert all(bundle.sessions for bundle in corpus.bundles)


def test_a_folder_of_another_layout_is_refused_without_its_path(tmp_path: Path) -> None:
    with pytest.raises(StillwatchError, match="must have the layout") as caught:
        load_corpus(tmp_path)
    assert str(tmp_path) not in str(caught.value)


@pytest.mark.skipif("STILLWATCH_DATA" not in os.environ, reason="STILLWATCH_DATA names no data folder")
def test_the_sample_is_rebuilt_byte_for_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_sample, "TARGET", tmp_path)
    assert build_sample.main(Path(os.environ["STILLWATCH_DATA"])) == 0
    rebuilt = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert rebuilt == {path.name: path.read_bytes() for path in FOLDER.iterdir()}
