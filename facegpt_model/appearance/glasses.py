"""Glasses that fit the head they are on: rims, bridge, pads, temples over the ears, and lenses.

The front is made about the middle of the eyes, as wide as the head, and moved out of the face
until nothing of it touches skin. Millimetres, head frame.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from facegpt_model.appearance.parameters import Glasses
from facegpt_model.appearance.seat import Ear, Seat
from facegpt_model.appearance.sweep import Part, bevelled, blob, joined, mirrored, smooth_normals, sweep
from facegpt_model.mesh import NamedMesh

Floats = NDArray[np.float64]
WORN_FROM = 0.3
RIMLESS_BELOW, ACETATE_FROM = 0.08, 0.4  # of Glasses.rim
AROUND = 56  # points of one rim
LENS_RINGS = (0.0, 0.5, 0.965, 1.0)
LENS_DEPTH = 1.8
PLASTIC_RIM = 1.9  # mm, the rim of a frame at ACETATE_FROM
WRAP_MM, BASE_MM = 210.0, 400.0  # radii of the front across and upwards
TILT = np.sin(np.deg2rad(7.0))  # lenses lean, the lower edge nearer to the cheeks
EYE_ROOM, SKIN_ROOM, NOSE_ROOM = 10.5, 1.2, 0.6  # mm kept free before eyes, skin and nose
BRIDGE_STEPS, WORTH_WIDENING = (0.0, 1.5, 3.0, 4.5), 2.0  # mm more room for the nose; mm nearer the face
LARGEST_BOW = 6.0  # mm a bridge arches forward over a high nose before the whole front moves out
METAL = (0.24, 0.235, 0.23)
ACETATE = (0.012, 0.0085, 0.007)


@dataclass(frozen=True)
class Front:
    """The front of a frame in its own plane: x from the middle, y from the lenses' middle.

    half_bridge: mm from the middle to a lens; width, height: half axes of a lens; square: exponent
    of its outline; rim: mm between lens and outer edge; depth: mm front to back; out: z of the
    front's middle; bow: mm the bridge's middle lies farther out; centre: y of the lenses' middle;
    hinge: (2,) x and y where temples begin
    """

    half_bridge: float
    width: float
    height: float
    square: float
    rim: float
    depth: float
    centre: float
    hinge: Floats
    out: float = 0.0
    bow: float = 0.0

    def outline(self, grown: float, count: int = AROUND) -> Floats:
        """(count, 2) edge of the person's left lens, `grown` mm larger all round."""
        turn = np.arange(count) * (2 * np.pi / count)
        x, y = np.cos(turn), np.sin(turn)
        a, b = self.width + grown, self.height + grown
        radius = (np.abs(x / a) ** self.square + np.abs(y / b) ** self.square) ** (-1 / self.square)
        x, y = radius * x, radius * y
        down, nasal = np.clip(-y / b, 0, 1), np.clip(-x / a, 0, 1)
        x = (
            x * (1 + 0.025 * self.square * y / b) + 0.11 * a * down * nasal
        )  # narrower below, cut away along the nose
        return np.stack([self.half_bridge + self.width + x, y], axis=1)

    def place(self, flat: Floats) -> Floats:
        """(n, 3) points of the curved front, x from the middle of the head and y, z of the head frame."""
        x, y = flat[:, 0], flat[:, 1]
        z = self.out - x**2 / (2 * WRAP_MM) - y**2 / (2 * BASE_MM) + TILT * y
        return np.stack([x, self.centre + y, z], axis=1)


def glasses_of(worn: Glasses, seat: Seat) -> tuple[NamedMesh, ...]:
    """The meshes "glasses" and "lenses", none unless they are worn; below 4,000 triangles."""
    if worn.worn < WORN_FROM:
        return ()
    front = fitted(worn, seat)
    lens, uv = _lens(front)
    solid = [*_rims(front), *_bridge(front), *_pads(front, seat)]
    if worn.rim < RIMLESS_BELOW:
        solid = solid[2:]
    left, right = _temple(front, worn, seat.left), mirrored(_temple(front, worn, seat.right))
    frame = joined([*solid, left, right])
    lenses = joined([lens, mirrored(lens)])
    acetate = worn.rim >= ACETATE_FROM
    move = np.array([seat.middle, 0.0, 0.0])
    return (
        NamedMesh(
            name="glasses",
            vertices=(frame[0] + move).astype(np.float32),
            normals=smooth_normals(frame),
            triangles=frame[1],
            base_colour=(*(ACETATE if acetate else METAL), 1.0),
            roughness=0.28 if acetate else 0.35,
            metallic=0.0 if acetate else 0.9,
            double_sided=False,
        ),
        NamedMesh(
            name="lenses",
            vertices=(lenses[0] + move).astype(np.float32),
            normals=smooth_normals(lenses),
            triangles=lenses[1],
            roughness=0.05,
            uv=np.concatenate([uv, uv]).astype(np.float32),
            image=_tint(worn),
            alpha="BLEND",
        ),
    )


