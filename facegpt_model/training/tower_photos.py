"""The photo stages (b) and (c): a model-based autoencoder of portraits, beside synthetic faces.

A portrait goes through the tower to a code, the code through the differentiable renderer to a
picture, and that is compared with the portrait: colours, landmarks, what the identity net sees.
Fits of some portraits (`facegpt data fit`) serve as pseudo-codes. Every step holds as many
synthetic faces as keep the tower true to exact codes, some of them two pictures of one person.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from pydantic import Field, NonNegativeFloat, PositiveInt
from torch import Tensor, nn

from facegpt_model.data.features import FEATURES, SeenFaces
from facegpt_model.data.seen_photos import SIDE, SeenPhotos
from facegpt_model.face import FaceCode, View
from facegpt_model.fitting.correspondence import load_correspondence
from facegpt_model.fitting.landmark_fit import INNER
from facegpt_model.losses.landmarks import landmark_loss
from facegpt_model.losses.likeness import likeness_loss
from facegpt_model.losses.photometric import DARKEST, GAMMA, photometric_loss
from facegpt_model.losses.priors import code_prior, consistency_loss
from facegpt_model.losses.shape import ShapeMetric
from facegpt_model.morphable.openhead import OpenHead
from facegpt_model.perception.identity import load_identity_net
from facegpt_model.perception.landmarks import LEFT_EYE_OUTER, RIGHT_EYE_OUTER
from facegpt_model.rendering.cameras import project
from facegpt_model.rendering.deferred import interpolate, render
from facegpt_model.rendering.face_area import face_area
from facegpt_model.training.average import Average
from facegpt_model.training.config import LoopConfig
from facegpt_model.training.linear import calibrate_doubt
from facegpt_model.training.parts import part_of, rates
from facegpt_model.training.tower_codes import PhotoCodes, learn_scene
from facegpt_model.vlm.frozen import FrozenFeatures
from facegpt_model.vlm.tower import FaceTower
from facegpt_model.vlm.tower_scene import Scene, SceneHead, aligned_view, viewed


class PhotoConfig(LoopConfig, frozen=True, extra="forbid"):
    """Settings of the photo stages; a weight of 0 leaves a loss out."""

    start: str = Field("shipped", description="tower to begin from: a folder, or 'shipped'")
    faces: str = Field("", description="folders of seen synthetic faces, by commas")
    held_out: PositiveInt = Field(512, description="last synthetic faces, kept for the measure of a run")
    portraits: str = Field("", description="folder of portraits, or of seen ones (facegpt data see)")
    codes: str = Field("", description="file of pseudo-codes of these portraits (facegpt data fit)")
    photos_per_step: PositiveInt = 8
    compared: PositiveInt = Field(4, description="of these, shown to the identity net in a step")
    faces_per_step: PositiveInt = Field(48, description="synthetic faces in a step, half of them in pairs")
    photometric_weight: NonNegativeFloat = 0.5
    landmark_weight: NonNegativeFloat = 4.0
    likeness_weight: NonNegativeFloat = 0.3
    prior_weight: NonNegativeFloat = 0.02
    synthetic_weight: NonNegativeFloat = 1.0
    consistency_weight: NonNegativeFloat = 0.3
    pseudo_weight: NonNegativeFloat = 0.3
    scene_ridge: NonNegativeFloat = Field(3.0, description="of the closed form that the scene starts from")
    linear_rate: NonNegativeFloat = Field(0.02, description="of both linear readings, times learning_rate")
    ema: NonNegativeFloat = 0.98
    offset_share: NonNegativeFloat = Field(0.5, description="of the mean answer for portraits, taken off")


@dataclass(frozen=True)
class PhotoBatch:
    """P portraits and S synthetic faces.

    photos: features; pictures: (P, 3, SIDE, SIDE) sRGB in 0..1; persons: (P, 1, SIDE, SIDE) in 0..1;
    points: (P, 478, 2) pixels; codes: pseudo-codes, known: (P,) 1 where there is one
    faces: features, identity: (S, I); rows 0, 1 and 2, 3 and so on of the first `paired` show one person
    """

    photos: FrozenFeatures
    pictures: Tensor
    persons: Tensor
    points: Tensor
    codes: FaceCode
    known: Tensor
    faces: FrozenFeatures
    identity: Tensor
    paired: int

    def to(self, device: torch.device) -> PhotoBatch:
        """The same on another device."""
        parts = ("pictures", "persons", "points", "known", "identity")
        code = replace(self.codes, **{n: getattr(self.codes, n).to(device) for n in CODE_PARTS})
        return replace(
            self,
            photos=_moved(self.photos, device),
            faces=_moved(self.faces, device),
            codes=code,
            **{name: getattr(self, name).to(device) for name in parts},
        )


CODE_PARTS = ("identity", "expression", "albedo")


@dataclass(frozen=True)
class Decoded:
    """P portraits through the tower: their code and what is drawn of it.

    points: (P, K, 2) inner landmarks in pixels; image: (P, 3, SIDE, SIDE) linear RGB on black
    face: (P, 1, SIDE, SIDE) in [0, 1], where the face proper is drawn
    """

    code: FaceCode
    scene: Scene
    points: Tensor
    image: Tensor
    face: Tensor


class PhotoStage(nn.Module):
    """A tower and a scene head with portraits and synthetic faces; forward gives the losses of a batch."""

    spread: Tensor
    offset: Tensor
    area: Tensor

    def __init__(
        self,
        head: OpenHead,
        tower: FaceTower,
        faces: SeenFaces,
        photos: SeenPhotos,
        codes: PhotoCodes | None,
        config: PhotoConfig,
    ) -> None:
        super().__init__()
        self.config, self.faces, self.photos = config, faces, photos
        self.codes = codes if codes is not None else PhotoCodes.none(head, len(photos))
        self.head, self.tower = head, tower.requires_grad_(True)
        self.scene = SceneHead(head, tower.settings.width)
        self.metric = ShapeMetric(head)
        self.count = len(faces) - config.held_out
        self.train_photos = (~photos.test).nonzero()[:, 0]
        self.test_photos = photos.test.nonzero()[:, 0]
        if self.count < config.faces_per_step or len(self.train_photos) < config.photos_per_step:
            raise ValueError(
                f"{max(self.count, 0)} faces and {len(self.train_photos)} portraits are too few for a step"
            )
        learn_scene(self.scene, self.tower, photos, self.codes, self.train_photos, config.scene_ridge)
        known = torch.arange(self.count)
        own = faces.identity[: self.count]
        self.register_buffer("spread", self.metric(own, own.mean(0)).mean(), persistent=False)
        offset = torch.from_numpy(load_correspondence().mediapipe468[INNER]).float()
        self.register_buffer("offset", offset, persistent=False)
        area = face_area(head, head.mean_code())
        self.register_buffer("area", area, persistent=False)
        same = faces.person[known[1:]] == faces.person[known[:-1]]
        self.pairs = known[:-1][same]
        self.average = Average(self.learned(), config.ema)

    def learned(self) -> list[tuple[str, nn.Parameter]]:
        """What is trained."""
        return [(n, p) for n, p in self.named_parameters() if n.startswith(("tower.", "scene."))]

    def batches(self, rng: random.Random) -> Iterator[PhotoBatch]:
        """Endless random batches."""
        config = self.config
        half = config.faces_per_step // 4 if len(self.pairs) else 0
        while True:
            chosen = rng.sample(range(len(self.train_photos)), config.photos_per_step)
            first = [int(self.pairs[rng.randrange(len(self.pairs))]) for _ in range(half)]
            paired = [k for number in first for k in (number, number + 1)]
            others = rng.sample(range(self.count), config.faces_per_step - len(paired))
            yield self.batch(self.train_photos[chosen], torch.tensor([*paired, *others]), len(paired))

    def batch(self, photos: Tensor, faces: Tensor, paired: int = 0) -> PhotoBatch:
        """Some portraits and synthetic faces by number; the first `paired` faces are pairs."""
        return PhotoBatch(
            photos=self.photos.features(photos),
            pictures=self.photos.pictures[photos].float() / 255,
            persons=self.photos.persons[photos].float() / 255,
            points=self.photos.points[photos],
            codes=self.codes.of(photos),
            known=self.codes.known[photos],
            faces=self.faces.features(faces),
            identity=self.faces.identity[faces],
            paired=paired,
        )

    def decode(self, seen: FrozenFeatures, points: Tensor) -> Decoded:
        """Portraits with features and (P, 478, 2) landmarks as code, landmarks and picture."""
        reading = self.tower(seen)
        scene = self.scene(self.tower, seen, reading)
        code = FaceCode(reading.mean, scene.expression, scene.albedo, self.head.basis)
        vertices = self.head.vertices(code)
        shape = self.head.landmarks468(vertices)[:, INNER] + self.offset
        view = viewed(aligned_view(shape, points[:, INNER], SIDE), scene)
        image, face = self._drawn(vertices, code, view)
        return Decoded(code, scene, project(shape, view)[..., :2], image, face)

    def _drawn(self, vertices: Tensor, code: FaceCode, view: View) -> tuple[Tensor, Tensor]:
        triangles = self.head.triangles
        drawn = render(vertices, triangles, self.head.albedo(code), view)
        weight = self.area[None, :, None].expand(len(vertices), -1, -1)
        face = (drawn.mask * interpolate(drawn, triangles, weight).clamp(0, 1)).detach()
        return drawn.image, face

    def forward(self, batch: PhotoBatch) -> dict[str, Tensor]:
        """photometric, landmarks, likeness, prior: of portraits; pseudo: of those with a code;
        synthetic, consistency: of synthetic faces. Weighted."""
        config, batch = self.config, batch.to(self.area.device)
        losses = self._synthetic(batch)
        if not any(
            (config.photometric_weight, config.landmark_weight, config.likeness_weight, config.pseudo_weight)
        ):
            return self._averaged(losses)
        decoded = self.decode(batch.photos, batch.points)
        code, scene = decoded.code, decoded.scene
        if config.photometric_weight:
            mask = decoded.face * batch.persons
            losses["photometric"] = config.photometric_weight * photometric_loss(
                decoded.image, batch.pictures, mask
            )
        if config.landmark_weight:
            eyes = (batch.points[:, LEFT_EYE_OUTER] - batch.points[:, RIGHT_EYE_OUTER]).norm(dim=1)
            gap = landmark_loss(decoded.points, batch.points[:, INNER], eyes)
            losses["landmarks"] = config.landmark_weight * gap
        if config.likeness_weight:
            few = slice(0, config.compared)
            losses["likeness"] = config.likeness_weight * likeness_loss(
                *self.embedded(decoded, batch.pictures, batch.points, few)
            )
        if config.prior_weight:
            losses["prior"] = config.prior_weight * (
                code_prior(code.identity, code.albedo, scene.expression, scene.expected)
                + scene.nudge.square().mean()
            )
        if config.pseudo_weight:
            losses["pseudo"] = config.pseudo_weight * self._pseudo(code, batch)
        return self._averaged(losses)

    def embedded(
        self, decoded: Decoded, pictures: Tensor, points: Tensor, few: slice = slice(None)
    ) -> tuple[Tensor, Tensor]:
        """(P, 128) of faces drawn into their portraits, and of the portraits, by the identity net."""
        net = load_identity_net().to(pictures.device)
        encoded = decoded.image[few].clamp(DARKEST, 1.0).pow(1 / GAMMA)
        pasted = pictures[few] + decoded.face[few] * (encoded - pictures[few])
        with torch.no_grad():
            wanted = net.embed(pictures[few], points[few])
        return net.embed(pasted, points[few]), wanted

    def _synthetic(self, batch: PhotoBatch) -> dict[str, Tensor]:
        config = self.config
        reading = self.tower(batch.faces)
        left = (batch.identity - reading.mean.detach()) / reading.std
        doubt = 0.5 * left.square() + reading.std.log()
        missed = self.metric(reading.mean, batch.identity).mean() / self.spread
        losses = {"synthetic": config.synthetic_weight * (missed + 0.02 * doubt.mean())}
        if config.consistency_weight and batch.paired:
            both = reading.mean[: batch.paired]
            losses["consistency"] = config.consistency_weight * consistency_loss(
                both[0::2], both[1::2], self.metric, self.spread
            )
        return losses

    def _pseudo(self, code: FaceCode, batch: PhotoBatch) -> Tensor:
        shape = self.metric(code.identity, batch.codes.identity) / self.spread
        expression = (code.expression - batch.codes.expression).square().mean(1)
        albedo = (code.albedo - batch.codes.albedo).square().mean(1)
        return (batch.known * (shape + expression + 0.1 * albedo)).mean()

    def _averaged(self, losses: dict[str, Tensor]) -> dict[str, Tensor]:
        if self.training:
            self.average.follow(self.learned())
        return losses

    def parameter_groups(self) -> list[dict[str, object]]:
        """The linear readings slowly, the rest at the plain rate."""
        slow = [p for name, p in self.learned() if ".linear." in name]
        return rates((p for _, p in self.learned()), (slow, self.config.linear_rate))

    @torch.no_grad()
    def finish(self) -> None:
        """The averaged weights become the tower's; the doubt is calibrated on synthetic faces kept apart."""
        self.average.give(self.learned())
        calibrate_doubt(self.tower, self.faces, torch.arange(self.count, len(self.faces)))

    @torch.no_grad()
    def explained(self, limit: int = 64) -> dict[str, float]:
        """Held-out measures: R² of synthetic faces; of at most `limit` test portraits the landmark error in
        percent of the eye distance, the mean distance of embeddings, and the photometric loss."""
        self.eval()
        index = torch.arange(self.count, len(self.faces))
        mean = torch.cat([self.tower(self.faces.features(part)).mean for part in index.split(128)])
        found = {"synthetic_r2": self.metric.explained(mean, self.faces.identity[index])}
        sums: dict[str, float] = {}
        chosen = self.test_photos[:: -(-len(self.test_photos) // limit) or 1]
        for part in chosen.split(16):
            batch = self.batch(part, index[:1])
            decoded = self.decode(batch.photos, batch.points)
            eyes = (batch.points[:, LEFT_EYE_OUTER] - batch.points[:, RIGHT_EYE_OUTER]).norm(dim=1)
            gap = (decoded.points - batch.points[:, INNER]).norm(dim=2).mean(1) / eyes
            drawn, wanted = self.embedded(decoded, batch.pictures, batch.points)
            told = {
                "landmark_percent": 100 * gap.mean(),
                "identity_distance": (drawn - wanted).norm(dim=1).mean(),
                "photometric": photometric_loss(decoded.image, batch.pictures, decoded.face * batch.persons),
            }
            for name, value in told.items():
                sums[name] = sums.get(name, 0.0) + float(value) * len(part) / len(chosen)
        return {**found, **sums}

    def trainable(self) -> dict[str, Tensor]:
        """Weights, scales and the average."""
        state = {n: t for n, t in self.state_dict().items() if n.startswith(("tower.", "scene."))}
        return {**state, **{f"average.{name}": tensor for name, tensor in self.average.state().items()}}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Set that state."""
        own = {n: t for n, t in state.items() if not n.startswith("average.")}
        self.load_state_dict(own, strict=False)
        self.average.restore(part_of(state, "average."))


def _moved(seen: FrozenFeatures, device: torch.device) -> FrozenFeatures:
    return FrozenFeatures(**{name: getattr(seen, name).to(device) for name in FEATURES})
