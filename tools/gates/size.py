"""Rules 3 and 4: files and functions stay small, and are named after what they hold.

In: every Python file; parameters are counted in the package only. Out: what is too long or vaguely named.
Statements and complexity are ruff's (PLR0915, C901). A click command's parameters are its options,
each with its own help, so they are not counted.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

from tools.gates.rule import Outcome
from tools.gates.tree import files, modules, parse, where

AIM, LIMIT = 150, 400
MAX_PARAMETERS = 5
DATA_TABLES: frozenset[str] = frozenset()
"""Files that only list data and may be long, by path from the root."""
VAGUE = frozenset("common commons core helper helpers manager managers misc miscellaneous util utils".split())


def check_length(root: Path) -> Outcome:
    """Look for files over the limit and functions with too many parameters."""
    python = [path for path in files(root) if path.suffix == ".py"]
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in python}
    findings = [
        f"{where(root, path)}: {count} lines; at most {LIMIT}, aim at {AIM}: split it by what it holds"
        for path, count in lines.items()
        if count > LIMIT and path.relative_to(root).as_posix() not in DATA_TABLES
    ]
    findings += [f"{where(root, path, line)}: {what}" for path in modules(root) for line, what in crowded(parse(path))]
    over = [path for path in modules(root) if lines.get(path, 0) > AIM]
    note = f"{len(python)} files, {len(over)} of the package's over {AIM} lines"
    return Outcome(findings=tuple(findings), note=note)


def crowded(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield (line, what is wrong) for each function with too many parameters.

    >>> list(crowded(ast.parse("def f(a, b, c, d, e): ...")))
    []
    >>> [line for line, _ in crowded(ast.parse("def f(a, b, c, d, e, *, g): ..."))]
    [1]
    """
    methods = {id(f) for c in ast.walk(tree) if isinstance(c, ast.ClassDef) for f in c.body}
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or _is_command(node):
            continue
        given = [a.arg for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
        count = len(given) - (id(node) in methods and given[:1] in (["self"], ["cls"]))
        if count > MAX_PARAMETERS:
            yield node.lineno, f"{node.name} takes {count} parameters; at most {MAX_PARAMETERS}: give it a record"


def _is_command(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    called = [d.func for d in node.decorator_list if isinstance(d, ast.Call)]
    return any(isinstance(f, ast.Attribute) and f.attr in ("command", "group") for f in called)


def check_names(root: Path) -> Outcome:
    """Look for rooms and files whose name says nothing."""
    code = [path.relative_to(root) for path in files(root) if path.parts[len(root.parts)] in ("src", "tools", "bench")]
    findings = [
        f"{path.as_posix()}: {part!r} names no thing; name it after what it holds"
        for path in code
        for part in path.with_suffix("").parts
        if part.lower() in VAGUE
    ]
    return Outcome(findings=tuple(dict.fromkeys(findings)))
