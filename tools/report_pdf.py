"""The report of a case as a PDF (ReportLab, BSD licence).

Letters are those of Bitstream Vera, which comes with ReportLab: Latin scripts. What it cannot
write stands as a question mark, and the page says that the HTML report shows it.
"""

from __future__ import annotations

import io
from html import escape

from reportlab.lib.colors import HexColor
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.platypus import Flowable, Image, KeepTogether, Paragraph, SimpleDocTemplate, Spacer, Table

from tools.report import LIMITS, CaseReport, Step, jpeg

FONT, BOLD = "Vera", "VeraBd"
PICTURE_WIDTH = 45 * mm
TEXT = ParagraphStyle("text", fontName=FONT, fontSize=9, leading=13, wordWrap="CJK")
SMALL = ParagraphStyle("small", TEXT, fontSize=7.5, leading=10, textColor=HexColor("#666666"))
QUOTE = ParagraphStyle(
    "quote", TEXT, leftIndent=4 * mm, borderPadding=(1, 2, 1, 4), textColor=HexColor("#222222")
)
TITLE = ParagraphStyle("title", TEXT, fontName=BOLD, fontSize=16, leading=22)
LIMIT = ParagraphStyle(
    "limit", TEXT, backColor=HexColor("#fff6da"), borderPadding=5, spaceAfter=8, spaceBefore=8
)
BAD = ParagraphStyle("bad", LIMIT, backColor=HexColor("#fde4e1"))


def as_pdf(report: CaseReport) -> bytes:
    """The report as the bytes of a PDF of A4 pages."""
    for name in (FONT, BOLD):
        pdfmetrics.registerFont(TTFont(name, f"{name}.ttf"))
    held = io.BytesIO()
    pages = SimpleDocTemplate(
        held, pagesize=A4, title=f"Case {report.name}", author="FaceGPT",
        leftMargin=18 * mm, rightMargin=18 * mm, topMargin=16 * mm, bottomMargin=16 * mm,
    )  # fmt: skip
    story: list[Flowable] = [
        Paragraph(_written(f"Case {report.name}"), TITLE),
        Paragraph(_written(LIMITS), LIMIT),
        Paragraph(_written(f"Journal: {report.state}"), TEXT if report.check.sound else BAD),
        Paragraph(f"sha256 of the last line: {report.check.last}", SMALL),
    ]
    if any(not _writable(step.text) for step in report.steps):
        story.append(Paragraph("Some letters cannot be written here; the HTML report shows them.", SMALL))
    story.append(Spacer(1, 4 * mm))
    width = A4[0] - 36 * mm
    for step in report.steps:
        story.append(_row(step, width))
    pages.build(story)
    return held.getvalue()


def _row(step: Step, width: float) -> Flowable:
    told: list[Flowable] = [
        Paragraph(f'<font name="{BOLD}">{step.n}. {_written(step.title)}</font>', TEXT),
        Paragraph(_written(step.time), SMALL),
    ]
    if step.text:
        told.append(Paragraph(_written(step.text), QUOTE))
    told += [Paragraph(f"{_written(name)}: {_written(value)}", SMALL) for name, value in step.settings]
    if step.picture is None:
        return KeepTogether([*told, Spacer(1, 3 * mm)])
    high = PICTURE_WIDTH * step.picture.height / step.picture.width
    picture = Image(io.BytesIO(jpeg(step.picture)), PICTURE_WIDTH, high)
    table = Table([[told, picture]], colWidths=[width - PICTURE_WIDTH - 4 * mm, PICTURE_WIDTH + 4 * mm])
    table.setStyle([("VALIGN", (0, 0), (-1, -1), "TOP"), ("LEFTPADDING", (0, 0), (0, -1), 0)])
    return KeepTogether([table, Spacer(1, 3 * mm)])


def _writable(text: str) -> bool:
    return all(ord(letter) in _letters() or letter.isspace() for letter in text)


def _letters() -> set[int]:
    return set(pdfmetrics.getFont(FONT).face.charToGlyph)


def _written(text: str) -> str:
    """The text for a Paragraph, without letters the font lacks."""
    known = _letters()
    shown = "".join(letter if ord(letter) in known or letter.isspace() else "?" for letter in text)
    return escape(shown, quote=False).replace("\n", "<br/>")
