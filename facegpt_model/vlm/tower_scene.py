"""From the tower's tokens to everything a renderer needs besides identity: the autoencoder's other half.

Used while training on photographs only. Expression starts from the blendshapes, the view from
the pose that best carries the decoded landmarks onto those detected; what is learned corrects
both. Albedo and light are read from the features.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from facegpt_model.face import View
from facegpt_model.fitting.correspondence import load_correspondence
from facegpt_model.fitting.landmark_fit import DISTANCE_MM
from facegpt_model.morphable.openhead import OpenHead
from facegpt_model.perception.blendshapes import BLENDSHAPE_NAMES
from facegpt_model.rendering.cameras import axis_angle_of, rotation_matrix
from facegpt_model.vlm.frozen import FrozenFeatures
from facegpt_model.vlm.tower import FaceTower, TowerReading, vector_size

POSE_STEPS = 8
LIGHTS, NUDGES = 27, 6  # numbers of light; of turn (3), shift in x and y (2), log focal length (1)


@dataclass(frozen=True)
class Scene:
    """B faces besides their identity.

    expression: (B, E) in [0, 1], expected: (B, E) as blendshapes tell it; albedo: (B, A);
    light: (B, 9, 3); nudge: (B, 6) change of the aligned view
    """

    expression: Tensor
    expected: Tensor
    albedo: Tensor
    light: Tensor
    nudge: Tensor


class SceneHead(nn.Module):
    """Reads a scene from the tower: a closed form over all features, and a correction from the tokens."""

    order: Tensor
    rest: Tensor

    def __init__(self, head: OpenHead, width: int, heads: int = 4) -> None:
        super().__init__()
        self.sizes = (head.layout.expression, head.layout.albedo, LIGHTS, NUDGES)
        order = [list(BLENDSHAPE_NAMES).index(name) for name in head.expression_names]
        self.register_buffer("order", torch.tensor(order), persistent=False)
        self.register_buffer("rest", torch.from_numpy(load_correspondence().rest).float(), persistent=False)
        self.asks = nn.Parameter(0.02 * torch.randn(1, 1, width))
        self.pool = nn.MultiheadAttention(width, heads, batch_first=True)
        self.linear = nn.Linear(vector_size(), sum(self.sizes))
        self.correct = nn.Linear(width, sum(self.sizes))
        for layer in (self.linear, self.correct):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def expected(self, seen: FrozenFeatures) -> Tensor:
        """(B, E) blend weights that the detected blendshapes mean."""
        told = (seen.blendshapes - self.rest) / (1 - self.rest)
        return told.clamp(0, 1)[:, self.order]

    def forward(self, tower: FaceTower, seen: FrozenFeatures, reading: TowerReading) -> Scene:
        """The scene of B faces that the tower has read."""
        asks = self.asks.expand(len(reading.tokens), -1, -1)
        pooled, _ = self.pool(asks, reading.tokens, reading.tokens, need_weights=False)
        told = self.linear(tower.vector_scale(tower.vector(seen))) + self.correct(pooled[:, 0])
        expression, albedo, light, nudge = told.split(self.sizes, dim=1)
        expected = self.expected(seen)
        return Scene((expected + expression).clamp(0, 1), expected, albedo, light.unflatten(1, (9, 3)), nudge)


def viewed(aligned: View, scene: Scene) -> View:
    """The aligned view, nudged, under the scene's light."""
    turn, shift, zoom = scene.nudge.split([3, 2, 1], dim=1)
    moved = torch.cat([shift, torch.zeros_like(zoom)], dim=1)
    return View(
        aligned.rotation + turn,
        aligned.translation + moved,
        aligned.focal * zoom[:, 0].exp(),
        scene.light,
        aligned.image_size,
    )


@torch.no_grad()
def aligned_view(shape: Tensor, points: Tensor, size: int) -> View:
    """The pose from which (B, K, 3) landmarks in mm, head frame, are seen at (B, K, 2) pixels, light black.

    size: pixels of a side; the distance is DISTANCE_MM. Gauss-Newton from a frontal pose turned in the
    picture; sends no gradient.
    """
    flat = shape[..., :2] * shape.new_tensor([1.0, -1.0])
    source, target = flat - flat.mean(1, keepdim=True), points - points.mean(1, keepdim=True)
    cos = (source * target).sum((1, 2))
    sin = (source[..., 0] * target[..., 1] - source[..., 1] * target[..., 0]).sum(1)
    roll, scale = torch.atan2(sin, cos), torch.hypot(cos, sin) / source.square().sum((1, 2))
    turn = rotation_matrix(torch.stack([torch.zeros_like(roll), torch.zeros_like(roll), roll], dim=1))
    rotation = turn @ torch.diag(shape.new_tensor([1.0, -1.0, -1.0]))
    middle = (points.mean(1) - size / 2) / scale[:, None]
    there = (shape.mean(1, keepdim=True) @ rotation.transpose(1, 2))[:, 0, :2]
    depth = torch.full_like(scale, DISTANCE_MM)
    translation = torch.cat([middle - there, depth[:, None]], dim=1)
    focal = scale * DISTANCE_MM
    for _ in range(POSE_STEPS):
        rotation, translation, focal = _step(shape, points - size / 2, rotation, translation, focal)
    light = shape.new_zeros(len(shape), 9, 3)
    return View(axis_angle_of(rotation), translation, focal, light, (size, size))


def _step(
    shape: Tensor, points: Tensor, rotation: Tensor, translation: Tensor, focal: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """One Gauss-Newton step on turn (3), x and y (2) and log focal length (1)."""
    turned = shape @ rotation.transpose(1, 2)
    x, y, z = (turned + translation[:, None]).unbind(dim=2)
    scale = focal[:, None] / z
    flat = torch.stack([x * scale, y * scale], dim=2)
    zero = torch.zeros_like(x)
    by_place = torch.stack(
        [torch.stack([scale, zero, -flat[..., 0] / z], 2), torch.stack([zero, scale, -flat[..., 1] / z], 2)],
        2,
    )
    a, b, c = turned.unbind(dim=2)
    cross = torch.stack([zero, c, -b, -c, zero, a, b, -a, zero], dim=2).unflatten(2, (3, 3))
    jacobian = torch.cat([by_place @ cross, by_place[..., :2], flat[..., None]], dim=3).flatten(1, 2)
    residual = (points - flat).flatten(1)[..., None]
    normal = jacobian.transpose(1, 2) @ jacobian
    damped = normal + 1e-6 * normal.diagonal(dim1=1, dim2=2).mean(1)[:, None, None] * torch.eye(6).to(normal)
    delta = torch.linalg.solve(damped, jacobian.transpose(1, 2) @ residual)[..., 0]
    moved = torch.cat([delta[:, 3:5], torch.zeros_like(delta[:, :1])], dim=1)
    zoom = delta[:, 5].clamp(-0.5, 0.5).exp()
    return rotation_matrix(delta[:, :3]) @ rotation, translation + moved, focal * zoom
