"""Turntable and sheet: one face from all sides, as a moving picture or as one labelled picture."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

from PIL import Image
from pydantic import BaseModel, Field

from facegpt_model.face import FaceEstimate
from facegpt_model.rendering.still import studio_background
from facegpt_model.rendering.views import draw_views, sheet_of_sides, turntable_angles
from tools.errors import ToolError
from tools.light_names import ABOUT_LIGHT, STUDIO, Light
from tools.lights import lamps_for
from tools.marking import marked
from tools.studio import Studio
from tools.writing import ensure_folder, write_through

MOVING = (".webp", ".gif")
SAMPLES = 2  # along one side of a pixel; what moves needs fewer than a still
PALETTE_FRAMES = 8  # of a GIF, from which its colours are chosen
MOST_PIXELS = 400e6  # of all frames together, which wait in memory: 1.2 GB
STILL = (".png", ".jpg", ".webp")
Progress = Callable[[str, float], object]  # what is being done, and the finished share of it


class Turntable(BaseModel, extra="forbid"):
    """A full turn of the head before the studio's wall."""

    frames: int = Field(default=48, ge=2, le=360, description="pictures in one turn")
    seconds: float = Field(default=4.0, ge=0.2, le=60, description="of one turn")
    size: int = Field(default=384, ge=64, le=2048, description="pixels, width and height")
    pitch: int = Field(default=0, ge=-45, le=45, description="degrees; positive looks up")
    light: Light = Field(default=STUDIO, description=ABOUT_LIGHT)


def turntable_to(
    estimate: FaceEstimate,
    studio: Studio,
    path: Path,
    request: Turntable,
    progress: Progress,
    mark: bool = False,
) -> Path:
    """Write an endless turn as animated WebP or GIF; ToolError for another suffix.

    mark: write "speculative" into every frame, as for the faces of a witness's case
    """
    if path.suffix.lower() not in MOVING:
        raise ToolError(f"cannot write a turntable into {path.name!r}; let the name end in .webp or .gif")
    ensure_folder(path.parent)
    if request.frames * request.size**2 > MOST_PIXELS:
        most = int(MOST_PIXELS / request.size**2)
        raise ToolError(
            f"{request.frames} frames of {request.size} pixels do not fit into memory; take smaller ones "
            f"or at most {most}"
        )
    if request.seconds * 1000 < 20 * request.frames:
        most = int(request.seconds * 50)
        raise ToolError(
            f"{request.frames} frames in {request.seconds:g} seconds are more than 50 a second, which "
            f"players do not show; take at most {most} frames"
        )
    wall = studio_background(request.size).convert("RGBA")
    angles = turntable_angles(request.frames, request.pitch)
    lamps = lamps_for(estimate, request.light)
    doing = _share(progress, "drawing the turn")
    pictures = [
        marked(Image.alpha_composite(wall, picture).convert("RGB"), mark)
        for picture in draw_views(studio.head, estimate.code, angles, request.size, SAMPLES, doing, lamps)
    ]
    progress("writing the file", 0.99)
    unit = 10 if path.suffix.lower() == ".gif" else 1  # ms; GIF counts hundredths of a second
    length = request.seconds * 1000 / request.frames
    starts = [unit * round(number * length / unit) for number in range(request.frames + 1)]
    moments = [after - before for before, after in pairwise(starts)]  # no drift over the turn
    return write_through(path, lambda stand_in: _save(pictures, stand_in, moments))


def sheet_to(
    estimate: FaceEstimate,
    studio: Studio,
    path: Path,
    size: int,
    progress: Progress,
    mark: bool = False,
    light: Light = STUDIO,
) -> Path:
    """Write a labelled sheet of eight sides, `size` pixels each; ToolError for another suffix."""
    if path.suffix.lower() not in STILL:
        raise ToolError(f"cannot draw a sheet into {path.name!r}; let the name end in {', '.join(STILL)}")
    ensure_folder(path.parent)
    drawn, lamps = _share(progress, "drawing the sides"), lamps_for(estimate, light)
    sheet = marked(sheet_of_sides(studio.head, estimate.code, size, drawn, lamps), mark)
    return write_through(path, lambda stand_in: sheet.save(stand_in, quality=92))


def _share(progress: Progress, doing: str) -> Callable[[int, int], object]:
    return lambda drawn, of_all: progress(doing, drawn / of_all)


def _save(pictures: list[Image.Image], path: Path, moments: list[int]) -> None:
    """An endless animation; `moments` are the milliseconds each picture is shown."""
    if path.suffix.lower() == ".gif":
        palette = _palette(pictures)
        pictures = [picture.quantize(palette=palette) for picture in pictures]
        pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=moments, loop=0)
    else:
        pictures[0].save(
            path, save_all=True, append_images=pictures[1:], duration=moments, loop=0, quality=85, method=4
        )


def _palette(pictures: list[Image.Image]) -> Image.Image:
    """256 colours for the whole turn: one palette does not flicker, and an octree keeps rare lips red."""
    some = pictures[:: -(-len(pictures) // PALETTE_FRAMES)]
    size = some[0].width
    strip = Image.new("RGB", (size * len(some), size))
    for number, picture in enumerate(some):
        strip.paste(picture, (number * size, 0))
    return strip.quantize(256, method=Image.Quantize.FASTOCTREE)
