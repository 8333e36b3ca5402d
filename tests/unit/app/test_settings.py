"""Settings files say what is wrong with them; overrides win; nothing unknown passes as a default."""

import subprocess
import sys
from pathlib import Path

import pytest

import stillwatch
from stillwatch.app.prices import PRICES_AS_OF
from stillwatch.app.settings import Settings, load_settings
from stillwatch.app.settingsections import SECTIONS
from stillwatch.app.settingsinfo import sections, toml
from stillwatch.app.settingvalues import checked_value
from stillwatch.detect.config import DetectConfig
from stillwatch.terms.errors import StillwatchError

GATEWAY = """
[gateway]
upstream = "http://127.0.0.1:9"
trusted_proxies = ["10.0.0.0/8"]
[policy]
shadow = false
[[policy.rule]]
name = "slow-free"
action = "slow"
plans = ["free"]
rate_share = 0.5
expires_days = 7
until = 2030-01-31
[[policy.limit]]
plan = "free"
requests_per_minute = 60
[spool]
fsync_seconds = 2
[watch]
keep_days = 30.5
"""


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


def defaults() -> str:
    """Every setting with its default, as a file spells it."""
    return "".join(
        f"[{table.name}]\n" + "".join(f"{s.key} = {toml(s.default)}\n" for s in table.settings) for table in sections()
    )


def test_every_default_written_out_reads_back_the_same(tmp_path: Path) -> None:
    settings, plain = load_settings(written(tmp_path, defaults())), Settings()
    for name in SECTIONS:
        assert getattr(settings, name) == getattr(plain, name), name


def test_a_table_is_imported_only_when_it_is_given_or_asked_for(tmp_path: Path) -> None:
    path = written(tmp_path, "[detect]\nq = 0.1\n")
    program = f"""
import sys
from pathlib import Path
from stillwatch.app.settings import load_settings
load_settings(Path({str(path)!r}))
print([m for m in sys.modules if m.split(".")[0] in ("aiohttp", "uvicorn", "uvloop", "cryptography", "msgspec")])
print([m for m in sys.modules if m.startswith(("stillwatch.gateway", "stillwatch.policy", "stillwatch.store"))])
"""
    environment = {"PYTHONPATH": str(Path(stillwatch.__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n[]\n"


def test_every_table_of_the_gateway_is_read_from_the_one_file(tmp_path: Path) -> None:
    settings = load_settings(written(tmp_path, GATEWAY))
    assert settings.gateway.upstream == "http://127.0.0.1:9" and settings.gateway.trusted_proxies == ("10.0.0.0/8",)
    assert [rule.name for rule in settings.policy.rules] == ["slow-free"] and not settings.policy.shadow
    assert settings.spool.fsync_seconds == 2 and settings.watch.keep_days == 30.5
    assert settings.policy.limits[0].requests_per_minute == 60


def test_values_from_the_command_line_are_checked_as_those_of_the_file(tmp_path: Path) -> None:
    settings = load_settings(written(tmp_path, GATEWAY))
    changed = settings.changed("watch", keep_days=7.0, poll_seconds=None).changed("detect", q=0.2)
    assert (changed.watch.keep_days, changed.detect.q, changed.gateway) == (7.0, 0.2, settings.gateway)
    assert settings.watch.keep_days == 30.5 and settings.detect.q == DetectConfig().q
    with pytest.raises(StillwatchError, match="watch.keep_days = -1"):
        settings.changed("watch", keep_days=-1)


def test_settings_of_the_right_kind_only() -> None:
    for table in sections():
        for setting in table.settings:
            for value in (True, 1, 0.5, "word", ["word"], [1], {"a": 1}, [True]):
                try:
                    given = checked_value(setting.name, value, setting.kind)
                except StillwatchError as problem:
                    assert str(problem).startswith(f"{setting.name} = ") and "must be" in str(problem)
                    continue
                wanted = type(setting.default)
                assert isinstance(given, int | float if wanted is float else wanted), (setting.name, value)
                assert wanted is bool or not isinstance(given, bool)


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
        ("[gateway]\nupsteam = 'http://x'\n", "gateway.upsteam: unknown"),
        ("[gateway]\nupstream = 5\n", "gateway.upstream = 5: must be text"),
        ("[gateway]\ninclude_usage = 1\n", "gateway.include_usage = 1: must be true or false"),
        ("[gateway]\ntrusted_proxies = '10.0.0.0/8'\n", "gateway.trusted_proxies"),
        ("[gateway]\ntrusted_proxies = ['10.0.0.1/8']\n", "must be a network"),
        ("[spool]\nroll_seconds = 0\n", "spool.roll_seconds = 0: must lie above"),
        ("[watch]\nkeep_days = -1\n", "watch.keep_days = -1"),
        ("[policy]\nshadow = 'no'\n", "policy.shadow = 'no': must be true or false"),
        ("[policy]\nrules = []\n", "policy.rules: unknown"),
        ("[[policy.rule]]\nname = 'a'\n", "has no action"),
        ("[[policy.rule]]\nname = 'a'\naction = 'refuse'\nexpires_days = 3\n", "before a person confirmed"),
        ("[[policy.rule]]\nname = 'a'\naction = 'perturb'\nexpires_days = 3\n", "before a person confirmed"),
    ],
)
def test_what_is_wrong_is_named(text: str, part: str, tmp_path: Path) -> None:
    with pytest.raises(StillwatchError, match=part):
        load_settings(written(tmp_path, text))


MANY = """
[detekt]
[detect]
q = true
alpha = 0
seed = 4
[gateway]
upsteam = "http://x"
upstream = "ftp://x"
[vault]
share = 0.5
[policy]
shadow = "no"
[[policy.rule]]
name = "fine"
action = "mark"
expires_days = 3
[[policy.rule]]
action = "mark"
expires_days = 3
[[policy.rule]]
name = "hasty"
action = "refuse"
expires_days = 3
[[policy.rule]]
name = "odd"
action = "smite"
"""


def test_every_fault_of_a_file_is_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(StillwatchError) as refused:
        load_settings(written(tmp_path, MANY))
    said = str(refused.value)
    for part in ("[detekt] is unknown", "detect.q = True", "detect.alpha = 0", "gateway.upsteam",
                 "gateway.upstream: must", "vault.share = ", "policy.shadow = 'no'", "'number 2'",
                 "'hasty': orders 'refuse'", "'odd': action = 'smite'"):  # fmt: skip
        assert said.count(part) == 1, (part, said)
    assert "detect.seed" not in said and "policy rule 'fine'" not in said


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
