"""One person from one or several photos: identity and skin shared, the rest of each photo its own.

Damped Gauss-Newton (Levenberg-Marquardt) on the sum of what the photos say (evidence.py) and
what is believed of the identity beforehand. The photos are first compared blurred, then sharp.
Gives the covariance of the identity at the end (Laplace's approximation) as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facegpt_model.fitting.appearance_fit import ALBEDO_LIMIT, ColourProblem
from facegpt_model.fitting.evidence import PhotoEvidence, PhotoState, Sight, Trust
from facegpt_model.fitting.landmark_fit import IDENTITY_LIMIT, Belief, bounded_step, moved

Array = NDArray[np.float64]

POSE, LIGHT = 6, 28
BLURS = (2.5, 1.5, 0.8)  # pixels of the patch
STEPS = 3  # at each blur
LIGHT_FIRMNESS = 8.0  # of the light's prior, which was set for fewer independent colours
FIRST_DAMPING, MOST_DAMPING = 1e-3, 1e2


@dataclass(frozen=True)
class Person:
    """identity: (I,); albedo: (A,); photos: what differs between the photos."""

    identity: Array
    albedo: Tensor
    photos: tuple[PhotoState, ...]

    def colour(self, index: int) -> Tensor:
        """(A + 28,) the state of a photo's ColourProblem."""
        return torch.cat([self.albedo, self.photos[index].light])


@dataclass(frozen=True)
class JointFit:
    """person; covariance: (I, I) of the identity; problems: the last colours of each photo."""

    person: Person
    covariance: Array
    problems: tuple[ColourProblem, ...]


def fit_jointly(evidence: Sequence[PhotoEvidence], start: Person, belief: Belief) -> JointFit:
    """The most probable person behind the photos, near `start`."""
    solver = _Solver(evidence, start, belief)
    person = start
    for blur in BLURS:
        person = solver.descend(person, blur)
    return solver.finish(person, BLURS[-1])


