"""Exams: forensic tests of a suspect, each from planned test and materials to findings, and each in one list.

In: `terms.protocol.PlannedTest`, materials by name. Out: `terms.finding.Finding`s. No exam reads a file, a clock or a
suspect. Left to `suspects`: asking. Left to `app.examine`: making materials. Left to `ledger`: signing.
"""

from stillwatch.forensics.exams.canary import CanaryExam
from stillwatch.forensics.exams.errors import ErrorAgreement, Provenance
from stillwatch.forensics.exams.examination import Examination
from stillwatch.forensics.exams.identity import IdentityLeakage
from stillwatch.forensics.exams.radioactivity import Radioactivity
from stillwatch.forensics.exams.reference import ReferenceResidual
from stillwatch.forensics.exams.served import ServedLogits
from stillwatch.forensics.exams.tracing import Tracing
from stillwatch.forensics.exams.withheld import WithheldSample
from stillwatch.terms.catalog import Catalog

EXAMS: Catalog[Examination] = Catalog(
    "exam", Radioactivity(), ReferenceResidual(), ServedLogits(), Tracing(), CanaryExam(), WithheldSample(),
    ErrorAgreement(), Provenance(), IdentityLeakage(),
)  # fmt: skip
"""Every exam, in the order that pages list them; the conformance tests run them all."""
