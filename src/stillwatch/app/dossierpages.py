"""The pages of a dossier, made from its records and from nothing else.

In: facts, protocol, findings, acquisition. Out: HTML and PDF by file name. Left to `console`: how they look.
"""

from collections.abc import Sequence
from typing import Final

from stillwatch.forensics.dossier import DossierFacts
from stillwatch.terms.finding import Acquired, Finding
from stillwatch.terms.protocol import ExamProtocol

FACTS: Final = "facts.json"
HTML: Final = "dossier.html"
PDF: Final = "dossier.pdf"


def pages(
    facts: DossierFacts, protocol: ExamProtocol, findings: Sequence[Finding], acquired: Sequence[Acquired]
) -> dict[str, bytes]:
    """Return the pages, the same bytes for the same records."""
    from stillwatch.console.dossierpage import dossier_html
    from stillwatch.console.dossierpdf import dossier_pdf
    from stillwatch.console.dossiersections import DossierRecords

    records = DossierRecords(facts=facts, protocol=protocol, findings=tuple(findings), acquired=tuple(acquired))
    return {HTML: dossier_html(records).encode("utf-8"), PDF: dossier_pdf(records)}
