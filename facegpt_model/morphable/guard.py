"""Keeps faces whole: lips, lids and nostrils that do not fold over, eyeballs behind their lids.

Far from the mean, sums of components turn small triangles inside out. A random face for
which that happens is moved, by the least change in standard deviations that a linear model
of the folds asks for, to one where it does not. The model holds nearby only: long steps end in
faces that are whole and like nobody's, so a face too far from a whole one is drawn towards the
mean first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from facegpt_model.morphable.openhead import OpenHead

ZONES = ("eyes", "nostrils", "lips")  # guard_zone is their place here plus one
LEAST_AREA, WANTED_AREA = 0.05, 0.10  # of a triangle's mean area, seen along its mean normal
LEAST_CLEARANCE, WANTED_CLEARANCE = -0.3, 0.0  # mm between a lid and the ball; the resting face has 0.3
CLEAR_AT_REST, NEAR_BALL = 0.3, 5.0  # mm: lid vertices that are guarded
SOFTNESS = 0.02  # of the mean squared slope; keeps opposite wishes from asking for the moon
SPARING = 0.5  # 0 counts a change in standard deviations, 1 in mm of the whole head
STEPS, SHRINKS, SHRINK = 10, 25, 0.9
LONGEST, FURTHEST = 1.0, 5.0  # standard deviations of one step, and from where the steps began


@dataclass(frozen=True)
class _Zone:
    """triangles: (n, 3), vertices: ids in the guarded set; normal: (n, 3), area: (n,), mean face."""

    triangles: Tensor
    vertices: Tensor
    normal: Tensor
    area: Tensor


class Guard:
    """Folds and clearances of one head model, for identities without expression."""

    def __init__(self, head: OpenHead) -> None:
        balls = [_ball(head, name) for name in ("left_eye", "right_eye")]
        guarded = head.guard_zone > 0
        kept = torch.cat([head.triangles[guarded].unique(), *balls]).unique()
        place = torch.full((len(head.mean),), -1)
        place[kept] = torch.arange(len(kept))
        self.mean, self.basis = head.mean[kept], head.identity_basis[:, kept]
        size = head.identity_basis.flatten(1).norm(dim=1)
        self.ease = (size.median() / size) ** (2 * SPARING)
        self.zones = []
        for number in range(1, len(ZONES) + 1):
            own = place[head.triangles[head.guard_zone == number]]
            cross = _cross(self.mean, own)
            area = cross.norm(dim=-1)
            self.zones.append(_Zone(own, own.unique(), cross / area[:, None], area))
        self.balls = [place[ball] for ball in balls]
        self.lids = [self._lid(ball) for ball in self.balls]

    def _lid(self, ball: Tensor) -> Tensor:
        centre, radius = _middle(self.mean, ball)
        skin = self.zones[0].vertices
        clear = (self.mean[skin] - centre).norm(dim=-1) - radius
        return skin[(clear > CLEAR_AT_REST) & (clear < NEAR_BALL) & (self.mean[skin, 2] > centre[2])]

    def folds(self, identity: Tensor) -> Tensor:
        """(B, n) area of each guarded triangle along its mean normal, as a share of its mean area.

        Negative is inside out. The mean's normals are turned with each zone as a whole.
        """
        vertices = self._vertices(identity)
        return torch.cat([self._areas(zone, vertices)[0] for zone in self.zones], dim=1)

    def clearance(self, identity: Tensor) -> Tensor:
        """(B, m) mm between guarded lid vertices and their eyeball; negative is inside the ball."""
        vertices = self._vertices(identity)
        found = []
        for ball, lid in zip(self.balls, self.lids, strict=True):
            centre, radius = _middle(vertices, ball)
            found.append((vertices[:, lid] - centre[:, None]).norm(dim=-1) - radius[:, None])
        return torch.cat(found, dim=1)

    def is_whole(self, identity: Tensor) -> Tensor:
        """(B,) bool: nothing folded, no eyeball through its lids."""
        flat = (self.folds(identity) >= LEAST_AREA).all(1)
        return flat & (self.clearance(identity) >= LEAST_CLEARANCE).all(1)

    def whole(self, identity: Tensor, limit: float) -> Tensor:
        """(B, K) identities, those that are not whole replaced by near ones that are, within +-limit."""
        result = identity.clone()
        for row in (~self.is_whole(identity)).nonzero()[:, 0].tolist():
            result[row] = self._mended(identity[row], limit)
        return result

    def _mended(self, start: Tensor, limit: float) -> Tensor:
        z = start
        for _ in range(SHRINKS):
            for _ in range(STEPS):
                step = self._step(z)
                if step is None:
                    return z
                z = (z + step * (LONGEST / step.norm()).clamp_max(1.0)).clamp(-limit, limit)
                if (z - start).norm() > FURTHEST:
                    break
            z = start = SHRINK * start
        return torch.zeros_like(start)

    def _step(self, z: Tensor) -> Tensor | None:
        """The least change that puts right what is wrong, to first order; None if nothing is."""
        vertices = self._vertices(z[None])
        slopes, lacking = [], []
        for zone in self.zones:
            areas, normal = self._areas(zone, vertices)
            bad = (areas[0] < LEAST_AREA).nonzero()[:, 0]
            corners = zone.triangles[bad]
            first, second = (vertices[0, corners[:, i]] - vertices[0, corners[:, 0]] for i in (1, 2))
            along = normal[0, bad] / zone.area[bad, None]
            by_second, by_third = torch.linalg.cross(second, along), torch.linalg.cross(along, first)
            parts = ((0, -by_second - by_third), (1, by_second), (2, by_third))
            by_vertex = [
                torch.einsum("tx,ktx->tk", slope, self.basis[:, corners[:, i]]) for i, slope in parts
            ]
            slopes.append(torch.stack(by_vertex).sum(0))
            lacking.append(WANTED_AREA - areas[0, bad])
        for ball, lid in zip(self.balls, self.lids, strict=True):
            centre, radius = _middle(vertices, ball)
            lever = vertices[0, lid] - centre
            clear = lever.norm(dim=-1) - radius
            bad = (clear < LEAST_CLEARANCE).nonzero()[:, 0]
            away = torch.nn.functional.normalize(lever[bad], dim=-1)
            moved, grown = self._ball_slopes(vertices, ball)
            own = self.basis[:, lid[bad]] - moved[:, None]
            slopes.append(torch.einsum("tx,ktx->tk", away, own) - grown)
            lacking.append(WANTED_CLEARANCE - clear[bad])
        slope, wanted = torch.cat(slopes), torch.cat(lacking)
        if not len(wanted):
            return None
        eased = self.ease[:, None] * slope.T
        product = slope @ eased
        ridge = SOFTNESS * product.diagonal().mean() * torch.eye(len(slope))
        return eased @ torch.linalg.solve(product + ridge, wanted)

    def _ball_slopes(self, vertices: Tensor, ball: Tensor) -> tuple[Tensor, Tensor]:
        """(K, 3) by which the centre moves and (K,) by which the radius grows per standard deviation."""
        front, back = self.basis[:, ball[0]], self.basis[:, ball[1]]
        axis = torch.nn.functional.normalize(vertices[0, ball[0]] - vertices[0, ball[1]], dim=-1)
        return (front + back) / 2, (front - back) @ axis / 2

    def _vertices(self, identity: Tensor) -> Tensor:
        flat = identity.to(self.mean.dtype) @ self.basis.flatten(1)
        return self.mean + flat.unflatten(1, self.mean.shape)

    def _areas(self, zone: _Zone, vertices: Tensor) -> tuple[Tensor, Tensor]:
        """(B, n) areas and (B, n, 3) the mean's normals, turned with the zone."""
        turn = _turn(self.mean[zone.vertices], vertices[:, zone.vertices])
        normal = zone.normal @ turn
        return (normal * _cross(vertices, zone.triangles)).sum(-1) / zone.area, normal


