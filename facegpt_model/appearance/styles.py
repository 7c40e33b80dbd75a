"""What the words of a haircut mean in millimetres and directions around the mean head.

Heights y, distances to the side |x| and depths z are those of the mean head's frame
(x to the person's left, y up, z out of the face; hairline about y = 97, z = -5; crown about
y = 128, z = -135; ears about |x| = 80, y = 0 to 40, z = -90).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facegpt_model.appearance.head_space import Array
from facegpt_model.appearance.parameters import Hair
from facegpt_model.appearance.strands import (
    CLEARANCE,
    CLING,
    CURTAIN,
    CUT,
    GRAVITY_PULL,
    LENGTH,
    LIFT,
    RISE,
    RULES,
    TIE,
    Roots,
    along_skin,
    smooth_noise,
)

LENGTHS = np.array([[0.0, 4], [0.15, 15], [0.3, 52], [0.45, 120], [0.6, 215], [0.8, 300], [1.0, 400]])
CUT_HEIGHTS = np.array([[0.3, -60], [0.45, -42], [0.6, -88], [0.8, -150], [1.0, -235]])
# What hair beside the face leaves free: half widths |x| at heights y.
CURTAIN_LINE = np.array(
    [[88.0, 30], [70, 48], [50, 58], [20, 63], [-20, 64], [-60, 58], [-100, 54], [-160, 60]]
)
CROWN = np.array([6.0, 126.0, -138.0])
HAIRLINE_Y, BROW_Y = 97.0, 46.0
HEAD_AXIS_Z = -85.0


def smoothstep(low: float, high: float, value: Array) -> Array:
    """0 below low, 1 above high, smooth between."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def around(place: Array) -> Array:
    """(N,) degrees about the head's vertical axis, 0 in front and 180 at the back."""
    return np.rad2deg(np.arctan2(np.abs(place[:, 0]), place[:, 2] - HEAD_AXIS_Z))


def on_top(place: Array) -> Array:
    """(N,) 1 on the top of the head, 0 on its sides and back."""
    azimuth = around(place)
    border = np.interp(azimuth, [0, 30, 60, 100, 140, 180], [80, 84, 96, 100, 96, 92])
    return smoothstep(-34, 22, place[:, 1] - border)


def kept(hair: Hair, place: Array) -> Array:
    """(N,) in [0, 1]: what a receding hairline leaves at places on the scalp."""
    if hair.receding <= 0:
        return np.ones(len(place), np.float32)
    x, y, z = np.abs(place[:, 0]), place[:, 1], place[:, 2]
    uneven = 4 * smooth_noise(place, 9.0, 77)[:, 0] + 3 * smooth_noise(place, 2.5, 78)[:, 0]
    back = -z + uneven  # mm behind the foremost skin
    temples = np.exp(-(((x - 46) / 19) ** 2))
    late = max(0.0, hair.receding - 0.6) / 0.4
    line = 2 + hair.receding * (22 + 44 * temples) + 95 * late
    front = smoothstep(-14, 12, back - line)
    high = smoothstep(58, 96, y + 0.8 * uneven)
    crown = np.linalg.norm(place - CROWN, axis=1)
    bald_spot = 1 - smoothstep(72 * late + 8, 38 * late - 4, crown + uneven) * min(1.0, 1.6 * late)
    return ((1 - high * (1 - front)) * bald_spot).astype(np.float32)


def part_line(hair: Hair) -> Array:
    """(M, 3) the line hair falls away from: from the hairline over the top to the crown."""
    t = np.linspace(0, 1, 24)
    x = 56 * hair.parting * (1 - 0.55 * t**2) + CROWN[0] * t
    z = -14 + (CROWN[2] + 14) * t
    y = np.interp(t, [0, 0.25, 0.5, 0.75, 1], [112, 131, 140, 140, CROWN[1] + 4]) - 0.006 * x**2
    return np.stack([x, y, z], axis=1)


def part_side(hair: Hair, place: Array) -> tuple[Array, Array]:
    """For each place: -1 or 1, the side of the parting it lies on; and the vector away from it."""
    line = part_line(hair)
    nearest = ((place**2).sum(axis=1)[:, None] - 2 * place @ line.T + (line**2).sum(axis=1)).argmin(axis=1)
    away = place - line[nearest]
    side = np.where(place[:, 0] >= line[nearest, 0], 1.0, -1.0)
    return side, away


