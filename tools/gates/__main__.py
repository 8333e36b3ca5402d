"""Run every gate, or with `--write` remake the pages that are made from code.

In: `--write` or nothing. Out: one line a rule; exit code 1 when a promise is broken.
"""

import sys

from tools.gates import (
    addresses,
    dependencies,
    entries,
    exceptions,
    figures,
    generated,
    importing,
    layers,
    links,
    purity,
    size,
    treatments,
)
from tools.gates.rule import Rule
from tools.gates.tree import ROOT

RULES = (
    Rule(name="1 rooms", promise="imports run downwards, and the one picture is true", check=layers.check),
    Rule(name="2 purity", promise="the core does no I/O, reads no clock, draws no chance", check=purity.check),
    Rule(name="3 size", promise="files and parameter lists stay small", check=size.check_length),
    Rule(name="4 names", promise="a file is named after the noun it holds", check=size.check_names),
    Rule(name="5-6 importing", promise="importing does nothing and needs no torch", check=importing.check),
    Rule(name="7 exceptions", promise="a class only where a caller acts differently", check=exceptions.check),
    Rule(name="8 pages", promise="pages made from code say what it does", check=generated.check),
    Rule(name="8 entries", promise="every scenario, importer and setting has its entry", check=entries.check),
    Rule(name="8 links", promise="every link leads somewhere, every page is listed", check=links.check),
    Rule(name="9 numbers", promise="measured numbers name command, seed and commit", check=figures.check),
    Rule(name="10 treatments", promise="treatments are off, and wait for a person", check=treatments.check),
    Rule(name="addresses", promise="no machine's paths, no hosts; all pinned by hash", check=addresses.check),
    Rule(name="dependencies", promise="what is imported is declared, and the other way", check=dependencies.check),
)
"""Every rule of the house, in its order."""


def main(arguments: list[str]) -> int:
    """Run the gates and return the exit code."""
    if arguments == ["--write"]:
        for name in generated.write(ROOT):
            print(f"wrote {name}")
        return 0
    if arguments:
        print("usage: python -m tools.gates [--write]", file=sys.stderr)
        return 2
    broken = 0
    for rule in RULES:
        outcome = rule.check(ROOT)
        state = "BROKEN" if outcome.findings else "skipped" if outcome.skipped else "kept"
        detail = outcome.skipped or outcome.note
        print(f"{state:8}{rule.name:15}{rule.promise}{f' ({detail})' if detail else ''}")
        for finding in outcome.findings:
            print(f"          {finding}")
        broken += bool(outcome.findings)
    print(f"{len(RULES) - broken} of {len(RULES)} rules kept")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
