"""`facegpt train appearance portraits=FOLDER`: from labelled portraits to the file of the read-outs."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import torch
from pydantic import BaseModel, Field, PositiveInt
from torch import Tensor

from facegpt_model.data.worn_labels import ANSWERS, OWN_LABELS, WornLabels, read_labels
from facegpt_model.fitting.portraits import Portrait, read_portraits
from facegpt_model.perception.landmarks import LEFT_EYE_OUTER, RIGHT_EYE_OUTER
from facegpt_model.perception.photos import load_photo, photo_tensor
from facegpt_model.training.appearance import LabelledLooks, Score, learn, scores
from facegpt_model.training.config import ConfigError, load_config
from facegpt_model.wearing.look import look_at
from facegpt_model.wearing.readouts import save_readouts

NAME = "worn-readouts@1"
REPORT = "report.md"
AT_ONCE = 64  # looks in a file
GAIN_SD, TINT_SD, GAMMA_SD = 0.12, 0.08, 0.12  # by which mirrored pictures differ from the photo
SIZE_SD, PLACE_SD = 0.03, 0.015  # of the landmarks' box, as a detector is never exact

Progress = Callable[[str, float], None]


class AppearanceConfig(BaseModel, frozen=True, extra="forbid"):
    """Everything a run needs; `portraits` is a folder as `facegpt data prepare` makes."""

    portraits: str = ""
    labels: str = Field("", description="table of labels by file name; the project's own if empty")
    mirrored: bool = Field(True, description="learn from mirror images in other light, too")
    seed: int = 0
    threads: PositiveInt = 1


def train_appearance(
    preset: str,
    overrides: Sequence[str],
    folder: Path,
    _report: Callable[[dict[str, float]], None] | None,
    progress: Progress,
) -> Path:
    """Look at all labelled portraits (once; a stopped run goes on), learn, score; the checkpoint's folder.

    Only portraits with a verified licence are used. Raises ConfigError, BadPortraits, BadLabels.
    """
    config = load_config(AppearanceConfig, "appearance", preset, overrides)
    if not config.portraits:
        raise ConfigError("the read-outs learn from labelled portraits: give portraits=FOLDER")
    torch.set_num_threads(config.threads)
    labels = read_labels(Path(config.labels) if config.labels else OWN_LABELS)
    chosen = [p for p in read_portraits(Path(config.portraits)) if p.verified and p.file.name in labels]
    if not any(p.is_test for p in chosen) or all(p.is_test for p in chosen):
        raise ConfigError(
            f"{config.portraits}: {len(chosen)} portraits have labels and a verified licence; "
            "people to learn from and people to test on are needed"
        )
    kept = torch.tensor([p.is_test for p in chosen])
    plain = _looks(chosen, None, folder / "looks", progress)
    data = LabelledLooks(plain, [labels[p.file.name] for p in chosen], [p.person for p in chosen], kept)
    if config.mirrored:
        again = [p for p in chosen if not p.is_test]
        other = _looks(again, config.seed, folder / "looks", progress)
        data = LabelledLooks(
            torch.cat([plain, other]),
            [*data.labels, *(mirrored_labels(labels[p.file.name]) for p in again)],
            [*data.people, *(p.person for p in again)],
            torch.cat([kept, torch.zeros(len(again), dtype=torch.bool)]),
        )
    progress("learning", 0.0)
    readouts = learn(data)
    found, years_off = scores(readouts, data)
    progress("learning", 1.0)
    own = [word for word in overrides if not word.startswith(("portraits=", "labels="))]
    command = " ".join(["facegpt train appearance --preset", preset, "portraits=PORTRAITS", *own])
    card: dict[str, object] = {
        "name": NAME,
        "command": command,
        "learned_from": int((~kept).sum()),
        "kept_for_tests": int(kept.sum()),
        "mirrored": config.mirrored,
        "held_out": {question: _rounded(score) for question, score in found.items()},
        "held_out_years_off": round(years_off, 2),
    }
    save_readouts(readouts, folder / "checkpoint", card)
    (folder / "checkpoint" / REPORT).write_text("\n".join(table(found, years_off)) + "\n")
    return folder / "checkpoint"


def table(found: Mapping[str, Score], years_off: float) -> list[str]:
    """The scores in Markdown, in percent of the photos kept for tests."""
    lines = [
        "| question | photos | right | commonest answer | balanced | by chance | calibration error |",
        "|" + " --- |" * 7,
    ]
    for question, score in found.items():
        shares = (score.right, score.majority, score.balanced, score.by_chance, score.calibration)
        told = " | ".join(f"{100 * share:.0f} %" for share in shares)
        lines.append(f"| {question} | {score.photos} | {told} |")
    return [*lines, "", f"apparent age: {years_off:.1f} years off on average"]


def mirrored_labels(labels: WornLabels) -> WornLabels:
    """What is true of the mirror image: a parting changes sides."""
    known = ANSWERS["parting"]
    other = {known.index("l"): known.index("r"), known.index("r"): known.index("l")}
    answers = {
        question: other.get(answer, answer) if question == "parting" else answer
        for question, answer in labels.answers.items()
    }
    return replace(labels, answers=answers)


def _looks(portraits: Sequence[Portrait], seed: int | None, folder: Path, progress: Progress) -> Tensor:
    """(N, VECTOR) in half precision, from files where they were looked at before.

    seed: of mirror images in other light; None for the photos as they are
    """
    folder.mkdir(parents=True, exist_ok=True)
    kind = "plain" if seed is None else f"mirrored-{seed}"
    found = []
    for start in range(0, len(portraits), AT_ONCE):
        progress(f"looking at portraits ({kind})", start / len(portraits))
        some = portraits[start : start + AT_ONCE]
        names = hashlib.sha256("\n".join(str(p.file) for p in some).encode()).hexdigest()[:12]
        file = folder / f"{kind}-{start:06d}-{names}.pt"
        if not file.is_file():
            looks = torch.stack(
                [_look(p, None if seed is None else (seed, start + k)) for k, p in enumerate(some)]
            )
            part = file.with_suffix(f".{os.getpid()}.part")
            torch.save(looks, part)
            os.replace(part, file)
        found.append(torch.load(file, weights_only=True))
    return torch.cat(found)


def _look(portrait: Portrait, mirrored: tuple[int, int] | None) -> Tensor:
    photo = photo_tensor(load_photo(portrait.file))
    points = torch.from_numpy(portrait.points478).float()
    if mirrored is not None:
        seed, number = mirrored
        photo, points = _mirrored(photo, points, torch.Generator().manual_seed(seed * 1_000_003 + number))
    return look_at(photo, points).vector.half()


def _mirrored(photo: Tensor, points: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """The mirror image in slightly other light and its landmarks, slightly off.

    Of the landmarks only the outer eye corners get each other's number, as nothing else is asked of them.
    """

    def normal(*size: int) -> Tensor:
        return torch.randn(*size, generator=generator)

    there = points.clone()
    there[:, 0] = photo.shape[2] - there[:, 0]
    eyes = [RIGHT_EYE_OUTER, LEFT_EYE_OUTER]
    there[eyes] = there[eyes[::-1]]
    side = (there.amax(dim=0) - there.amin(dim=0)).max()
    middle = there.mean(dim=0, keepdim=True)
    moved = PLACE_SD * side * normal(1, 3) * there.new_tensor([1.0, 1.0, 0.0])
    there = middle + (there - middle) * (1 + SIZE_SD * normal(1)) + moved
    gain = (1 + TINT_SD * normal(3, 1, 1)) * (1 + GAIN_SD * normal(1)).clamp(0.6, 1.5)
    lit = (photo.flip(2) * gain).clamp(0, 1).pow(float((GAMMA_SD * normal(1)).exp()))
    return lit, there


def _rounded(score: Score) -> dict[str, float]:
    return {name: round(value, 3) for name, value in asdict(score).items()}
