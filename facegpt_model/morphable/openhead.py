"""OpenHead: the default head model, built from CC0 MakeHuman data and shipped as one npz.

Lengths are millimetres; x to the person's left, y up, z out of the face; the origin is
the centroid of the MediaPipe points of the mean face, on the middle plane. Colours are
linear RGB. How the file is made: facegpt_model/morphable/build and docs/head_model.md.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from facegpt_model.appearance.parameters import COUNT
from facegpt_model.face import FaceCode
from facegpt_model.layout import CodeLayout
from facegpt_model.morphable.guard import Guard
from facegpt_model.morphable.jaw import jaw_line
from facegpt_model.morphable.linear import blend, check_code
from facegpt_model.morphable.painting import paint
from facegpt_model.morphable.skin_detail import SkinDetail

BASIS = "openhead@2"
SAMPLE_LIMIT = 2.5  # standard deviations; beyond it too many faces fold
COLOUR_FLOOR = 0.004  # no surface is blacker than this
MASK_FULL = 252.0  # the byte that stands for a weight of 1
MELANIN_LIMIT = 2.5  # standard deviations; the tones are known up to here and stay the same beyond
SKIN_FILE = Path(str(files("facegpt_model.morphable") / "openhead_skin.npz"))
SKIN_REGIONS = ("skin", "mottle", "flush", "socket")  # what the learned detail varies


class OpenHead(nn.Module):
    """The head as a torch module; it holds buffers only, nothing to train.

    V vertices, T triangles, U texture corners, K identity components, R regions of colour.

    triangles, triangles_uv: (T, 3) int64; part: (T,) int64 index into part_names
    uv: (U, 2) in [0, 1], v up; mirror: (V,) int64 vertex on the other side of the face
    target_identity: (N, K) standard deviations that make the word target_names[n] at weight 1
    target_fidelity: (N,) share of that word's shape the components can express
    target_spread: (N,) standard deviation of that word's weight among random people, 0 if not drawn
    ibug68_, mediapipe478_, jaw_triangle: (68,), (478,), (17, S) int64 triangles in which landmarks
    lie, with _weights (..., 3) of their corners; jaw: paths on which the jaw line slides
    guard_zone: (T,) int64 of triangles that must not fold, see guard.py
    macro_identity: (M, K) of each of macro_names, added to macro_start (K,); see people.py
    region_overlay: (R,) bool: regions (hair, folds, freckles) that lie over the base ones
    region_masks: (R, S, S) uint8, row 0 is v = 1; region_weights: (V, R); those of the base
    regions sum to 1, an overlay's is the most it can cover
    """

    basis = BASIS
    mean: Tensor
    identity_basis: Tensor
    expression_basis: Tensor
    triangles: Tensor
    triangles_uv: Tensor
    uv: Tensor
    part: Tensor
    mirror: Tensor
    ibug68_triangle: Tensor
    ibug68_weights: Tensor
    mediapipe478_triangle: Tensor
    mediapipe478_weights: Tensor
    jaw_triangle: Tensor
    jaw_weights: Tensor
    guard_zone: Tensor
    target_identity: Tensor
    target_fidelity: Tensor
    target_spread: Tensor
    macro_identity: Tensor
    macro_start: Tensor
    region_masks: Tensor
    region_weights: Tensor
    region_colour_mean: Tensor
    region_colour_basis: Tensor
    region_gain: Tensor
    region_veil: Tensor
    region_veil_mean: Tensor
    region_veil_basis: Tensor
    region_cover_mean: Tensor
    region_cover_basis: Tensor
    region_overlay: Tensor

    def __init__(self, path: Path | None = None, skin: Path | None = SKIN_FILE) -> None:
        """Load the shipped file, or another one of the same make.

        skin: learned detail over the same atlas and its components; painted skin only when None
        """
        super().__init__()
        source = path if path is not None else files("facegpt_model.morphable") / "openhead2.npz"
        with source.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
            arrays = dict(stored)
        uv, corners, corners_uv = (
            torch.from_numpy(arrays[key].astype(kind))
            for key, kind in (("uv", np.float32), ("triangles", np.int64), ("triangles_uv", np.int64))
        )
        self.skin = None if skin is None else SkinDetail(skin, uv, corners, corners_uv)
        self._take(arrays | (self.skin.tables if self.skin is not None else {}))

    def _take(self, stored: dict[str, np.ndarray[Any, Any]]) -> None:
        def keep(name: str, array: np.ndarray[Any, Any], dtype: torch.dtype) -> None:
            self.register_buffer(
                name, torch.from_numpy(np.ascontiguousarray(array)).to(dtype), persistent=False
            )

        def names(key: str) -> tuple[str, ...]:
            return tuple(str(name) for name in stored[key])

        self.about: dict[str, Any] = json.loads(str(stored["about"]))
        self.expression_names = names("expression_names")
        self.part_names = names("part_names")
        self.target_names = names("target_names")
        self.albedo_names = names("albedo_names") + (self.skin.names if self.skin is not None else ())
        self.region_names = names("region_names")
        self.macro_names = names("macro_names")
        keep("mean", stored["mean"], torch.float32)
        keep("identity_basis", stored["identity"].astype(np.float32), torch.float32)
        keep("expression_basis", stored["expression"].astype(np.float32), torch.float32)
        for key in ("triangles", "triangles_uv", "part", "mirror", "guard_zone"):
            keep(key, stored[key].astype(np.int64), torch.int64)
        for key in ("ibug68", "mediapipe478", "jaw"):
            keep(f"{key}_triangle", stored[f"{key}_triangle"].astype(np.int64), torch.int64)
            keep(f"{key}_weights", stored[f"{key}_weights"], torch.float32)
        for key in ("uv", "target_identity", "target_fidelity", "target_spread"):
            keep(key, stored[key].astype(np.float32), torch.float32)
        for key in ("macro_identity", "macro_start"):
            keep(key, stored[key], torch.float32)
        for key in [key for key in stored if key.startswith("region_colour") or key == "region_gain"]:
            keep(key, stored[key], torch.float32)
        for key in [key for key in stored if key.startswith(("region_veil", "region_cover"))]:
            keep(key, stored[key], torch.float32)
        keep("region_masks", stored["region_masks"], torch.uint8)
        keep("region_overlay", stored["region_overlay"], torch.bool)
        weights = self._normalised(torch.from_numpy(stored["region_weights"]).float())
        self.register_buffer("region_weights", weights.T.contiguous(), persistent=False)
        self.layout = CodeLayout(
            BASIS,
            len(self.identity_basis),
            len(self.expression_basis),
            len(self.albedo_names),
            appearance=COUNT,
        )

    def mean_code(self, batch_size: int = 1) -> FaceCode:
        """The mean face, `batch_size` times."""
        sizes = (self.layout.identity, self.layout.expression, self.layout.albedo)
        identity, expression, albedo = (self.mean.new_zeros(batch_size, size) for size in sizes)
        return FaceCode(identity, expression, albedo, BASIS)

    def vertices(self, code: FaceCode) -> Tensor:
        """(B, V, 3) vertices in mm, head frame, expression applied; BasisMismatch for a foreign code."""
        check_code(code, self.layout)
        return blend(
            self.mean, (code.identity, self.identity_basis), (code.expression, self.expression_basis)
        )

    def region_colours(self, code: FaceCode) -> Tensor:
        """(B, R, 3) linear RGB in [0, 1] of each region's own paint."""
        z = self._of_regions(code)
        basis, gain = self.region_colour_basis.to(z.dtype), self.region_gain.to(z.dtype)
        paint = self.region_colour_mean.to(z.dtype) + torch.einsum("ba,arc->brc", z, basis)
        veil = (self.region_veil_mean.to(z.dtype) + z @ self.region_veil_basis.to(z.dtype)).clamp(0, 1)
        paint = (paint * torch.einsum("ba,arc->brc", z, gain).exp()).clamp(COLOUR_FLOOR, 1)
        return paint + veil[..., None] * (self.region_veil.to(z.dtype) - paint)

    def _of_regions(self, code: FaceCode) -> Tensor:
        """(B, A) standard deviations of the components that act on whole regions."""
        check_code(code, self.layout)
        z = code.albedo[:, : len(self.region_colour_basis)]
        column = self.albedo_names.index("melanin")
        tone = z[:, column : column + 1].clamp(-MELANIN_LIMIT, MELANIN_LIMIT)
        return torch.cat([z[:, :column], tone, z[:, column + 1 :]], dim=1)

    def region_cover(self, code: FaceCode) -> Tensor:
        """(B, R) in [0, 1]: how much of each overlay shows; 1 for base regions."""
        z = self._of_regions(code)
        return (self.region_cover_mean.to(z.dtype) + z @ self.region_cover_basis.to(z.dtype)).clamp(0, 1)

    def albedo(self, code: FaceCode) -> Tensor:
        """(B, V, 3) linear RGB in [0, 1] per vertex."""
        detail = None if self.skin is None else self.skin.at_vertices(self._learned(code))
        return self._coloured(self.region_weights.T, code, detail)

    def albedo_at(self, code: FaceCode, vertex: Tensor) -> Tensor:
        """(B, S, 3) as albedo, at some vertices (S,) only, in less time."""
        detail = None if self.skin is None else self.skin.at_vertices(self._learned(code), vertex)
        return self._coloured(self.region_weights[vertex].T, code, detail)

    def texture(self, code: FaceCode, size: int = 1024) -> Tensor:
        """(B, size, size, 3) linear RGB over the atlas, row 0 is v = 1; unused texels are skin."""
        detail = None if self.skin is None else self.skin.at_texels(self._learned(code), size)
        asked = torch.is_grad_enabled() and code.albedo.requires_grad
        if size == self.region_masks.shape[-1] and self.mean.device.type == "cpu" and not asked:
            return self._painted(code, detail)
        return self._coloured(self.masks(size).flatten(1), code, detail).unflatten(1, (size, size))

    def _painted(self, code: FaceCode, detail: Tensor | None) -> Tensor:
        """As texture at the size of the stored masks, without gradient and in a tenth of the time."""
        masks, overlay = self.region_masks.numpy(), self.region_overlay.numpy()
        skin = np.array([name in SKIN_REGIONS for name in self.region_names])
        colours, cover = self.region_colours(code), self.region_cover(code)
        side = masks.shape[-1]
        plain = torch.ones(1, 1, 1, 3)
        factors = plain if detail is None else detail.detach().float().unflatten(1, (side, side))
        painted = [
            paint(masks, overlay, skin, MASK_FULL, rgb.numpy(), shown.numpy(), factor.numpy())
            for rgb, shown, factor in zip(
                colours.float(), cover.float(), factors.expand(len(colours), side, side, 3), strict=True
            )
        ]
        return torch.from_numpy(np.stack(painted)).to(colours.dtype)

    def _learned(self, code: FaceCode) -> Tensor:
        """(B, K) standard deviations of the learned components of skin."""
        return code.albedo[:, len(self.region_colour_basis) :]

    def masks(self, size: int) -> Tensor:
        """(R, size, size) weights of the regions in [0, 1], averaged when smaller than stored."""
        weights = self.region_masks.float()
        stored = weights.shape[-1]
        if size < stored and stored % size == 0:
            weights = nn.functional.avg_pool2d(weights[None], stored // size)[0]
        elif size != stored:
            weights = nn.functional.interpolate(
                weights[None], size=(size, size), mode="bilinear", antialias=size < stored
            )[0]
        return self._normalised(weights)

    def _normalised(self, weights: Tensor) -> Tensor:
        """(R, ...) bytes as shares: base regions sum to 1, overlays are of MASK_FULL."""
        overlay = self.region_overlay
        shares = weights / MASK_FULL
        shares[~overlay] /= shares[~overlay].sum(0, keepdim=True)
        return shares

    def _coloured(self, weights: Tensor, code: FaceCode, detail: Tensor | None) -> Tensor:
        """(B, n, 3) colours of n places with region weights (R, n): the base mixed, overlays painted over.

        detail: (B, n, 3) factors of skin's own colour
        """
        colours, cover = self.region_colours(code), self.region_cover(code)
        weights = weights.to(colours.dtype)
        overlay = self.region_overlay
        mixed = torch.einsum("rn,brc->bnc", weights[~overlay], colours[:, ~overlay])
        if detail is not None:
            own = [self.region_names.index(name) for name in SKIN_REGIONS]
            skin = torch.einsum("rn,brc->bnc", weights[own], colours[:, own])
            mixed = (mixed + skin * (detail - 1)).clamp(0, 1)
        for region in overlay.nonzero()[:, 0].tolist():
            shown = (cover[:, region, None] * weights[region])[..., None]
            mixed = mixed + shown * (colours[:, region, None] - mixed)
        return mixed

    def landmarks68(self, vertices: Tensor, rotation: Tensor | None = None) -> Tensor:
        """(B, 68, 3) iBUG-68 points in mm of (B, V, 3) vertices.

        The jaw line is the frontal one, or the visible one for a rotation (B, 3), see jaw_line.
        """
        points = self._embedded("ibug68", vertices)
        if rotation is None:
            return points
        line = jaw_line(self.jaw_paths(vertices), rotation)
        return torch.cat([line, points[:, 17:]], dim=1)

    def jaw_paths(self, vertices: Tensor) -> Tensor:
        """(B, 17, S, 3) places in mm over which the jaw line slides, see jaw_line."""
        return self._embedded("jaw", vertices)

    def landmarks468(self, vertices: Tensor) -> Tensor:
        """(B, 468, 3) MediaPipe face-mesh points in mm of (B, V, 3) vertices."""
        return self.landmarks478(vertices)[:, :468]

    def landmarks478(self, vertices: Tensor) -> Tensor:
        """(B, 478, 3): landmarks468, then the middle and four edge points of the right and the left iris."""
        return self._embedded("mediapipe478", vertices)

    def _embedded(self, name: str, vertices: Tensor) -> Tensor:
        """(B, ..., 3) places of a named set of points on (B, V, 3) vertices."""
        corners = self.triangles[getattr(self, f"{name}_triangle")]
        weights: Tensor = getattr(self, f"{name}_weights")
        return (vertices[:, corners] * weights.to(vertices.dtype)[..., None]).sum(-2)

    def sample_identity(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        """(count, K) random people: clipped normal standard deviations, mended where a face would fold."""
        drawn = torch.randn(count, self.layout.identity, generator=generator)
        return self.guard.whole(drawn.clamp(-SAMPLE_LIMIT, SAMPLE_LIMIT), SAMPLE_LIMIT)

    @cached_property
    def guard(self) -> Guard:
        """What finds and mends folds in faces of this model."""
        return Guard(self)

    def sample_albedo(
        self,
        count: int,
        generator: torch.Generator | None = None,
        given: Mapping[str, Tensor] | None = None,
    ) -> Tensor:
        """(count, A) random colourings that go together: skin tone, then hair and eyes that occur with it.

        given: component name -> (count,) standard normal draws to use instead of own ones. Light
        hair, blue or green eyes and freckles become rare as skin darkens; grey hair and folds come
        together. Meant to look plausible, not to follow any population's statistics.
        """
        place = {name: column for column, name in enumerate(self.albedo_names)}
        z = torch.randn(count, self.layout.albedo, generator=generator)
        for name, drawn in (given or {}).items():
            z[:, place[name]] = drawn
        light = (-z[:, place["melanin"]]).clamp(-2, 2) / 2
        fair = light.clamp_min(0)
        hair = place["hair lightness"]
        z[:, hair] = 0.7 * z[:, hair] - 0.6 + 1.6 * fair - 0.8 * (-light).clamp_min(0)
        z[:, place["hair redness"]] = 0.6 * z[:, place["hair redness"]] * (0.3 + fair)
        for name, spread in (("iris blue", 1.6), ("iris green", 1.0), ("freckles", 1.5)):
            z[:, place[name]] = (spread * z[:, place[name]] * fair.sqrt()).clamp_min(0)
        for name in ("haemoglobin", "sallow", "lip colour", "brow darkness", "lash darkness"):
            z[:, place[name]] *= 0.6
        z[:, place["scalp hair coverage"]] = 0.4 * z[:, place["scalp hair coverage"]] + 0.2
        z[:, place["hair grey"]] = 0.7 * z[:, place["hair grey"]] + 0.7 * z[:, place["skin age"]] - 0.6
        z[:, place["beard shadow"]] = 0.8 * z[:, place["beard shadow"]] - 0.2
        return cast(Tensor, z.clamp(-SAMPLE_LIMIT, SAMPLE_LIMIT))
