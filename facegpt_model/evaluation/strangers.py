"""Pictures of people whose true shape is known: strangers to the fit, drawn by a seed.

Three kinds. "ict": people of ICT-FaceKit, whose shapes come from scans of a light stage; a
model the fit does not use, in one colour of skin. "mixed": the same with openhead's identity
carried onto it (mixed_head.py), for a sample of ICT's files holds few shapes. "openhead":
people of our own model with their colours, the friendlier case. Each stranger has a tone, a
light, a pose of up to 25 degrees of yaw, a small smile or open jaw, and a picture of 256 to
512 pixels.

    python -m facegpt_model.evaluation.strangers ict --count 50 --out FOLDER

writes the pictures as PNG and truth.npz: vertices (N, V, 3) mm of the neutral skin,
triangles (T, 3), face (V,), landmarks (N, 68, 3), identity (N, I), expression (N, E).
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from facegpt_model.evaluation.agreement import TruePeople
from facegpt_model.evaluation.mixed_head import mixed_head
from facegpt_model.evaluation.surfaces import Surface
from facegpt_model.face import FaceCode, View
from facegpt_model.fitting.transfer import open_skin
from facegpt_model.mesh import srgb
from facegpt_model.morphable.base import MorphableModel, load
from facegpt_model.morphable.linear_head import PLAIN, LinearHead
from facegpt_model.morphable.openhead import OpenHead
from facegpt_model.morphable.people import sample_people
from facegpt_model.rendering.cameras import portrait_view
from facegpt_model.rendering.deferred import render
from facegpt_model.rendering.face_area import face_area
from facegpt_model.rendering.lighting import ambient_light, directional_light

log = logging.getLogger(__name__)

KINDS = {"ict": "ict-face@1", "openhead": "openhead@2", "mixed": "ict-mixed@1"}
TONES = (  # linear RGB of skin, light to dark
    (0.62, 0.41, 0.32),
    (0.52, 0.31, 0.22),
    (0.42, 0.24, 0.16),
    (0.28, 0.15, 0.09),
    (0.15, 0.075, 0.045),
    (0.08, 0.040, 0.025),
)
SIZES = (256, 320, 384, 448, 512)
YAW, PITCH = 25.0, 8.0  # degrees, largest
EXPRESSIONS = ("mouthSmileLeft", "mouthSmileRight", "jawOpen")
SMILE, JAW = 0.5, 0.2  # largest weights
SUPERSAMPLED = 2
LEAST_SEEN = 0.5  # weight of face_area from which a vertex is measured


class UnknownKind(ValueError):
    """A kind of strangers that does not exist."""


@dataclass(frozen=True)
class Strangers:
    """N people with one picture each.

    codes: of the true model, expression included; views: one per picture; surfaces: neutral skin
    """

    kind: str
    model: MorphableModel
    codes: FaceCode
    views: list[View]
    pictures: list[Image.Image]
    surfaces: list[Surface]
    face: np.ndarray

    def truth(self) -> TruePeople:
        """What predictions are measured against."""
        return TruePeople(self.surfaces, self.face)


def strangers(
    kind: str, count: int, seed: int = 0, on_one: Callable[[float], None] = lambda share: None
) -> Strangers:
    """Draw and photograph `count` people; the same seed gives the same people, whatever the count.

    Raises UnknownKind, and MissingModel when the files of ICT-FaceKit are not installed.
    """
    if kind not in KINDS:
        raise UnknownKind(f"no strangers called {kind!r}; known: {', '.join(KINDS)}")
    model = _mixed() if kind == "mixed" else load(KINDS[kind])
    codes, views, pictures = [], [], []
    for index in range(count):
        rng = np.random.default_rng([seed, index, list(KINDS).index(kind)])
        code = _person(model, rng)
        view = _view(rng)
        codes.append(code)
        views.append(view)
        pictures.append(_photograph(model, code, view, rng))
        on_one((index + 1) / count)
    together = _stacked(codes)
    surfaces, face = true_surfaces(model, together)
    return Strangers(kind, model, together, views, pictures, surfaces, face)


def true_surfaces(model: MorphableModel, code: FaceCode) -> tuple[list[Surface], np.ndarray]:
    """Neutral outer skin of each face, and which of its vertices belong to the face proper.

    Skin inside mouth, nostrils and eye sockets is left out; all faces share one topology.
    """
    neutral = code.neutral()
    first = neutral[0]
    mean = replace(first, identity=torch.zeros_like(first.identity), albedo=torch.zeros_like(first.albedo))
    with torch.no_grad():
        skin = open_skin(model, model.vertices(mean).double())
        vertices = model.vertices(neutral).double()
        landmarks = model.landmarks68(vertices).numpy()
    inner = (face_area(model, mean) > LEAST_SEEN).numpy()
    used, numbers = np.unique(skin, return_inverse=True)
    triangles = numbers.reshape(skin.shape).astype(np.int64)
    surfaces = [
        Surface(face[used], triangles, points)
        for face, points in zip(vertices.numpy(), landmarks, strict=True)
    ]
    return surfaces, inner[used]


@lru_cache(maxsize=1)
def _mixed() -> LinearHead:
    body, giver = load("ict"), load()
    if not isinstance(body, LinearHead) or not isinstance(giver, OpenHead):
        raise TypeError("mixed people have the surface of ict-face@1 and the identity of openhead@2")
    return mixed_head(body, giver, KINDS["mixed"])


def _person(model: MorphableModel, rng: np.random.Generator) -> FaceCode:
    generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
    if isinstance(model, OpenHead):
        code = sample_people(model, 1, generator).code
    elif isinstance(model, LinearHead):
        blank = model.mean_code()
        code = replace(blank, identity=model.sample_identity(1, generator))
    else:
        raise UnknownKind(f"no people can be drawn from {model.basis}")
    weights = {"jawOpen": JAW * rng.random() * (rng.random() < 0.5)}
    weights["mouthSmileLeft"] = SMILE * rng.random()
    weights["mouthSmileRight"] = weights["mouthSmileLeft"] * rng.uniform(0.8, 1.0)
    expression = torch.zeros_like(code.expression)
    for name in EXPRESSIONS:
        if name in model.expression_names:
            expression[0, model.expression_names.index(name)] = weights[name]
    return replace(code, expression=expression)


def _view(rng: np.random.Generator) -> View:
    size = int(rng.choice(SIZES))
    yaw, pitch = rng.uniform(-YAW, YAW), rng.uniform(-PITCH, PITCH)
    distance = float(rng.uniform(700, 2000))
    view = portrait_view(yaw, pitch, size, distance, fill=float(rng.uniform(0.7, 1.0)))
    warm = rng.uniform(-0.05, 0.05)
    white = np.array([1 + warm, 1.0, 1 - warm])
    ambient = rng.uniform(0.3, 0.75)
    key = rng.uniform(0.3, 1.0)
    side = (rng.uniform(-1, 1), rng.uniform(0, 0.9), rng.uniform(0.5, 1))
    light = ambient_light((ambient * white).tolist()) + directional_light(side, (key * white).tolist())
    return replace(view, light=light.float()[None])


def _photograph(model: MorphableModel, code: FaceCode, view: View, rng: np.random.Generator) -> Image.Image:
    """One picture, drawn larger and averaged down, before a plain wall."""
    height, width = (side * SUPERSAMPLED for side in view.image_size)
    large = replace(view, focal=view.focal * SUPERSAMPLED, image_size=(height, width))
    wall = torch.tensor(rng.uniform(0.05, 0.7) * rng.uniform(0.85, 1.0, 3), dtype=torch.float32)
    tone = TONES[int(rng.integers(len(TONES)))]
    with torch.no_grad():
        colours = model.albedo(code)
        if not isinstance(model, OpenHead):
            colours = _of_one_tone(model, colours, tone)
        drawn = render(model.vertices(code), model.triangles, colours, large, wall).image
        drawn = torch.nn.functional.avg_pool2d(drawn, SUPERSAMPLED)
    pixels = np.round(srgb(drawn[0].permute(1, 2, 0).numpy()) * 255).astype(np.uint8)
    return Image.fromarray(pixels)


def _of_one_tone(model: MorphableModel, colours: Tensor, tone: tuple[float, float, float]) -> Tensor:
    """All skin, lips included, in one colour; eyes, teeth and mouth keep theirs, the latter by tone."""
    result = colours.clone()
    skin = model.triangles[model.part == model.part_names.index("skin")].unique()
    result[:, skin] = torch.tensor(tone)
    if "orbit" in model.part_names:
        orbit = model.triangles[model.part == model.part_names.index("orbit")].unique()
        result[:, orbit] = torch.tensor(PLAIN["orbit"]) * (tone[0] / PLAIN["skin"][0])
    return result


def _stacked(codes: list[FaceCode]) -> FaceCode:
    def every(part: str) -> Tensor:
        return torch.cat([getattr(code, part) for code in codes])

    return FaceCode(
        every("identity"),
        every("expression"),
        every("albedo"),
        codes[0].basis,
        every("joints"),
        every("appearance"),
    )


def main() -> None:
    """Write pictures and truth into a folder."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("kind", choices=sorted(KINDS))
    parser.add_argument("--count", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    options.out.mkdir(parents=True, exist_ok=True)
    people = strangers(options.kind, options.count, options.seed)
    for index, picture in enumerate(people.pictures):
        picture.save(options.out / f"{index:03d}.png")
    np.savez(
        options.out / "truth.npz",
        vertices=np.stack([s.vertices for s in people.surfaces]).astype(np.float32),
        triangles=people.surfaces[0].triangles,
        face=people.face,
        landmarks=np.stack([s.landmarks for s in people.surfaces]),
        identity=people.codes.identity.numpy(),
        expression=people.codes.expression.numpy(),
    )
    log.info("wrote %d pictures and truth.npz to %s", len(people.pictures), options.out)


if __name__ == "__main__":
    main()
