"""What the package imports is declared, and what is declared is imported.

In: the imports of src/stillwatch and the dependencies in pyproject.toml. Out: the difference.
A library that is only there because another one needs it may go with that one's next release.
"""

import ast
import re
import sys
import tomllib
from pathlib import Path

from tools.gates.rule import Outcome
from tools.gates.tree import modules, parse, where

PACKAGE_OF = {
    "PIL": "pillow", "argon2": "argon2-cffi", "clickhouse_connect": "clickhouse-connect", "jwt": "pyjwt",
    "prometheus_client": "prometheus-client", "rfc3161_client": "rfc3161-client",
}  # fmt: skip
"""Import name -> package name, where they differ."""
LOADED_BY_OTHERS = frozenset(["chdb", "chdb-core", "httptools", "python-multipart"])
"""Loaded by name, so nothing here does: the engine by `clickhouse-connect`, parsers by `uvicorn` and `starlette`."""


def check(root: Path) -> Outcome:
    """Compare imports and declarations."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = {_name(line) for line in project["dependencies"]}
    extra = {_name(line) for lines in project.get("optional-dependencies", {}).values() for line in lines}
    findings, used = [], set()
    for path in modules(root):
        for line, top in _outside(parse(path)):
            package = PACKAGE_OF.get(top, top)
            used.add(package)
            if package not in declared | extra:
                findings.append(f"{where(root, path, line)}: imports {top}, which pyproject.toml does not declare")
    idle = declared - used - LOADED_BY_OTHERS
    findings += [f"pyproject.toml: declares {package}, which nothing imports" for package in sorted(idle)]
    return Outcome(findings=tuple(findings), note=f"{len(declared)} libraries")


def _name(requirement: str) -> str:
    return re.split(r"[\s<>=!~;\[]", requirement, maxsplit=1)[0]


def _outside(tree: ast.Module) -> list[tuple[int, str]]:
    """Return (line, top-level name) of each import that is neither the standard library's nor ours."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name.split(".")[0]) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.append((node.lineno, node.module.split(".")[0]))
    return [(line, top) for line, top in found if top not in sys.stdlib_module_names | {"stillwatch"}]