class _Solver:
    """Unknowns: identity, albedo, then of each photo pose, expression and light."""

    def __init__(self, evidence: Sequence[PhotoEvidence], start: Person, belief: Belief) -> None:
        self.evidence, self.belief = evidence, belief
        self.identities, self.albedos = len(start.identity), len(start.albedo)
        self.expressions = len(start.photos[0].expression)
        self.shared = self.identities + self.albedos
        self.own = POSE + self.expressions + LIGHT
        first = [e.look(start.identity, p, BLURS[0]) for e, p in zip(evidence, start.photos, strict=True)]
        self.light_precision = [
            LIGHT_FIRMNESS * s.problem.precision[self.albedos :, self.albedos :].numpy() for s in first
        ]
        self.columns = [self._columns(k) for k in range(len(evidence))]
        free_albedo = evidence[0].free_albedo
        own = np.ones(self.own * len(evidence), bool)
        self.free = np.concatenate([np.ones(self.identities, bool), free_albedo, own])

    def _columns(self, index: int) -> NDArray[np.int64]:
        """Where the unknowns of one photo's System stand among all."""
        own = self.shared + index * self.own + np.arange(self.own)
        albedo = np.arange(self.identities, self.shared)
        pose, expression, light = np.split(own, [POSE, POSE + self.expressions])
        return np.concatenate([pose, np.arange(self.identities), expression, albedo, light])

    def descend(self, person: Person, blur: float) -> Person:
        """Some steps at one blur."""
        damping = FIRST_DAMPING
        for _ in range(STEPS):
            sights = self._look(person, blur)
            trusts = [
                e.trust(s, person.colour(k))
                for k, (e, s) in enumerate(zip(self.evidence, sights, strict=True))
            ]
            before = self._cost(person, sights, trusts)
            curvature, slope = self._system(person, sights, trusts)
            better = None
            while better is None and damping < MOST_DAMPING:
                trial = self._moved(person, curvature, slope, damping)
                if self._cost(trial, self._look(trial, blur, sights), trusts) < before:
                    better, damping = trial, damping / 5
                else:
                    damping *= 6
            if better is None:
                break
            person = better
        return person

    def finish(self, person: Person, blur: float) -> JointFit:
        """The fit with its covariance."""
        sights = self._look(person, blur)
        trusts = [
            e.trust(s, person.colour(k)) for k, (e, s) in enumerate(zip(self.evidence, sights, strict=True))
        ]
        curvature, _ = self._system(person, sights, trusts)
        free = self.free
        everything = np.linalg.inv(curvature[np.ix_(free, free)])
        covariance: Array = everything[: self.identities, : self.identities].astype(np.float64)
        return JointFit(person, covariance, tuple(s.problem for s in sights))

    def _look(self, person: Person, blur: float, same: Sequence[Sight] | None = None) -> list[Sight]:
        return [
            e.look(person.identity, state, blur, None if same is None else same[k])
            for k, (e, state) in enumerate(zip(self.evidence, person.photos, strict=True))
        ]

    def _cost(self, person: Person, sights: Sequence[Sight], trusts: Sequence[Trust]) -> float:
        away = (person.identity - self.belief.mean) / self.belief.deviation
        total = float(away @ away) + float(person.albedo @ person.albedo)
        for k, (e, sight, state, trust) in enumerate(
            zip(self.evidence, sights, person.photos, trusts, strict=True)
        ):
            light = state.light.numpy()
            total += e.cost(sight, person.identity, state, person.colour(k), trust)
            total += float(light @ self.light_precision[k] @ light)
        return total

    def _system(
        self, person: Person, sights: Sequence[Sight], trusts: Sequence[Trust]
    ) -> tuple[Array, Array]:
        size = self.shared + self.own * len(self.evidence)
        curvature, slope = np.zeros((size, size)), np.zeros(size)
        for k, (e, sight, state, trust) in enumerate(
            zip(self.evidence, sights, person.photos, trusts, strict=True)
        ):
            part = e.system(sight, person.identity, state, person.colour(k), trust)
            columns = self.columns[k]
            curvature[np.ix_(columns, columns)] += part.curvature
            slope[columns] += part.slope
            light = columns[-LIGHT:]
            curvature[np.ix_(light, light)] += self.light_precision[k]
            slope[light] -= self.light_precision[k] @ state.light.numpy()
        precision = np.concatenate([self.belief.deviation**-2, np.ones(self.albedos)])
        away = np.concatenate([person.identity - self.belief.mean, person.albedo.numpy()])
        shared = np.arange(self.shared)
        curvature[shared, shared] += precision
        slope[: self.shared] -= precision * away
        return curvature, slope

    def _moved(self, person: Person, curvature: Array, slope: Array, damping: float) -> Person:
        damped = curvature + np.diag(damping * np.diag(curvature) + 1e-9)
        places = [
            self.shared + k * self.own + POSE + np.arange(self.expressions) for k in range(len(person.photos))
        ]
        weights = np.concatenate([state.expression for state in person.photos])
        delta = bounded_step(damped, slope, weights, np.concatenate(places), self.free)
        identity = np.clip(person.identity + delta[: self.identities], -IDENTITY_LIMIT, IDENTITY_LIMIT)
        albedo = person.albedo + torch.from_numpy(delta[self.identities : self.shared])
        photos = []
        for k, state in enumerate(person.photos):
            own = delta[self.shared + k * self.own :][: self.own]
            pose, expression, light = np.split(own, [POSE, POSE + self.expressions])
            photos.append(
                PhotoState(
                    moved(state.camera, pose),
                    np.clip(state.expression + expression, 0.0, 1.0),
                    state.light + torch.from_numpy(light),
                )
            )
        return Person(identity, albedo.clamp(-ALBEDO_LIMIT, ALBEDO_LIMIT), tuple(photos))