def flow(hair: Hair, roots: Roots, random: np.random.Generator) -> Array:
    """(N, 3) direction along the skin in which each hair starts."""
    place, normal = roots.place, roots.normal
    side, away = part_side(hair, place)
    top = on_top(place)[:, None]
    length = length_mm(hair)
    away = away / np.maximum(np.linalg.norm(away, axis=1, keepdims=True), 1e-6)
    sideways = np.stack([side, np.zeros_like(side), np.zeros_like(side)], axis=1)
    parted = away + 0.5 * top * sideways
    front = smoothstep(95, 35, around(place))[:, None]
    parted = parted + np.array([0, 0, -1.0]) * front * (0.75 + 0.4 * (1 - top))
    # short hair lies forward from the crown, as it grows
    from_crown = place - CROWN
    from_crown = from_crown / np.maximum(np.linalg.norm(from_crown, axis=1, keepdims=True), 1e-6)
    forward = from_crown + top * np.array([0, 0, 0.8]) + (1 - top) * np.array([0, -0.9, -0.15])
    back = np.array([0, 0.1, -1.0]) + (1 - top) * np.array([0, -0.55, 0]) + 0.12 * sideways * top
    cropped = float(smoothstep(34, 18, np.array(length)))
    direction = cropped * forward + (1 - cropped) * parted
    direction = direction * (1 - hair.swept_back) + back * hair.swept_back * 1.5
    drift = smooth_noise(place, 22.0, 41, 3) * 0.22 + smooth_noise(place, 7.0, 42, 3) * 0.10
    direction = direction + drift + random.normal(0, 0.10, direction.shape)
    radial = np.where(curled(hair) > 0, normal + 0.5 * random.normal(0, 1, normal.shape), direction)
    direction = direction + curled(hair) * (radial - direction)
    fringe = fringe_share(hair, place)[:, None]
    down = np.stack(
        [0.010 * place[:, 0] - 0.5 * hair.parting, np.full(len(place), -0.3), np.full(len(place), 1.0)],
        axis=1,
    )
    direction = direction * (1 - fringe) + (down + 0.5 * drift) * fringe
    return along_skin(direction, normal)


def curled(hair: Hair) -> float:
    """0 for hair that hangs, 1 for hair so tightly curled that it stands off on all sides."""
    return float(smoothstep(0.72, 0.98, np.array(hair.wave)))


def length_mm(hair: Hair) -> float:
    """Length of the hair on the top of the head as it lies: tight curls take most of it up."""
    straight = float(np.interp(hair.length, LENGTHS[:, 0], LENGTHS[:, 1]))
    return straight * (1 - 0.74 * curled(hair)) + 6 * curled(hair)


def in_bun(hair: Hair) -> bool:
    """Tied hair too short to hang is wound into a bun."""
    return hair.tied > 0.3 and hair.length < 0.55


def fringe_share(hair: Hair, place: Array) -> Array:
    """(N,) 1 where a hair belongs to the fringe, else 0; the border between them is ragged."""
    if hair.fringe <= 0.05:
        return np.zeros(len(place), np.float32)
    depth = 44 + 14 * hair.fringe
    inside = smoothstep(-depth - 16, -depth + 16, place[:, 2] + 0.1 * np.abs(place[:, 0]))
    high = smoothstep(64, 88, place[:, 1] + 0.10 * np.abs(place[:, 0]))
    chance = np.abs(np.sin(place @ np.array([12.9898, 78.233, 37.719])) * 43758.5453) % 1.0
    return (inside * high > chance).astype(np.float32)


def over_the_face(points: Array) -> NDArray[np.bool_]:
    """(N,) strands that cross what hair beside the face should leave free."""
    x, y, z = np.abs(points[..., 0]), points[..., 1], points[..., 2]
    half = np.interp(-y, -CURTAIN_LINE[:, 0], CURTAIN_LINE[:, 1]) - 7
    return np.asarray(((x < half) & (y < 86) & (z > -52)).any(axis=1))


