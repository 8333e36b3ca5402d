"""Import every module of the package and report what an import did besides; run by `importing`.

In: the root as argument. Out: a JSON list of findings on standard output.
Third-party modules are imported first, unwatched: what they do is theirs. Then an audit hook
watches for files, network, processes and threads, and torch and its kin cannot be found.
"""

import ast
import importlib
import importlib.abc
import json
import os
import sys
import threading
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

HEAVY = frozenset(["torch", "transformers", "tensorflow", "jax", "vllm", "llama_cpp"])
HEAVY_ROOMS = ("stillwatch.engines", "stillwatch.suspects", "stillwatch.lab.neural")
"""Rooms in which torch lives; they are not imported here."""
CODE = (".py", ".pyc", ".so", ".pth", ".zip", ".dylib")
DEEDS = (
    "socket.", "subprocess.", "os.system", "os.exec", "os.fork", "os.posix_spawn", "os.mkdir", "os.remove", "os.rename",
    "os.rmdir", "os.putenv", "os.unsetenv", "os.chmod", "os.kill", "shutil.", "tempfile.", "_thread.start_",
)  # fmt: skip


class NoTorch(importlib.abc.MetaPathFinder):
    """Refuses the heavy packages and remembers who asked."""

    def __init__(self, findings: list[str]) -> None:
        self.findings = findings
        self.module = ""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Refuse `fullname` when it is heavy; leave all else to the finders that follow."""
        if fullname.split(".")[0] in HEAVY:
            self.findings.append(f"{self.module}: importing it imports {fullname}; only {HEAVY_ROOMS} may")
            raise ModuleNotFoundError(f"{fullname} is withheld by the gate", name=fullname)
        return None


class Environment(dict[str, str]):
    """Stands in for `os.environ` and remembers that a module of the package used it."""

    findings: list[str]
    package: str
    module: str = ""

    def _note(self, deed: str) -> None:
        frame = sys._getframe(2)
        while frame is not None and frame.f_code.co_filename.startswith(("<frozen os", os.__file__)):
            frame = frame.f_back  # type: ignore[assignment]
        if frame is not None and frame.f_code.co_filename.startswith(self.package):
            self.findings.append(f"{self.module}: importing it {deed} the environment")

    def __getitem__(self, key: str) -> str:
        self._note("reads")
        return super().__getitem__(key)

    def __setitem__(self, key: str, value: str) -> None:
        self._note("changes")
        super().__setitem__(key, value)

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value as `dict` does, noting who asked."""
        self._note("reads")
        return super().get(key, default)


def outside(paths: list[Path]) -> list[str]:
    """Return the third-party modules that these files name at their top level."""
    names: set[str] = set()
    for path in paths:
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Import):
                names.update(a.name for a in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.update([node.module, *(f"{node.module}.{a.name}" for a in node.names)])
    return sorted(n for n in names if n.split(".")[0] not in HEAVY | {"stillwatch", "__future__"})


def watch(findings: list[str], current: NoTorch) -> None:
    """Install the audit hook; there is no way to take one out again, hence the process of its own."""

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if not current.module:
            return
        if event == "open":
            name, mode, flags = str(args[0]), args[1] or "r", args[2] or 0
            writes = any(c in str(mode) for c in "wax+") or flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
            if writes or not name.endswith(CODE):
                findings.append(f"{current.module}: importing it opens {Path(name).name} ({mode})")
        elif event.startswith(DEEDS):
            findings.append(f"{current.module}: importing it does {event}")

    def start(thread: threading.Thread) -> None:
        hook("_thread.start_new_thread", ())
        begin(thread)

    sys.addaudithook(hook)
    begin = threading.Thread.start
    threading.Thread.start = start  # type: ignore[method-assign, assignment]


def main() -> None:
    """Import everything and print the findings."""
    root = Path(sys.argv[1])
    paths = sorted((root / "src" / "stillwatch").rglob("*.py"))
    findings: list[str] = []
    for name in outside(paths):
        try:
            importlib.import_module(name)
        except ImportError:
            pass  # a name inside a module, or a package that only some rooms need
    finder = NoTorch(findings)
    sys.meta_path.insert(0, finder)
    environment = Environment(os.environ)
    environment.findings, environment.package = findings, str(root / "src")
    os.environ = environment  # type: ignore[assignment]  # noqa: B003 - a process of its own
    watch(findings, finder)
    for path in paths:
        parts = path.relative_to(root / "src").with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        if name.startswith(HEAVY_ROOMS) or parts[-1] == "__main__":
            continue
        finder.module = environment.module = name
        try:
            importlib.import_module(name)
        except Exception as error:  # whatever it is, it is the finding
            findings.append(f"{name}: cannot be imported: {type(error).__name__}: {error}")
    finder.module = environment.module = ""
    print(json.dumps(list(dict.fromkeys(findings))))


if __name__ == "__main__":
    main()
