"""Pinhole cameras: head frame to camera frame to pixels.

Head frame: millimetres, x to the person's left, y up, z out of the face. Camera frame
(OpenCV): x right, y down, z forward. A face looking straight into the camera therefore has
the rotation diag(1, -1, -1), and the person's left is at image right. Pixel centres lie at
+0.5 and the principal point is the image centre. Positive yaw turns the nose to the
person's left (image right), positive pitch raises the chin.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from facegpt_model.face import View
from facegpt_model.rendering.lighting import soft_light

NEAR_MM = 10.0  # nothing closer to the camera than this is drawn
HEAD_HEIGHT_MM = 240.0  # chin to crown, what `fill` of portrait_view refers to
HEAD_PIVOT_MM = (0.0, 12.0, -75.0)  # centre of the skull, about which portraits turn


def rotation_matrix(axis_angle: Tensor) -> Tensor:
    """(B, 3, 3) rotations of (B, 3) axis-angle vectors in radians (Rodrigues' formula).

    Smooth at zero rotation: there the coefficients come from their Taylor series.
    """
    squared = (axis_angle * axis_angle).sum(dim=1)
    small = squared < 1e-8
    safe = torch.where(small, torch.ones_like(squared), squared)
    angle = safe.sqrt()
    sine = torch.where(small, 1 - squared / 6, angle.sin() / angle)
    cosine = torch.where(small, 0.5 - squared / 24, (1 - angle.cos()) / safe)
    x, y, z = axis_angle.unbind(dim=1)
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=1).view(-1, 3, 3)
    identity = torch.eye(3, dtype=axis_angle.dtype, device=axis_angle.device)
    return identity + sine[:, None, None] * cross + cosine[:, None, None] * (cross @ cross)


def axis_angle_of(rotation: Tensor) -> Tensor:
    """(B, 3) axis-angle vectors, of length at most pi, of (B, 3, 3) rotations.

    By way of the quaternion whose largest component is found first (Shepperd 1978), so it
    is accurate near half a turn, where frontal faces are. Gives no useful gradient.
    """
    r = rotation
    trace = r.diagonal(dim1=1, dim2=2).sum(dim=1)
    w2 = 1 + trace
    xyz2 = 1 + 2 * r.diagonal(dim1=1, dim2=2) - trace[:, None]
    wx, wy, wz = r[:, 2, 1] - r[:, 1, 2], r[:, 0, 2] - r[:, 2, 0], r[:, 1, 0] - r[:, 0, 1]
    xy, xz, yz = r[:, 0, 1] + r[:, 1, 0], r[:, 0, 2] + r[:, 2, 0], r[:, 1, 2] + r[:, 2, 1]
    candidates = torch.stack(
        [
            torch.stack([w2, wx, wy, wz], dim=1),
            torch.stack([wx, xyz2[:, 0], xy, xz], dim=1),
            torch.stack([wy, xy, xyz2[:, 1], yz], dim=1),
            torch.stack([wz, xz, yz, xyz2[:, 2]], dim=1),
        ],
        dim=1,
    )
    best = torch.cat([w2[:, None], xyz2], dim=1).argmax(dim=1)
    quaternion = candidates[torch.arange(len(r), device=r.device), best]
    quaternion = quaternion / quaternion.norm(dim=1, keepdim=True)
    quaternion = torch.where(quaternion[:, :1] < 0, -quaternion, quaternion)
    length = quaternion[:, 1:].norm(dim=1, keepdim=True)
    angle = 2 * torch.atan2(length, quaternion[:, :1])
    factor = torch.where(length > 1e-12, angle / length.clamp_min(1e-12), torch.full_like(length, 2.0))
    return quaternion[:, 1:] * factor


def to_camera(vertices: Tensor, view: View) -> Tensor:
    """(B, V, 3) camera-frame millimetres of (B, V, 3) head-frame vertices."""
    rotation = rotation_matrix(view.rotation.to(vertices))
    return vertices @ rotation.transpose(1, 2) + view.translation.to(vertices)[:, None]


def project(vertices: Tensor, view: View) -> Tensor:
    """(B, V, 3) pixel x, pixel y and depth in mm of (B, V, 3) head-frame vertices.

    Points nearer than NEAR_MM, also those behind the camera, keep their true depth; their
    pixel coordinates are those of the near plane, so that they and their gradients stay finite.
    """
    return project_camera_points(to_camera(vertices, view), view)


def project_camera_points(points: Tensor, view: View) -> Tensor:
    """(B, V, 3) pixel x, pixel y and depth in mm of (B, V, 3) camera-frame points."""
    height, width = view.image_size
    depth = points[..., 2]
    scale = view.focal.to(points)[:, None] / depth.clamp_min(NEAR_MM)
    return torch.stack(
        [width / 2 + scale * points[..., 0], height / 2 + scale * points[..., 1], depth], dim=2
    )


def portrait_rotation(yaw_deg: float, pitch_deg: float) -> Tensor:
    """(3, 3) float64 rotation of a head that nods by pitch, then turns by yaw."""
    yaw, pitch = math.radians(yaw_deg), math.radians(pitch_deg)
    turn = torch.tensor(
        [[math.cos(yaw), 0, math.sin(yaw)], [0, 1, 0], [-math.sin(yaw), 0, math.cos(yaw)]],
        dtype=torch.float64,
    )
    nod = torch.tensor(
        [[1, 0, 0], [0, math.cos(pitch), math.sin(pitch)], [0, -math.sin(pitch), math.cos(pitch)]],
        dtype=torch.float64,
    )
    facing_camera = torch.diag(torch.tensor([1.0, -1.0, -1.0], dtype=torch.float64))
    return facing_camera @ turn @ nod


def portrait_view(
    yaw_deg: float = 0.0,
    pitch_deg: float = 0.0,
    size: int | tuple[int, int] = 224,
    distance_mm: float = 1200.0,
    batch: int = 1,
    fill: float = 0.72,
) -> View:
    """View of a head that turns about the middle of its skull and stays in the picture.

    size: pixels, one number or (height, width). fill: part of the image height that a head
    of 240 mm takes. Raises ValueError for a distance the head would reach into.
    """
    height, width = (size, size) if isinstance(size, int) else size
    if distance_mm < 300:
        raise ValueError(f"a portrait needs a distance of at least 300 mm, not {distance_mm:g}")
    rotation = portrait_rotation(yaw_deg, pitch_deg)
    pivot = torch.tensor(HEAD_PIVOT_MM, dtype=torch.float64)
    translation = torch.tensor([0.0, 0.0, distance_mm], dtype=torch.float64) - rotation @ pivot
    focal = fill * height * distance_mm / HEAD_HEIGHT_MM
    return View(
        rotation=axis_angle_of(rotation[None]).float().expand(batch, 3),
        translation=translation.float()[None].expand(batch, 3),
        focal=torch.full((batch,), focal),
        light=soft_light(batch),
        image_size=(height, width),
    )