def fitted(worn: Glasses, seat: Seat) -> Front:
    """The front for these glasses on this head; the bridge is as narrow as the nose lets it be."""
    narrowest = float(np.clip(0.30 * seat.inner, 7.5, 12.5))
    fronts = (_moved_out(_front(worn, seat, narrowest + wider), seat) for wider in BRIDGE_STEPS)
    best = next(fronts)
    for front in fronts:
        if front.out < best.out - WORTH_WIDENING:
            best = front
    return best


def _front(worn: Glasses, seat: Seat, half_bridge: float) -> Front:
    """The front with this half distance between the rims, not yet moved out."""
    rim = 0.0 if worn.rim < RIMLESS_BELOW else 0.7 + 4.3 * worn.rim**1.3
    temple = min(float(ear.reach(seat.pupils + 6.0, ear.rest[2] + 30.0)) for ear in (seat.left, seat.right))
    hinge = temple + 1.2
    half_bridge += 0.5 * rim
    scale = (1 + 0.17 * worn.size) * hinge / 67.0
    width = float(np.interp(worn.shape, (-1, 0, 1), (22.5, 25.0, 26.5))) * scale
    width = min(width, (hinge - half_bridge - rim - 1.5) / 2)
    height = width * float(np.interp(worn.shape, (-1, 0, 1), (0.97, 0.76, 0.66)))
    return Front(
        half_bridge=half_bridge,
        width=width,
        height=height,
        square=float(np.interp(worn.shape, (-1, 0, 1), (2.0, 3.0, 5.5))),
        rim=rim,
        depth=1.7 if worn.rim < ACETATE_FROM else 2.6 + 1.6 * worn.rim,
        centre=seat.pupils - 0.16 * height,
        hinge=np.array([hinge, 0.5 * height]),
    )


def _moved_out(front: Front, seat: Seat) -> Front:
    """The front at the distance that eyes, skin and nose leave it."""

    def needed(flat: Floats, room: float) -> float:
        plain = front.place(flat)
        surfaces = [seat.front.at(seat.middle + side * plain[:, 0], plain[:, 1]) for side in (-1, 1)]
        return float((np.maximum(*surfaces) + room - plain[:, 2]).max())

    eye = np.array([[seat.apart / 2, seat.pupils - front.centre]])
    edges = np.concatenate([front.outline(0.0), front.outline(front.rim)])
    behind = front.depth / 2
    out = max(needed(eye, EYE_ROOM), needed(edges, SKIN_ROOM + behind))
    over_nose = needed(_bridge_line(front)[2:-2], NOSE_ROOM + behind)
    out = max(out, over_nose - LARGEST_BOW)
    return replace(front, out=out, bow=max(over_nose - out, 0.0))


