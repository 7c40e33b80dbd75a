"""The vision tower: tokens and a face code from what frozen, packaged face nets see.

A tower learned from pixels learns no identity in the hours a CPU has (docs/training.md), so
this one stands on the identity net's embedding and deepest map, the landmark net's maps and
points, and the blendshapes. Trained are a linear reading of all of them, found in closed
form, and a small transformer over tokens that corrects it. The code head answers with a
mean and a standard deviation of every identity coefficient: a prior that a fit can use.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from facegpt_model.morphable.base import load
from facegpt_model.morphable.openhead import OpenHead
from facegpt_model.vlm.frozen import FrozenFeatures, see
from facegpt_model.vlm.mirror import mirrored_identity, see_mirrored

SHIPPED_TOWER = Path(__file__).with_name("checkpoints") / "face-tower"
POINTS_USED = slice(0, 468, 2)
GRID_SIDE = 6  # the landmark net's 8 x 8 map is averaged to this many tokens a side
LEAST_SD, MOST_SD = 0.05, 2.0  # standard deviations of the prior


@dataclass(frozen=True)
class TowerSettings:
    """Sizes of the trained parts."""

    identities: int = 150
    width: int = 128
    depth: int = 2
    heads: int = 4
    dropout: float = 0.1


class Standardise(nn.Module):
    """Numbers less their mean over training faces, over their standard deviation; both are data."""

    mean: Tensor
    scale: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("scale", torch.ones(size))

    def forward(self, x: Tensor, noise: float = 0.0) -> Tensor:
        """(..., size) standardised, with random numbers of this deviation added."""
        standard = (x - self.mean) / self.scale
        return standard + noise * torch.randn_like(standard) if noise else standard

    def learn(self, x: Tensor) -> None:
        """Take mean and deviation of (N, size) numbers."""
        self.mean.copy_(x.mean(0))
        self.scale.copy_(x.std(0).clamp_min(1e-3))


@dataclass(frozen=True)
class TowerReading:
    """What the tower says of B faces.

    tokens: (B, T, width); mean, std: (B, I) of the identity code
    """

    tokens: Tensor
    mean: Tensor
    std: Tensor


class FaceTower(nn.Module):
    """The trained parts.

    Of 55 tokens 36 come from the landmark net, 16 from the identity net, and one each from the
    embedding, the points and the blendshapes.
    """

    reference: Tensor

    def __init__(self, settings: TowerSettings = TowerSettings()) -> None:
        super().__init__()
        self.settings = settings
        width = settings.width
        points = len(range(478)[POINTS_USED]) * 3
        sizes = {"embedding": 128, "grid": 256, "trunk": 128, "points": points, "blendshapes": 52}
        self.scales = nn.ModuleDict({name: Standardise(size) for name, size in sizes.items()})
        self.lifts = nn.ModuleDict({name: nn.Linear(size, width) for name, size in sizes.items()})
        self.places = nn.Parameter(0.02 * torch.randn(GRID_SIDE**2 + 16 + 3, width))
        layer = nn.TransformerEncoderLayer(
            width, settings.heads, 2 * width, settings.dropout, "gelu", batch_first=True, norm_first=True
        )
        self.blocks = nn.TransformerEncoder(layer, settings.depth, enable_nested_tensor=False)
        self.asks = nn.Parameter(0.02 * torch.randn(1, 1, width))
        self.pool = nn.MultiheadAttention(width, settings.heads, batch_first=True)
        self.correct = nn.Linear(width, settings.identities)
        self.doubt = nn.Linear(width, settings.identities)
        self.vector_scale = Standardise(vector_size())
        self.linear = nn.Linear(vector_size(), settings.identities)
        self.noise = 0.0  # of standardised features, while training
        self.register_buffer("reference", torch.zeros(points // 3, 3))
        for layer_ in (self.correct, self.doubt, self.linear):
            nn.init.zeros_(layer_.weight)
            nn.init.zeros_(layer_.bias)

    def forward(self, seen: FrozenFeatures) -> TowerReading:
        """Tokens and code of B faces."""
        tokens = self.blocks(self._lifted(seen))
        pooled, _ = self.pool(self.asks.expand(len(tokens), -1, -1), tokens, tokens, need_weights=False)
        mean = self.linear(self.vector_scale(self.vector(seen), self.noise)) + self.correct(pooled[:, 0])
        std = self.doubt(pooled[:, 0]).exp().clamp(LEAST_SD, MOST_SD)
        return TowerReading(tokens, mean, std)

    def vector(self, seen: FrozenFeatures) -> Tensor:
        """(B, vector_size()) everything the linear reading reads, not yet standardised."""
        return torch.cat(
            [
                seen.embedding,
                F.adaptive_avg_pool2d(seen.grid, 2).flatten(1),
                F.adaptive_avg_pool2d(seen.middle, 2).flatten(1),
                seen.trunk2.flatten(1),
                self._points(seen),
                seen.blendshapes,
            ],
            dim=1,
        )

    def _lifted(self, seen: FrozenFeatures) -> Tensor:
        """(B, T, width) tokens before the transformer."""
        trunk = F.adaptive_avg_pool2d(seen.trunk8.permute(0, 3, 1, 2), GRID_SIDE)
        parts = {
            "trunk": trunk.flatten(2).transpose(1, 2),
            "grid": seen.grid.flatten(2).transpose(1, 2),
            "embedding": seen.embedding[:, None],
            "points": self._points(seen)[:, None],
            "blendshapes": seen.blendshapes[:, None],
        }
        lifted = [self.lifts[name](self.scales[name](part, self.noise)) for name, part in parts.items()]
        return torch.cat(lifted, dim=1) + self.places

    def _points(self, seen: FrozenFeatures) -> Tensor:
        """(B, P * 3) landmarks without place, size and turn: carried onto the reference (Procrustes)."""
        points = seen.points[:, POINTS_USED]
        return carried(points, self.reference).flatten(1)

    def learn_scales(self, seen: FrozenFeatures) -> None:
        """Take reference and scales from N training faces, before anything is trained."""
        self.reference.copy_(centred(seen.points[:, POINTS_USED]).mean(0))
        parts = {
            "trunk": seen.trunk8.flatten(0, 2), "grid": seen.grid.permute(0, 2, 3, 1).flatten(0, 2),
            "embedding": seen.embedding, "points": self._points(seen), "blendshapes": seen.blendshapes,
        }  # fmt: skip
        for name, part in parts.items():
            scale = self.scales[name]
            assert isinstance(scale, Standardise)
            scale.learn(part)
        self.vector_scale.learn(self.vector(seen))


def vector_size() -> int:
    """Numbers the linear reading reads."""
    return 128 + 4 * 256 + 4 * 128 + 4 * 128 + len(range(478)[POINTS_USED]) * 3 + 52


def centred(points: Tensor) -> Tensor:
    """(B, P, 3) points about their middle, of mean square 1."""
    moved = points - points.mean(1, keepdim=True)
    return moved / moved.square().mean((1, 2), keepdim=True).sqrt().clamp_min(1e-9)


def carried(points: Tensor, reference: Tensor) -> Tensor:
    """(B, P, 3) points turned to (P, 3) reference points as near as can be; size and place removed."""
    moved = centred(points)
    u, _, v = torch.linalg.svd(moved.transpose(1, 2) @ reference)
    mirror = torch.ones_like(u[:, 0])
    mirror[:, 2] = torch.det(u @ v).sign()
    return moved @ (u * mirror[:, None]) @ v


class IdentityPrior:
    """What a picture says of an identity, as a normal distribution of its code.

    The picture is looked at twice, as it is and in a mirror, which tells strangers better apart
    than one look does (docs/training.md).
    """

    def __init__(self, tower: FaceTower, offset: Tensor, mirror: Tensor) -> None:
        """offset: (I,) mean answer for photographs, taken off; mirror: (I, I) mirrored_identity."""
        self.tower, self.offset, self.mirror = tower.eval().requires_grad_(False), offset, mirror

    @torch.no_grad()
    def __call__(
        self,
        images: Tensor,
        landmarks478: Tensor,
        blendshapes: Tensor | None = None,
        seen: FrozenFeatures | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation, (B, I) each, in standard deviations of the head model.

        images: (B, 3, H, W) sRGB in 0..1; landmarks478: (B, 478, 2 or 3) pixels; blendshapes: (B, 52) or
        None for the packaged net's; seen: what `see` gives of all that, where it is known
        """
        first = self.tower(see(images, landmarks478, blendshapes) if seen is None else seen)
        second = self.tower(see_mirrored(images, landmarks478, blendshapes))
        mean = (first.mean + (second.mean @ self.mirror)) / 2
        return mean - self.offset, (first.std + second.std) / 2


