"""Settings files say what is wrong with them; overrides win; nothing unknown passes as a default."""

from dataclasses import fields
from pathlib import Path

import pytest

from stillwatch.app.settings import PRICES_AS_OF, SECTIONS, Settings, load_settings
from stillwatch.detect.config import DetectConfig
from stillwatch.terms.errors import StillwatchError


def written(folder: Path, text: str) -> Path:
    path = folder / "settings.toml"
    path.write_text(text)
    return path


def test_no_file_means_the_defaults() -> None:
    assert load_settings(None) == Settings() == load_settings(None, q=None, seed=None)


def test_a_file_says_all_and_the_command_line_has_the_last_word(tmp_path: Path) -> None:
    path = written(tmp_path, "[detect]\nq = 0.1\nseed = 4\n[prices]\ninput = 1.5\n")
    settings = load_settings(path, seed=7, q=None)
    assert (settings.detect.q, settings.detect.seed, settings.prices.input) == (0.1, 7, 1.5)
    assert settings.detect.alpha == DetectConfig().alpha


def test_every_default_written_out_reads_back_the_same(tmp_path: Path) -> None:
    text = "".join(
        f"[{name}]\n" + "".join(f"{f.name} = {getattr(section(), f.name)!r}\n" for f in fields(section))
        for name, section in SECTIONS.items()
    )
    assert load_settings(written(tmp_path, text)) == Settings()


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("[detekt]\n", r"\[detekt\] is unknown"),
        ("[detect]\nQ = 0.1\n", "detect.Q: unknown"),
        ("[detect]\nq = true\n", "detect.q = True: must be a number"),
        ("[detect]\nq = nan\n", "detect.q = nan: must lie"),
        ("[detect]\nalpha = 0\n", "detect.alpha = 0: must lie"),
        ("[prices]\ninput = -1\n", "prices.input = -1: must lie"),
        ("detect = 5\n", "detect"),
        ("[[detect]]\nq = 0.1\n", "detect"),
        ("q = 0.1\n", "q"),
        ("[detect\n", "not TOML"),
        ("[detect]\nseed = -1\n", "detect.seed"),
        ("[detect]\nseed = 1.5\n", "detect.seed"),
        ("[detect]\nmax_keys = 1.5\n", "detect.max_keys"),
    ],
)
def test_what_is_wrong_is_named(text: str, part: str, tmp_path: Path) -> None:
    with pytest.raises(StillwatchError, match=part):
        load_settings(written(tmp_path, text))


def test_bytes_that_are_no_text_are_no_toml(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_bytes(b"\xff\xfe\x00[")
    with pytest.raises(StillwatchError, match="not TOML"):
        load_settings(path)
    with pytest.raises(StillwatchError, match="nowhere.toml"):
        load_settings(tmp_path / "nowhere.toml")


def test_prices_say_where_they_come_from(tmp_path: Path) -> None:
    plain = load_settings(None).prices
    assert (plain.source, plain.as_of) == ("defaults", PRICES_AS_OF)
    own = load_settings(written(tmp_path, "[prices]\ninput = 1.5\n")).prices
    assert "settings file" in own.source and own.as_of == ""
