"""Docs lead somewhere: every relative link of every page names a file, and a heading if it says so.

In: README.md, the other pages at the root, docs/, bench/. Out: links to nothing, pages nobody links to.
Addresses on other hosts are not tried: the checks work without a network.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

from tools.gates.rule import Outcome
from tools.gates.tree import files, where

LINK = re.compile(r"(?<!\\)\[(?:[^\]\[]|\[[^\]]*\])*\]\(<?(?P<target>[^)\s>]+)>?(?:\s+\"[^\"]*\")?\)")
INDEX = "docs/README.md"


def check(root: Path) -> Outcome:
    """Follow every link."""
    pages = [path for path in files(root) if path.suffix == ".md"]
    findings, linked, count = [], set(), 0
    for page in pages:
        for line, target in links(page.read_text(encoding="utf-8")):
            count += 1
            file, _, anchor = target.partition("#")
            to = (page.parent / unquote(file)).resolve() if file else page.resolve()
            if not to.is_relative_to(root):
                findings.append(f"{where(root, page, line)}: {target} leads out of the repository")
            elif not to.exists():
                findings.append(f"{where(root, page, line)}: {target} does not exist")
            elif anchor and to.suffix == ".md" and anchor not in anchors(to.read_text(encoding="utf-8")):
                findings.append(f"{where(root, page, line)}: {target}: no heading makes #{anchor}")
            if page == root / INDEX:
                linked.add(to)
    docs = [page for page in pages if page.is_relative_to(root / "docs") and page != root / INDEX]
    findings += [f"{INDEX}: does not list {where(root, p)}" for p in docs if p.resolve() not in linked]
    return Outcome(findings=tuple(findings), note=f"{count} links on {len(pages)} pages")


def links(text: str) -> Iterator[tuple[int, str]]:
    """Yield (line, target) for each link that stays in the repository; code is no text.

    >>> list(links("see [a](b.md#c) and `[x](y)` and [z](https://example.org)"))
    [(1, 'b.md#c')]
    """
    for number, line in _prose(text):
        for match in LINK.finditer(re.sub(r"`[^`]*`", "", line)):
            if not re.match(r"[a-z][a-z0-9+.-]*:", match["target"]):
                yield number, match["target"]


def anchors(text: str) -> set[str]:
    """Return the anchors that a page's headings make.

    >>> sorted(anchors("# One `two` three!"))
    ['one-two-three']
    """
    headings = [line.lstrip("#").strip() for _, line in _prose(text) if re.match(r"#{1,6} ", line)]
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _prose(text: str) -> Iterator[tuple[int, str]]:
    fenced = False
    for number, line in enumerate(text.splitlines(), start=1):
        if line.lstrip().startswith(("```", "~~~")):
            fenced = not fenced
        elif not fenced:
            yield number, line
