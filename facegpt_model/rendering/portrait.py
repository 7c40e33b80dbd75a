"""One portrait: a prepared face under the studio's lamps, several samples per pixel.

Not differentiable. The face fades out below along an ellipse about the skull, so that the
bust has no cut. Frame of the lamps: x right, y up, z towards the viewer, camera at the origin.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numba import njit
from numpy.typing import NDArray

from facegpt_model.mesh import NamedMesh
from facegpt_model.rendering.cameras import NEAR_MM, portrait_view, rotation_matrix
from facegpt_model.rendering.developing import developed
from facegpt_model.rendering.hair_pass import hair_in_place
from facegpt_model.rendering.lamps import STUDIO, Lamps
from facegpt_model.rendering.occlusion import ParallelView, parallel_view, shadow_map
from facegpt_model.rendering.scattering import scatter_in_skin
from facegpt_model.rendering.skin_shading import shade
from facegpt_model.rendering.surface import SKIN, Surface
from facegpt_model.rendering.visibility import rasterise
from facegpt_model.rendering.worn import casts_shadow, dressed, lay_over

Array = NDArray[np.float32]
DISTANCE_MM = 1200.0
FILL = 0.72  # of the picture's height for a head of 240 mm
SHADOW_SIZE = 1024
GRAIN_SIZE = 256
EXPOSURE, MIDDLE_SKIN = 1.08, 0.28  # brightness factor, and the skin's albedo for which it holds
BUST_MM, BUST_FADE = (122.0, 163.0), 0.78  # half axes of the ellipse the bust ends on; start of its fading
HAIR_FADE_MM = (118.0, 163.0)  # below the middle: where long hair starts to fade, and is gone
OPAQUE = 0.999  # hair that hides what is under it
SPARSE = 4  # samples along a side, of which one is shaded wherever there is a face


def draw_portrait(
    surface: Surface,
    yaw_deg: float,
    pitch_deg: float,
    size: int,
    samples: int,
    meshes: Sequence[NamedMesh] = (),
    lamps: Lamps = STUDIO,
) -> NDArray[np.uint8]:
    """(size, size, 4) sRGB and opacity of a face, from samples x samples rays per pixel.

    meshes: what it wears, posed; those that blend are drawn over it in their order.
    """
    panes = [mesh for mesh in meshes if mesh.alpha == "BLEND"]
    surface = dressed(surface, [mesh for mesh in meshes if mesh.alpha != "BLEND"])
    view = portrait_view(yaw_deg, pitch_deg, size * samples, DISTANCE_MM, fill=FILL)
    focal = float(view.focal[0])
    flip = np.diag([1.0, -1.0, -1.0])
    rotation = flip @ rotation_matrix(view.rotation.double())[0].numpy()
    translation = flip @ view.translation[0].double().numpy()
    positions = surface.vertices @ rotation.T + translation
    normals = surface.normals @ rotation.T
    pixels = size * samples
    screen = _on_screen(positions, focal, pixels)
    ids, nearest = rasterise(
        np.column_stack([screen[:, :2], 1 / screen[:, 2]]), surface.triangles, pixels, pixels
    )
    lamp = parallel_view(positions, np.array(lamps.key), SHADOW_SIZE)
    shadow = _shadows(positions, surface.triangles, panes, rotation, translation, lamp)
    hair = hair_in_place(surface.strands, rotation, translation, lamp, shadow, lamps)
    occlusion = (
        surface.occlusion if hair is None else surface.occlusion * hair.on_skin(positions + 3 * normals)
    )
    layer = np.zeros((0, 0, 4), np.float32) if hair is None else hair.layer(nearest, focal)
    shown = _vignette(pixels, BUST_MM[0] * focal / DISTANCE_MM, BUST_MM[1] * focal / DISTANCE_MM)
    ids = _worth_shading(ids, shown, layer)
    eyes = np.hstack([surface.eyes[:, :3] @ rotation.T + translation, surface.eyes[:, 3:] @ rotation.T])
    diffuse, albedo, specular = (np.zeros((pixels, pixels, 3), np.float32) for _ in range(3))
    shade(
        ids,
        nearest,
        focal,
        screen.astype(np.float32),
        positions.astype(np.float32),
        normals.astype(np.float32),
        surface.rest,
        rotation.astype(np.float32),
        lamp.points(positions),
        occlusion,
        surface.colours,
        surface.triangles,
        surface.material,
        surface.corner_uv,
        surface.texture,
        surface.slope,
        _grain(),
        eyes.astype(np.float32),
        surface.worn,
        shadow,
        2 * lamp.radius / SHADOW_SIZE,
        tuple(lamps),
        diffuse,
        albedo,
        specular,
    )
    hit = ids >= 0
    skin = hit & (surface.material[ids] == SKIN)
    near = nearest[::SPARSE, ::SPARSE][hit[::SPARSE, ::SPARSE]]
    scatter_in_skin(diffuse, nearest, skin, samples, focal * float(np.median(near)) if len(near) else 1.0)
    exposure = _exposure(albedo[::SPARSE, ::SPARSE][skin[::SPARSE, ::SPARSE]])
    colour = np.multiply(albedo, diffuse, out=albedo)
    colour += specular
    shown *= hit
    for mesh in panes:
        place = mesh.vertices @ rotation.T + translation
        on_screen, turned = _on_screen(place, focal, pixels), mesh.normals @ rotation.T
        lay_over(mesh, on_screen, place, turned, nearest, colour, shown, lamps)
    return developed(colour, shown, layer, _hair_fade(pixels, focal), exposure, samples)


def _on_screen(positions: NDArray[np.float64], focal: float, pixels: int) -> NDArray[np.float64]:
    """(V, 3) pixel x, pixel y and depth of places in the lamps' frame."""
    depth = np.maximum(-positions[:, 2], NEAR_MM)
    across, up = focal * positions[:, 0] / depth, focal * positions[:, 1] / depth
    return np.stack([pixels / 2 + across, pixels / 2 - up, depth], axis=1)


