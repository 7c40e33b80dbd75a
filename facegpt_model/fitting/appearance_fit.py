"""Skin, hair and iris colour and the light of a fitted face.

With albedo a(z) of the model, spherical harmonics Y of the normal and light L, a place shows
a(z) * (Y L) per colour. z and L are found together by Levenberg-Marquardt steps on
gamma-compressed colours, re-weighted so that glasses, shine and hair over the face count
little. Exposure and skin tone can stand in for each other: the prior says that cameras
expose to a usual level and balance lamps to nearly white.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from facegpt_model.face import FaceCode, View
from facegpt_model.fitting.colour_samples import ColourSamples, sample_colours
from facegpt_model.morphable.openhead import OpenHead
from facegpt_model.rendering.lighting import Y0, Y1, Y2_PRODUCT, Y2_XX, Y2_ZZ

ALBEDO_LIMIT = 2.5
COLOUR_SD = 0.06  # of gamma-compressed colour
GAMMA = 2.2
FLOOR = 1e-3  # least linear colour and light
USUAL_LEVEL = 0.75  # irradiance on a face in a portrait: its mean over portraits is near this
LEVEL_SD = 0.35  # of the logarithm of that level
SLOPE_SD, CURVE_SD = 0.6, 0.25  # by how much light varies over the head, of its level: degrees 1 and 2
TINT_SD = 0.12  # by which one colour of the light differs from the mean of the three, of its level
TINT_SHARE = 0.2  # of the variation over the head that may be coloured
MEAN_SD = 0.02  # the mean of the variation belongs to the level
ROBUST_MEDIANS = 1.5  # residuals of more than so many medians count little
FIRST_STEPS, STEPS = 4, 8
TONES = (-1.5, 0.5, 2.0)  # of melanin
FD_STEP = 0.02  # standard deviations
START = {"hair grey": 1.0, "iris blue": 0.5}  # at 0 these lie on a bound, where they show no slope
OF_SKIN = ("melanin", "haemoglobin", "sallow", "lip colour", "beard shadow")
OF_FEATURES = (
    *("brow darkness", "hair lightness", "hair redness", "hair grey", "scalp hair coverage"),
    *("iris blue", "iris green"),
)  # what is finer than the samples keeps its mean: brow thickness, freckles, skin age, lash darkness


def fit_appearance(
    photo: Image.Image,
    points: NDArray[np.float64],
    model: OpenHead,
    code: FaceCode,
    view: View,
    learned: bool = True,
    most: int | None = None,
) -> tuple[Tensor, Tensor]:
    """Albedo coefficients (1, A) and light (1, 9, 3) of one fitted face.

    points: (478, 2) landmarks in the photo's pixels; learned: fit the learned components of skin
    too; most: about so many vertices are looked at. Where the photo tells nothing, the mean
    albedo and plain white light are kept.
    """
    with torch.no_grad():
        samples = sample_colours(photo, points, model, code, view, most)
        albedo, light = solve_appearance(model, code, samples, learned)
    return albedo[None].float(), light[None].float()


def solve_appearance(
    model: OpenHead, code: FaceCode, samples: ColourSamples, learned: bool = True
) -> tuple[Tensor, Tensor]:
    """Most probable albedo (A,) and light (9, 3) behind the samples, float64.

    Dark skin in bright light and fair skin in dim light look alike at first, so the search starts
    from several tones and goes on from the best. Brows, irises and hair lie in shadows of their
    own: they are coloured last, under the light that the skin tells.
    """
    problem = ColourProblem(model, code, samples)
    detail = model.skin.names if learned and model.skin is not None else ()
    tried = []
    for tone in TONES:
        state = torch.zeros(problem.size, dtype=torch.float64)
        for name, value in {**START, "melanin": tone}.items():
            state[model.albedo_names.index(name)] = value
        tried.append(problem.descend(state, FIRST_STEPS, problem.skin_and_light))
    _, best = min(tried, key=lambda result: result[0])
    _, best = problem.descend(best, STEPS, problem.skin_and_light)
    if detail:
        _, best = problem.descend(best, FIRST_STEPS, problem.with_detail(detail))
    _, best = problem.descend(best, FIRST_STEPS, problem.features)
    return best[: problem.count], problem.light(best)


def finish_appearance(
    photo: Image.Image, points: NDArray[np.float64], model: OpenHead, code: FaceCode, view: View
) -> tuple[Tensor, Tensor]:
    """As fit_appearance, from the code's albedo and the view's light, which are nearly right."""
    with torch.no_grad():
        problem = ColourProblem(model, code, sample_colours(photo, points, model, code, view))
        detail = model.skin.names if model.skin is not None else ()
        state = problem.state_of(code.albedo[0], view.light[0])
        _, state = problem.descend(state, FIRST_STEPS, problem.with_detail(detail))
        _, state = problem.descend(state, FIRST_STEPS, problem.features)
    return state[None, : problem.count].float(), problem.light(state)[None].float()


@dataclass(frozen=True)
class _Stage:
    """Which parts of the state are free, (size,) bool, and what each sample weighs, (S + F,)."""

    free: Tensor
    weight: Tensor


class ColourProblem:
    """The samples, the priors and the search.

    A state holds albedo (A), the logarithm of the light's level over the usual one (1), and how
    light differs from white of that level, as a share of it (27).
    """

    def __init__(self, model: OpenHead, code: FaceCode, samples: ColourSamples) -> None:
        self.model, self.code, self.samples = model, code, samples
        self.count = model.layout.albedo
        self.size = self.count + 28
        self.white = torch.zeros(9, 3, dtype=torch.float64)
        self.white[0] = 1 / Y0
        is_vertex = torch.arange(len(samples.weight)) < len(samples.vertex)
        share = samples.weight * is_vertex / (samples.weight * is_vertex).sum().clamp_min(1e-9)
        shape = shape_precision((share[:, None] * samples.shading).sum(dim=0))
        single = torch.ones(self.count + 1, dtype=torch.float64)
        single[-1] = LEVEL_SD**-2
        self.precision = torch.block_diag(single.diag(), shape)
        self.skin_and_light = _Stage(self.free(OF_SKIN, light=True), samples.weight * is_vertex)
        self.features = _Stage(self.free(OF_FEATURES, light=False), samples.weight * ~is_vertex)
        self.target = samples.colour.clamp(FLOOR, 1.0).pow(1 / GAMMA)

    def with_detail(self, names: tuple[str, ...]) -> _Stage:
        """Skin and light, with the learned components that vary over the face."""
        return replace(self.skin_and_light, free=self.free((*OF_SKIN, *names), light=True))

    def free(self, names: tuple[str, ...], light: bool) -> Tensor:
        """(size,) bool: the named components of albedo, and the light or not."""
        albedo = torch.tensor([name in names for name in self.model.albedo_names])
        return torch.cat([albedo, torch.full((28,), light)])

    def descend(self, state: Tensor, steps: int, stage: _Stage) -> tuple[float, Tensor]:
        """Cost and state after some Levenberg-Marquardt steps."""
        damping, free = 0.1, stage.free
        for _ in range(steps):
            residual, jacobian = self.residual_and_slope(state, free)
            size = residual.norm(dim=1)
            scale = (ROBUST_MEDIANS * size[stage.weight > 0].median()).clamp_min(COLOUR_SD)
            share = (1 + (size / scale) ** 2) ** -2  # Geman and McClure
            weight = (stage.weight * share).repeat_interleave(3) / COLOUR_SD**2
            slope = jacobian.T @ (weight * residual.flatten()) - self.precision @ state
            curvature = (jacobian.T @ (weight[:, None] * jacobian) + self.precision)[free][:, free]
            before = self._cost(residual, weight, state)
            while damping < 1e5:
                step = torch.zeros_like(state)
                damped = curvature + damping * curvature.diagonal().diag()
                step[free] = torch.linalg.solve(damped, slope[free])
                moved = state + step
                moved[: self.count] = moved[: self.count].clamp(-ALBEDO_LIMIT, ALBEDO_LIMIT)
                better = self._cost(self.residual(moved), weight, moved) < before
                damping = damping / 5 if better else damping * 5
                if better:
                    state = moved
                    break
        residual = self.residual(state)
        bounded = (residual.norm(dim=1) / (3 * COLOUR_SD)).square()
        robust = (bounded / (1 + bounded)).mul(stage.weight).sum() * 9
        return float(robust + state @ self.precision @ state), state

    def _cost(self, residual: Tensor, weight: Tensor, state: Tensor) -> float:
        return float((weight * residual.flatten() ** 2).sum() + state @ self.precision @ state)

    def residual(self, state: Tensor) -> Tensor:
        """(S + F, 3) photo minus prediction."""
        return self.target - self._predict(state)

    def _predict(self, state: Tensor) -> Tensor:
        """(S + F, 3) gamma-compressed colours."""
        paint = self._paint(state[None, : self.count])[0]
        return (paint * self._irradiance(state)).clamp_min(FLOOR).pow(1 / GAMMA)

    def state_of(self, albedo: Tensor, light: Tensor) -> Tensor:
        """(size,) the state of albedo (A,) and light (9, 3) coefficients."""
        return torch.cat([albedo.double(), light_state(light)])

    def light(self, state: Tensor) -> Tensor:
        """(9, 3) coefficients."""
        shape = state[self.count + 1 :].reshape(9, 3)
        return USUAL_LEVEL * state[self.count].exp() * (self.white + shape)

    def _irradiance(self, state: Tensor) -> Tensor:
        return (self.samples.shading @ self.light(state)).clamp_min(FLOOR)

    def residual_and_slope(self, state: Tensor, free: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Residual (S + F, 3) and the slope (3 (S + F), A + 28) of the prediction.

        free: (A + 28,) bool; the slopes of albedo components that are not free are left at 0
        """
        which = slice(None) if free is None else free[: self.count]
        steps = FD_STEP * torch.cat([torch.zeros(1, self.count), torch.eye(self.count)[which]]).double()
        paint = self._paint(state[None, : self.count] + steps)
        irradiance = self._irradiance(state)
        linear = (paint[0] * irradiance).clamp_min(FLOOR)
        predicted = linear.pow(1 / GAMMA)
        gain = predicted / linear / GAMMA
        by_albedo = torch.zeros(*linear.shape, self.count, dtype=torch.float64)
        by_albedo[:, :, which] = ((paint[1:] - paint[0]) / FD_STEP * irradiance * gain).permute(1, 2, 0)
        by_level = (linear * gain)[..., None]
        by_shape = torch.zeros(*linear.shape, 9, 3, dtype=torch.float64)
        level = USUAL_LEVEL * state[self.count].exp()
        for channel in range(3):
            slope = (paint[0] * gain)[:, channel, None] * level
            by_shape[:, channel, :, channel] = self.samples.shading * slope
        slopes = torch.cat([by_albedo, by_level, by_shape.flatten(2)], dim=2).flatten(0, 1)
        return self.target - predicted, slopes

    def _paint(self, albedo: Tensor) -> Tensor:
        """(N, S + F, 3) linear albedo of the sampled vertices and features for (N, A) coefficients."""
        count, names = len(albedo), self.model.region_names
        codes = replace(
            self.code,
            identity=self.code.identity.double().expand(count, -1),
            expression=self.code.expression.double().expand(count, -1),
            albedo=albedo,
            joints=self.code.joints.double().expand(count, -1, -1),
        )
        colours, cover = self.model.region_colours(codes), self.model.region_cover(codes)
        skin = colours[:, names.index("skin")]
        parts = [self.model.albedo_at(codes, self.samples.vertex)]
        for name in self.samples.features:
            region = names.index(name)
            parts.append((skin + cover[:, region, None] * (colours[:, region] - skin))[:, None])
        return torch.cat(parts, dim=1)


