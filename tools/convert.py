"""Convert: the same face in another head model, with the error that remains in millimetres."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, Field

from facegpt_model.face import FaceEstimate
from facegpt_model.fitting.transfer import Transfer, transfer
from tools.errors import ToolError
from tools.export import export_to
from tools.face_files import read_face
from tools.outcome import Outcome
from tools.studio import open_studio, open_studio_of
from tools.workspace import Workspace

METHOD = "surface-fit@1"


class ConvertRequest(BaseModel, extra="forbid"):
    """Bring a face into another head model."""

    to: str = Field(description="name or basis of a head model, such as ict or openhead")


def convert(path: Path, request: ConvertRequest, folder: Path) -> Outcome:
    """Write face-N.json, .png and .obj in the other basis into `folder`; the given face is kept.

    The JSON's `made_by` holds the error (mean, median, p95 over the inner face, mm).
    ToolError if the file is no face or already in that basis; UnknownModel, MissingModel,
    BadModel or MissingLandmarks if the other model cannot be used.
    """
    source, target = open_studio_of(path), open_studio(request.to)
    face = read_face(path, source)
    if source.head.basis == target.head.basis:
        raise ToolError(f"{path} is a face of {target.head.basis} already")
    result = transfer(source.head, face.estimate.code, target.head)
    estimate = FaceEstimate(
        code=result.code,
        view=None,  # it holds for the other model's frame
        source=f"convert:{path.stem} of {source.head.basis}",
        model=METHOD,
        seed=face.estimate.seed,
    )
    workspace = Workspace(folder, target)
    made = workspace.add(estimate, _made_by(request, source.head.basis, result), speculative=face.speculative)
    written = export_to(estimate, target, folder / f"{made.handle}.obj")
    names = dict.fromkeys([*workspace.files(made.handle), *(path.name for path in written.files)])
    return Outcome(_told(made.handle, target.head.basis, result), (made.handle,), tuple(names))


def _made_by(request: ConvertRequest, basis: str, result: Transfer) -> dict[str, object]:
    error = result.error
    return {
        "tool": "convert",
        **request.model_dump(),
        "from": basis,
        "error_mm": {
            "mean": round(error.mean, 3),
            "median": round(error.median, 3),
            "p95": round(error.p95, 3),
            "aligned_only": round(error.before, 3),
            "points": error.points,
        },
        "expressions_lost": list(result.lost),
    }


def _told(handle: str, basis: str, result: Transfer) -> str:
    error = result.error
    lost = f" Expressions without a partner: {', '.join(result.lost)}." if result.lost else ""
    return (
        f"{handle} in {basis}: the inner face lies {error.mean:.2f} mm away on average "
        f"(median {error.median:.2f}, 95 % within {error.p95:.2f}; {error.before:.2f} before fitting).{lost}"
    )
