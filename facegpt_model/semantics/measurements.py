"""Distances between landmarks of a neutral face, in millimetres.

Points are iBUG-68 (0-based): jaw 0-16 from the person's right ear to the left, brows
17-26, nose 27-35, eyes 36-47, lips 48-67. x to the person's left, y up, z out of the face.
"""

from __future__ import annotations

import torch
from torch import Tensor

# Standard deviations over 2,000 random people of a model made from scans (ICT-FaceKit), mm.
# Its landmarks were placed by other means, so they are a scale to compare with, no more.
SCAN_DEVIATION_MM = {
    "eye_distance_outer": 5.0,
    "eye_distance_inner": 3.3,
    "nose_width": 2.7,
    "nose_length": 3.1,
    "mouth_width": 3.9,
    "face_width": 8.1,
    "face_height": 6.3,
    "lower_face_height": 4.4,
    "lip_thickness": 3.8,
    "eye_width": 2.0,
    "nose_protrusion": 2.1,
}
LIKE_SCANS = (0.70, 1.15)  # shares of those within which a distance varies like people do


def measure(landmarks68: Tensor) -> dict[str, Tensor]:
    """Name -> (B,) mm, of (B, 68, 3) landmarks without expression. Distances are straight lines in 3D.

    face_width           2-14, the cheeks' outline
    jaw_width            4-12, the jaw's angles
    face_height          27-8, nose root to chin
    nose_width           31-35, the wings' feet
    nose_length          27-33, nose root to base
    nose_protrusion      30-33, tip to base
    mouth_width          48-54, corner to corner
    lip_thickness        51-57, top of the upper to bottom of the lower lip
    upper_lip_thickness  51-62, in the middle
    lower_lip_thickness  66-57, in the middle
    eye_width            mean of 36-39 and 42-45, corner to corner
    eye_height           mean of 37-41, 38-40, 43-47 and 44-46, lid to lid
    eye_distance_inner   39-42, inner corners
    eye_distance_outer   36-45, outer corners
    brow_height          mean height (y) of 18, 19, 20, 23, 24, 25 above the lids 37, 38, 43, 44
    chin_height          57-8, lower lip to chin
    lower_face_height    33-8, nose base to chin
    philtrum_length      33-51, nose base to upper lip

    Raises ValueError for another shape.
    """
    if landmarks68.ndim != 3 or landmarks68.shape[1:] != (68, 3):
        raise ValueError(f"measurements need (B, 68, 3) landmarks in mm, not {tuple(landmarks68.shape)}")

    def distance(*pairs: tuple[int, int]) -> Tensor:
        spans = [torch.linalg.vector_norm(landmarks68[:, a] - landmarks68[:, b], dim=-1) for a, b in pairs]
        return torch.stack(spans).mean(0)

    brows = landmarks68[:, [18, 19, 20, 23, 24, 25], 1].mean(1)
    lids = landmarks68[:, [37, 38, 43, 44], 1].mean(1)
    return {
        "face_width": distance((2, 14)),
        "jaw_width": distance((4, 12)),
        "face_height": distance((27, 8)),
        "nose_width": distance((31, 35)),
        "nose_length": distance((27, 33)),
        "nose_protrusion": distance((30, 33)),
        "mouth_width": distance((48, 54)),
        "lip_thickness": distance((51, 57)),
        "upper_lip_thickness": distance((51, 62)),
        "lower_lip_thickness": distance((66, 57)),
        "eye_width": distance((36, 39), (42, 45)),
        "eye_height": distance((37, 41), (38, 40), (43, 47), (44, 46)),
        "eye_distance_inner": distance((39, 42)),
        "eye_distance_outer": distance((36, 45)),
        "brow_height": brows - lids,
        "chin_height": distance((57, 8)),
        "lower_face_height": distance((33, 8)),
        "philtrum_length": distance((33, 51)),
    }
