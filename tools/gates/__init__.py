"""The rules of the house, each with its gate; `python -m tools.gates` runs them all.

In: the repository's files. Out: one line a rule, and each finding with its file and line.
`--write` remakes the reference pages that are made from code.
Left to ruff: complexity, statements a function, docstrings. Left to import-linter: layers.
"""
