"""Where the tower's faces come from: drawn and looked at by the run itself, or made before.

    RUN/drawn/SEED/shard-N.tar   pictures with codes (data/shards.py)
    RUN/seen/SEED/N.pt           what the frozen nets see of them (data/features.py)
    RUN/portraits/N.pt           the same of portraits (data/seen_photos.py)

Everything is written once; a killed run goes on where it was.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from pydantic import BaseModel, PositiveInt
from torch import Tensor

from facegpt_model.data.features import SeenFaces, read_seen, see_shards
from facegpt_model.data.seen_photos import SeenPhotos, read_seen_photos, see_portraits
from facegpt_model.data.shards import Order, write_shards
from facegpt_model.data.synthetic import SyntheticConfig
from facegpt_model.vlm.tower import FaceTower

Progress = Callable[[str, float], None]
UNUSED = ("trunk16",)  # features the tower does not read


class DrawnSet(BaseModel, frozen=True, extra="forbid"):
    """One set of synthetic faces."""

    count: PositiveInt
    seed: int
    faces: SyntheticConfig = SyntheticConfig()


def draw_faces(
    sets: tuple[DrawnSet, ...], portraits: Path | None, folder: Path, progress: Progress
) -> SeenFaces:
    """All sets, drawn and looked at in a run's folder, in their order.

    portraits: to paste faces on; without them those pictures show dressed heads. Raises BadPortraits,
    BadBackdrops, BadShards.
    """
    seen = []
    for number, wanted in enumerate(sets, start=1):

        def told(doing: str, share: float, number: int = number) -> None:
            progress(f"set {number} of {len(sets)}, {doing}", share)

        shards = folder / "drawn" / str(wanted.seed)
        write_shards(Order(wanted.count, wanted.seed, wanted.faces, portraits), shards, 1, told)
        see_shards(shards, folder / "seen" / str(wanted.seed), told)
        seen.append(folder / "seen" / str(wanted.seed))
    return joined_faces(seen)


def read_faces(folders: str) -> SeenFaces:
    """The faces of one or several folders, by commas, in that order; raises BadShards."""
    return joined_faces([Path(folder) for folder in folders.split(",")])


def joined_faces(folders: list[Path]) -> SeenFaces:
    """The faces of several folders of see_shards, in that order; raises BadShards."""
    parts = [read_seen(folder, without=UNUSED) for folder in folders]
    return parts[0] if len(parts) == 1 else SeenFaces.joined(parts)


def portraits_of(folder: Path, kept: Path, limit: int | None, progress: Progress) -> SeenPhotos:
    """Portraits of a folder as the nets see them, looked at once; `folder` may hold seen ones already."""
    if (folder / "photos.json").is_file():
        return read_seen_photos(folder)
    see_portraits(folder, kept, limit, progress)
    return read_seen_photos(kept)


@torch.no_grad()
def mean_answer(tower: FaceTower, photos: SeenPhotos) -> Tensor:
    """(I,) what the tower says of training portraits on average, every source counting alike."""
    tower.eval()
    means = []
    for source in sorted(set(photos.sources)):
        chosen = [k for k, name in enumerate(photos.sources) if name == source and not photos.test[k]]
        if chosen:
            index = torch.tensor(chosen)
            parts = [tower(photos.features(part)).mean for part in index.split(256)]
            means.append(torch.cat(parts).mean(0))
    return torch.stack(means).mean(0)
