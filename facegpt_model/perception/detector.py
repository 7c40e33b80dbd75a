"""Faces in a picture: BlazeFace (short range) with windows for small, large and turned faces.

The net sees 128 x 128 pixels and answers for 896 anchors with a score, a box and six
points: the person's right eye, left eye, nose tip, mouth, right ear, left ear
(Bazarevsky et al. 2019). Overlapping answers are blended by their scores.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from facegpt_model.perception.crops import Windows, cut
from facegpt_model.perception.tflite import TfliteNet

INPUT_SIZE = 128
ANCHOR_GRIDS = ((16, 2), (8, 6))  # cells a side, anchors a cell
MIN_SCORE = 0.5
SAME_FACE_OVERLAP = 0.3
TILE_SHARES = (0.6, 0.35, 0.2)  # of the shorter side, when nothing is found in the whole picture
QUARTER_TURNS = (math.pi / 2, -math.pi / 2, math.pi)


@dataclass(frozen=True)
class Detections:
    """N faces of one picture, best score first.

    box: (N, 4) left, top, right, bottom in pixels; points: (N, 6, 2) pixels; score: (N,) 0..1
    """

    box: Tensor
    points: Tensor
    score: Tensor

    def __len__(self) -> int:
        return int(self.score.shape[0])


class FaceDetector(nn.Module):
    """BlazeFace with its anchors.

    data: bytes of face_detector.tflite
    """

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self.net = TfliteNet(data)
        self.anchors: Tensor
        self.register_buffer("anchors", _anchors())

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """Raw answers for (B, 128, 128, 3) crops in 0..1.

        Returns scores (B, 896) in 0..1, and (B, 896, 16) window units: box centre, box size and
        six points.
        """
        regressors, logits = self.net(crops * 2 - 1)
        anchors = self.anchors.to(regressors)
        values = (regressors / INPUT_SIZE).unflatten(2, (8, 2))
        shift = anchors[:, None].expand(-1, 8, -1).clone()
        shift[:, 1] = 0  # the second pair is the box size
        return torch.sigmoid(logits[..., 0].clamp(-100, 100)), (values + shift).flatten(2)

    @torch.no_grad()
    def search(self, picture: Tensor) -> Iterator[Detections]:
        """Faces of a (3, H, W) picture in 0..1, one try after the other; stop when satisfied.

        First the whole picture and a padded one; then the picture on its side and upside down;
        then overlapping tiles, for faces that are small in it.
        """
        height, width = picture.shape[1:]
        for angle in (0.0, *QUARTER_TURNS):
            yield self._find_in(picture, _whole(width, height, angle))
        for share in TILE_SHARES:
            yield self._find_in(picture, _tiles(width, height, share))

    def _find_in(self, picture: Tensor, windows: Windows) -> Detections:
        scores, values = self(cut(picture, windows, INPUT_SIZE))
        window, anchor = torch.nonzero(scores > MIN_SCORE, as_tuple=True)
        some = Windows(windows.centre[window], windows.side[window], windows.angle[window])
        pairs = values[window, anchor].unflatten(1, (8, 2))
        centre = some.to_picture(pairs[:, :1])[:, 0]
        half = pairs[:, 1] * some.side[:, None] / 2
        box = torch.cat([centre - half, centre + half], dim=1)
        return blend_overlapping(Detections(box, some.to_picture(pairs[:, 2:]), scores[window, anchor]))


def blend_overlapping(found: Detections) -> Detections:
    """One answer per face: those that overlap the best one by 30 % are averaged, weighted by score."""
    order = torch.argsort(found.score, descending=True)
    box, points, score = found.box[order], found.points[order], found.score[order]
    boxes, places, scores = [], [], []
    left = torch.ones(len(score), dtype=torch.bool)
    for best in range(len(score)):
        if not left[best]:
            continue
        group = left & (overlap(box[best], box) > SAME_FACE_OVERLAP)
        group[best] = True
        weight = score[group] / score[group].sum()
        boxes.append((box[group] * weight[:, None]).sum(0))
        places.append((points[group] * weight[:, None, None]).sum(0))
        scores.append(score[best])
        left &= ~group
    if not scores:
        return Detections(box.reshape(0, 4), points.reshape(0, 6, 2), score.reshape(0))
    return Detections(torch.stack(boxes), torch.stack(places), torch.stack(scores))


def overlap(box: Tensor, others: Tensor) -> Tensor:
    """(N,) intersection over union of a (4,) box with (N, 4) boxes."""
    low, high = torch.maximum(box[:2], others[:, :2]), torch.minimum(box[2:], others[:, 2:])
    shared = (high - low).clamp_min(0).prod(dim=1)
    areas = (box[2:] - box[:2]).prod() + (others[:, 2:] - others[:, :2]).prod(dim=1)
    return shared / (areas - shared).clamp_min(1e-9)


def _anchors() -> Tensor:
    """(896, 2) anchor centres in window units, row by row."""
    rows = []
    for cells, repeats in ANCHOR_GRIDS:
        steps = (torch.arange(cells) + 0.5) / cells
        y, x = torch.meshgrid(steps, steps, indexing="ij")
        rows.append(torch.stack([x, y], dim=-1).reshape(-1, 1, 2).expand(-1, repeats, -1).reshape(-1, 2))
    return torch.cat(rows)


def _whole(width: int, height: int, angle: float) -> Windows:
    """The picture in its square, and with a margin for faces that fill it."""
    side = torch.tensor([1.0, 1.6]) * max(width, height)
    return Windows(torch.tensor([[width / 2, height / 2]]).expand(2, 2), side, torch.full((2,), angle))


def _tiles(width: int, height: int, share: float) -> Windows:
    """Half-overlapping squares that cover the picture."""
    side = share * min(width, height)
    x, y = (_tile_centres(length, side) for length in (width, height))
    centre = torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1).reshape(-1, 2)
    return Windows(centre, torch.full((len(centre),), side), torch.zeros(len(centre)))


def _tile_centres(length: int, side: float) -> Tensor:
    count = max(2, math.ceil((length - side) / (side / 2)) + 1)
    return torch.linspace(side / 2, length - side / 2, count)
