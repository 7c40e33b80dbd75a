"""All points of a face in the picture, each with its own doubt, from what the frozen nets see.

The landmark net draws its 478 points towards a mean face and says nothing of the surface
between them. This small net moves them to where the head model's points are, adds chosen
vertices of the skin and the visible jaw line, and says of each point how far it may be off
(after Wood et al., 3D face reconstruction with dense landmarks, 2022). Every point starts at a
fixed mix of detected landmarks that would be right for an affinely changed mean head; a linear reading
moves all of them together, and a small network looks at the landmark net's maps around each.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from facegpt_model.morphable.openhead import OpenHead
from facegpt_model.vlm.frozen import FrozenFeatures
from facegpt_model.vlm.tower import Standardise, carried, centred

LANDMARKS, JAW = 478, 17
POINTS_READ = slice(0, 468, 2)
READ = len(range(478)[POINTS_READ])
VECTOR = 128 + 4 * 256 + 4 * 128 + 4 * 128 + READ * 3 + READ * 2 + 52
LEAST_DOUBT, MOST_DOUBT = 0.003, 0.5  # standard deviation, of the face's size
FAR_MM = 25.0  # from here on a landmark is asked rather not to help another point


@dataclass(frozen=True)
class DenseSettings:
    """Sizes of the trained parts; vertices: of skin, added to the 478 landmarks and the jaw line."""

    vertices: int = 320
    rank: int = 48
    channels: int = 48
    width: int = 64


@dataclass(frozen=True)
class DenseInput:
    """What the net reads of B faces.

    vector: (B, VECTOR), see vector_of; trunk16, trunk8: (B, side, side, 128); points: (B, 478, 3) in units
    of the landmark crop
    """

    vector: Tensor
    trunk16: Tensor
    trunk8: Tensor
    points: Tensor


@dataclass(frozen=True)
class DensePoints:
    """P points of B faces: 478 landmarks, the vertices, 17 of the jaw line.

    places: (B, P, 2) in units of the landmark crop; doubt: (B, P) standard deviation of one coordinate
    """

    places: Tensor
    doubt: Tensor


class DensePointNet(nn.Module):
    """The trained parts, with the points they speak of.

    vertex: (settings.vertices,) ids in openhead@2
    """

    vertex: Tensor
    anchors: Tensor
    basis: Tensor

    def __init__(self, settings: DenseSettings = DenseSettings()) -> None:
        super().__init__()
        self.settings = settings
        count, width, channels = self.count, settings.width, settings.channels
        self.register_buffer("vertex", torch.zeros(settings.vertices, dtype=torch.int32))
        self.register_buffer("anchors", torch.zeros(settings.vertices + JAW, LANDMARKS))
        self.vector_scale = Standardise(VECTOR)
        self.map_scale = Standardise(128)
        self.map8_scale = Standardise(128)
        self.coarse = nn.Linear(VECTOR, settings.rank)
        self.register_buffer("basis", torch.zeros(settings.rank, count, 2))
        self.mean = nn.Parameter(torch.zeros(count, 2))
        self.glance = nn.Linear(VECTOR, width)
        self.lift16, self.lift8 = nn.Linear(128, channels), nn.Linear(128, channels)
        self.look = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in range(2))
        self.near = nn.Linear(channels, width)
        self.names = nn.Parameter(0.1 * torch.randn(count, width))
        self.inner = nn.Linear(width, width)
        self.answer = nn.Parameter(torch.zeros(count, width, 3))
        self.unsure = nn.Parameter(torch.full((count,), -3.0))
        self.noise = 0.0  # of standardised features, while training
        nn.init.zeros_(self.coarse.weight)
        nn.init.zeros_(self.coarse.bias)

    @property
    def count(self) -> int:
        """How many points."""
        return LANDMARKS + self.settings.vertices + JAW

    def choose(self, head: OpenHead) -> None:
        """Take the vertices and where they start from the head model."""
        self.vertex.copy_(spread_vertices(head, self.settings.vertices))
        points = head.landmarks478(head.mean[None])[0]
        jaw = head.landmarks68(head.mean[None])[0, :JAW]
        self.anchors.copy_(affine_mixes(points, torch.cat([head.mean[self.vertex.long()], jaw])))

    def forward(self, seen: DenseInput) -> DensePoints:
        """Places and doubts of B faces."""
        start, size = self.start(seen.points), face_size(seen.points)
        vector = self.vector_scale(seen.vector, self.noise)
        offset = torch.einsum("br,rpx->bpx", self.coarse(vector), self.basis) + self.mean
        hidden = F.gelu(
            self._near(seen, start + size * offset.detach()) + self.names + self.glance(vector)[:, None]
        )
        hidden = hidden + F.gelu(self.inner(hidden))
        answer = torch.einsum("bpw,pwc->bpc", hidden, self.answer)
        doubt = (answer[..., 2] + self.unsure).exp().clamp(LEAST_DOUBT, MOST_DOUBT)
        return DensePoints(start + size * (offset + answer[..., :2]), size[..., 0] * doubt)

    def start(self, points: Tensor) -> Tensor:
        """(B, P, 2) places before anything is learned, of (B, 478, 3) detected landmarks."""
        flat = points[..., :2]
        return torch.cat([flat, torch.einsum("pk,bkx->bpx", self.anchors, flat)], dim=1)

    def _near(self, seen: DenseInput, places: Tensor) -> Tensor:
        """(B, P, width) what the maps hold at (B, P, 2) places."""
        fine = self.lift16(self.map_scale(seen.trunk16, self.noise)).permute(0, 3, 1, 2)
        wide = self.lift8(self.map8_scale(seen.trunk8, self.noise)).permute(0, 3, 1, 2)
        maps = F.gelu(fine + F.interpolate(wide, scale_factor=2.0, mode="bilinear"))
        for layer in self.look:
            maps = maps + F.gelu(layer(maps))
        grid = (2 * places - 1)[:, :, None]
        found = F.grid_sample(maps, grid, mode="bilinear", padding_mode="border", align_corners=False)
        near: Tensor = self.near(found[..., 0].transpose(1, 2))
        return near


def face_size(points: Tensor) -> Tensor:
    """(B, 1, 1) root mean square distance of (B, 478, 3) landmarks from their middle, in the picture."""
    flat = points[..., :2]
    return (flat - flat.mean(1, keepdim=True)).square().sum(2).mean(1).sqrt()[:, None, None]


def vector_of(seen: FrozenFeatures, reference: Tensor) -> Tensor:
    """(B, VECTOR) what is read as a whole; reference: (READ, 3) points that landmarks are carried onto."""
    points = seen.points[:, POINTS_READ]
    return torch.cat(
        [
            seen.embedding,
            F.adaptive_avg_pool2d(seen.grid, 2).flatten(1),
            F.adaptive_avg_pool2d(seen.middle, 2).flatten(1),
            seen.trunk2.flatten(1),
            carried(points, reference).flatten(1),
            centred(points)[..., :2].flatten(1),
            seen.blendshapes,
        ],
        dim=1,
    )


def reference_points(head: OpenHead) -> Tensor:
    """(READ, 3) landmarks of the mean head as the landmark net would see them: y down, z away."""
    points = head.landmarks478(head.mean[None])[:, POINTS_READ] * torch.tensor([1.0, -1.0, -1.0])
    return centred(points)[0]


def spread_vertices(head: OpenHead, count: int) -> Tensor:
    """(count,) vertices of the skin from ear to ear and chin to forehead, far from each other."""
    skin = head.triangles[head.part == head.part_names.index("skin")].unique()
    place = head.mean[skin]
    jaw = head.landmarks68(head.mean[None])[0, :JAW]
    lowest, back = jaw[8, 1] - 25.0, jaw[[0, 16], 2].mean() - 15.0
    skin = skin[(place[:, 1] > lowest) & (place[:, 2] > back)]
    place = head.mean[skin]
    chosen = [int((place - head.landmarks478(head.mean[None])[0, 4]).norm(dim=1).argmin())]
    away = (place - place[chosen[0]]).norm(dim=1)
    while len(chosen) < count:
        chosen.append(int(away.argmax()))
        away = torch.minimum(away, (place - place[chosen[-1]]).norm(dim=1))
    return skin[torch.tensor(chosen)]


def affine_mixes(landmarks: Tensor, points: Tensor) -> Tensor:
    """(N, K) weights of (K, 3) landmarks that give (N, 3) points, of any affine image of both.

    Of all such weights those that are small at far landmarks.
    """
    ones = torch.cat([landmarks, torch.ones(len(landmarks), 1)], dim=1).double()
    wanted = torch.cat([points, torch.ones(len(points), 1)], dim=1).double()
    near = (1 + (torch.cdist(points.double(), landmarks.double()) / FAR_MM) ** 2) ** -2
    gram = torch.einsum("ki,nk,kj->nij", ones, near, ones)
    return (near * (torch.linalg.solve(gram, wanted[..., None])[..., 0] @ ones.T)).float()


def save_dense_points(net: DensePointNet, folder: Path, card: dict[str, object]) -> None:
    """Write points.safetensors in half precision and points.json with sizes and the model card."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {k: t.half() if t.is_floating_point() else t for k, t in net.state_dict().items()}
    save_file({name: t.contiguous() for name, t in tensors.items()}, folder / "points.safetensors")
    about = {"format": 1, "settings": asdict(net.settings), "card": card}
    (folder / "points.json").write_text(json.dumps(about, indent=1) + "\n")


def read_dense_points(folder: Path) -> DensePointNet:
    """A saved net in float32; raises OSError when there is none."""
    about = json.loads((folder / "points.json").read_text())
    net = DensePointNet(DenseSettings(**about["settings"]))
    tensors = load_file(folder / "points.safetensors")
    net.load_state_dict({k: t.float() if t.is_floating_point() else t for k, t in tensors.items()})
    return net.eval().requires_grad_(False)
