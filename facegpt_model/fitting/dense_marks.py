"""Dense landmarks of a net, with the doubt of each, as evidence for a fit.

The points of the net lie on the head model itself, so no mean correction stands between them as
it does for detected landmarks. The jaw line slides with the pose: its places on the surface
are those of the fit that is given.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from facegpt_model.fitting.estimates import code_and_view
from facegpt_model.fitting.evidence import Marks
from facegpt_model.fitting.landmark_fit import INNER, Array, Camera, LandmarkFit, basis_at
from facegpt_model.morphable.jaw import along, jaw_slide
from facegpt_model.morphable.openhead import OpenHead
from facegpt_model.perception.analyse import FaceObservation
from facegpt_model.perception.landmarks import windows_of_landmarks
from facegpt_model.perception.photos import photo_tensor
from facegpt_model.vlm.dense_points import LANDMARKS, DenseInput, DensePointNet, reference_points, vector_of
from facegpt_model.vlm.frozen import see

LEAST_MM = 0.3  # no point is known better


@dataclass(frozen=True)
class SeenPoints:
    """(P, 2) pixels of a photo and (P,) standard deviations of one coordinate, pixels."""

    places: Array
    doubt: Array


@torch.no_grad()
def see_points(net: DensePointNet, head: OpenHead, photo: Image.Image, face: FaceObservation) -> SeenPoints:
    """The net's points in a photo."""
    landmarks = face.points478[None]
    seen = see(photo_tensor(photo)[None], landmarks, face.blendshapes[None])
    found = net(DenseInput(vector_of(seen, reference_points(head)), seen.trunk16, seen.trunk8, seen.points))
    windows = windows_of_landmarks(landmarks)
    doubt = found.doubt * windows.side[:, None]
    return SeenPoints(windows.to_picture(found.places)[0].double().numpy(), doubt[0].double().numpy())


def dense_marks(
    net: DensePointNet, head: OpenHead, points: SeenPoints, fit: LandmarkFit, together: float
) -> Marks:
    """Those points as landmarks of a fit that is nearly right; the sliding face oval is left out.

    together: times each doubt, since hundreds of points err together
    """
    code, view = code_and_view(head, fit)
    slide = jaw_slide(head.jaw_paths(head.vertices(code)), view.rotation)

    def on_surface(vertices: Tensor) -> Tensor:
        jaw = along(head.jaw_paths(vertices), slide.expand(len(vertices), -1))
        return torch.cat([head.landmarks478(vertices), vertices[:, net.vertex.long()], jaw], dim=1)

    used = np.concatenate([INNER, np.arange(LANDMARKS, net.count)])
    basis = basis_at(head, on_surface, np.zeros((net.count, 3)))[used]
    doubt = np.maximum(points.doubt[used] / pixels_of_mm(fit.camera), LEAST_MM)
    return Marks(basis, points.places[used], together * doubt)


def pixels_of_mm(camera: Camera) -> float:
    """Pixels of a millimetre at the head's distance."""
    return camera.focal / float(camera.translation[2])
