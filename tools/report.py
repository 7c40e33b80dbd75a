"""The report of a case: what was said, what was made of it and with which settings, in order.

One HTML file with its pictures inside, or a PDF (report_pdf.py). It says what the journal
says and nothing else; whether journal and files are sound is checked first and told at the top.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence, Set
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any, Literal

from PIL import Image
from pydantic import BaseModel, Field

from facegpt_model.vlm.tokens import FACE
from tools.case import CaseCheck, entries_of, verify_case
from tools.errors import ToolError
from tools.journal import Entry
from tools.marking import marked
from tools.outcome import Outcome
from tools.workspace import Workspace
from tools.writing import ensure_folder, write_bytes, write_text

PICTURE = 300  # pixels in the report
PAPER = (246, 246, 244)
FORMATS = (".html", ".pdf")
LIMITS = (
    "A face made from words shows what was said, filled up with averages. It is no portrait and no "
    "evidence, and nobody may be identified by it. A similar face is not the same person."
)


class ReportRequest(BaseModel, extra="forbid"):
    """Write the report of this case: statements, pictures and settings in order."""

    format: Literal["html", "pdf"] = Field(default="html", description="of the file")


@dataclass(frozen=True)
class Step:
    """One thing that happened; picture is None where none was made or kept."""

    n: int
    time: str
    title: str
    text: str = ""
    settings: tuple[tuple[str, str], ...] = ()
    picture: Image.Image | None = None


@dataclass(frozen=True)
class CaseReport:
    """Everything a report says."""

    name: str
    check: CaseCheck
    steps: tuple[Step, ...]

    @property
    def state(self) -> str:
        """One sentence about the journal and the files."""
        found = (*self.check.changed, *self.check.missing)
        if found:
            return f"NOT as it was written: {'; '.join(found)}."
        return f"{self.check.lines} lines and {self.check.files} files are as they were written."


def report_of(folder: Path) -> CaseReport:
    """The report of a case; ToolError for a folder without one, JournalBroken if it was changed."""
    check = verify_case(folder)
    entries = entries_of(folder)
    guesses = {  # faces whose own pictures do not say "speculative" yet
        str(entry.data["handle"])
        for entry in entries
        if entry.event == "face" and entry.data.get("speculative", True) and not entry.data.get("marked")
    }
    steps = tuple(_step(entry, folder, guesses) for entry in entries)
    return CaseReport(folder.resolve().name, check, steps)


def report_case(request: ReportRequest, workspace: Workspace) -> Outcome:
    """Write report.html or .pdf beside the case's files; it is no part of the journal."""
    path = write_report(workspace.folder, workspace.folder / f"report.{request.format}")
    return Outcome(f"{path.name}: the report of this case", files=(path.name,))


def write_report(folder: Path, path: Path) -> Path:
    """Write the report of a case as .html or .pdf; ToolError for another suffix."""
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise ToolError(f"cannot write a report into {path.name!r}; let the name end in .html or .pdf")
    told = report_of(folder)
    ensure_folder(path.parent)
    if suffix == ".html":
        return write_text(path, as_html(told))
    from tools.report_pdf import as_pdf

    return write_bytes(path, as_pdf(told))


def as_html(report: CaseReport) -> str:
    """One page without links to anything outside it."""
    warning = "" if report.check.sound else ' class="bad"'
    rows = "\n".join(_html_step(step) for step in report.steps)
    return f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Case {escape(report.name)}</title>
<style>{STYLE}</style>
<h1>Case {escape(report.name)}</h1>
<p class="limits">{escape(LIMITS)}</p>
<p{warning}>Journal: {escape(report.state)}</p>
<p class="small">sha256 of the last line: <code>{report.check.last}</code></p>
<ol>
{rows}
</ol>
</html>
"""


STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;
  color:#222;background:#fff}
h1{font-size:1.5rem} ol{list-style:none;padding:0} li{border-top:1px solid #ddd;padding:.8rem 0;overflow:auto}
.limits{background:#fff6da;border-left:4px solid #d9a400;padding:.6rem .9rem}
.bad{background:#fde4e1;border-left:4px solid #c0392b;padding:.6rem .9rem}
.small,time{color:#777;font-size:.85rem}
blockquote{margin:.4rem 0;padding-left:.9rem;border-left:3px solid #bbb;white-space:pre-wrap}
img{float:right;width:200px;height:auto;margin-left:1rem;border-radius:4px;background:#f0f0ee}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.1rem .9rem;margin:.4rem 0;font-size:.88rem}
dt{color:#777} dd{margin:0;overflow-wrap:anywhere} b{font-weight:600}
@media print{li{break-inside:avoid}}
"""


