"""Each gate of the house catches what it forbids, and lets through what it allows."""

import ast
import subprocess
from pathlib import Path

import pytest

from tools.gates import (
    addresses,
    dependencies,
    entries,
    exceptions,
    figures,
    importing,
    layers,
    links,
    purity,
    size,
    treatments,
)

CODE = "src/stillwatch"


def plant(root: Path, files: dict[str, str]) -> Path:
    """Write a small repository under `root`."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


@pytest.mark.parametrize(
    "text",
    [
        "import os", "import os.path", "from os import path", "from pathlib import Path", "import time",
        "def f():\n    import socket", "import logging", "import asyncio", "import torch.nn", "import pyarrow.parquet",
        "from pyarrow import parquet", "import threading", "open('x')", "print(1)", "eval('1')",
        "import numpy as np\nnp.random.rand(3)", "import numpy as np\nnp.random.seed(1)",
        "from numpy.random import rand\nrand()",
        "import numpy as np\nnp.random.default_rng()", "from numpy.random import default_rng\ndefault_rng()",
        "import numpy as np\nnp.save('x', 1)", "import numpy as np\nnp.load('x')",
        "import datetime\ndatetime.datetime.now()", "from datetime import datetime as d\nd.now()",
        "from datetime import date\ndate.today()", "import io\nio.open('x')", "import uuid\nuuid.uuid4()",
        "import numpy as np\nnp.zeros(1).tofile('x')",
    ],
)  # fmt: skip
def test_the_core_can_not_do_io_read_clocks_or_draw_chance(text: str) -> None:
    assert list(purity.impurities(ast.parse(text)))


@pytest.mark.parametrize(
    "text",
    [
        "import hashlib, math, json", "import io\nio.BytesIO(b'')",
        "import numpy as np\ndef f(rng: np.random.Generator): ...",
        "import numpy as np\nnp.random.default_rng(7)", "import numpy as np\nnp.random.default_rng(seed=7)",
        "from datetime import datetime, UTC\ndatetime.fromtimestamp(0, UTC)", "from dataclasses import field\nfield()",
        "import io\nimport numpy as np\nnp.load(io.BytesIO(b''), allow_pickle=False)",
        "from numpy.random import Generator, Philox\nGenerator(Philox(key=1))", "x.open('y')", "rng.random()",
    ],
)  # fmt: skip
def test_the_core_may_compute_with_what_it_is_given(text: str) -> None:
    assert not list(purity.impurities(ast.parse(text)))


def test_purity_is_asked_of_the_core_alone(tmp_path: Path) -> None:
    plant(tmp_path, {f"{CODE}/store/disk.py": "import os\n", f"{CODE}/stats/exact.py": "import math\n"})
    assert not purity.check(tmp_path).findings
    plant(tmp_path, {f"{CODE}/sketch/text.py": "import os\n"})
    assert purity.check(tmp_path).findings == (
        "src/stillwatch/sketch/text.py:1: imports os; the core takes what it needs as arguments",
    )


def test_long_files_and_crowded_functions_are_found(tmp_path: Path) -> None:
    crowd = "class A:\n    def f(self, a, b, c, d, e): ...\ndef g(a, b, *, c, d, e, f): ...\n"
    command = "@main.command('scan')\ndef scan(a, b, c, d, e, f, g): ...\n"
    plant(
        tmp_path,
        {f"{CODE}/stats/long.py": "x = 1\n" * 401, f"{CODE}/stats/crowd.py": crowd, f"{CODE}/cli/c.py": command},
    )
    found = size.check_length(tmp_path).findings
    assert [f.split(": ")[0] for f in found] == ["src/stillwatch/stats/long.py", "src/stillwatch/stats/crowd.py:3"]


@pytest.mark.parametrize(
    "name", ["stats/utils.py", "helpers/text.py", "logs/misc.py", "core/event.py", "app/manager.py"]
)
def test_names_that_say_nothing_are_refused(tmp_path: Path, name: str) -> None:
    plant(tmp_path, {f"{CODE}/{name}": "", f"{CODE}/stats/score.py": ""})
    assert len(size.check_names(tmp_path).findings) == 1


def package(body: str) -> dict[str, str]:
    return {f"{CODE}/__init__.py": "", f"{CODE}/stats/__init__.py": "", f"{CODE}/stats/busy.py": body}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("open('left.txt', 'w')", "opens left.txt"),
        ("import pathlib\npathlib.Path(__file__).with_name('note.txt').open()", "opens note.txt"),
        ("import socket\nsocket.socket()", "socket.__new__"),
        ("import threading\nthreading.Thread(target=int).start()", "start_new_thread"),
        ("import os\nos.environ['LEFT'] = '1'", "changes the environment"),
        ("import os\nHOME = os.environ.get('HOME')", "reads the environment"),
        ("import os\nHOME = os.getenv('HOME')", "reads the environment"),
        ("import subprocess, sys\nsubprocess.run([sys.executable, '-V'])", "subprocess.Popen"),
        ("import torch", "imports torch"),
        ("try:\n    import torch\nexcept ImportError:\n    torch = None", "imports torch"),
        ("raise ValueError('no')", "cannot be imported: ValueError: no"),
    ],
)
def test_importing_that_does_something_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    found = importing.check(plant(tmp_path, {**package(body), f"{CODE}/stats/note.txt": ""})).findings
    assert found and all(f.startswith("stillwatch.stats.busy: ") for f in found) and any(said in f for f in found), (
        found
    )


def test_importing_that_only_defines_things_passes(tmp_path: Path) -> None:
    body = "import os\nimport numpy as np\nTABLE = np.arange(9)\ndef home(): return os.environ['HOME']\n"
    assert importing.check(plant(tmp_path, package(body))).findings == ()


def test_exceptions_live_in_one_place_or_stay_in_their_room(tmp_path: Path) -> None:
    errors = "class Refused(Exception):\n    exit_code = 2\nclass Twin(Refused):\n    pass\n"
    loud = "from stillwatch.terms.errors import Refused\nclass Loud(Refused): ...\n"
    quiet = "class Quiet(Exception): ...\ntry:\n    pass\nexcept Quiet:\n    pass\n"
    page = "### `Refused`\n### `Twin`\n### `Loud`\n"
    plant(tmp_path, {f"{CODE}/terms/errors.py": errors, f"{CODE}/logs/a.py": loud, f"{CODE}/store/b.py": quiet})
    found = "\n".join(exceptions.check(plant(tmp_path, {exceptions.PAGE: page})).findings)
    assert "Loud may leave its room" in found and "Twin has no exit code" in found and "no heading `Quiet`" in found
    assert len(found.splitlines()) == 3


@pytest.mark.parametrize("text", ["## Measured\n\nRecall: 91 %.\n", "# Results\n\n| a | b |\n|---|---|\n| x | 3 |\n"])
def test_a_measured_number_needs_its_source(text: str) -> None:
    findings, _ = figures.sourceless(text)
    assert len(findings) == 1
    for bad in ("make bench", "make bench, seed 1", "make bench, commit 0123abc", "by hand, seed 1, commit 0123abc"):
        assert figures.sourceless(f"{text}\n<!-- source: {bad} -->\n")[0], bad
    findings, commits = figures.sourceless(f"{text}\n<!-- source: make bench, seed 1, commit 0123abc -->\n")
    assert (findings, commits) == ([], ["0123abc"])


def test_promises_and_code_need_no_source() -> None:
    text = "# Title\n\nAt most 5 %.\n\n## Measured\n\nSee `x = 3`, [this](docs/0001.md).\n\n## Next\n\nIn 2 steps.\n"
    assert figures.sourceless(text) == ([], [])


def test_a_source_must_name_a_commit_that_exists(tmp_path: Path) -> None:
    def git(*arguments: str) -> str:
        who = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
        return subprocess.run(
            ["git", *who, *arguments], cwd=tmp_path, capture_output=True, text=True, check=True
        ).stdout

    git("init", "-q")
    git("commit", "-q", "--allow-empty", "-m", "one")
    made = git("rev-parse", "--short=10", "HEAD").strip()
    for commit, broken in ((made, 0), ("f" * 10, 1)):
        plant(tmp_path, {"README.md": f"## Measured\n\n3 %\n\n<!-- source: make bench, seed 1, commit {commit} -->\n"})
        assert len(figures.check(tmp_path).findings) == broken


@pytest.mark.parametrize(
    "line",
    [
        "fi" "le:///srv/x", "see /ro" "ot/x", "in /ho" "me/ann/log", "/Us" "ers/ann", "https://py" "pi.org/simple",
        "pip install --extra-in" "dex-url x", "--trusted-ho" "st x", "open('/t" "mp/x')",
    ],
)  # fmt: skip
def test_marks_of_a_machine_are_found(line: str) -> None:
    assert list(addresses.machine_marks(line))


@pytest.mark.parametrize(
    "line", ["a/home/b", "~/x", "./tmp/x", "https://example.org/home/x", "GET /v1/chat", "{root}/home/x"]
)
def test_other_paths_are_left_alone(line: str) -> None:
    assert not list(addresses.machine_marks(line))


HASH = "--hash=sha256:" + "0" * 64


@pytest.mark.parametrize(
    "text",
    [
        f"six>=1 {HASH}",
        "six==1.0",
        f"-r other.txt {HASH}",
        f"six @ https://example.org/six.whl {HASH}",
        f"--pre\nsix==1.0 {HASH}",
    ],
)
def test_a_requirement_that_is_not_pinned_is_refused(text: str) -> None:
    assert list(addresses.unpinned(text))


def test_pinned_requirements_pass() -> None:
    assert not list(
        addresses.unpinned(f"# note\nsix==1.0 ; python_full_version < '3.14' \\\n    {HASH} \\\n    {HASH}\n")
    )


def test_dead_links_lost_anchors_and_unlisted_pages_are_found(tmp_path: Path) -> None:
    index = "# Docs\n[a](a.md) [gone](gone.md) [lost](a.md#nowhere) [fine](a.md#a-title) [out](../../x.md)\n"
    plant(tmp_path, {"docs/README.md": index, "docs/a.md": "# A `title`\n", "docs/b.md": "```\n[no](link.md)\n```\n"})
    found = "\n".join(links.check(tmp_path).findings)
    for part in ("gone.md does not exist", "no heading makes #nowhere", "leads out", "does not list docs/b.md"):
        assert part in found
    assert len(found.splitlines()) == 4


def test_entries_are_headings_and_first_cells(tmp_path: Path) -> None:
    page = plant(tmp_path, {"p.md": "## `S1`: rate\n\nmentions `S2`\n\n| `S3` | uses `S4` |\n"}) / "p.md"
    assert entries.entries(page) == {"S1", "S3"}
    assert entries.entries(tmp_path / "absent.md") == set()


def test_the_contract_lists_every_room_that_exists_and_none_that_does_not(tmp_path: Path) -> None:
    contract = '[[tool.importlinter.contracts]]\nlayers = ["cli", "(gateway) | lab", "terms"]\n'
    rooms = {f"{CODE}/{room}/__init__.py": "" for room in ("cli", "gateway", "terms", "attic")}
    picture = {layers.PICTURE: "```text\ncli/\ngateway/ lab/\n```\n"}
    found = "\n".join(layers.check(plant(tmp_path, {"pyproject.toml": contract, **rooms, **picture})).findings)
    for part in ("do not list room attic", "room lab is absent", "room gateway exists", "differ in ['terms']"):
        assert part in found


def test_imports_and_declared_dependencies_agree(tmp_path: Path) -> None:
    declared = '[project]\ndependencies = ["numpy>=2.2", "pillow>=11", "idle==1.0"]\n'
    body = "import os\nimport numpy.linalg as la\nfrom PIL import Image\nfrom fsspec import open as o\n"
    found = dependencies.check(plant(tmp_path, {"pyproject.toml": declared, **package(body)})).findings
    assert found == (
        "src/stillwatch/stats/busy.py:4: imports fsspec, which pyproject.toml does not declare",
        "pyproject.toml: declares idle, which nothing imports",
    )


def test_treatments_that_do_not_exist_are_skipped_visibly(tmp_path: Path) -> None:
    assert "absent" in treatments.check(tmp_path).skipped
