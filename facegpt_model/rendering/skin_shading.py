"""Light on skin, eyes and teeth for stills, compiled with numba.

Three results per sample: light that arrives (diffuse), the colour it meets (albedo) and
light that mirrors off (specular). They stay apart because light under skin spreads before
it leaves (scattering.py), and only then albedo applies.

The lamps (lamps.py) stand with the camera. Frame: x right, y up, z towards the viewer, origin at the
camera, millimetres. Sources: GGX and its Smith term after Walter et al. 2007, Schlick's
Fresnel, penumbra by blocker distance after Fernando 2005, tinted occlusion after Jimenez
et al. 2016. The kernels share one file because numba's disk cache notices a change only in
the file of the function that is called.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from facegpt_model.rendering.surface import EYE, MOUTH, SKIN

WRAP = (0.14, 0.06, 0.03)  # how far light reaches around skin beyond the terminator
SKIN_F0, MOUTH_F0, EYE_F0 = 0.028, 0.035, 0.03
EYE_WHITE = 0.72  # of its albedo: a ball in its socket gets less light from all around
SOFTBOX = (0.24, 0.30)  # half width and height of the lamp seen in the eye, tangents
CREVICE_MM = 6.0
SHADOW_BIAS_MM = 2.5
PORE_TILE_MM, BLOTCH_TILE_MM = 62.0, 430.0  # sides of the repeating noise at its two scales
PORE_DEPTH = 0.024  # how far pores tilt the normal, as a tangent


def _disc(count: int) -> np.ndarray:
    """(count, 2) points that fill the unit disc evenly (Vogel's spiral)."""
    index = np.arange(count)
    angle, reach = 2.399963 * index, np.sqrt((index + 0.5) / count)
    return np.stack([np.cos(angle) * reach, np.sin(angle) * reach], axis=1)


FEW, MANY = _disc(12), _disc(20)


@njit(cache=True, nogil=True, fastmath=True, inline="always")
def _noise(x: int, y: int) -> float:
    value = 0.06711056 * x + 0.00583715 * y
    value = 52.9829189 * (value - math.floor(value))
    return value - math.floor(value)


@njit(cache=True, nogil=True, fastmath=True)
def _texel(image: np.ndarray, u: float, v: float, out: np.ndarray) -> None:
    """Bilinear lookup that repeats beyond [0, 1]; v runs up."""
    height, width, channels = image.shape
    x, y = (u - math.floor(u)) * width - 0.5, (math.ceil(v) - v) * height - 0.5
    left, top = math.floor(x), math.floor(y)
    s, t = x - left, y - top
    x0, x1 = left if left >= 0 else width - 1, left + 1 if left + 1 < width else 0
    y0, y1 = top if top >= 0 else height - 1, top + 1 if top + 1 < height else 0
    for k in range(channels):
        out[k] = (image[y0, x0, k] * (1 - s) + image[y0, x1, k] * s) * (1 - t)
        out[k] += (image[y1, x0, k] * (1 - s) + image[y1, x1, k] * s) * t


@njit(cache=True, nogil=True, fastmath=True)
def _pores(
    grain: np.ndarray, place: np.ndarray, normal: np.ndarray, mm: float, one: np.ndarray, out: np.ndarray
) -> None:
    """Noise on a surface from three flat pictures of `mm` millimetres, blended by its direction."""
    out[:] = 0.0
    total = 0.0
    for axis in range(3):
        squared = normal[axis] * normal[axis]
        total += squared * squared
    for axis in range(3):
        squared = normal[axis] * normal[axis]
        share = squared * squared / total
        if share < 0.02:
            continue
        _texel(grain, place[(axis + 1) % 3] / mm, place[(axis + 2) % 3] / mm, one)
        for k in range(4):
            out[k] += share * one[k]


@njit(cache=True, nogil=True, fastmath=True)
def _lit(
    shadow: np.ndarray, x: float, y: float, nearness: float, mm: float, cosine: float, sine: float
) -> float:
    """Share of the soft lamp seen: search blockers, then filter as wide as they are far."""
    size = shadow.shape[0]
    blockers, blocked = 0.0, 0
    for k in range(len(FEW)):
        dx, dy = FEW[k, 0] * cosine - FEW[k, 1] * sine, FEW[k, 0] * sine + FEW[k, 1] * cosine
        column = min(max(int(x + dx * 11.0 / mm), 0), size - 1)
        row = min(max(int(y + dy * 11.0 / mm), 0), size - 1)
        over = shadow[row, column] - nearness
        if over > SHADOW_BIAS_MM:
            blockers += over
            blocked += 1
    if blocked == 0:
        return 1.0
    penumbra = min(max(0.22 * blockers / blocked, 1.5), 11.0) / mm
    seen = 0.0
    for k in range(len(MANY)):
        dx, dy = MANY[k, 0] * cosine - MANY[k, 1] * sine, MANY[k, 0] * sine + MANY[k, 1] * cosine
        column = min(max(int(x + dx * penumbra), 0), size - 1)
        row = min(max(int(y + dy * penumbra), 0), size - 1)
        if shadow[row, column] - nearness <= SHADOW_BIAS_MM:
            seen += 1.0
    return seen / len(MANY)


@njit(cache=True, nogil=True, fastmath=True)
def _openness(
    nearest: np.ndarray,
    column: int,
    row: int,
    focal: float,
    nx: float,
    ny: float,
    nz: float,
    cosine: float,
    sine: float,
) -> float:
    """Visible share of the nearest few millimetres, from the depth buffer around this sample."""
    height, width = nearest.shape
    depth = 1.0 / nearest[row, column]
    pixels, mm = CREVICE_MM * focal / depth, depth / focal
    hidden = 0.0
    for k in range(len(FEW)):
        dx, dy = FEW[k, 0] * cosine - FEW[k, 1] * sine, FEW[k, 0] * sine + FEW[k, 1] * cosine
        x, y = int(column + dx * pixels + 0.5), int(row + dy * pixels + 0.5)
        if x < 0 or y < 0 or x >= width or y >= height or nearest[y, x] <= 0.0:
            continue
        dx, dy = (x - column) * mm, (row - y) * mm
        dz = depth - 1.0 / nearest[y, x]
        squared = dx * dx + dy * dy + dz * dz
        above = dx * nx + dy * ny + dz * nz - 0.2
        if above > 0.0:
            hidden += above / math.sqrt(squared) * max(0.0, 1.0 - squared / (6.0 * CREVICE_MM * CREVICE_MM))
    return max(0.0, 1.0 - 1.6 * hidden / len(FEW))


@njit(cache=True, nogil=True, fastmath=True, inline="always")
def _fifth(value: float) -> float:
    squared = value * value
    return squared * squared * value


@njit(cache=True, nogil=True, fastmath=True)
def _mirror(
    nx: float, ny: float, nz: float, vx: float, vy: float, vz: float, lamp: tuple, rough: float, f0: float
) -> float:
    """GGX reflection of a lamp times the cosine, in units where a white wall gives the cosine."""
    ndl = nx * lamp[0] + ny * lamp[1] + nz * lamp[2]
    if ndl <= 0.0:
        return 0.0
    hx, hy, hz = vx + lamp[0], vy + lamp[1], vz + lamp[2]
    length = math.sqrt(hx * hx + hy * hy + hz * hz)
    if length < 1e-6:
        return 0.0
    ndh = (nx * hx + ny * hy + nz * hz) / length
    vdh = (vx * hx + vy * hy + vz * hz) / length
    ndv = max(nx * vx + ny * vy + nz * vz, 1e-3)
    a2 = rough * rough * rough * rough
    spread = ndh * ndh * (a2 - 1.0) + 1.0
    smith = 0.5 / (ndl * math.sqrt(ndv * ndv * (1 - a2) + a2) + ndv * math.sqrt(ndl * ndl * (1 - a2) + a2))
    return a2 / (spread * spread) * smith * ndl * (f0 + (1.0 - f0) * _fifth(1.0 - max(vdh, 0.0)))


@njit(cache=True, nogil=True, fastmath=True)
def _softbox(rx: float, ry: float, rz: float, lamp: tuple) -> float:
    """How much of a rectangular lamp a mirrored ray meets, with soft edges."""
    facing = rx * lamp[0] + ry * lamp[1] + rz * lamp[2]
    if facing <= 0.0:
        return 0.0
    flat = math.sqrt(lamp[0] * lamp[0] + lamp[2] * lamp[2])
    across = (rx * lamp[2] - rz * lamp[0]) / flat / facing
    up = (ry - facing * lamp[1]) / flat / facing
    inside_x = min(max((SOFTBOX[0] - abs(across)) / 0.06 + 0.5, 0.0), 1.0)
    inside_y = min(max((SOFTBOX[1] - abs(up)) / 0.06 + 0.5, 0.0), 1.0)
    return inside_x * inside_y


@njit(cache=True, nogil=True, fastmath=True)
def shade(
    ids: np.ndarray,
    nearest: np.ndarray,
    focal: float,
    screen: np.ndarray,
    positions: np.ndarray,
    normals: np.ndarray,
    rest: np.ndarray,
    rotation: np.ndarray,
    light_points: np.ndarray,
    occlusion: np.ndarray,
    colours: np.ndarray,
    triangles: np.ndarray,
    material: np.ndarray,
    corner_uv: np.ndarray,
    texture: np.ndarray,
    slope: np.ndarray,
    grain: np.ndarray,
    eyes: np.ndarray,
    worn: np.ndarray,
    shadow: np.ndarray,
    shadow_mm: float,
    lamps: tuple,
    diffuse: np.ndarray,
    albedo: np.ndarray,
    specular: np.ndarray,
) -> None:
    """Fill diffuse, albedo and specular (H, W, 3) for the samples in ids (H, W).

    screen: (V, 3) pixel x, pixel y, depth; positions, normals: (V, 3) in the lamps' frame;
    rest: (V, 3) places pores stick to; rotation: (3, 3) from their frame to the lamps';
    light_points: (V, 3) in the shadow map; grain: (G, G, 4) repeating noise of about unit
    size; eyes: (K, 6) as Surface.eyes, in the lamps' frame; worn: (M, 2) as Surface.worn;
    shadow_mm: mm per texel; lamps: a plain tuple of Lamps.
    """
    key_lamp, key_colour, fill_lamp, fill_colour, rim_lamp, rim_colour, sky_colour, ground = lamps
    height, width = ids.shape
    textured = texture.shape[0] > 0
    skin_colour, pore, blotch, one = np.ones(4), np.zeros(4), np.zeros(4), np.zeros(4)  # and gloss
    w, place, way, rise = np.zeros(3), np.zeros(3), np.zeros(3), np.zeros(3)
    for row in range(height):
        for column in range(width):
            t = ids[row, column]
            if t < 0:
                continue
            a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
            x, y = column + 0.5, row + 0.5
            ax, ay, bx, by = screen[a, 0] - x, screen[a, 1] - y, screen[b, 0] - x, screen[b, 1] - y
            cx, cy = screen[c, 0] - x, screen[c, 1] - y
            w[0] = (bx * cy - cx * by) / screen[a, 2]
            w[1] = (cx * ay - ax * cy) / screen[b, 2]
            w[2] = (ax * by - bx * ay) / screen[c, 2]
            total = w[0] + w[1] + w[2]
            place[:] = 0.0
            px = py = pz = nx = ny = nz = lx = ly = lz = ao = u = v = 0.0
            for k in range(3):
                s = w[k] / total
                i = triangles[t, k]
                px += s * positions[i, 0]
                py += s * positions[i, 1]
                pz += s * positions[i, 2]
                nx += s * normals[i, 0]
                ny += s * normals[i, 1]
                nz += s * normals[i, 2]
                lx += s * light_points[i, 0]
                ly += s * light_points[i, 1]
                lz += s * light_points[i, 2]
                ao += s * occlusion[i]
                for j in range(3):
                    place[j] += s * rest[i, j]
                u += s * corner_uv[t, k, 0]
                v += s * corner_uv[t, k, 1]
            kind = material[t]
            if textured and kind >= 0:
                _texel(texture, u, v, skin_colour)
            else:
                skin_colour[3] = 1.0
                for k in range(3):
                    skin_colour[k] = (
                        w[0] * colours[a, k] + w[1] * colours[b, k] + w[2] * colours[c, k]
                    ) / total
            far = math.sqrt(px * px + py * py + pz * pz)
            vx, vy, vz = -px / far, -py / far, -pz / far
            length = math.sqrt(nx * nx + ny * ny + nz * nz) + 1e-12
            nx, ny, nz = nx / length, ny / length, nz / length
            sx, sy, sz = nx, ny, nz  # normal of the mirroring surface
            gloss, caustic, lid = skin_colour[3], 1.0, 1.0
            if kind >= EYE:
                e = kind - EYE
                nx, ny, nz = px - eyes[e, 0], py - eyes[e, 1], pz - eyes[e, 2]
                length = math.sqrt(nx * nx + ny * ny + nz * nz) + 1e-12
                nx, ny, nz = nx / length, ny / length, nz / length
                gx, gy, gz = eyes[e, 3], eyes[e, 4], eyes[e, 5]
                along = nx * gx + ny * gy + nz * gz
                ox, oy, oz = nx - along * gx, ny - along * gy, nz - along * gz
                aside = math.sqrt(ox * ox + oy * oy + oz * oz) + 1e-9
                sx, sy, sz = nx, ny, nz
                caustic = EYE_WHITE
                shade = min(max((oy + 0.10) / 0.34, 0.0), 1.0)  # of the upper lid and its lashes
                lid = 1.0 - 0.5 * shade * shade
                if along > 0.0 and aside < 0.5:  # the cornea bulges: its normals turn faster
                    bulge = min(max((0.5 - aside) / 0.14, 0.0), 1.0)
                    steep = min(aside * (1.0 + 0.75 * bulge), 0.95)
                    level = math.sqrt(1.0 - steep * steep)
                    sx, sy, sz = (
                        level * gx + steep * ox / aside,
                        level * gy + steep * oy / aside,
                        level * gz + steep * oz / aside,
                    )
                    if aside < 0.39:  # light gathers on the far side of the iris
                        towards = (ox * key_lamp[0] + oy * key_lamp[1] + oz * key_lamp[2]) / aside
                        caustic = 1.2 - 0.5 * towards * min(aside / 0.3, 1.0)
            elif kind == SKIN:
                if slope.shape[0] > 0:
                    _texel(slope, u, v, rise)
                    for j in range(3):
                        way[j] = (
                            rotation[j, 0] * rise[0] + rotation[j, 1] * rise[1] + rotation[j, 2] * rise[2]
                        )
                    along = way[0] * nx + way[1] * ny + way[2] * nz
                    nx, ny, nz = (
                        nx * (1 + along) - way[0],
                        ny * (1 + along) - way[1],
                        nz * (1 + along) - way[2],
                    )
                    length = math.sqrt(nx * nx + ny * ny + nz * nz)
                    nx, ny, nz = nx / length, ny / length, nz / length
                for j in range(3):
                    way[j] = abs(nx * rotation[0, j] + ny * rotation[1, j] + nz * rotation[2, j])
                _pores(grain, place, way, PORE_TILE_MM, one, pore)
                _pores(grain, place, way, BLOTCH_TILE_MM, one, blotch)
                depth = PORE_DEPTH * min(max(1.6 * (nx * vx + ny * vy + nz * vz), 0.0), 1.0)
                dx, dy, dz = pore[0] * depth, pore[1] * depth, pore[2] * depth
                sx, sy, sz = nx + dx, ny + dy, nz + dz
                length = math.sqrt(sx * sx + sy * sy + sz * sz)
                sx, sy, sz = sx / length, sy / length, sz / length
                nx, ny, nz = nx + 0.5 * dx, ny + 0.5 * dy, nz + 0.5 * dz
                length = math.sqrt(nx * nx + ny * ny + nz * nz)
                nx, ny, nz = nx / length, ny / length, nz / length
                gloss *= max(0.4, 1.0 + 0.2 * pore[3] + 0.1 * blotch[3])
                tone = 1.0 + 0.015 * pore[3] + 0.005 * blotch[3]
                skin_colour[0] *= tone * (1.0 + 0.003 * blotch[0])
                skin_colour[1] *= tone * (1.0 - 0.009 * blotch[0])
                skin_colour[2] *= tone * (1.0 - 0.007 * blotch[0])
            turn = 6.2831853 * _noise(column, row)
            cosine, sine = math.cos(turn), math.sin(turn)
            ndl = nx * key_lamp[0] + ny * key_lamp[1] + nz * key_lamp[2]
            lit = 0.0
            if ndl > (-0.3 if kind >= EYE else -0.15):  # no light wraps further than WRAP
                lit = _lit(shadow, lx, ly, lz + 2.0 * (1.0 - abs(ndl)), shadow_mm, cosine, sine)
            open_near = _openness(nearest, column, row, focal, nx, ny, nz, cosine, sine)
            if kind >= EYE:  # lids and lashes shade the ball from close by
                open_near *= open_near
                lit *= 0.3 + 0.7 * open_near
            if kind == MOUTH:  # the maps are too coarse for what light finds between open lips
                ao = max(ao, 0.35)
                lit = max(lit, 0.3)
            ao *= open_near
            fill = max(0.0, nx * fill_lamp[0] + ny * fill_lamp[1] + nz * fill_lamp[2])
            rim = max(0.0, nx * rim_lamp[0] + ny * rim_lamp[1] + nz * rim_lamp[2])
            up = 0.5 + 0.5 * ny
            for k in range(3):
                wrap = WRAP[k] if kind == SKIN else 0.05
                key = max(0.0, (ndl + wrap) / (1.0 + wrap)) * lit
                tinted = skin_colour[k]
                seen = ao * (2.0404 * tinted - 0.3324) + (0.6417 - 4.7951 * tinted)
                seen = max(ao, (seen * ao + (2.7552 * tinted + 0.6903)) * ao)
                ambient = (ground[k] + (sky_colour[k] - ground[k]) * up) * seen
                crease = 0.35 + 0.65 * open_near
                diffuse[row, column, k] = (
                    key_colour[k] * key * crease
                    + fill_colour[k] * fill * seen
                    + rim_colour[k] * rim * ao
                    + ambient
                )
                albedo[row, column, k] = tinted * caustic * lid
            ndv = max(sx * vx + sy * vy + sz * vz, 0.0)
            if kind >= EYE:
                rx, ry, rz = 2 * ndv * sx - vx, 2 * ndv * sy - vy, 2 * ndv * sz - vz
                fresnel = EYE_F0 + (1 - EYE_F0) * _fifth(1.0 - ndv)
                box = _softbox(rx, ry, rz, key_lamp) * lit * 22.0 + _softbox(rx, ry, rz, fill_lamp) * 1.5
                for k in range(3):
                    sky = ground[k] + (sky_colour[k] - ground[k]) * (0.5 + 0.5 * ry)
                    specular[row, column, k] = fresnel * open_near * (key_colour[k] * box + 0.8 * ao * sky)
                continue
            if kind < 0:  # solid things: varnish over their colour, or metal that mirrors in it
                rough, metal = worn[-1 - kind, 0], worn[-1 - kind, 1]
                ry = 2 * ndv * sy - vy
                for k in range(3):
                    f0 = 0.04 + metal * (skin_colour[k] - 0.04)
                    shine = key_colour[k] * _mirror(sx, sy, sz, vx, vy, vz, key_lamp, rough, f0) * lit
                    shine += rim_colour[k] * _mirror(sx, sy, sz, vx, vy, vz, rim_lamp, rough, f0)
                    shine += fill_colour[k] * _mirror(sx, sy, sz, vx, vy, vz, fill_lamp, rough, f0)
                    sky = ground[k] + (sky_colour[k] - ground[k]) * (0.5 + 0.5 * ry)
                    fresnel = f0 + (max(1.0 - rough, f0) - f0) * _fifth(1.0 - ndv)
                    specular[row, column, k] = open_near * (shine + fresnel * 1.2 * sky)
                    albedo[row, column, k] *= 1.0 - metal
                continue
            if kind == MOUTH:
                key_shine = _mirror(sx, sy, sz, vx, vy, vz, key_lamp, 0.3, MOUTH_F0) * lit
                rim_shine, f0 = 0.0, MOUTH_F0
            else:
                key_shine = 0.7 * _mirror(sx, sy, sz, vx, vy, vz, key_lamp, 0.52, SKIN_F0)
                key_shine = (key_shine + 0.3 * _mirror(sx, sy, sz, vx, vy, vz, key_lamp, 0.34, SKIN_F0)) * lit
                rim_shine, f0 = _mirror(sx, sy, sz, vx, vy, vz, rim_lamp, 0.5, SKIN_F0) * ao, SKIN_F0
            fresnel = f0 + (1 - f0) * 0.3 * _fifth(1.0 - ndv)
            for k in range(3):
                sky = ground[k] + (sky_colour[k] - ground[k]) * up
                shine = key_colour[k] * key_shine + rim_colour[k] * rim_shine
                specular[row, column, k] = gloss * open_near * (shine + fresnel * 0.8 * ao * ao * sky)
