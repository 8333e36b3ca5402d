"""The results page: tables are replaced between the marks, the words around them stay."""

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
