"""A dossier as a PDF for people who file paper.

In: the dossier's records. Out: PDF bytes, the same for the same records: no clock, no chance, nothing compressed.
Cost: about 10 ms a page. Left to `dossiersections`: what it says.
"""

import io
from collections.abc import Iterator
from typing import Any, Final
from xml.sax.saxutils import escape

import reportlab
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.platypus import CondPageBreak, Flowable, Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

from stillwatch.console.dossiersections import DossierRecords, Grid, Section, headline, sections
from stillwatch.console.wording import safe

PRINTER: Final = str(reportlab.Version)
"""Release of the library that draws; another may draw other bytes."""
_MARGIN: Final = 20 * mm
_WIDTH: Final = A4[0] - 2 * _MARGIN - 12
"""Points between the margins, less the padding that the library gives a page."""
_INK, _QUIET, _RULE = colors.HexColor("#1b1d22"), colors.HexColor("#5c626d"), colors.HexColor("#d8d9d4")
_PLAIN = ParagraphStyle("plain", fontName="Helvetica", fontSize=9.5, leading=13.5, textColor=_INK, spaceAfter=5,
                        splitLongWords=1, wordWrap="LTR")  # fmt: skip
_CELL = ParagraphStyle("cell", parent=_PLAIN, fontSize=8.5, leading=11, spaceAfter=0)
_NAME = ParagraphStyle("name", parent=_CELL, textColor=_QUIET)
_TITLE = ParagraphStyle("title", parent=_PLAIN, fontName="Helvetica-Bold", fontSize=20, leading=24, spaceAfter=8)
_HEAD = ParagraphStyle("head", parent=_PLAIN, fontName="Helvetica-Bold", fontSize=13, leading=17, spaceBefore=14,
                       spaceAfter=6, keepWithNext=1)  # fmt: skip
_PART = ParagraphStyle("part", parent=_HEAD, fontSize=10.5, leading=14, spaceBefore=9, spaceAfter=3)
_LEAD = ParagraphStyle("lead", parent=_PLAIN, fontSize=11.5, leading=16, spaceAfter=8)
_POINT = ParagraphStyle("point", parent=_PLAIN, leftIndent=10, bulletIndent=0, spaceAfter=3)


def dossier_pdf(records: DossierRecords) -> bytes:
    """Return the PDF."""
    out = io.BytesIO()
    name = headline(records)
    document = SimpleDocTemplate(
        out, pagesize=A4, leftMargin=_MARGIN, rightMargin=_MARGIN, topMargin=_MARGIN, bottomMargin=_MARGIN,
        title=_text(f"Dossier on {records.protocol.suspect.name}: {name}"), author="Stillwatch", pageCompression=0,
        invariant=1, lang="en",
    )  # fmt: skip
    foot = _text(f"Stillwatch dossier of {records.facts.made}, key {records.facts.ledger.fingerprint[:16]}")

    def footer(canvas: Any, _: Any) -> None:
        canvas.setFont("Helvetica", 7.5)
        canvas.setFillColor(_QUIET)
        canvas.drawString(_MARGIN + 6, 11 * mm, foot)
        canvas.drawRightString(A4[0] - _MARGIN - 6, 11 * mm, str(canvas.getPageNumber()))

    document.build(list(_story(records, name)), onFirstPage=footer, onLaterPages=footer)
    return out.getvalue()


def _story(records: DossierRecords, name: str) -> Iterator[Flowable]:
    yield _paragraph(f"Stillwatch dossier of {records.facts.made}, made by {records.facts.by}", _NAME)
    yield Spacer(0, 4 * mm)
    yield _paragraph(records.protocol.suspect.name, _NAME)
    yield _paragraph(name, _TITLE)
    yield _paragraph(records.facts.conclusion.words, _LEAD)
    for number, section in enumerate(sections(records), start=1):
        yield from _section(section, f"{number}  {section.title}", _HEAD)


def _section(section: Section, title: str, style: ParagraphStyle) -> Iterator[Flowable]:
    body = list(_body(section))
    yield CondPageBreak(30 * mm)  # a title at the foot of a page would stand alone
    yield _paragraph(title, style)
    yield from body
    for part in section.parts:
        yield from _section(part, part.title, _PART)


def _body(section: Section) -> Iterator[Flowable]:
    for said in section.paragraphs:
        yield _paragraph(said, _PLAIN)
    if section.pairs:
        rows = [[_paragraph(name, _NAME), _paragraph(value, _CELL)] for name, value in section.pairs]
        yield _table(rows, (0.27, 0.73), head=False)
    if section.grid:
        yield _grid(section.grid)
    for point in section.points:
        yield Paragraph(escape(_text(point)), _POINT, bulletText="\u2022")


def _grid(grid: Grid) -> Table:
    head = [_paragraph(name, _NAME) for name in grid.head]
    rows = [[_paragraph(cell, _CELL) for cell in row] for row in grid.rows]
    return _table([head, *rows], grid.wide, head=True)


def _table(rows: list[list[Paragraph]], wide: tuple[float, ...], *, head: bool) -> Table:
    table = Table(rows, colWidths=[share * _WIDTH for share in wide], repeatRows=int(head), spaceAfter=7, splitInRow=1)
    table.setStyle(
        TableStyle(
            [
                ("VALIGN", (0, 0), (-1, -1), "TOP"), ("LINEBELOW", (0, 0), (-1, -1), 0.4, _RULE),
                ("LEFTPADDING", (0, 0), (-1, -1), 0), ("RIGHTPADDING", (0, 0), (-1, -1), 5),
                ("TOPPADDING", (0, 0), (-1, -1), 2.5), ("BOTTOMPADDING", (0, 0), (-1, -1), 2.5),
            ]
        )
    )  # fmt: skip
    return table


def _paragraph(text: str, style: ParagraphStyle) -> Paragraph:
    return Paragraph(escape(_text(text)), style)


def _text(text: str) -> str:
    """Return text in the letters that the standard fonts have; others are spelt out."""
    spelt = (c if c.encode("cp1252", "ignore") else f"\\u{ord(c):04x}" for c in safe(text))
    return "".join(spelt)