def rules(hair: Hair, roots: Roots, random: np.random.Generator) -> Array:
    """(N, RULES) how each hair grows, see strands.grow."""
    place, count = roots.place, len(roots)
    table = np.zeros((count, RULES), np.float32)
    top = on_top(place)
    length = length_mm(hair)
    short = float(smoothstep(150, 40, np.array(length)))
    cropped = float(smoothstep(34, 18, np.array(length)))
    low = 1 - smoothstep(20, 128, place[:, 1] + 0.25 * (place[:, 2] + 90))
    low = np.maximum(low, (1 - top) * min(1.0, hair.sides * 1.5)) * (1 - curled(hair) * 0.6)
    sides = 1 - low * (0.5 * short + (1 - 0.5 * short) * min(hair.sides * 0.97, 0.97))
    combed = short * (1 - cropped) * abs(hair.parting) * top * (1 - hair.swept_back)
    combed = combed * (part_side(hair, place)[0] == np.sign(hair.parting))
    sides = sides * (1 - 0.35 * combed)
    edge = 0.45 + 0.55 * smoothstep(0.3, 0.95, roots.strength)
    edge = 1 - short * (1 - edge)
    nape = 1 - short * 0.45 * smoothstep(20, -40, place[:, 1])
    vary = random.uniform(0.86, 1.08, count)
    table[:, LENGTH] = np.maximum(length * sides * edge * nape * vary, 3.0)
    front = smoothstep(70, 30, around(place)) * top
    lift = 0.30 + 0.24 * cropped + 0.14 * hair.volume + 0.05 * short * top * (1 - cropped)
    lift = lift + (0.08 + 0.24 * hair.swept_back) * short * front * (1 - cropped)
    lift = lift * (1 - 0.45 * short * (1 - top)) * (1 - 0.7 * combed)
    curly = curled(hair)
    table[:, LIFT] = np.clip(lift + (0.95 - lift) * curly + random.normal(0, 0.05, count), 0.05, 0.95)
    table[:, GRAVITY_PULL] = (0.011 + 0.028 * (1 - short)) * (1 - 0.95 * curly)
    cling = 0.006 + 0.020 * short * (1 - cropped)
    table[:, CLING] = cling * (1 - 0.5 * hair.volume) * (1 - curly)
    layer = random.random(count) ** 1.3
    full = 4.5 + 3.5 * hair.volume + 7.0 * min(length / 200, 1.0)
    table[:, CLEARANCE] = np.clip(1.2 + full * (0.25 + 0.75 * layer) * (0.6 + 0.4 * top), 0.8, None)
    table[:, RISE] = 22.0
    table[:, CURTAIN] = (1.0 + 26 * random.random(count) ** 1.6) * (length > 80) * (curly < 0.5)
    cut = float(np.interp(hair.length, CUT_HEIGHTS[:, 0], CUT_HEIGHTS[:, 1]))
    table[:, CUT] = cut + random.normal(0, 5.0, count) + 26 * smooth_noise(place, 30.0, 43)[:, 0] * 0.3
    fringe = fringe_share(hair, place) > 0.5
    if fringe.any():
        reach = np.hypot(HAIRLINE_Y - place[:, 1], np.minimum(place[:, 2] + 6, 0)) + 8
        beside = smoothstep(34, 58, np.abs(place[:, 0]))  # rounded off towards the temples
        falls = reach + (HAIRLINE_Y - BROW_Y) * (0.25 + 0.75 * hair.fringe) * vary
        falls = falls * (1 - (0.45 - 0.9 * min(0.5, hair.length)) * beside)
        table[fringe, LENGTH] = np.minimum(falls, max(length * 1.3, 45.0))[fringe]
        table[fringe, CURTAIN] = 0
        table[fringe, LIFT] = 0.16 + 0.1 * hair.volume
        table[fringe, GRAVITY_PULL] = 0.05
        table[fringe, CLING] = 0.12
        table[fringe, CLEARANCE] = 1.2 + 4.5 * layer[fringe]
        table[fringe, CUT] = -400
    if hair.tied > 0.3:
        gathered = ~fringe
        table[gathered, TIE] = 1
        table[gathered, CURTAIN] = 0
        table[gathered, LIFT] = 0.08
        table[gathered, CLING] = 0.08
        table[gathered, CLEARANCE] = 1.2 + (2.2 + 2.0 * max(hair.volume, 0)) * layer[gathered]
        table[gathered, RISE] = 14.0
        table[gathered, LENGTH] = max(length, 150.0) + 120.0
        if in_bun(hair):
            table[gathered, LENGTH] = 330.0
            table[gathered, CUT] = -400
    return table
