"""A head of one model's mean and topology with more people than its files hold.

The few identity shapes of an ICT-FaceKit sample make people who differ little. Here the
identity of openhead is carried onto its surface as smooth displacements, so that strangers
vary as people do, on a mean face, a topology and landmarks that the fit does not know.
"""

from __future__ import annotations

import numpy as np
import torch

from facegpt_model.evaluation.surfaces import Array, similarity
from facegpt_model.fitting.transfer import transfer
from facegpt_model.morphable.landmark_files import Embedding
from facegpt_model.morphable.linear_head import HeadData, LinearHead
from facegpt_model.morphable.openhead import OpenHead

REACH_MM = 6.0  # width of the kernel by which displacements are taken over
CHUNK = 2048
EYES = ("left_eye", "right_eye")


def mixed_head(body: LinearHead, giver: OpenHead, basis: str) -> LinearHead:
    """`body` with the identity components of `giver` after its own; eyeballs move without deforming.

    Raises MissingLandmarks when body cannot place the 68 points.
    """
    with torch.no_grad():
        fitted = transfer(body, body.mean_code(), giver).code
        vertices = giver.vertices(fitted).double()
        marks = body.landmarks68(body.mean[None].double())[0].numpy()
        motion = similarity(giver.landmarks68(vertices)[0].numpy(), marks)
    places = motion.apply(vertices[0].numpy())
    shapes = giver.identity_basis.double().numpy() @ (motion.scale * motion.rotation.T)
    skin = torch.unique(giver.triangles[giver.part == giver.part_names.index("skin")]).numpy()
    carried = _smooth(body.mean.double().numpy(), places[skin], shapes[:, skin])
    for name in EYES:
        theirs = torch.unique(body.triangles[body.part == body.part_names.index(name)]).numpy()
        ball = torch.unique(giver.triangles[giver.part == giver.part_names.index(name)]).numpy()
        carried[:, theirs] = shapes[:, ball].mean(axis=1, keepdims=True)
    return LinearHead(
        HeadData(
            basis=basis,
            mean=body.mean.numpy(),
            identity=np.concatenate([body.identity_basis.numpy(), carried.astype(np.float32)]),
            expression=body.expression_basis.numpy(),
            expression_names=body.expression_names,
            triangles=body.triangles.numpy(),
            part=body.part.numpy(),
            part_names=body.part_names,
            albedo_mean=body.albedo_mean.numpy(),
            albedo=body.albedo_basis.numpy(),
            landmarks=Embedding(
                body.get_buffer("landmark_vertex").numpy(), body.get_buffer("landmark_weight").numpy()
            ),
        )
    )


def _smooth(points: Array, places: Array, shapes: Array) -> Array:
    """(K, N, 3) displacements at (N, 3) points, weighted means of (K, M, 3) ones at (M, 3) places."""
    count, rows = len(shapes), shapes.transpose(1, 0, 2).reshape(len(places), -1)
    found = []
    for start in range(0, len(points), CHUNK):
        gap = torch.cdist(torch.from_numpy(points[start : start + CHUNK]), torch.from_numpy(places)).numpy()
        nearest = gap.min(axis=1, keepdims=True)
        weight = np.exp(-(gap**2 - nearest**2) / (2 * REACH_MM**2))
        weight /= weight.sum(axis=1, keepdims=True)
        found.append((weight @ rows).reshape(len(gap), count, 3))
    return np.concatenate(found).transpose(1, 0, 2)
