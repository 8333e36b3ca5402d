"""Rule 2: the core does no I/O, reads no clock, draws no chance of its own.

In: the syntax trees of the core's rooms. Out: each forbidden import, name or call.
`io.BytesIO` is memory and allowed; `numpy.random.Generator` is an argument's type and allowed.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

from tools.gates.rule import Outcome
from tools.gates.tree import CORE, modules, parse, where

FORBIDDEN_IMPORTS = frozenset(
    "asyncio chdb click clickhouse_connect concurrent ctypes fcntl glob http httpx importlib jax jinja2 logging mmap "
    "multiprocessing os pathlib pty random requests secrets select selectors shutil signal socket socketserver sqlite3 "
    "ssl subprocess sys tempfile tensorflow threading time torch transformers urllib urllib3 webbrowser".split()
)
FORBIDDEN_SUBMODULES = ("pyarrow.parquet", "pyarrow.fs", "pyarrow.dataset", "pyarrow.csv", "pyarrow.json")
FORBIDDEN_CALLS = frozenset(["open", "print", "input", "exec", "eval", "breakpoint", "__import__"])
FORBIDDEN_NAMES = {
    "io.open": "I/O", "io.FileIO": "I/O", "datetime.datetime.now": "a clock", "datetime.datetime.utcnow": "a clock",
    "datetime.datetime.today": "a clock", "datetime.date.today": "a clock", "uuid.uuid1": "a clock",
    "uuid.uuid4": "chance of its own", "numpy.load": "I/O", "numpy.save": "I/O", "numpy.savez": "I/O",
    "numpy.savetxt": "I/O", "numpy.loadtxt": "I/O", "numpy.genfromtxt": "I/O", "numpy.fromfile": "I/O",
    "numpy.memmap": "I/O", "PIL.Image.Image.save": "I/O",
}  # fmt: skip
CHANCE_TYPES = frozenset(["Generator", "BitGenerator", "SeedSequence", "PCG64", "PCG64DXSM", "Philox", "SFC64"])


def check(root: Path) -> Outcome:
    """Look through the core's rooms."""
    present = [path for path in modules(root, *CORE)]
    findings = [f"{where(root, path, line)}: {what}" for path in present for line, what in impurities(parse(path))]
    return Outcome(findings=tuple(findings), note=f"{len(present)} core modules")


def impurities(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield (line, what is wrong) for one module.

    >>> [what for _, what in impurities(ast.parse("import os.path"))]
    ['imports os; the core takes what it needs as arguments']
    """
    names = _aliases(tree)
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    in_memory = {id(call.func) for call in calls if call.args and _is_buffer(call.args[0], names)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from _imports(node)
        elif isinstance(node, ast.Attribute | ast.Name) and id(node) not in in_memory:
            yield from _uses(node, names)
    for call in calls:
        if isinstance(call.func, ast.Name) and call.func.id in FORBIDDEN_CALLS and call.func.id not in names:
            yield call.lineno, f"calls {call.func.id}(); the core does no I/O and runs no text"
        if _name(call.func, names) == "numpy.random.default_rng" and not (call.args or call.keywords):
            yield call.lineno, "draws a seed from the machine; take `rng` as an argument"


def _is_buffer(node: ast.expr, names: dict[str, str]) -> bool:
    """Return whether this is `io.BytesIO(...)`: what reads that reads memory."""
    return isinstance(node, ast.Call) and _name(node.func, names) == "io.BytesIO"


def _imports(node: ast.Import | ast.ImportFrom) -> Iterator[tuple[int, str]]:
    wanted = [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module or ""]
    if isinstance(node, ast.ImportFrom):
        wanted += [f"{node.module}.{a.name}" for a in node.names]
    for name in dict.fromkeys(wanted):
        top = name.split(".")[0]
        if top in FORBIDDEN_IMPORTS and name in (wanted[0], top):
            yield node.lineno, f"imports {top}; the core takes what it needs as arguments"
        elif name in FORBIDDEN_SUBMODULES:
            yield node.lineno, f"imports {name}; reading and writing belong to an edge"


def _uses(node: ast.Attribute | ast.Name, names: dict[str, str]) -> Iterator[tuple[int, str]]:
    full = _name(node, names)
    if full in FORBIDDEN_NAMES:
        yield node.lineno, f"uses {full}, {FORBIDDEN_NAMES[full]}; take it as an argument"
    head, _, last = full.rpartition(".")
    if head == "numpy.random" and last not in CHANCE_TYPES and last != "default_rng":
        yield node.lineno, f"uses {full}, chance shared by the whole process; take `rng` as an argument"
    if isinstance(node, ast.Attribute) and node.attr in ("tofile", "write_bytes", "write_text", "read_text"):
        yield node.lineno, f"uses .{node.attr}; the core does no I/O"


def _aliases(tree: ast.Module) -> dict[str, str]:
    """Return local name -> full dotted name for everything imported anywhere in the module."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for a in node.names:
                names[a.asname or a.name.split(".")[0]] = a.name if a.asname else a.name.split(".")[0]
        elif isinstance(node, ast.ImportFrom):
            names.update({a.asname or a.name: f"{node.module}.{a.name}" for a in node.names})
    return names


def _name(node: ast.expr, names: dict[str, str]) -> str:
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name) or node.id not in names:
        return ""
    return ".".join([names[node.id], *reversed(parts)])