def save_tower(tower: FaceTower, offset: Tensor, folder: Path, card: dict[str, object]) -> None:
    """Write tower.safetensors in half precision and tower.json with sizes and the model card."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {**tower.state_dict(), "offset": offset}
    save_file({name: t.half().contiguous() for name, t in tensors.items()}, folder / "tower.safetensors")
    about = {"format": 1, "settings": asdict(tower.settings), "card": card}
    (folder / "tower.json").write_text(json.dumps(about, indent=1) + "\n")


def read_tower(folder: Path) -> tuple[FaceTower, Tensor]:
    """A saved tower in float32 and its offset; raises OSError when there is none."""
    about = json.loads((folder / "tower.json").read_text())
    tower = FaceTower(TowerSettings(**about["settings"]))
    tensors = {name: t.float() for name, t in load_file(folder / "tower.safetensors").items()}
    offset = tensors.pop("offset")
    tower.load_state_dict(tensors)
    return tower.eval(), offset


@lru_cache(maxsize=1)
def load_identity_prior() -> IdentityPrior:
    """The shipped prior."""
    head = load()
    if not isinstance(head, OpenHead):
        raise TypeError("the shipped tower speaks of openhead@2 only")
    return IdentityPrior(*read_tower(SHIPPED_TOWER), mirrored_identity(head))
