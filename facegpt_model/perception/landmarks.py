"""478 face landmarks from a turned crop of a face (MediaPipe face mesh with irises).

Point 0..467 are the face mesh, 468..472 the iris of the person's right eye, 473..477 of
the left. x and y are picture pixels; z has the same scale, grows away from the camera,
and is zero near the middle of the head.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from facegpt_model.perception.crops import Windows
from facegpt_model.perception.tflite import TfliteNet

INPUT_SIZE = 256
POINT_COUNT = 478
WINDOW_SCALE = 1.5  # side of the crop over the longer side of the face's box
RIGHT_EYE_OUTER, LEFT_EYE_OUTER = 33, 263
MESH68 = (  # landmarks of the 478 that stand for the 68 of iBUG
    *(162, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 389),  # jaw
    *(70, 63, 105, 66, 107, 336, 296, 334, 293, 300),  # brows
    *(168, 197, 5, 4, 75, 97, 2, 326, 305),  # nose
    *(33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380),  # eyes
    *(61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181, 78, 82, 13, 312, 308, 317, 14, 87),  # mouth
)


MAP_SIDES, MAP_CHANNELS = (16, 8, 2), 128


@dataclass(frozen=True)
class LandmarkFeatures:
    """Points (B, 478, 3) in window units and feature maps (B, side, side, 128) for each of MAP_SIDES."""

    points: Tensor
    maps: tuple[Tensor, ...]


class LandmarkNet(nn.Module):
    """The landmark net of the packaged face landmarker.

    data: bytes of face_landmarks_detector.tflite
    """

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self.net = TfliteNet(data)

    def features(self, crops: Tensor) -> LandmarkFeatures:
        """Points and the net's own feature maps; argument as of forward. Differentiable."""
        numbers = [self.net.output_ids[0], *self.net.last_maps(MAP_SIDES)]
        points, *maps = self.net.values_of(numbers, crops)
        return LandmarkFeatures(points.reshape(-1, POINT_COUNT, 3) / INPUT_SIZE, tuple(maps))

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """Points (B, 478, 3) in window units and the probability (B,) that a face is there.

        crops: (B, 256, 256, 3) in 0..1. Differentiable.
        """
        points, presence, _ = self.net(crops)
        return points.reshape(-1, POINT_COUNT, 3) / INPUT_SIZE, torch.sigmoid(presence.reshape(-1))


def points_in_picture(points: Tensor, windows: Windows) -> Tensor:
    """(N, 478, 3) pixels of (N, 478, 3) points in window units."""
    depth = points[..., 2:] * windows.side[:, None, None]
    return torch.cat([windows.to_picture(points[..., :2]), depth], dim=-1)


def windows_of_detections(box: Tensor, points: Tensor) -> Windows:
    """Upright crops of detected faces: (N, 4) boxes and (N, 6, 2) detector points, eyes first."""
    side = WINDOW_SCALE * (box[:, 2:] - box[:, :2]).amax(dim=1)
    return Windows((box[:, :2] + box[:, 2:]) / 2, side, roll_of(points[:, 0], points[:, 1]))


def windows_of_landmarks(points: Tensor) -> Windows:
    """Upright crops of faces whose (N, 478, 3) landmarks are known: their second look."""
    low, high = points[..., :2].amin(dim=1), points[..., :2].amax(dim=1)
    angle = roll_of(points[:, RIGHT_EYE_OUTER, :2], points[:, LEFT_EYE_OUTER, :2])
    return Windows((low + high) / 2, WINDOW_SCALE * (high - low).amax(dim=1), angle)


def roll_of(right_eye: Tensor, left_eye: Tensor) -> Tensor:
    """(N,) radians by which the line from the right to the left eye, (N, 2) each, is turned clockwise."""
    line = left_eye - right_eye
    return torch.atan2(line[:, 1], line[:, 0])