def _shadows(
    positions: NDArray[np.floating],
    triangles: NDArray[np.int64],
    panes: Sequence[NamedMesh],
    rotation: NDArray[np.float64],
    translation: NDArray[np.float64],
    lamp: ParallelView,
) -> Array:
    """The key lamp's shadow map of the surface and of dark panes."""
    nearness = shadow_map(positions, triangles, lamp)
    for mesh in panes:
        if casts_shadow(mesh):
            place = mesh.vertices @ rotation.T + translation
            nearness = np.maximum(nearness, shadow_map(place, mesh.triangles, lamp))
    return nearness


@njit(cache=True, nogil=True, fastmath=True)
def _vignette(pixels: int, across: float, down: float) -> np.ndarray:
    """(P, P) opacity that lets the bust fade out below, along an ellipse with these half axes in pixels."""
    out = np.ones((pixels, pixels), np.float32)
    for row in range(pixels // 2, pixels):
        for column in range(pixels):
            x, y = (column + 0.5 - pixels / 2) / across, (row + 0.5 - pixels / 2) / down
            outside = (math.sqrt(x * x + y * y) - BUST_FADE) / (1.0 - BUST_FADE)
            outside = min(max(outside, 0.0), 1.0)
            out[row, column] = 1.0 - outside * outside * (3.0 - 2.0 * outside)
    return out


@njit(cache=True, nogil=True)
def _worth_shading(ids: np.ndarray, shown: np.ndarray, hair: np.ndarray) -> np.ndarray:
    """The triangles in ids (P, P) without those under dense hair or faded out, but for a sparse grid.

    The grid is what exposure is judged by, so that it does not depend on the haircut.
    """
    out = ids.copy()
    for row in range(len(ids)):
        for column in range(len(ids)):
            if row % SPARSE == 0 and column % SPARSE == 0:
                continue
            if shown[row, column] <= 0.0 or (len(hair) > 0 and hair[row, column, 3] >= OPAQUE):
                out[row, column] = -1
    return out


def _hair_fade(pixels: int, focal: float) -> Array:
    """(P,) opacity that lets long hair fade out towards the picture's lower edge."""
    below = (np.arange(pixels) + 0.5 - pixels / 2) * (DISTANCE_MM / focal)
    outside = np.clip((below - HAIR_FADE_MM[0]) / (HAIR_FADE_MM[1] - HAIR_FADE_MM[0]), 0, 1)
    return (1 - outside * outside * (3 - 2 * outside)).astype(np.float32)


def _exposure(skin: Array) -> float:
    """A photographer's choice: a little more light for dark skin, a little less for pale."""
    if not len(skin):
        return EXPOSURE
    brightness = float(np.median(skin @ np.array([0.2126, 0.7152, 0.0722], np.float32)))
    return EXPOSURE * float(np.clip((MIDDLE_SKIN / max(brightness, 1e-3)) ** 0.16, 0.85, 1.25))


@lru_cache(maxsize=1)
def _grain() -> Array:
    """(G, G, 4) repeating band-passed noise of unit deviation, always the same."""
    random = np.random.default_rng(7)
    frequency = np.fft.fftfreq(GRAIN_SIZE) * GRAIN_SIZE
    radius = np.hypot(*np.meshgrid(frequency, frequency))
    band = np.exp(-(((radius - 42) / 26) ** 2)) + 0.5 * np.exp(-(((radius - 12) / 8) ** 2))
    band[0, 0] = 0
    noise = np.fft.ifft2(np.fft.fft2(random.standard_normal((4, GRAIN_SIZE, GRAIN_SIZE))) * band).real
    noise /= noise.std(axis=(1, 2), keepdims=True)
    return np.ascontiguousarray(noise.transpose(1, 2, 0), np.float32)
