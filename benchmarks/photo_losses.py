"""What each loss of the photo stages is worth: the same short run with each of them left out.

Run: python benchmarks/photo_losses.py --faces SEEN --portraits PORTRAITS --codes CODES [--steps N] [--json]

Judged on test portraits (the stage's own measures) and on rendered strangers, by person-specific
agreement (facegpt_model/evaluation), pictures looked at twice as the shipped prior does.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from accelerate.state import AcceleratorState
from PIL import Image
from torch import Tensor

from facegpt_model.data.features import FEATURES
from facegpt_model.evaluation.agreement import TruePeople, agreement
from facegpt_model.evaluation.strangers import strangers
from facegpt_model.evaluation.surfaces import surfaces_of
from facegpt_model.morphable.openhead import OpenHead
from facegpt_model.perception.analyse import analyse
from facegpt_model.perception.photos import photo_tensor
from facegpt_model.training.config import load_config
from facegpt_model.training.loop import train
from facegpt_model.training.tower_codes import read_codes
from facegpt_model.training.tower_data import mean_answer, portraits_of, read_faces
from facegpt_model.training.tower_photos import PhotoConfig, PhotoStage
from facegpt_model.training.tower_run import openhead, silent
from facegpt_model.vlm.frozen import FrozenFeatures, see
from facegpt_model.vlm.mirror import mirrored_identity, see_mirrored
from facegpt_model.vlm.tower import SHIPPED_TOWER, FaceTower, read_tower

LOSSES = ("photometric", "landmark", "likeness", "prior", "pseudo", "consistency", "synthetic")
OF_PHOTOS = ("photometric", "landmark", "likeness", "prior", "pseudo")
PEOPLE = 50


@dataclass(frozen=True)
class Group:
    """Strangers as the frozen nets see them, straight and mirrored, with their true surfaces."""

    name: str
    straight: FrozenFeatures
    mirrored: FrozenFeatures
    truth: TruePeople


def main() -> None:
    """Train every row, print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--faces", required=True, help="folders of seen synthetic faces, by commas")
    parser.add_argument("--portraits", required=True, type=Path)
    parser.add_argument("--codes", type=Path, help="pseudo-codes of the portraits")
    parser.add_argument("--steps", type=int, default=80)
    parser.add_argument("--strangers", nargs="*", default=["mixed:1", "ict:2"], help="KIND:SEED")
    parser.add_argument("--settings", nargs="*", default=[], help="key=value for every row")
    parser.add_argument("--rows", nargs="*", help="names of some rows only")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    head = openhead()
    groups = [drawn(text) for text in chosen.strangers]
    overrides = [f"faces={chosen.faces}", f"portraits={chosen.portraits}", f"steps={chosen.steps}"]
    rows: dict[str, list[str]] = {
        "shipped tower": [],
        "all losses": [],
        **{f"without {name}": [f"{name}_weight=0"] for name in LOSSES},
        "synthetic faces alone": [f"{name}_weight=0" for name in OF_PHOTOS],
    }
    names = ["synthetic_r2", "landmark_percent", "identity_distance", "photometric"]
    columns = [*names, *(group.name for group in groups)]
    print("| run | " + " | ".join(columns) + " |\n|" + " --- |" * (len(columns) + 1), flush=True)
    results = {}
    for name, without in rows.items():
        if chosen.rows and name not in chosen.rows:
            continue
        config = load_config(PhotoConfig, "photos", "cpu", [*overrides, *chosen.settings, *without])
        results[name] = figures(head, config, chosen.codes, groups, trained=name != "shipped tower")
        print(f"| {name} | " + " | ".join(f"{results[name][c]:.3f}" for c in columns) + " |", flush=True)
    if chosen.json:
        print(json.dumps(results))


def figures(
    head: OpenHead, config: PhotoConfig, codes: Path | None, groups: list[Group], trained: bool
) -> dict[str, float]:
    """One row: train, then measure on portraits and strangers."""
    AcceleratorState._reset_state(reset_partial_state=True)
    torch.manual_seed(config.seed)
    faces = read_faces(config.faces)
    tower, offset = read_tower(SHIPPED_TOWER)
    with tempfile.TemporaryDirectory() as folder:
        photos = portraits_of(Path(config.portraits), Path(folder) / "portraits", None, silent)
        known = read_codes(codes, head, photos) if codes else None
        stage = PhotoStage(head, tower, faces, photos, known, config)
        if trained:
            train(stage, config, Path(folder))
            offset = config.offset_share * mean_answer(stage.tower, photos)
    found = stage.explained()
    for group in groups:
        found[group.name] = recovered(head, stage.tower, offset, group)
    return found


@torch.no_grad()
def recovered(head: OpenHead, tower: FaceTower, offset: Tensor, group: Group) -> float:
    """Person-specific R² of a group."""
    tower.eval()
    mean = (tower(group.straight).mean + tower(group.mirrored).mean @ mirrored_identity(head)) / 2
    code = replace(head.mean_code(len(mean)), identity=mean - offset)
    return agreement(group.truth.fields(surfaces_of(head, code)), group.truth.true_fields).r2


def drawn(text: str) -> Group:
    """Strangers "KIND:SEED", photographed and looked at."""
    kind, _, seed = text.partition(":")
    people = strangers(kind, PEOPLE, int(seed))
    straight, mirrored = zip(*(looks(picture) for picture in people.pictures), strict=True)
    return Group(f"{kind} {seed}", joined(straight), joined(mirrored), people.truth())


@torch.no_grad()
def looks(picture: Image.Image) -> tuple[FrozenFeatures, FrozenFeatures]:
    """What the frozen nets see of a picture and of its mirror image."""
    face = analyse(picture)[0]
    given = photo_tensor(picture)[None], face.points478[None], face.blendshapes[None]
    return see(*given), see_mirrored(*given)


def joined(parts: tuple[FrozenFeatures, ...]) -> FrozenFeatures:
    """Features of several faces as one."""
    return FrozenFeatures(**{name: torch.cat([getattr(part, name) for part in parts]) for name in FEATURES})


if __name__ == "__main__":
    main()
