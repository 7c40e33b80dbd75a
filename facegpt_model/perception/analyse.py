"""What the packaged face nets see in a photograph."""

from __future__ import annotations

import math
import zipfile
from dataclasses import dataclass
from functools import lru_cache

import torch
from PIL import Image
from torch import Tensor

from facegpt_model import assets
from facegpt_model.perception.blendshapes import BLENDSHAPE_NAMES, BlendshapeNet
from facegpt_model.perception.crops import cut
from facegpt_model.perception.detector import SAME_FACE_OVERLAP, Detections, FaceDetector, overlap
from facegpt_model.perception.landmarks import (
    INPUT_SIZE,
    LandmarkNet,
    points_in_picture,
    windows_of_detections,
    windows_of_landmarks,
)
from facegpt_model.perception.photos import photo_tensor

MIN_PRESENCE = 0.7
MAX_LOOKS = 5
STEADY_SHARE = 0.008  # mean move of the points between two looks, over the side of the crop
ALIKE_SHARE = 0.02  # of looks that are averaged
MIN_FACE_SIDE = 24  # pixels; smaller finds are texture more often than faces


class NoFace(ValueError):
    """A photograph in which no face was found."""


@dataclass(frozen=True)
class FaceObservation:
    """One face as the nets see it.

    points478:   (478, 3) landmarks; x, y in picture pixels, z in the same scale, away from the camera
    blendshapes: (52,) expression weights in 0..1, named by `blendshape_names`
    box:         left, top, right, bottom of the landmarks, pixels
    score:       0..1, that this is a face
    roll:        degrees by which the head leans clockwise on the screen
    """

    points478: Tensor
    blendshapes: Tensor
    box: tuple[float, float, float, float]
    score: float
    roll: float
    blendshape_names: tuple[str, ...] = BLENDSHAPE_NAMES

    @property
    def area(self) -> float:
        """Square pixels of the box."""
        left, top, right, bottom = self.box
        return (right - left) * (bottom - top)


@dataclass(frozen=True)
class FaceNets:
    """Detector, landmark net and blendshape net of one face_landmarker.task."""

    detector: FaceDetector
    landmarks: LandmarkNet
    blendshapes: BlendshapeNet


@lru_cache(maxsize=1)
def load_nets() -> FaceNets:
    """The packaged nets, frozen; raises AssetError when they are missing or corrupt."""
    with zipfile.ZipFile(assets.path("face_landmarker")) as task:
        nets = FaceNets(
            FaceDetector(task.read("face_detector.tflite")),
            LandmarkNet(task.read("face_landmarks_detector.tflite")),
            BlendshapeNet(task.read("face_blendshapes.tflite")),
        )
    for net in (nets.detector, nets.landmarks, nets.blendshapes):
        net.eval().requires_grad_(False)
    return nets


@torch.no_grad()
def analyse(photo: Image.Image, name: str = "the photo") -> list[FaceObservation]:
    """Every face of an upright RGB photo, largest first; raises NoFace.

    name: how the error calls the photo.
    """
    nets = load_nets()
    picture = photo_tensor(photo)
    for found in nets.detector.search(picture):
        faces = _observe(nets, picture, found)
        if faces:
            return sorted(faces, key=lambda face: -face.area)
    raise NoFace(
        f"no face found in {name}: give a photo in which a face is seen from the front, not too small"
    )


def _observe(nets: FaceNets, picture: Tensor, found: Detections) -> list[FaceObservation]:
    """The finds that the landmark net confirms, without doubles.

    Each look is cut by the landmarks of the one before. On a face the looks soon agree; on
    texture that only resembles one they wander, and such finds are dropped. Looks err separately:
    the mean of those that agree is nearer to what another run of the net would see.
    """
    faces: list[FaceObservation] = []
    for i in range(len(found)):
        windows = windows_of_detections(found.box[i : i + 1], found.points[i : i + 1])
        looks: list[Tensor] = []
        moved = 1.0
        while moved >= STEADY_SHARE and len(looks) < MAX_LOOKS:
            local, presence = nets.landmarks(cut(picture, windows, INPUT_SIZE))
            looks.append(points_in_picture(local, windows))
            if len(looks) > 1:
                moved = _distance(looks[-1], looks[-2]) / float(windows.side[0])
            windows = windows_of_landmarks(looks[-1])
        alike = [look for look in looks if _distance(look, looks[-1]) < ALIKE_SHARE * float(windows.side[0])]
        points = torch.stack(alike).mean(dim=0)
        face = _observation(points[0], nets.blendshapes(local)[0], float(presence[0]))
        is_face = moved < STEADY_SHARE and face.score > MIN_PRESENCE and math.sqrt(face.area) >= MIN_FACE_SIDE
        if is_face and not _is_among(face, faces):
            faces.append(face)
    return faces


def _distance(one: Tensor, other: Tensor) -> float:
    """Mean pixels between the points of two looks."""
    return float((one - other)[..., :2].norm(dim=2).mean())


def _observation(points: Tensor, weights: Tensor, score: float) -> FaceObservation:
    low, high = points[:, :2].amin(dim=0).tolist(), points[:, :2].amax(dim=0).tolist()
    roll = math.degrees(float(windows_of_landmarks(points[None]).angle[0]))
    return FaceObservation(points, weights, (low[0], low[1], high[0], high[1]), score, roll)


def _is_among(face: FaceObservation, faces: list[FaceObservation]) -> bool:
    if not faces:
        return False
    others = torch.tensor([other.box for other in faces])
    return bool((overlap(torch.tensor(face.box), others) > SAME_FACE_OVERLAP).any())