def light_state(light: Tensor) -> Tensor:
    """(28,) logarithm of the level over the usual one, and shape, of light (9, 3) coefficients."""
    light = light.double()
    level = (light[0].mean() * Y0 / USUAL_LEVEL).clamp_min(FLOOR).log()
    shape = light / (USUAL_LEVEL * level.exp())
    shape[0] -= 1 / Y0
    return torch.cat([level[None], shape.flatten()])


def shape_precision(facing: Tensor) -> Tensor:
    """(27, 27) inverse covariance of the light's variation over the head, for flat (9, 3) coefficients.

    facing: (9,) mean harmonics of the face's normals, on which the variation has mean 0 but for tint
    """
    strongest = torch.tensor([Y0, Y1, Y1, Y1, Y2_PRODUCT, Y2_PRODUCT, 2 * Y2_ZZ, Y2_PRODUCT, Y2_XX]).double()
    spread = torch.tensor([1.0, *[SLOPE_SD] * 3, *[CURVE_SD] * 5]).double() / strongest
    single, together = spread.square().reciprocal().diag(), torch.outer(facing, facing)
    grey = torch.full((3, 3), 1 / 3, dtype=torch.float64)
    tint = torch.eye(3, dtype=torch.float64) - grey
    return torch.kron(single + together / MEAN_SD**2, grey) + torch.kron(
        single / TINT_SHARE**2 + together / TINT_SD**2, tint
    )