def _html_step(step: Step) -> str:
    picture = f'<img alt="{escape(step.title)}" src="{_data_address(step.picture)}">' if step.picture else ""
    text = f"<blockquote>{escape(step.text)}</blockquote>" if step.text else ""
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in step.settings)
    settings = f"<dl>{rows}</dl>" if rows else ""
    head = f"<b>{step.n}. {escape(step.title)}</b> <time>{escape(step.time)}</time>"
    return f"<li>{picture}{head}{text}{settings}</li>"


def _data_address(picture: Image.Image) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg(picture)).decode()}"


def jpeg(picture: Image.Image) -> bytes:
    """The picture as the bytes of a JPEG."""
    held = io.BytesIO()
    picture.save(held, "JPEG", quality=88)
    return held.getvalue()


def _step(entry: Entry, folder: Path, guesses: Set[str]) -> Step:
    data = entry.data
    title, text, settings = _told(entry)
    picture = None
    if entry.event == "face":
        picture = _picture(folder / f"{data['handle']}.png", data["handle"] in guesses)
    elif entry.event in ("render", "views", "overlay", "relight", "array"):
        pictures = [name for name in data.get("files", ()) if name.endswith(".png")]
        shown = {data.get("handle"), *data.get("faces", ())}
        picture = _picture(folder / pictures[0], bool(shown & guesses)) if pictures else None
    time = entry.time.replace("T", " ").partition(".")[0] + " UTC"
    return Step(entry.n, time, title, text, tuple(settings), picture)


def _told(entry: Entry) -> tuple[str, str, list[tuple[str, str]]]:
    """Title, what was said, and the settings of one line."""
    data = entry.data
    if entry.event == "face":
        return _face(data)
    if entry.event == "deleted":
        return f"{data['handle']} was deleted", "", [("files", ", ".join(data["files"]))]
    if entry.event == "photo":
        kept = [("shown", str(data.get("name", ""))), ("sha256", str(data["sha256"]))]
        return f"{data['handle']} was shown", "", kept
    titles = {
        "opened": "The case was opened",
        "said": "Said",
        "answered": "Answered",
        "recall": "Free recall, before any picture",
        "statement": "The witness said",
        "asked": "The witness was asked",
        "warned": "The witness was warned",
        "witness": "The case became a witness's: pictures are marked",
        "decided": f"{data.get('tool')} was {'approved' if data.get('approved') else 'not approved'}",
        "render": f"A picture of {data.get('handle')} was drawn",
        "views": f"{data.get('handle')} was drawn from all sides",
        "overlay": f"{data.get('handle')} was laid over its photo",
        "relight": f"The photo of {data.get('handle')} was put in another light",
        "array": "Faces were put side by side",
        "export": f"{data.get('handle')} was written for other programs",
        "undo": f"Back to {data.get('current') or 'before the first face'}",
        "redo": f"Forward to {data.get('current')}",
        "go to": f"{data.get('current')} is the current face"
        if "together" in data
        else f"Gone to {data.get('current')}",
    }
    text = str(data.get("text", "")).replace(FACE, "").strip()
    untold = ("text", "marked", "current", "message") + (("face",) if "handle" in data else ())
    rest = {key: value for key, value in data.items() if key not in untold and value not in ([], None)}
    return titles.get(entry.event, entry.event), text, [(key, _short(value)) for key, value in rest.items()]


def _face(data: dict[str, Any]) -> tuple[str, str, list[tuple[str, str]]]:
    made_by = dict(data["made_by"])
    tool = str(made_by.pop("tool", "unknown"))
    text = str(made_by.pop("text", ""))
    kind = "speculative" if data["speculative"] else "fitted to a photo"
    settings = [("made by", f"{tool}, {data['model']}")]
    changes = made_by.pop("changes", None)
    if changes:
        settings.append(("sliders", "; ".join(f"{c['slider']} {c['value']:+.2f}" for c in changes)))
    settings += [(key, _short(value)) for key, value in made_by.items() if value not in ("", None, [])]
    settings += [("from", str(data["parent"]))] if data.get("parent") and "from" not in made_by else []
    settings += [("seed", str(data["seed"]))] if data.get("seed") is not None else []
    if "code" in data:
        settings += [
            ("basis", f"{data['basis']}, sliders {data['sliders'] or 'none'}"),
            ("code", data["code"]),
        ]
    return f"{data['handle']} was made ({kind})", text, settings


def _short(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {str(inner)[:16]}" for name, inner in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(str(inner) for inner in value) or "none"
    return str(value)


def _picture(path: Path, mark: bool) -> Image.Image | None:
    if not path.is_file():
        return None
    picture = Image.open(path).convert("RGBA")
    picture.thumbnail((3 * PICTURE, PICTURE), Image.Resampling.LANCZOS)
    canvas = Image.new("RGBA", picture.size, (*PAPER, 255))
    canvas.alpha_composite(picture)
    return marked(canvas.convert("RGB"), mark)
