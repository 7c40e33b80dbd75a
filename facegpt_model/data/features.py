"""What the frozen nets see of synthetic faces, kept on disk so that training reads it many times.

One file per shard, in half precision: seeing a face costs forty times what learning from it does.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from facegpt_model.data.shards import BadShards, read_shard
from facegpt_model.data.synthetic import SyntheticBlock
from facegpt_model.perception.crops import Windows
from facegpt_model.perception.landmarks import windows_of_landmarks
from facegpt_model.vlm.frozen import FrozenFeatures, see

AT_ONCE = 32  # pictures
FEATURES = tuple(part.name for part in fields(FrozenFeatures))
TRUTHS = ("identity", "expression", "rotation", "translation", "focal", "points478", "person")
SHAKE_SIZE, SHAKE_PLACE = 0.04, 0.02  # of the landmark crop, as a detector is never exact
Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class SeenFaces:
    """N faces with their truth.

    seen: features; identity: (N, I); expression: (N, E); rotation, translation: (N, 3); focal: (N,) for the
    picture; points478: (N, 478, 2) pixels of the mesh's landmarks; person: (N,); kinds: N kinds
    """

    seen: FrozenFeatures
    identity: Tensor
    expression: Tensor
    rotation: Tensor
    translation: Tensor
    focal: Tensor
    points478: Tensor
    person: Tensor
    kinds: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.identity)

    @staticmethod
    def joined(parts: Sequence[SeenFaces]) -> SeenFaces:
        """All faces of several sets."""
        seen = {name: torch.cat([getattr(part.seen, name) for part in parts]) for name in FEATURES}
        rest = {name: torch.cat([getattr(part, name) for part in parts]) for name in TRUTHS}
        kinds = tuple(kind for part in parts for kind in part.kinds)
        return SeenFaces(seen=FrozenFeatures(**seen), kinds=kinds, **rest)

    def features(self, index: Tensor) -> FrozenFeatures:
        """Features of some faces, in float32."""
        return FrozenFeatures(**{name: getattr(self.seen, name)[index].float() for name in FEATURES})


def see_shards(shards: Path, out: Path, progress: Progress | None = None) -> list[Path]:
    """Write NNNNN.pt for every shard-NNNNN.tar that has none yet; resumable. Raises BadShards."""
    files = sorted(shards.glob("shard-*.tar"))
    if not files:
        raise BadShards(
            f"{shards} holds no shard-*.tar; make some with: facegpt data synthetic --out {shards}"
        )
    out.mkdir(parents=True, exist_ok=True)
    targets = [out / f"{file.stem.removeprefix('shard-')}.pt" for file in files]
    for k, (file, target) in enumerate(zip(files, targets, strict=True)):
        if progress is not None:
            progress("looking at synthetic faces", k / len(files))
        if target.is_file():
            continue
        block = read_shard(file)
        generator = torch.Generator().manual_seed(int(target.stem))
        pieces = [
            _seen(block, start, min(start + AT_ONCE, len(block.jpegs)), generator)
            for start in range(0, len(block.jpegs), AT_ONCE)
        ]
        tensors: dict[str, object] = {
            name: torch.cat([getattr(piece, name) for piece in pieces]).half() for name in FEATURES
        }
        tensors |= {
            "identity": block.code.identity, "expression": block.code.expression, "focal": block.view.focal,
            "rotation": block.view.rotation, "translation": block.view.translation,
            "points478": block.points478, "person": block.person, "kind": list(block.kinds),
        }  # fmt: skip
        part = target.with_suffix(f".{os.getpid()}.part")
        torch.save(tensors, part)
        os.replace(part, target)
    return targets


def read_seen(folder: Path, limit: int | None = None, without: Sequence[str] = ()) -> SeenFaces:
    """Everything of a folder that see_shards wrote, at most `limit` files; raises BadShards.

    without: features that are not wanted, which then are (N, 0): the largest map is half of all memory
    """
    files = sorted(folder.glob("[0-9]*.pt"))[:limit]
    if not files:
        raise BadShards(f"{folder} holds no seen faces; run see_shards first")
    stored = [_loaded(file, without) for file in files]

    def joined(name: str) -> Tensor:
        return torch.cat([part[name] for part in stored])

    return SeenFaces(
        seen=FrozenFeatures(**{name: joined(name) for name in FEATURES}),
        **{name: joined(name) for name in TRUTHS},
        kinds=tuple(kind for part in stored for kind in part["kind"]),
    )


def _loaded(file: Path, without: Sequence[str]) -> dict[str, Any]:
    tensors: dict[str, Any] = torch.load(file, weights_only=True)
    for name in without:
        tensors[name] = tensors[name].new_zeros(len(tensors[name]), 0)
    return tensors


@torch.no_grad()
def _seen(block: SyntheticBlock, start: int, end: int, generator: torch.Generator) -> FrozenFeatures:
    pictures = [
        torch.from_numpy(np.asarray(Image.open(io.BytesIO(jpeg)).convert("RGB"), np.float32) / 255)
        for jpeg in block.jpegs[start:end]
    ]
    places = shaken(block.points478[start:end], generator)
    return see(torch.stack(pictures).permute(0, 3, 1, 2), places)


def shaken(points: Tensor, generator: torch.Generator) -> Tensor:
    """(B, 478, 2) true landmarks, moved and grown as much as a detector errs: they cut the crop."""
    side = (points.amax(1) - points.amin(1)).amax(1)[:, None, None]
    middle = points.mean(1, keepdim=True)
    grown = 1 + SHAKE_SIZE * torch.randn(len(points), 1, 1, generator=generator)
    moved = SHAKE_PLACE * side * torch.randn(len(points), 1, 2, generator=generator)
    return middle + (points - middle) * grown + moved


def crops_seen(number: int, points478: Tensor) -> Windows:
    """The crops in which the faces of file NNNNN.pt were seen, from the true landmarks that it holds.

    number: of the file; points478: (B, 478, 2) pixels
    """
    generator = torch.Generator().manual_seed(number)
    return windows_of_landmarks(torch.cat([shaken(part, generator) for part in points478.split(AT_ONCE)]))
