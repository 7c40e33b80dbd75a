"""One face from many sides: a turntable's frames and a labelled sheet of views.

The face is prepared once and drawn from each side, so a view more costs only its drawing.
Angles are degrees as in still.py: positive yaw turns the nose to the person's left, which is
the right of the picture; positive pitch raises the chin.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from PIL import Image

from facegpt_model.face import FaceCode
from facegpt_model.morphable.base import MorphableModel
from facegpt_model.rendering.lamps import STUDIO, Lamps
from facegpt_model.rendering.portrait import draw_portrait
from facegpt_model.rendering.still import TEXTURE_SIZE, contact_sheet, samples_for
from facegpt_model.rendering.surface import surface_of
from facegpt_model.rendering.worn import worn_now

SIDES = (
    ("front", 0, 0),
    ("three-quarter, to their left", 45, 0),
    ("profile, to their left", 90, 0),
    ("back", 180, 0),
    ("chin down", 0, -25),
    ("three-quarter, to their right", -45, 0),
    ("profile, to their right", -90, 0),
    ("chin up", 0, 25),
)
COLUMNS = 4
Drawn = Callable[[int, int], object]  # called with the number of views drawn, and of all


def draw_views(
    model: MorphableModel,
    code: FaceCode,
    angles: Sequence[tuple[float, float]],
    size: int,
    samples: int | None = None,
    drawn: Drawn | None = None,
    lamps: Lamps = STUDIO,
) -> Iterator[Image.Image]:
    """One square RGBA picture, transparent behind the head, per (yaw, pitch) in degrees.

    samples: along one side of a pixel; as many as a still has unless given. Raises ValueError
    unless the code holds one face and size is 16 to 4096.
    """
    samples = samples or samples_for(size)
    surface = surface_of(model, code, TEXTURE_SIZE)
    worn = worn_now(model, code)
    for number, (yaw, pitch) in enumerate(angles, start=1):
        yield Image.fromarray(draw_portrait(surface, yaw, pitch, size, samples, worn, lamps), "RGBA")
        if drawn:
            drawn(number, len(angles))


def turntable_angles(frames: int, pitch_deg: float = 0.0) -> list[tuple[float, float]]:
    """(yaw, pitch) of a full turn in equal steps, from the front, the nose going to the person's left."""
    if frames < 2:
        raise ValueError(f"a turntable has at least 2 frames, not {frames}")
    steps = (frame * 360 / frames for frame in range(frames))
    return [(step if step <= 180 else step - 360, pitch_deg) for step in steps]


def sheet_of_sides(
    model: MorphableModel,
    code: FaceCode,
    size: int,
    drawn: Drawn | None = None,
    lamps: Lamps = STUDIO,
) -> Image.Image:
    """Labelled RGB sheet of SIDES, each `size` pixels wide; errors as draw_views."""
    angles = [(float(yaw), float(pitch)) for _, yaw, pitch in SIDES]
    pictures = list(draw_views(model, code, angles, size, drawn=drawn, lamps=lamps))
    return contact_sheet(pictures, COLUMNS, [label for label, _, _ in SIDES])
