"""What would end every worker is said before any is started."""

import socket
from pathlib import Path

import pytest

from stillwatch.app import serve as serving
from stillwatch.app.serve import serve
from stillwatch.app.settings import Settings, load_settings
from stillwatch.terms.errors import StillwatchError


def settings(**gateway: object) -> Settings:
    return load_settings(None).changed("gateway", upstream="http://127.0.0.1:1", **gateway)


def test_an_address_that_is_taken_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "_BIND_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(StillwatchError, match=f"127.0.0.1:{port}.*give another"):
            serve(settings().changed("serve", port=port), tmp_path)


@pytest.mark.parametrize(
    ("section", "values", "says"),
    [
        ("gateway", {"upstream": ""}, "--upstream"),
        ("gateway", {"upstream_key_env": "STILLWATCH_NO_SUCH"}, "upstream_key_env"),
        ("watch", {"calibration": "no-such-file"}, "stillwatch calibrate"),
        ("litellm", {"token_env": "STILLWATCH_NO_SUCH"}, "litellm.token_env"),
    ],
)
def test_a_setting_that_no_worker_could_start_with_is_refused(
    tmp_path: Path, section: str, values: dict[str, str], says: str
) -> None:
    with pytest.raises(StillwatchError, match=says):
        serve(settings().changed(section, **values), tmp_path)


def test_a_state_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StillwatchError, match="--state"):
        serve(settings(), tmp_path / "file" / "state")
