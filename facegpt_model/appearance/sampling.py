"""Random appearances that go together with sex and age, as plausible persons, not as statistics.

Which haircut, beard or glasses somebody has was weighed by hand so that a sheet of people
looks like a street: long and tied hair are commoner on women, cropped hair, receding
hairlines and beards on men, glasses with age. No population was measured.
"""

from __future__ import annotations

import torch
from torch import Tensor

from facegpt_model.appearance.parameters import Appearance, FacialHair, Glasses, Hair

# Haircut, weight for women, weight for men: numbers of Hair.
CUTS: tuple[tuple[Hair, float, float], ...] = (
    (Hair(length=0.05), 0.0, 1.0),
    (Hair(length=0.13), 0.3, 1.6),
    (Hair(length=0.22, sides=0.5), 0.5, 1.8),
    (Hair(length=0.3, sides=0.5, parting=0.6), 0.5, 2.6),
    (Hair(length=0.33, sides=0.5, swept_back=0.9), 0.4, 1.4),
    (Hair(length=0.28, fringe=0.35, sides=0.3), 0.6, 0.9),
    (Hair(length=0.45, parting=0.4, volume=0.2), 1.0, 0.5),
    (Hair(length=0.6, parting=0.4), 2.2, 0.25),
    (Hair(length=0.62, fringe=0.8), 1.0, 0.05),
    (Hair(length=0.85, parting=0.2), 2.6, 0.3),
    (Hair(length=0.9, fringe=0.8), 0.9, 0.02),
    (Hair(length=0.8, tied=0.9), 1.5, 0.3),
    (Hair(length=0.45, tied=0.9), 0.7, 0.15),
)
# Beard, weight: numbers of FacialHair without length.
BEARDS: tuple[tuple[FacialHair, float], ...] = (
    (FacialHair(), 5.0),
    (FacialHair(moustache=0.9), 0.7),
    (FacialHair(moustache=0.8, goatee=0.9), 0.8),
    (FacialHair(goatee=0.8), 0.25),
    (FacialHair(moustache=0.9, beard=0.9), 2.2),
    (FacialHair(beard=0.8), 0.15),
)
GLASSES_SHARE = 0.2


def sample_appearance(
    count: int,
    sex: Tensor | float = 0.0,
    age: Tensor | float = 0.0,
    generator: torch.Generator | None = None,
) -> Tensor:
    """(count, P) rows of appearance numbers; moles and scars are left to the words.

    sex: -1 woman to 1 man; age: the age slider, -1 young to 1 old; numbers or (count,) each.
    """
    sexes = torch.as_tensor(sex, dtype=torch.float32).expand(count).clamp(-1, 1)
    ages = torch.as_tensor(age, dtype=torch.float32).expand(count).clamp(-1, 1)
    rows = [_one(float(s), float(a), generator).row() for s, a in zip(sexes, ages, strict=True)]
    return torch.cat(rows) if rows else Appearance().row()[:0]


def _one(sex: float, age: float, generator: torch.Generator | None) -> Appearance:
    def uniform(low: float, high: float) -> float:
        return low + (high - low) * float(torch.rand((), generator=generator))

    def pick(weights: list[float]) -> int:
        return int(torch.multinomial(torch.tensor(weights), 1, generator=generator))

    male = 0.5 + 0.5 * sex
    old = max(0.0, age)
    weights = [
        ((1 - male) * woman + male * man) * (1 - 0.6 * old if cut.length > 0.7 else 1.0)
        for cut, woman, man in CUTS
    ]
    cut = CUTS[pick(weights)][0]
    near = -0.06, 0.06
    kind = pick([5.0, 2.2, 1.3, 0.5])
    wave = (uniform(0, 0.15), uniform(0.2, 0.5), uniform(0.6, 0.85), uniform(0.9, 1))[kind]
    if cut.length < 0.1 or cut.tied:
        wave = min(wave, 0.3)
    side = 1.0 if uniform(0, 1) < 0.5 else -1.0
    receding = male * max(0.0, uniform(-0.6, 0.45) + 0.7 * old) if uniform(0, 1) < 0.35 + 0.65 * male else 0.0
    hair = Hair(
        length=min(1.0, max(0.03, cut.length + uniform(*near))),
        sides=cut.sides * uniform(0.6, 1.3) if cut.sides * 1.3 <= 1 else cut.sides,
        wave=wave,
        volume=uniform(-0.3, 0.5),
        fringe=0.0 if receding > 0.3 else cut.fringe * uniform(0.8, 1.2),
        parting=side * cut.parting * uniform(0.4, 1.2),
        swept_back=cut.swept_back,
        tied=cut.tied,
        receding=min(receding, 1.0),
    )
    beard = BEARDS[pick([weight for _, weight in BEARDS])][0] if uniform(0, 1) < male**3 else FacialHair()
    any_beard = max(beard.moustache, beard.goatee, beard.beard) > 0
    facial = FacialHair(
        moustache=beard.moustache,
        goatee=beard.goatee,
        beard=beard.beard,
        length=uniform(0, 1) ** 3 * 0.6 if any_beard else 0.0,
    )
    glasses = Glasses()
    if uniform(0, 1) < GLASSES_SHARE * (1 + 0.8 * age):
        glasses = Glasses(
            worn=1.0, shape=uniform(-1, 1), size=uniform(-0.6, 0.6), rim=uniform(0.05, 0.9), dark=0.0
        )
    return Appearance(hair=hair, facial_hair=facial, glasses=glasses)
