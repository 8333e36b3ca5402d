"""The results page: tables are replaced between the marks, the words around them stay."""

import subprocess
from pathlib import Path

import pytest

from bench import page


def test_only_what_stands_between_the_marks_is_replaced(tmp_path: Path) -> None:
    file = tmp_path / "RESULTS.md"
    file.write_text(f"before\n{page.BEGIN}\nold\n{page.END}\nafter\n", encoding="utf-8")
    page.write("new table", 7, file)
    text = file.read_text(encoding="utf-8")
    assert text.startswith("before\n") and text.endswith("after\n")
    assert "old" not in text and "new table" in text and "first seed 7; commit " in text


def test_a_page_without_marks_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "RESULTS.md"
    file.write_text("words\n", encoding="utf-8")
    with pytest.raises(SystemExit, match="needs the lines"):
        page.write("new", 1, file)
    assert file.read_text(encoding="utf-8") == "words\n"


def test_the_results_page_of_this_repository_has_its_marks() -> None:
    text = page.PAGE.read_text(encoding="utf-8")
    assert page.BEGIN in text and page.END in text


def test_a_figure_names_changes_to_the_package_that_no_commit_holds(tmp_path: Path) -> None:
    def git(*words: str) -> None:
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b.c", *words], cwd=tmp_path, check=True)

    git("init", "-q")
    (tmp_path / "bench").mkdir()
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a.py").write_text("1\n", encoding="utf-8")
    git("add", ".")
    git("commit", "-q", "-m", "one")
    file = tmp_path / "bench" / "RESULTS.md"
    assert "not yet committed" not in page.commit(file)
    (tmp_path / "src" / "a.py").write_text("2\n", encoding="utf-8")
    assert page.commit(file).endswith("with changes to src not yet committed")