def _bridge_line(front: Front) -> Floats:
    """(9, 2) middle of the bridge, from the left lens's rim over the nose."""
    edge = front.outline(0.5 * front.rim)
    nasal = edge[(np.arange(AROUND) > AROUND // 4) & (np.arange(AROUND) < 3 * AROUND // 4)]
    y = 0.38 * front.height
    x = float(nasal[np.abs(nasal[:, 1] - y).argmin(), 0]) + (1.5 if front.rim == 0 else 0.0)
    across = np.linspace(x, -x, 9)
    return np.stack([across, y + 2.2 * (1 - (across / x) ** 2)], axis=1)


def _rims(front: Front) -> list[Part]:
    edge = front.place(front.outline(0.5 * front.rim))
    out = front.outline(1.0) - front.outline(0.0)
    across = np.column_stack([out / np.linalg.norm(out, axis=1, keepdims=True), np.zeros(len(out))])
    depth = np.tile([0.0, 0.0, 1.0], (len(edge), 1))
    rim = sweep(edge, across, depth, bevelled(front.rim + 0.4, front.depth), closed=True)
    return [rim, mirrored(rim)]


def _bridge(front: Front) -> list[Part]:
    line = front.place(_bridge_line(front))
    line[:, 2] += front.bow * np.clip(1.6 * (1 - np.linspace(-1, 1, len(line)) ** 2), 0, 1)
    thick = max(1.3, 1.3 * front.rim) if front.rim >= PLASTIC_RIM else 1.4
    up = np.tile([0.0, 1.0, 0.0], (len(line), 1))
    depth = np.tile([0.0, 0.0, 1.0], (len(line), 1))
    flare = 1 + 0.8 * np.linspace(-1, 1, len(line)) ** 2 * (front.rim >= PLASTIC_RIM)
    profile = bevelled(thick, max(1.3, 0.9 * front.depth)) * np.stack([flare, np.ones(len(line))], 1)[:, None]
    return [sweep(line, up, depth, profile)]


def _pads(front: Front, seat: Seat) -> list[Part]:
    """Pads on the sides of the nose, each held by a thin arm from the lens's edge."""
    parts: list[Part] = []
    y = front.centre - 0.12 * front.height
    for side in (1.0, -1.0):
        steps = np.arange(4.0, front.half_bridge + 3.0, 0.5)
        height = seat.front.at(seat.middle + side * steps, np.full(len(steps), y))
        edge = front.outline(0.3 * front.rim)
        held = front.place(edge[[_nasal(edge, y - front.centre + 2.0)]])[0]
        wanted = held[2] - front.depth / 2 - 3.5
        x = float(steps[np.abs(height - wanted).argmin()])
        near = np.abs(steps - x) <= 1.6
        slope = float(np.clip(np.polyfit(steps[near], height[near], 1)[0], -4.0, -0.4))
        normal = np.array([-slope, 0.0, 1.0]) / np.hypot(slope, 1.0)
        along = np.array([0.16, 1.0, 0.1])
        along -= normal * (along @ normal)
        along /= np.linalg.norm(along)
        surface = np.array([x, y, float(seat.front.at(seat.middle + side * x, y))])
        pad = surface + 0.8 * normal
        axes = np.stack([0.9 * normal, 5.2 * along, 2.6 * np.cross(normal, along)])
        pieces = [blob(pad, axes)]
        if front.rim >= PLASTIC_RIM:  # a plastic frame's pads are of one piece with it
            way = (held - pad) / np.linalg.norm(held - pad)
            reach = 0.75 * np.linalg.norm(held - pad)
            axes = np.stack([reach * way, 6.5 * along, 1.8 * np.cross(way, along)])
            block = blob(0.45 * held + 0.55 * pad, axes)
            parts.append(block if side > 0 else mirrored(block))
            continue
        bend = (pad + held) / 2 + np.array([0.6, 0.0, -1.6])
        share = np.linspace(0, 1, 6)[:, None]
        line = (1 - share) ** 2 * held + 2 * share * (1 - share) * bend + share**2 * pad
        flat = np.tile([0.0, 1.0, 0.0], (len(line), 1))
        way = np.gradient(line, axis=0)
        depth = np.cross(way, flat)
        depth /= np.linalg.norm(depth, axis=1, keepdims=True)
        pieces.append(sweep(line, flat, depth, bevelled(1.0, 1.0)))
        part = joined(pieces)
        parts.append(part if side > 0 else mirrored(part))
    return parts


def _nasal(edge: Floats, y: float) -> int:
    """Index of the outline's point on the side of the nose at a height."""
    middle = edge[:, 0].mean()
    return int(np.where(edge[:, 0] < middle, np.abs(edge[:, 1] - y), np.inf).argmin())


def _temple(front: Front, worn: Glasses, ear: Ear) -> Part:
    """From the rim's outer edge around the corner, back to the ear and down behind it."""
    tall, thick = (1.9, 1.3) if worn.rim < ACETATE_FROM else (3.0 + 3.6 * worn.rim, 1.6 + 1.4 * worn.rim)
    hinge, rise = front.hinge
    edge = front.outline(0.5 * front.rim)
    begin = edge[np.where(edge[:, 0] > edge[:, 0].mean(), np.abs(edge[:, 1] - rise), np.inf).argmin()]
    rim = front.place(begin[None])[0] - np.array([1.5 if front.rim == 0 else 0.0, 0, 0])
    corner = front.place(np.array([[hinge, rise]]))[0]
    rest = ear.rest + np.array([0.5 * thick + 0.6, 0.5 * tall + 0.5, 0.0])
    share = np.linspace(0.1, 1.0, 9)[:, None]
    back = (corner - np.array([0, 0, 5.0])) * (1 - share) + rest * share
    back[:, 0] = np.maximum(
        back[:, 0], ear.reach(back[:, 1], back[:, 2]) * (back[:, 2] > rest[2] + 4) + 0.5 * thick + 0.6
    )
    tip = rest + np.array(
        [[-0.3, -3.0, -9.0], [-0.8, -10.0, -17.0], [-1.6, -20.0, -22.0], [-2.4, -30.0, -25.0]]
    )
    line = np.concatenate(
        [
            [rim],
            [corner - np.array([2.2, 0, 0.0])],
            [corner - np.array([0.5, 0, 1.2])],
            [corner - np.array([0, 0, 5.0])],
            back,
            tip,
        ]
    )
    way = np.gradient(line, axis=0)
    way /= np.linalg.norm(way, axis=1, keepdims=True)
    side = np.cross(way, np.array([0.0, 1.0, 0.0]))
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    taper = np.interp(np.arange(len(line)), (0, 3, 8, len(line) - 1), (1.0, 1.0, 0.75, 0.7))
    profile = bevelled(tall, thick)[None] * np.stack([taper, np.ones(len(line))], axis=1)[:, None, :]
    return sweep(line, np.cross(side, way), side, profile)


def _lens(front: Front) -> tuple[Part, Floats]:
    """The left lens, both faces' middle and its edge, with (share of the way out, height) as uv."""
    outline = front.outline(0.0)
    centre = np.array([front.half_bridge + front.width, 0.0])
    rings = [centre + share * (outline - centre) for share in LENS_RINGS[1:]]
    flat = np.concatenate([centre[None], *rings])
    surface = front.place(flat)
    rim = surface[-AROUND:] - np.array([0, 0, LENS_DEPTH])
    vertices = np.concatenate([surface, surface[-AROUND:], rim])
    here = np.arange(AROUND)
    there = (here + 1) % AROUND
    triangles = [np.stack([np.zeros(AROUND, np.int64), 1 + here, 1 + there], axis=1)]
    for row in (*range(len(rings) - 1), len(rings)):
        a, b = 1 + row * AROUND, 1 + (row + 1) * AROUND
        triangles.append(np.stack([a + here, b + here, b + there], axis=1))
        triangles.append(np.stack([a + here, b + there, a + there], axis=1))
    shares = np.concatenate([[0.0], np.repeat(LENS_RINGS[1:], AROUND), np.ones(2 * AROUND)])
    up = np.concatenate([flat[:, 1], outline[:, 1], outline[:, 1]]) / (2 * front.height) + 0.5
    return (vertices, np.concatenate(triangles)), np.stack([shares, np.clip(up, 0, 1)], axis=1)


def _tint(worn: Glasses) -> NDArray[np.uint8]:
    """(32, 32, 4) colour and opacity over (share of the way out, height), darker above."""
    up = np.linspace(1, 0, 32)[:, None]
    out = (np.arange(32)[None] + 0.5) / 32
    edge = 0.34 if worn.rim < RIMLESS_BELOW else 0.1  # of bare glass its ground edge is seen
    cover = 0.02 + worn.dark * (0.86 + 0.11 * up)
    cover = np.where(out > 0.97, np.maximum(cover, edge), cover)
    shade = np.array([196, 206, 204]) * (1 - worn.dark) ** 2 + np.array([14, 13, 12]) * (
        1 - (1 - worn.dark) ** 2
    )
    colour = np.broadcast_to(shade, (32, 32, 3))
    return np.dstack([colour, 255 * np.clip(cover, 0, 0.985)]).round().astype(np.uint8)
