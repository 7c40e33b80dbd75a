"""Reconstruct: photos to faces, each with a picture that lays the face over its photo.

Today faces are fitted by optimisation, and the answer says so. Nobody is identified: the
result is a shape, not a name. Photos are taken to show different people, unless it is said
that they show one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from PIL import Image
from pydantic import BaseModel, Field

from facegpt_model.fitting.photo import METHODS, PhotoFit, Quality, fit_person
from facegpt_model.perception.analyse import NoFace
from facegpt_model.perception.photos import PhotoError, load_photo
from facegpt_model.rendering.still import overlay_sheet
from tools.digests import file_digest
from tools.errors import ToolError
from tools.face_files import skin_file
from tools.outcome import Outcome
from tools.seen_words import appearance_seen, seen_in_words
from tools.workspace import Workspace
from tools.writing import write_through

PHOTO_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")

Progress = Callable[[str, float], None]  # what is being done, and the finished share of it, 0..1


class ReconstructRequest(BaseModel, extra="forbid"):
    """Make a 3D face from a photo shown in this conversation."""

    photo: str = Field(
        description="handle of the photo, such as photo-1",
    )


class PersonRequest(BaseModel, extra="forbid"):
    """Make one 3D face of several photos of the same person shown in this conversation."""

    photos: list[str] = Field(min_length=2, max_length=20, description="handles such as photo-1, photo-2")


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
    request: ReconstructRequest,
    workspace: Workspace,
    on_progress: Progress | None = None,
    quality: Quality = "default",
    skin_detail: bool = True,
    appearance: bool = True,
) -> Outcome:
    """Fit a face to the photo; returns its handle, the method, and how well the landmarks agree.

    Writes face-N-overlay.png, and the same picture as overlay.png, which is always the newest.
    skin_detail: in default quality, keep what the photo shows of the skin, as face-N-skin.png.
    appearance: wear what the photo shows of hair, beard and glasses.
    ToolError if the file is no readable photo or shows no face.
    """
    return _fitted([request.photo], workspace, on_progress, quality, skin_detail, appearance)


def reconstruct_together(
    request: PersonRequest, workspace: Workspace, on_progress: Progress | None = None
) -> Outcome:
    """As reconstruct_person, of photos that were shown; ToolError for one given twice or unknown."""
    if len(set(request.photos)) < len(request.photos):
        raise ToolError("each photo counts once; name different ones")
    return _fitted(request.photos, workspace, on_progress, "default", True, True)


def reconstruct_person(
    photos: Sequence[Path],
    workspace: Workspace,
    on_progress: Progress | None = None,
    quality: Quality = "default",
    skin_detail: bool = True,
    appearance: bool = True,
) -> Outcome:
    """One person in all photos: a face per photo, with one identity and an expression of its own.

    ToolError, naming the photo, if one of them is no readable photo or shows no face.
    """
    if len(photos) < 2:
        raise ToolError("give at least two photos of the same person")
    handles = [show_photo(path, workspace) for path in photos]
    return _fitted(handles, workspace, on_progress, quality, skin_detail, appearance)


def reconstruct_many(
    photos: Sequence[Path],
    workspace: Workspace,
    on_progress: Progress | None = None,
    quality: Quality = "default",
    skin_detail: bool = True,
    appearance: bool = True,
) -> Iterator[BatchResult]:
    """One face per photo, as they get ready; a photo that fails does not stop the others.

    Photos whose faces are in the folder already, by the same method, are not fitted again.
    on_progress hears of each photo separately, its share going from 0 to 1.
    """
    finished = _finished_faces(workspace, quality)
    for path in photos:
        try:
            handle = finished.get(file_digest(path)) if path.is_file() else None
            if handle:
                yield BatchResult(path, Outcome(f"{handle} from {path.name}: made before", (handle,), ()))
                continue
            request = ReconstructRequest(photo=show_photo(path, workspace))
            yield BatchResult(
                path, reconstruct(request, workspace, on_progress, quality, skin_detail, appearance)
            )
        except ToolError as error:
            yield BatchResult(path, None, str(error))


def _fitted(
    handles: Sequence[str],
    workspace: Workspace,
    on_progress: Progress | None,
    quality: Quality,
    skin_detail: bool,
    appearance: bool,
) -> Outcome:
    """Faces of photos known to the workspace, which show one person."""
    photos = []
    for handle in handles:
        photo = checked_photo(workspace.photo(handle))
        photo.info["file_name"] = workspace.photo_name(handle)
        photos.append(photo)
    try:
        fits = fit_person(photos, on_progress, quality=quality, with_detail=skin_detail, with_worn=appearance)
    except NoFace as error:
        raise ToolError(str(error)) from error
    told, faces, files = [], [], []
    for handle, photo, fit in zip(handles, photos, fits, strict=True):
        made_by = {
            "tool": "reconstruct",
            "photo": handle,
            "file": photo.info["file_name"],
            "given_sha256": workspace.photo_digest(handle),
            "method": fit.estimate.model,
            "skin_detail": fit.estimate.code.detail is not None,
            "photos_together": len(fits),
            "landmark_error_percent": round(fit.nme_percent, 2),
            "faces_seen": fit.faces_seen,
            "cpu_seconds": round(fit.seconds, 3),
        }
        if fit.worn is not None:
            made_by["appearance_seen"] = appearance_seen(fit.worn)
        face = workspace.add(fit.estimate, made_by=made_by, speculative=False)
        overlays = _write_overlay(photo, fit, face.handle, workspace)
        told.append(f"{face.handle} from {photo.info['file_name']}, {_method(fit)}")
        if fit.worn is not None:
            told.append(f"seen on the photo: {seen_in_words(fit.worn)}")
        faces.append(face.handle)
        skin = () if face.estimate.code.detail is None else (skin_file(face.handle),)
        files += [*workspace.files(face.handle), *skin, *overlays]
    if len(fits) > 1:
        told.append("all of one person: the same shape and skin, expressions and views of their own")
    return Outcome("\n".join(told), tuple(faces), tuple(dict.fromkeys(files)))


def _finished_faces(workspace: Workspace, quality: Quality) -> dict[str, str]:
    """Handles of faces fitted to one photo by this method, by the digest of the file given."""
    found: dict[str, str] = {}
    for handle in workspace.handles:
        made_by = workspace.face(handle).made_by
        if made_by.get("method") == METHODS[quality] and made_by.get("photos_together") == 1:
            found.setdefault(str(made_by.get("given_sha256")), handle)
    return found


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
    how = "landmark fit" if fit.estimate.model == METHODS["fast"] else "landmarks, skin and light"
    spread = fit.estimate.spread_mm
    sure = f"; likely error {spread['whole']:.1f} mm" if spread else ""
    if spread:
        sure += " (" + ", ".join(f"{part} {mm:.1f}" for part, mm in spread.items() if part != "whole") + ")"
    return (
        f"fitted by optimisation ({how}), not by the language model; landmark error "
        f"{fit.nme_percent:.1f} % of the distance between the eyes{sure}{others}"
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
