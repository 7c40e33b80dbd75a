"""Reconstruct: a photo to a face, with a picture that lays the face over the photo.

Today the face is fitted by optimisation, and the answer says so. Nobody is identified:
the result is a shape, not a name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from PIL import Image
from pydantic import BaseModel, Field

from facegpt_model.fitting.photo import PhotoFit, fit_photo
from facegpt_model.perception.analyse import NoFace
from facegpt_model.perception.photos import PhotoError, load_photo
from facegpt_model.rendering.still import overlay_sheet
from tools.errors import ToolError
from tools.outcome import Outcome
from tools.workspace import Workspace
from tools.writing import write_through

PHOTO_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")

Progress = Callable[[str, float], None]  # what is being done, and the finished share of it, 0..1


class ReconstructRequest(BaseModel, extra="forbid"):
    """Make a 3D face from a photo shown in this conversation."""

    photo: str = Field(
        description="handle of the photo, such as photo-1",
    )


@dataclass(frozen=True)
class BatchResult:
    """What became of one photo of a batch: an outcome, or the reason why not."""

    photo: Path
    outcome: Outcome | None
    error: str = ""


def checked_photo(path: Path) -> Image.Image:
    """The picture of a file; ToolError if it is none."""
    try:
        return load_photo(path)
    except PhotoError as error:
        raise ToolError(str(error)) from error


def show_photo(path: Path, workspace: Workspace) -> str:
    """Make a photo known to the conversation as photo-N; ToolError if it is no readable picture.

    The case keeps a copy of its pixels, upright and without EXIF (place, camera, time).
    """
    photo = checked_photo(path)
    return workspace.add_photo(path, partial(photo.save, quality=95, subsampling=0))


def reconstruct(
    request: ReconstructRequest, workspace: Workspace, on_progress: Progress | None = None
) -> Outcome:
    """Fit a face to the photo; returns its handle, the method, and how well the landmarks agree.

    Writes face-N-overlay.png, and the same picture as overlay.png, which is always the newest.
    ToolError if the file is no readable photo or shows no face.
    """
    photo = checked_photo(workspace.photo(request.photo))
    name = photo.info["file_name"] = workspace.photo_name(request.photo)
    try:
        fit = fit_photo(photo, on_progress, name)
    except NoFace as error:
        raise ToolError(str(error)) from error
    made_by = {
        "tool": "reconstruct",
        "photo": request.photo,
        "file": name,
        "method": fit.estimate.model,
        "landmark_error_percent": round(fit.nme_percent, 2),
        "faces_seen": fit.faces_seen,
    }
    face = workspace.add(fit.estimate, made_by=made_by, speculative=False)
    overlays = _write_overlay(photo, fit, face.handle, workspace)
    text = f"{face.handle} from {name}, {_method(fit)}"
    return Outcome(text, (face.handle,), (*workspace.files(face.handle), *overlays))


def reconstruct_many(
    photos: Sequence[Path], workspace: Workspace, on_progress: Progress | None = None
) -> Iterator[BatchResult]:
    """One face per photo, as they get ready; a photo that fails does not stop the others.

    on_progress hears of each photo separately, its share going from 0 to 1.
    """
    for path in photos:
        try:
            handle = show_photo(path, workspace)
            outcome = reconstruct(ReconstructRequest(photo=handle), workspace, on_progress)
            yield BatchResult(path, outcome)
        except ToolError as error:
            yield BatchResult(path, None, str(error))


def photos_in(paths: Sequence[Path]) -> list[Path]:
    """The given files, with folders replaced by the pictures in them, in order of name."""
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(p for p in path.iterdir() if p.suffix.lower() in PHOTO_SUFFIXES)
            if not inside:
                raise ToolError(f"there is no picture in {path}; pictures end in {', '.join(PHOTO_SUFFIXES)}")
            found += inside
        else:
            found.append(path)
    return found


def _method(fit: PhotoFit) -> str:
    others = f"; {fit.faces_seen} faces seen, the largest used" if fit.faces_seen > 1 else ""
    return (
        f"fitted by optimisation (landmark fit), not by the language model; landmark error "
        f"{fit.nme_percent:.1f} % of the distance between the eyes{others}"
    )


def _write_overlay(photo: Image.Image, fit: PhotoFit, handle: str, workspace: Workspace) -> tuple[str, ...]:
    if fit.estimate.view is None:
        return ()
    overlay = overlay_sheet(photo, workspace.studio.head, fit.estimate.code, fit.estimate.view)
    names = (f"{handle}-overlay.png", "overlay.png")
    for name in names:
        write_through(workspace.folder / name, overlay.save)
    workspace.wrote("overlay", {"handle": handle}, names[:1])
    return names
