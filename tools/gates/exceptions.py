"""Rule 7: few exceptions, each because a caller acts differently.

In: every class of the package. Out: exceptions that are undocumented or never told apart.
What the command line or another room may see is defined in `terms/errors.py`. A room may have a
signal of its own as long as it catches it by name itself.
"""

import ast
from pathlib import Path

from tools.gates.rule import Outcome
from tools.gates.tree import dotted, modules, parse, where

HOME = "stillwatch.terms.errors"
PAGE = "docs/reference/errors.md"


def check(root: Path) -> Outcome:
    """Find every exception class and what is done with it."""
    trees = {path: parse(path) for path in modules(root)}
    rooms = {path: dotted(root, path).split(".")[1:2] for path in trees}
    classes = [
        (path, node) for path, tree in trees.items() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)
    ]
    known = {node.name for path, node in classes if dotted(root, path) == HOME}
    page = (root / PAGE).read_text(encoding="utf-8") if (root / PAGE).exists() else ""
    findings, count = [], 0
    for path, node in classes:
        if not _is_exception(node, known):
            continue
        count += 1
        shared = dotted(root, path) == HOME
        callers = [tree for other, tree in trees.items() if shared or rooms[other] == rooms[path]]
        caught = {name for tree in callers for name in _caught(tree)}
        place = where(root, path, node.lineno)
        if f"# `{node.name}`" not in page:
            findings.append(f"{PAGE}: no heading `{node.name}`; every error has one")
        if shared and node.name not in caught and not _has_exit_code(node):
            findings.append(f"{place}: {node.name} has no exit code of its own and nobody catches it; use its base")
        if not shared and node.name not in caught:
            findings.append(f"{place}: {node.name} may leave its room; catch it there, or define it in {HOME}")
    return Outcome(findings=tuple(findings), note=f"{count} classes")


def _is_exception(node: ast.ClassDef, known: set[str]) -> bool:
    named = [base for base in node.bases if isinstance(base, ast.Name | ast.Attribute)]
    bases = [base.attr if isinstance(base, ast.Attribute) else base.id for base in named]
    return any(base in known or base.endswith(("Exception", "Error", "Warning", "Exit")) for base in bases)


def _caught(tree: ast.Module) -> set[str]:
    handlers = [n.type for n in ast.walk(tree) if isinstance(n, ast.ExceptHandler) and n.type is not None]
    return {leaf.id for h in handlers for leaf in ast.walk(h) if isinstance(leaf, ast.Name)}


def _has_exit_code(node: ast.ClassDef) -> bool:
    return any(
        isinstance(line, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "exit_code" for t in line.targets)
        for line in node.body
    )
