"""The teacher: said to be missing where it is, and gone when nobody holds it."""

import json
import subprocess
import sys
import urllib.error
import urllib.request

import pytest

from stillwatch.lab import teacher
from stillwatch.lab.teacher import missing, start_teacher
from stillwatch.terms.errors import StillwatchError


def test_a_missing_model_file_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(teacher.importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr(teacher, "PACKAGE", "no-such-package-anywhere")
    with pytest.raises(StillwatchError, match="model file of no-such-package-anywhere is not installed"):
        start_teacher()


def test_a_missing_runtime_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(teacher.importlib.util, "find_spec", lambda name: None)
    assert "xllamacpp is not installed" in missing()


def test_a_child_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(teacher, "missing", lambda: "")
    real = subprocess.Popen

    def silent(*_: object, **options: object) -> "subprocess.Popen[bytes]":
        return real([sys.executable, "-c", "import sys; sys.stdin.read()"], **options)  # type: ignore[call-overload,no-any-return]

    monkeypatch.setattr(teacher.subprocess, "Popen", silent)
    with pytest.raises(StillwatchError, match="did not listen within"):
        start_teacher(wait=0.3)


def test_importing_the_teacher_loads_no_model_code() -> None:
    code = "import sys, stillwatch.lab.teacher; sys.exit('xllamacpp' in sys.modules or 'llm' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.skipif(bool(missing()), reason=f"peer: the embedded teacher: {missing()}; `make run` installs it")
def test_the_model_answers_its_keyholder_only_and_ends_with_its_parent() -> None:
    running = start_teacher()
    try:
        body = {"messages": [{"role": "user", "content": "Name a metal."}], "max_tokens": 6}
        url = f"{running.url}/v1/chat/completions"
        head = {"content-type": "application/json", "authorization": f"Bearer {running.key}"}
        with urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode(), head)) as response:
            found = json.loads(response.read())
        assert found["choices"][0]["message"]["content"] and found["usage"]["completion_tokens"] <= 6
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(
                urllib.request.Request(url, json.dumps(body).encode(), {**head, "authorization": ""})
            )
        assert running.key not in repr(running)
    finally:
        assert running.process.stdin is not None
        running.process.stdin.close()  # as when the parent is killed
        assert running.process.wait(5) == 0
        running.stop()
