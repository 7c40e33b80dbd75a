"""Paints the regions of the first albedo: soft masks on the mean face, in millimetres.

Base regions lie over each other in their order like coats of paint; what shows of each is
its weight, and these sum to 1 at a texel. Overlays (hair, folds, freckles) lie on top, each
showing as far as the face's code says.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from facegpt_model.morphable.build.canvas import ISLANDS, Canvas
from facegpt_model.morphable.build.eyes import EDGE_WIDTH, IRIS_EDGE, PUPIL_EDGE
from facegpt_model.morphable.build.hair import beard, brow, brow_rim, lashes, scalp
from facegpt_model.morphable.build.marks import distance, freckles, wrinkles
from facegpt_model.morphable.build.noise import smoothstep, value_noise
from facegpt_model.morphable.build.wheel import FloatArray

Painter = Callable[[Canvas], FloatArray]
CARUNCLE_MM = 2.2
UPPER_LIP_ROWS, LOWER_LIP_ROWS = 5.9, 6.6
LIP_SLACK = 2.0  # mm by which lips may pass the lines through their landmarks
SIDE_TEETH = (13.0, 24.0)  # |x| in mm where teeth begin to lie in the cheeks' shade, and are dark


def _bump(canvas: Canvas, centre: tuple[float, float, float], radius: float) -> FloatArray:
    """Soft spot on the face, on both sides of the middle."""
    mirrored = np.abs(canvas.place[..., :1])
    place = np.concatenate([mirrored, canvas.place[..., 1:]], axis=-1)
    return np.exp(-(((place - np.array(centre)) / radius) ** 2).sum(-1)) * canvas.face()


def _skin(canvas: Canvas) -> FloatArray:
    return np.ones((canvas.size, canvas.size))


def _mottle(canvas: Canvas) -> FloatArray:
    """Faint uneven tone at three scales."""
    coarse = value_noise(canvas.place, 16.0, 11)
    middle = value_noise(canvas.place, 5.0, 12)
    fine = value_noise(canvas.place, 1.6, 13)
    return 0.36 * smoothstep(0.25, 0.85, 0.45 * coarse + 0.3 * middle + 0.25 * fine)


def _flush(canvas: Canvas) -> FloatArray:
    """Cheeks, nose tip, chin and ears have more blood."""
    cheeks = 0.5 * _bump(canvas, (37.0, 2.0, -2.0), 19.0)
    nose = 0.55 * _bump(canvas, (0.0, -3.0, 25.0), 11.0) + 0.3 * _bump(canvas, (12.0, -4.0, 12.0), 7.0)
    chin = 0.22 * _bump(canvas, (0.0, -60.0, 6.0), 13.0)
    brow_bone = 0.12 * _bump(canvas, (0.0, 62.0, 8.0), 30.0)
    uneven = 0.85 + 0.3 * value_noise(canvas.place, 7.0, 21)
    return np.clip((cheeks + nose + chin + brow_bone) * uneven + 0.45 * canvas.ears, 0, 0.8)


def _socket(canvas: Canvas) -> FloatArray:
    """Thin, darker skin of lids and below the eyes."""
    shade: FloatArray = np.zeros((canvas.size, canvas.size))
    for lid in canvas.lids:
        near = np.exp(-((distance(canvas.place, lid) / 6.5) ** 2))
        inner = lid[np.abs(lid[:, 0]).argmin()] + np.array([0.0, -4.0, 0.0])
        hollow = np.exp(-((distance(canvas.place, inner[None]) / 9.0) ** 2))
        shade = np.maximum(shade, np.maximum(0.55 * near, 0.4 * hollow))
    return shade * canvas.face()


def _lips(canvas: Canvas) -> FloatArray:
    """The vermilion: the mesh's rows around the mouth up to its border, cut off at the corners.

    The border lies at the sixth row of the upper lip and a little further on the lower one.
    """
    upper, lower = canvas.landmarks[48:55], canvas.landmarks[[48, 59, 58, 57, 56, 55, 54]]
    x, y = canvas.place[..., 0], canvas.place[..., 1]
    corner = upper[-1]
    border = UPPER_LIP_ROWS + (LOWER_LIP_ROWS - UPPER_LIP_ROWS) * smoothstep(1.0, -4.0, y - corner[1])
    rows = smoothstep(border + 0.45, border - 0.45, canvas.mouth_ring)
    top, bottom = _smooth_curve(upper, x) + LIP_SLACK, _smooth_curve(lower, x) - LIP_SLACK
    inside = np.minimum(np.minimum(top - y, y - bottom), 1.5 * (corner[0] + 0.8 - np.abs(x)))
    return rows * smoothstep(-0.7, 1.1, inside) * canvas.face()


def _smooth_curve(points: FloatArray, at: FloatArray) -> FloatArray:
    """Height of a line through points, its corners rounded over about 2 mm."""
    fine = np.linspace(points[0, 0] - 6, points[-1, 0] + 6, 400)
    height = np.interp(fine, points[:, 0], points[:, 1])
    kernel = np.exp(-((np.arange(-40, 41) * (fine[1] - fine[0]) / 2.0) ** 2))
    rounded = np.convolve(np.pad(height, 40, mode="edge"), kernel / kernel.sum(), mode="valid")
    return np.interp(at, fine, rounded)


def _mouth_line(canvas: Canvas) -> FloatArray:
    """The dark line where the lips meet."""
    return 0.85 * smoothstep(2.4, 0.8, canvas.mouth_ring) * canvas.face()


def _cavity(canvas: Canvas) -> FloatArray:
    """Inside of the mouth, and teeth and tongue towards the back of it."""
    mouth = (canvas.island == ISLANDS.index("mouth")).astype(np.float64)
    beside = smoothstep(*SIDE_TEETH, np.abs(canvas.place[..., 0]))
    behind = smoothstep(-6.0, -30.0, canvas.place[..., 2])
    return np.maximum(mouth, 0.9 * _teeth(canvas) * beside + 0.8 * _tongue(canvas) * behind)


def _wet_rim(canvas: Canvas) -> FloatArray:
    """Pink inner lids: the sockets' islands and the eye's inner corner."""
    sockets = np.isin(canvas.island, (ISLANDS.index("left_socket"), ISLANDS.index("right_socket")))
    mask = sockets.astype(np.float64)
    for lid in canvas.lids:
        corner = lid[np.abs(lid[:, 0]).argmin()]
        near = distance(canvas.place, corner[None])
        mask = np.maximum(mask, smoothstep(CARUNCLE_MM, 0.8, near) * canvas.face())
    return np.maximum(mask, 0.75 * smoothstep(3.0, 1.8, canvas.lid_ring) * canvas.face())


def _eye(canvas: Canvas) -> FloatArray:
    return (canvas.is_part("left_eye") | canvas.is_part("right_eye")).astype(np.float64)


def _within(canvas: Canvas, edge: float, width: float = EDGE_WIDTH) -> FloatArray:
    return smoothstep(edge + width / 2, edge - width / 2, canvas.eye_angle)


def _sclera_shade(canvas: Canvas) -> FloatArray:
    """The white of the eye darkens and reddens towards its sides."""
    return 0.75 * smoothstep(0.55, 1.15, canvas.eye_angle) * (canvas.eye_angle < 8)


def _limbus(canvas: Canvas) -> FloatArray:
    return _within(canvas, IRIS_EDGE)


def _iris(canvas: Canvas) -> FloatArray:
    """Radial fibres inside a dark rim."""
    inner = _within(canvas, IRIS_EDGE - 0.04, 0.05)
    rows, columns = np.indices((canvas.size, canvas.size))
    on_disc = canvas.eye_angle < 1.0
    centre = rows[on_disc].mean(), columns[on_disc].mean()
    around = np.arctan2(rows - centre[0], columns - centre[1])
    ring = np.stack([np.cos(around) * 14, np.sin(around) * 14, canvas.eye_angle * 6], axis=-1)
    fibres = value_noise(ring + 40, 1.0, 61)
    return inner * (0.72 + 0.28 * fibres)


def _iris_inner(canvas: Canvas) -> FloatArray:
    """The lighter collarette around the pupil."""
    return 0.5 * _within(canvas, 0.24, 0.1) * _iris(canvas)


def _pupil(canvas: Canvas) -> FloatArray:
    return _within(canvas, PUPIL_EDGE)


def _teeth(canvas: Canvas) -> FloatArray:
    return (canvas.is_part("upper_teeth") | canvas.is_part("lower_teeth")).astype(np.float64)


def _tongue(canvas: Canvas) -> FloatArray:
    return canvas.is_part("tongue").astype(np.float64)


BASE_REGIONS: dict[str, Painter] = {
    "skin": _skin,
    "mottle": _mottle,
    "flush": _flush,
    "socket": _socket,
    "lips": _lips,
    "mouth_line": _mouth_line,
    "wet_rim": _wet_rim,
    "sclera": _eye,
    "sclera_shade": _sclera_shade,
    "limbus": _limbus,
    "iris": _iris,
    "iris_inner": _iris_inner,
    "pupil": _pupil,
    "teeth": _teeth,
    "tongue": _tongue,
    "cavity": _cavity,
}
OVERLAYS: dict[str, Painter] = {
    "wrinkles": wrinkles,
    "freckles": freckles,
    "beard": beard,
    "brow_rim": brow_rim,
    "brow": brow,
    "scalp": scalp,
    "lashes": lashes,
}
REGION_NAMES = (*BASE_REGIONS, *OVERLAYS)


def paint(canvas: Canvas) -> FloatArray:
    """(R, S, S) in the order of REGION_NAMES: weights of the base, which sum to 1, then overlays' masks."""
    coats = [np.clip(painter(canvas), 0, 1) for painter in BASE_REGIONS.values()]
    weights = np.zeros((len(REGION_NAMES), canvas.size, canvas.size))
    left = np.ones((canvas.size, canvas.size))
    for index in range(len(coats) - 1, -1, -1):
        weights[index] = left * coats[index]
        left = left * (1 - coats[index])
    lips = 1 - 0.95 * coats[list(BASE_REGIONS).index("lips")]
    for index, painter in enumerate(OVERLAYS.values()):
        weights[len(coats) + index] = np.clip(painter(canvas), 0, 1) * lips
    return weights
