"""Replay a case: make its faces again from the journal alone and compare them with what was kept.

What the model read from words and what was fitted to a photo are observations: their numbers
stand in the journal, or are made again too where a rerun is asked for (rerun.py). Everything that
was done with them afterwards is done again by the same tools with the journal's arguments and
seeds. Numbers, meshes and pictures are then compared.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from facegpt_model import layout
from facegpt_model.face import FaceCode, FaceEstimate
from tools.breed import MODEL as BRED
from tools.breed import bred_code
from tools.case import entries_of, faces_of
from tools.digests import code_digest, file_digest, slider_digest
from tools.edit import EditRequest, edited_code
from tools.errors import ToolError
from tools.expression import expressed_code
from tools.face_files import Face, read_skin, skin_file, write_face
from tools.morph import morphed_code
from tools.outer import MODEL as OUTER
from tools.outer import outer_code
from tools.rerun import Rerun
from tools.studio import Studio, open_studio
from tools.variants import MODEL as VARIANTS
from tools.variants import variant_code
from tools.writing import ensure_folder

Report = Callable[[str, float], None]
Faces = Mapping[str, FaceEstimate]
PICTURE_TOLERANCE = 1  # of 255


@dataclass(frozen=True)
class Replayed:
    """One face made again.

    how: "again" by its tool, "numbers" of an observation taken from the journal, or "rerun" by the
    model or the fitter
    code, mesh: whether numbers and mesh file are the same, bit for bit
    picture: largest difference of a pixel in 255ths, None where no picture was kept
    """

    handle: str
    tool: str
    how: str
    code: bool
    mesh: bool
    picture: int | None
    note: str = ""

    @property
    def same(self) -> bool:
        """Numbers and mesh agree exactly, the picture within one 255th."""
        near = self.picture is None or self.picture <= PICTURE_TOLERANCE
        return self.code and self.mesh and near


def _edit(studio: Studio, made_by: dict[str, Any], faces: Faces) -> FaceCode:
    given = {key: made_by[key] for key in ("face", "changes")}
    request = EditRequest.model_validate(given)
    return edited_code(studio, faces[made_by["from"]].code, request.changes)


RECIPES: dict[str, Callable[[Studio, dict[str, Any], Faces], FaceCode]] = {
    "edit": _edit,
    "variants": variant_code,
    "breed": bred_code,
    "outer": outer_code,
    "morph": morphed_code,
    "express": expressed_code,
}

MAKERS = {"variants": VARIANTS, "breed": BRED, "outer": OUTER}  # what draws such faces now


def replay_case(folder: Path, out: Path, report: Report, rerun: Rerun | None = None) -> list[Replayed]:
    """Make every face of the case again into `out`; one result per face, in order.

    rerun: has words read and photos fitted again; what was done with them afterwards starts from the
    journal's numbers all the same, so that a difference is told once.
    ToolError for a folder without a journal, an `out` that is the case itself, or a journal
    from before numbers were written into it; JournalBroken for one that was changed.
    """
    entries = entries_of(folder)
    if out.resolve() == folder.resolve():
        raise ToolError("a replay never writes into the case itself; choose another folder with --out")
    ensure_folder(out)
    deleted = {entry.data["handle"] for entry in entries if entry.event == "deleted"}
    made = faces_of(entries)
    again: dict[str, FaceEstimate] = {}
    results = []
    for number, (handle, data) in enumerate(made.items(), start=1):
        if "numbers" not in data:
            raise ToolError(f"the journal's line about {handle} is too old to be replayed: it has no numbers")
        studio = open_studio(data["basis"])
        estimate, how, note = _made_again(studio, data, again, folder)
        again[handle] = estimate
        if rerun and how == "numbers" and handle not in deleted:
            estimate, how, note = _run_again(rerun, studio, handle, data, estimate)
        if handle not in deleted:
            face = Face(
                handle, estimate, data["parent"], data["made_by"], data["speculative"], "", data["marked"]
            )
            write_face(out, face, studio)
            results.append(_compared(face, data, how, note, folder, out))
        report(f"made {handle} again", number / len(made))
    return results


def _made_again(
    studio: Studio, data: dict[str, Any], faces: Faces, folder: Path
) -> tuple[FaceEstimate, str, str]:
    """The face, how it came about, and why it may differ.

    What a photo showed of the skin is an observation too; it stands in a file of the case.
    """
    fields = {"format": layout.RECORD_FORMAT, "source": data["source"], "model": data["model"]}
    kept = layout.from_record({**fields, "seed": data["seed"], **data["numbers"]})
    made_by = data["made_by"]
    recipe = RECIPES.get(str(made_by.get("tool")))
    if recipe is None:
        return _with_skin(kept, data, folder)
    sliders = slider_digest(studio)
    note = "" if sliders == data["sliders"] else f"sliders were {data['sliders']}, now {sliders}"
    now = MAKERS.get(str(made_by["tool"]), kept.model)
    note = note or ("" if now == kept.model else f"was made by {kept.model}, now by {now}")
    code = recipe(studio, made_by, faces)
    return _as_in_file(replace(kept, code=code)), "again", note


def _with_skin(kept: FaceEstimate, data: dict[str, Any], folder: Path) -> tuple[FaceEstimate, str, str]:
    name = skin_file(data["handle"])
    if name not in data["files"]:
        return kept, "numbers", ""
    detail = read_skin(folder / name)
    note = "" if detail is not None else f"{name} is not there any more"
    return replace(kept, code=replace(kept.code, detail=detail)), "numbers", note


def _run_again(
    rerun: Rerun, studio: Studio, handle: str, data: dict[str, Any], kept: FaceEstimate
) -> tuple[FaceEstimate, str, str]:
    """The face as the model or the fitter makes it now, or the kept one and why it was not made again."""
    try:
        found = rerun.estimates(handle, studio)
    except ToolError as error:
        return kept, "numbers", f"not run again: {error}"
    if not found:
        return kept, "numbers", "neither from words nor from a photo"
    same = (one for one in found if code_digest(one[0]) == data["code"])
    estimate, by = next(same, found[0])
    note = f"by {by}" if by == data["model"] else f"was made by {data['model']}, now by {by}"
    return _as_in_file(estimate), "rerun", note


def _as_in_file(estimate: FaceEstimate) -> FaceEstimate:
    """Rounded as its record is."""
    read = layout.from_record(layout.to_record(estimate))
    return replace(read, code=replace(read.code, detail=estimate.code.detail))


def _compared(face: Face, data: dict[str, Any], how: str, note: str, folder: Path, out: Path) -> Replayed:
    meshes = [name for name in data["files"] if name.endswith((".glb", ".obj"))]
    return Replayed(
        face.handle,
        str(face.made_by.get("tool", "")),
        how,
        code_digest(face.estimate) == data["code"],
        all(file_digest(out / name) == data["files"][name] for name in meshes),
        _difference(folder / f"{face.handle}.png", out / f"{face.handle}.png"),
        note,
    )


def _difference(kept: Path, again: Path) -> int | None:
    if not kept.is_file():
        return None
    pictures = [np.asarray(Image.open(path).convert("RGBA"), dtype=np.int16) for path in (kept, again)]
    if pictures[0].shape != pictures[1].shape:
        return 255
    return int(np.abs(pictures[0] - pictures[1]).max())
