"""What is said of settings is what the records do: kind, default, range; and the schema accepts what loads."""

import json
import math
import tomllib
from dataclasses import MISSING
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from stillwatch.app.settings import Settings, load_settings
from stillwatch.app.settingscheck import look_over
from stillwatch.app.settingsections import SECTIONS
from stillwatch.app.settingsinfo import SettingInfo, explained, find_settings, sections
from stillwatch.app.settingsschema import settings_schema, settings_schema_text
from stillwatch.terms.errors import StillwatchError
from tests.unit.app.test_settings import GATEWAY, defaults, written

ROOT = Path(__file__).resolve().parents[3]
VALIDATOR = Draft202012Validator(settings_schema())
BOUNDED = [s for table in sections() for s in table.settings if not math.isinf(s.low)]


def plain(text: str) -> Any:
    """TOML as JSON has it: a date is a text."""
    return json.loads(json.dumps(tomllib.loads(text), default=lambda value: value.isoformat()))


def test_the_published_schema_is_a_schema_and_is_what_the_code_makes() -> None:
    Draft202012Validator.check_schema(settings_schema())
    published = ROOT / "docs" / "reference" / "settings-v1.schema.json"
    assert published.read_text(encoding="utf-8") == settings_schema_text()


def test_every_setting_has_a_meaning_and_stands_in_the_schema() -> None:
    properties = settings_schema()["properties"]
    for table in sections():
        for setting in table.settings:
            assert setting.meaning, setting.name
            assert properties[table.name]["properties"][setting.key]["description"].startswith(setting.meaning)


@pytest.mark.parametrize("text", ["", defaults(), GATEWAY])
def test_the_schema_accepts_what_loads(text: str) -> None:
    found = plain(text.replace("inf", "1e300"))
    assert [e.message for e in VALIDATOR.iter_errors(found)] == []


@pytest.mark.parametrize(
    "text",
    [
        "[detekt]\n", "[detect]\nqq = 1\n", "[detect]\nq = 'much'\n", "[detect]\nq = 1\n",
        "[detect]\nmin_holders = 2\n",
        "[detect]\nseed = -1\n", "[gateway]\ntrusted_proxies = 'x'\n", "[gateway]\ninclude_usage = 1\n",
        "[[policy.rule]]\nname = 'a'\n", "[[policy.rule]]\nname = 'a'\naction = 'mark'\nwhen = 'now'\n", "detect = 5\n",
        "[watch]\npoll_seconds = 0\n",
    ],
)  # fmt: skip
def test_the_schema_refuses_what_does_not_load(text: str) -> None:
    assert not VALIDATOR.is_valid(plain(text))


@pytest.mark.parametrize("setting", BOUNDED, ids=lambda s: s.name)
def test_the_range_that_is_said_is_the_range_that_is_held(setting: SettingInfo) -> None:
    section, key = setting.name.split(".")
    record = SECTIONS[section].record
    just_in = math.floor(setting.low) + 1 if setting.kind is int else math.nextafter(max(setting.low, 0.0), math.inf)
    low = math.floor(setting.low) if setting.kind is int else math.nextafter(setting.low, -math.inf)
    record(**{key: just_in})
    with pytest.raises(StillwatchError, match=setting.name):
        record(**{key: low})
    if not math.isinf(setting.high):
        with pytest.raises(StillwatchError, match=setting.name):
            record(**{key: type(setting.default)(setting.high)})


def test_a_setting_is_explained_with_kind_range_default_and_the_value_in_force() -> None:
    text = explained(find_settings("detect.min_holders")[0], Settings())
    for part in ("Fewest accounts", "whole number, at least 3", "default  10", "now      10"):
        assert part in text
    assert "at least 0, at most 65,535" in explained(find_settings("serve.port")[0])
    assert "must be given" in explained(find_settings("policy.rule.action")[0])
    assert find_settings("policy.rule.until")[0].kind is date
    assert len(find_settings("prices")) == 2 and len(find_settings("")) > 50


def test_an_unknown_setting_is_told_with_the_one_it_could_be() -> None:
    with pytest.raises(StillwatchError, match="Did you mean detect.q"):
        find_settings("gateway.q")
    with pytest.raises(StillwatchError, match="lists all"):
        find_settings("nonsense")


def test_what_must_be_given_says_so_and_nothing_else_does() -> None:
    must = {s.name for s in find_settings("") if s.default is MISSING}
    assert must == {"policy.rule.name", "policy.rule.action"}


def test_warnings_name_what_is_allowed_and_hardly_meant(tmp_path: Path) -> None:
    key = written(tmp_path, "secret")
    key.chmod(0o644)
    text = f"""
[gateway]
upstream = "http://models.example:80"
upstream_key_env = "NOT_SET"
upstream_key_file = "{key}"
[policy]
jitter_seconds = 0
[[policy.rule]]
name = "old"
action = "mark"
expires_days = 7
until = 2020-01-01
"""
    (tmp_path / "given.toml").write_text(text)
    found = look_over(load_settings(tmp_path / "given.toml"), {}, 1.7e9)
    for part in ("unencrypted", "NOT_SET is not set", "read by others", "'old': ended", "below four batches",
                 "every rule is in shadow"):  # fmt: skip
        assert any(part in warning for warning in found.warnings), part
    assert "secret" not in str(found) and len(found.rules) == 1
    fine = look_over(load_settings(None), {}, 1.7e9)
    assert [w.split(":")[0] for w in fine.warnings] == ["gateway.upstream is empty"]


def test_all_that_keeps_a_gateway_from_starting_is_said_at_once() -> None:
    settings = (
        load_settings(None).changed("serve", port=8_088, admin_port=8_088).changed("watch", calibration="nowhere")
    )
    with pytest.raises(StillwatchError) as refused:
        look_over(settings, {}, 1.7e9)
    assert "serve.port" in str(refused.value) and "watch.calibration" in str(refused.value)


@pytest.mark.parametrize(
    ("section", "values", "says"),
    [
        ("gateway", {"trusted_proxies": ("0.0.0.0/0",)}, "forge"),
        ("gateway", {"trusted_proxies": ("10.0.0.0/8", "::/0")}, "forge"),
        ("serve", {"admin_host": "0.0.0.0"}, "metrics"),
        ("serve", {"host": "::"}, "TLS"),
        ("serve", {"host": "gateway.example"}, "TLS"),
    ],
)
def test_what_is_open_to_anybody_is_warned_of(section: str, values: dict[str, Any], says: str) -> None:
    settings = load_settings(None).changed("gateway", upstream="http://127.0.0.1:1")
    assert look_over(settings.changed("serve", host="127.0.0.2", admin_host="::1"), {}, 1.7e9).warnings == ()
    (warning,) = look_over(settings.changed(section, **values), {}, 1.7e9).warnings
    assert says in warning


@pytest.mark.parametrize(
    ("section", "values", "says"),
    [
        ("serve", {"port": 9464}, "must differ"),
        ("watch", {"calibration": "nowhere.json"}, "nowhere.json.*no such file"),
    ],
)
def test_settings_that_serve_could_not_start_with_fail_the_check(
    section: str, values: dict[str, Any], says: str
) -> None:
    look_over(load_settings(None).changed("serve", port=0, admin_port=0), {}, 1.7e9)
    with pytest.raises(StillwatchError, match=says):
        look_over(load_settings(None).changed(section, **values), {}, 1.7e9)
