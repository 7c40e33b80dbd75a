"""Compare: how two faces differ, in millimetres by region, in words, and as a picture.

Both faces are taken without expression and laid over each other by the best rigid motion
(no scaling), so turned or shifted heads do not count as different.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from pydantic import BaseModel, Field
from torch import Tensor

from facegpt_model.face import FaceCode
from facegpt_model.mesh import srgb
from facegpt_model.rendering.cameras import portrait_view
from facegpt_model.rendering.deferred import render
from facegpt_model.rendering.lighting import soft_light
from facegpt_model.rendering.still import contact_sheet, render_still
from tools.errors import ToolError
from tools.outcome import Outcome
from tools.store.differences import PartDifference, differences, in_words
from tools.store.regions import SHAPE_PARTS
from tools.store.vectors import calibrate
from tools.studio import Studio
from tools.workspace import Workspace
from tools.writing import write_through

TILE = 384  # pixels of each of the three pictures
LEGEND = 52  # pixels under them
# Colours of the heat map in sRGB, from nothing to FULL_MM and more.
HEAT = ((68, 92, 150), (92, 158, 175), (150, 205, 140), (240, 220, 110), (225, 120, 60), (150, 25, 40))
LEAST_FULL_MM = 2.0  # the scale never ends below this, so that equal faces look equal
INK = (40, 42, 46)


class CompareRequest(BaseModel, extra="forbid"):
    """Say how two faces of this conversation differ, with a picture of where."""

    face: str = Field(description="handle of the first face")
    other: str = Field(default="", description="handle of the second face, empty for the current one")
    picture: bool = Field(default=True, description="also draw where they differ")


@dataclass(frozen=True)
class Comparison:
    """Two faces laid over each other.

    away:      (V,) mm from each vertex of the first to the same vertex of the second
    regions:   region -> mm, root mean square of `away` there; "face" is all of them
    parts:     each part laid over its own counterpart, nearest first
    distance:  of the codes; 0 is the same, 1 like two random people
    """

    away: Tensor
    regions: dict[str, float]
    parts: list[PartDifference]
    distance: float


def compare(request: CompareRequest, workspace: Workspace) -> Outcome:
    """How the second face differs from the first; writes FIRST-SECOND-difference.png if asked to.

    ToolError for unknown handles, for one and the same face, or a face of another head model.
    """
    first, second = workspace.face(request.face), workspace.face(request.other)
    if first.handle == second.handle:
        raise ToolError(f"{first.handle} is the same as itself; name two faces")
    codes = first.estimate.code, second.estimate.code
    found = compare_codes(workspace.studio, *codes)
    files: tuple[str, ...] = ()
    if request.picture:
        path = workspace.folder / f"{first.handle}-{second.handle}-difference.png"
        picture = difference_picture(workspace.studio, *codes, found, (first.handle, second.handle))
        write_through(path, picture.save)
        files = (path.name,)
    told = in_words(found.parts, *codes)
    return Outcome(f"{second.handle} beside {first.handle}: {told}; {numbers(found)}", files=files)


def compare_codes(studio: Studio, first: FaceCode, second: FaceCode) -> Comparison:
    """The comparison of two single faces; ToolError if one belongs to another head model."""
    for code, what in ((first, "the first face"), (second, "the second face")):
        studio.require_basis(code, what)
    calibration = calibrate(studio.head)
    ids = calibration.regions.vertices
    with torch.no_grad():
        shapes = [studio.head.vertices(code.neutral())[0].double() for code in (first, second)]
    moved = laid_over(shapes[1], shapes[0], ids["face"])
    away = (moved - shapes[0]).norm(dim=1)
    regions = {name: float(away[ids[name]].square().mean().sqrt()) for name in ("face", *SHAPE_PARTS)}
    vectors = calibration.vectors(first)[0], calibration.vectors(second)[0]
    apart = np.linalg.norm((vectors[1] - vectors[0])[calibration.counted]) / calibration.typical
    parts = differences(studio.head, calibration, first, second)[0]
    return Comparison(away, regions, parts, float(apart))


def numbers(found: Comparison) -> str:
    """Such as "whole face 1.9 mm (eyes 1.2, nose 2.4 mm), code distance 0.41 ..."."""
    regions = ", ".join(f"{name} {found.regions[name]:.1f}" for name in SHAPE_PARTS)
    return (
        f"apart by {found.regions['face']:.1f} mm over the whole face ({regions} mm); code distance "
        f"{found.distance:.2f}, where 0 is the same and 1 like two random people"
    )


def laid_over(points: Tensor, target: Tensor, on: Tensor) -> Tensor:
    """(V, 3) points moved rigidly so that those of ids `on` fit the target best (Kabsch 1976)."""
    here, there = points[on], target[on]
    centre, goal = here.mean(0), there.mean(0)
    u, _, v = torch.linalg.svd((here - centre).T @ (there - goal))
    flip = torch.diag(torch.tensor([1.0, 1.0, float(torch.linalg.det(u @ v).sign())], dtype=points.dtype))
    return (points - centre) @ (u @ flip @ v) + goal


def difference_picture(
    studio: Studio, first: FaceCode, second: FaceCode, found: Comparison, labels: tuple[str, str]
) -> Image.Image:
    """The first face, where the second differs from it, and the second, with a scale in mm."""
    face = found.away[calibrate(studio.head).regions.vertices["face"]]
    full = max(LEAST_FULL_MM, float(np.ceil(np.quantile(face.numpy(), 0.98))))
    tiles = [render_still(studio.head, code.neutral(), size=TILE) for code in (first, second)]
    heat = heat_map(studio, first, found.away, full)
    sheet = contact_sheet([tiles[0], heat, tiles[1]], 3, [labels[0], "difference", labels[1]])
    canvas = Image.new("RGB", (sheet.width, sheet.height + LEGEND), (236, 237, 239))
    canvas.paste(sheet, (0, 0))
    pen, font = ImageDraw.Draw(canvas), ImageFont.load_default(14)
    left, top, width, height = TILE + 40, sheet.height + 6, TILE - 80, 14
    for x in range(width):
        pen.line(
            [(left + x, top), (left + x, top + height)],
            fill=tuple(_heat_colours(torch.tensor([x / width]))[0]),
        )
    for share in (0.0, 0.5, 1.0):
        end = " mm and more" if share == 1 else ""
        pen.text((left + share * width, top + height + 6), f"{share * full:g}{end}", INK, font, "mt")
    return canvas


def heat_map(studio: Studio, code: FaceCode, away: Tensor, full_mm: float, size: int = TILE) -> Image.Image:
    """RGBA picture of a neutral face coloured by (V,) mm, blue at 0 to red at `full_mm`."""
    shares = (away / full_mm).clamp(0, 1)
    colours = torch.from_numpy(_heat_colours(shares)).float() / 255
    linear = torch.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    with torch.no_grad():
        vertices = studio.head.vertices(code.neutral()).float()
        view = portrait_view(size=2 * size)
        view = type(view)(view.rotation, view.translation, view.focal, soft_light(), view.image_size)
        drawn = render(vertices, studio.head.triangles, linear[None], view)
    mask = drawn.mask[0, 0].clamp(0, 1)
    colour = (drawn.image[0] / mask.clamp_min(1e-6)).permute(1, 2, 0)
    rgb = (srgb(colour.clamp(0, 1).numpy()) * 255).round().astype(np.uint8)
    opaque = (mask.numpy() * 255).round().astype(np.uint8)
    picture = Image.fromarray(np.dstack([rgb, opaque]), "RGBA")
    return picture.resize((size, size), Image.Resampling.LANCZOS)


def _heat_colours(shares: Tensor) -> np.ndarray:
    """(n, 3) uint8 sRGB of shares in [0, 1]."""
    stops = np.linspace(0, 1, len(HEAT))
    table = np.array(HEAT, float)
    channels = [np.interp(shares.numpy(), stops, table[:, channel]) for channel in range(3)]
    return np.stack(channels, -1).round().astype(np.uint8)
