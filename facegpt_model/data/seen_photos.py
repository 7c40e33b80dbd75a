"""Portraits as the self-supervised stages want them, kept on disk: small pictures and what frozen nets see.

A picture is scaled to SIDE pixels; points are pixels of the scaled one. One file per PART
portraits, written once; a stopped run goes on where it was.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from facegpt_model.data.features import FEATURES
from facegpt_model.fitting.portraits import BadPortraits, Portrait, read_portraits
from facegpt_model.perception.person_mask import person_mask
from facegpt_model.perception.photos import photo_tensor
from facegpt_model.vlm.frozen import FrozenFeatures, see

SIDE = 112  # pixels of the small pictures
PART = 32  # portraits a file
ABOUT = "photos.json"
Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class SeenPhotos:
    """N portraits.

    seen: features in half precision; pictures: (N, 3, SIDE, SIDE) uint8 sRGB; persons: (N, 1, SIDE, SIDE)
    uint8, 255 where a person is; points: (N, 478, 2) pixels of the small pictures; names and sources: N
    names of files and where they come from; test: (N,) bool, people kept for tests
    """

    seen: FrozenFeatures
    pictures: Tensor
    persons: Tensor
    points: Tensor
    names: tuple[str, ...]
    sources: tuple[str, ...]
    test: Tensor

    def __len__(self) -> int:
        return len(self.names)

    def features(self, index: Tensor) -> FrozenFeatures:
        """Features of some portraits, in float32."""
        return FrozenFeatures(**{name: getattr(self.seen, name)[index].float() for name in FEATURES})


def is_portraits(folder: Path) -> bool:
    """Whether a folder holds portraits with stored landmarks, as `facegpt data prepare` makes them."""
    return (folder / "metadata.csv").is_file() and (folder / "landmarks.npz").is_file()


def see_portraits(
    folder: Path, out: Path, limit: int | None = None, progress: Progress | None = None
) -> list[Path]:
    """Look at the portraits with a verified licence, at most `limit` of them, evenly taken of each source.

    Raises BadPortraits for a folder that cannot be read, or when `out` holds other portraits.
    """
    chosen = _chosen([p for p in read_portraits(folder) if p.verified], limit)
    if not chosen:
        raise BadPortraits(f"{folder} holds no portrait with a verified licence")
    out.mkdir(parents=True, exist_ok=True)
    about = {"side": SIDE, "names": [p.file.name for p in chosen]}
    record = out / ABOUT
    if record.is_file() and json.loads(record.read_text()) != about:
        raise BadPortraits(f"{out} holds what was seen of other portraits; give another folder or delete it")
    record.write_text(json.dumps(about) + "\n")
    parts = [chosen[start : start + PART] for start in range(0, len(chosen), PART)]
    files = [out / f"{number:05d}.pt" for number in range(len(parts))]
    for number, (part, file) in enumerate(zip(parts, files, strict=True)):
        if progress is not None:
            progress("looking at portraits", number / len(parts))
        if file.is_file():
            continue
        unfinished = file.with_suffix(f".{os.getpid()}.part")
        torch.save(_looked_at(part), unfinished)
        os.replace(unfinished, file)
    return files


def read_seen_photos(folder: Path) -> SeenPhotos:
    """Everything that see_portraits wrote; raises BadPortraits when there is none."""
    files = sorted(folder.glob("[0-9]*.pt"))
    if not files or not (folder / ABOUT).is_file():
        raise BadPortraits(f"{folder} holds no seen portraits; make some with: facegpt data see PORTRAITS")
    stored = [torch.load(file, weights_only=True) for file in files]

    def joined(name: str) -> Tensor:
        return torch.cat([part[name] for part in stored])

    return SeenPhotos(
        seen=FrozenFeatures(**{name: joined(name) for name in FEATURES}),
        pictures=joined("pictures"),
        persons=joined("persons"),
        points=joined("landmarks"),
        names=tuple(name for part in stored for name in part["names"]),
        sources=tuple(source for part in stored for source in part["sources"]),
        test=joined("test"),
    )


def _chosen(portraits: Sequence[Portrait], limit: int | None) -> list[Portrait]:
    if limit is None or limit >= len(portraits):
        return list(portraits)
    sources = sorted({p.source for p in portraits})
    chosen = []
    for source in sources:
        own = [p for p in portraits if p.source == source]
        share = min(len(own), -(-limit // len(sources)))
        chosen += [own[k] for k in np.linspace(0, len(own) - 1, share).round().astype(int)]
    return sorted(chosen, key=lambda p: p.file.name)


@torch.no_grad()
def _looked_at(portraits: Sequence[Portrait]) -> dict[str, object]:
    pictures, persons, points, features = [], [], [], []
    for portrait in portraits:
        with Image.open(portrait.file) as image:
            photo = photo_tensor(image.convert("RGB"))[None]
        landmarks = torch.from_numpy(portrait.points478).float()[None]
        features.append(see(photo, landmarks, torch.from_numpy(portrait.blendshapes).float()[None]))
        scale = torch.tensor([SIDE / photo.shape[3], SIDE / photo.shape[2]])
        points.append(landmarks[..., :2] * scale)
        both = torch.cat([photo, person_mask(photo)], dim=1)
        small = F.interpolate(both, (SIDE, SIDE), mode="bilinear", antialias=True)
        small = (small.clamp(0, 1) * 255).round().to(torch.uint8)
        pictures.append(small[:, :3])
        persons.append(small[:, 3:])
    kept = {name: torch.cat([getattr(f, name) for f in features]).half() for name in FEATURES}
    return {
        **kept, "pictures": torch.cat(pictures), "persons": torch.cat(persons), "landmarks": torch.cat(points),
        "names": [p.file.name for p in portraits], "sources": [p.source for p in portraits],
        "test": torch.tensor([p.is_test for p in portraits]),
    }  # fmt: skip
