"""Does a face look as its situation would make it look? Held-out situations, twelve looks, chance beside it.

Six basic emotions and six compounds are drawn as the canonical phrases say. A situation counts
when the look that is most like its intended one is among the two looks most like its face, by
the cosine of the 52 expression weights. Two of twelve by chance are 17 %; "shuffled" scores
each situation by the face of another one.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from facegpt_model.data.implied import felt
from facegpt_model.data.situations import situations
from facegpt_model.semantics.axes import Axes
from facegpt_model.serving.backend import Backend

LOOKS: dict[str, dict[str, float]] = {
    "happy": {"smile": 0.8},
    "sad": {"frown": 0.8},
    "angry": {"anger": 0.8},
    "surprised": {"surprise": 0.8},
    "afraid": {"fear": 0.8},
    "disgusted": {"disgust": 0.8},
    "happily surprised": {"smile": 0.6, "surprise": 0.6},
    "sadly angry": {"frown": 0.6, "anger": 0.6},
    "fearfully surprised": {"fear": 0.6, "surprise": 0.6},
    "angrily disgusted": {"anger": 0.6, "disgust": 0.6},
    "sadly fearful": {"frown": 0.6, "fear": 0.6},
    "smug": {"smirk": 0.8},
}
NEAR = 0.8  # cosine from which an intended look is one of the twelve
MOVES = 0.05  # length of expression weights below which a face is at rest


@dataclass(frozen=True)
class SpeculativeScore:
    """situations: how many; top_two, shuffled: shares in [0, 1]."""

    situations: int
    top_two: float
    shuffled: float

    def row(self) -> str:
        """One line of a table."""
        return (
            f"{self.situations} held-out situations: the intended look is among the two nearest in "
            f"{self.top_two:.1%}; with the faces shuffled {self.shuffled:.1%}, by chance 16.7 %"
        )


def speculative(
    backend: Backend,
    axes: Axes,
    count: int,
    seed: int = 0,
    progress: Callable[[str, float], None] = lambda doing, share: None,
) -> SpeculativeScore:
    """Score up to `count` held-out situations whose look is one of the twelve."""
    references = torch.stack([_weights(axes, look) for look in LOOKS.values()])
    held = (*situations("held"), *felt("held"))
    cases = [(text, _intended(axes, look.values, references)) for text, look in held]
    known = [(text, wanted) for text, wanted in cases if wanted is not None]
    random.Random(seed).shuffle(known)
    known = known[:count]
    faces = []
    for number, (text, _) in enumerate(known):
        sentence = text.removeprefix("= ").format(he="he", him="him", his="his")
        faces.append(backend.imagine(sentence[:1].upper() + sentence[1:]).faces[0].code.expression[0])
        progress("situations", (number + 1) / len(known))
    wanted = [look for _, look in known if look is not None]
    return SpeculativeScore(
        len(known),
        top_two(torch.stack(faces), wanted, references),
        top_two(torch.stack([*faces[1:], *faces[:1]]), wanted, references),
    )


def top_two(faces: Tensor, wanted: Sequence[int], references: Tensor) -> float:
    """Share of (N, E) expression weights whose wanted (R, E) reference is one of the two most alike."""
    alike = F.cosine_similarity(faces[:, None], references[None], dim=2)
    alike[faces.norm(dim=1) < MOVES] = -1.0
    best = alike.topk(2).indices
    right = [
        want in row.tolist() and float(scores.max()) > 0
        for want, row, scores in zip(wanted, best, alike, strict=True)
    ]
    return sum(right) / max(len(right), 1)


def _weights(axes: Axes, look: dict[str, float]) -> Tensor:
    return axes.code(look).expression[0]


def _intended(axes: Axes, look: dict[str, float], references: Tensor) -> int | None:
    weights = _weights(axes, look)
    if weights.norm() < MOVES:
        return None
    alike = F.cosine_similarity(weights[None], references)
    return int(alike.argmax()) if float(alike.max()) >= NEAR else None