def _ball(head: OpenHead, name: str) -> Tensor:
    """(2,) the pole at the pupil and the one at the back."""
    ids = head.triangles[head.part == head.part_names.index(name)]
    return torch.stack([ids.amin(), ids.amax()])


def _middle(vertices: Tensor, ball: Tensor) -> tuple[Tensor, Tensor]:
    """(..., 3) centre and (...) radius of a ball in (..., V, 3) vertices."""
    front, back = vertices[..., ball[0], :], vertices[..., ball[1], :]
    return (front + back) / 2, (front - back).norm(dim=-1) / 2


def _cross(vertices: Tensor, triangles: Tensor) -> Tensor:
    corner = vertices[..., triangles, :]
    return torch.linalg.cross(corner[..., 1, :] - corner[..., 0, :], corner[..., 2, :] - corner[..., 0, :])


def _turn(source: Tensor, target: Tensor) -> Tensor:
    """(B, 3, 3) rotations, for row vectors, that lay (V, 3) points best on (B, V, 3) ones (Kabsch)."""
    here, there = source - source.mean(0), target - target.mean(1, keepdim=True)
    left, _, right = torch.linalg.svd(here.T @ there)
    sign = torch.linalg.det(left @ right).sign()
    handed = torch.diag_embed(torch.stack([torch.ones_like(sign), torch.ones_like(sign), sign], dim=-1))
    return left @ handed @ right
