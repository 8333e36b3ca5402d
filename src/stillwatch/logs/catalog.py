"""Every importer, in the order in which a tie between their claims is broken."""

from collections.abc import Sequence

from stillwatch.logs.anthropic import Anthropic
from stillwatch.logs.importer import Importer, Row
from stillwatch.logs.litellm import LiteLLM
from stillwatch.logs.mapped import Mapped
from stillwatch.logs.openai import OpenAI
from stillwatch.logs.otel import Otel
from stillwatch.logs.plain import Plain
from stillwatch.terms.catalog import Catalog

IMPORTERS: Catalog[Importer] = Catalog("importer", LiteLLM(), Otel(), Anthropic(), OpenAI(), Plain(), Mapped())
"""Every importer; the conformance tests run them all."""

MIN_CLAIM = 0.1
"""Least share of the first rows that an importer must know, for a file to be taken as its own."""


def detect(rows: Sequence[Row]) -> Importer | None:
    """Return the importer that knows most of `rows`, the first rows of a file; None when none knows a tenth."""
    best: Importer | None = None
    most = 0
    for importer in IMPORTERS:
        known = sum(importer.claims(row) for row in rows)
        if known > most and known >= MIN_CLAIM * len(rows):
            best, most = importer, known
    return best
