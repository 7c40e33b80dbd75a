"""What a look says of hair, beard, glasses, age and the like: one linear reading, calibrated.

Trained in closed form (training/appearance.py) on portraits labelled by eye. Age, sex and skin are
guesses at appearance. Nothing here says who somebody is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from safetensors.torch import load_file, save_file
from torch import Tensor

from facegpt_model.data.worn_labels import ANSWERS
from facegpt_model.wearing.look import VECTOR, Look

SHIPPED = Path(__file__).with_name("checkpoint")
FARTHEST = 6.0  # standard deviations beyond which a number of the look tells nothing more
MIDDLE_YEARS, YEARS = 50.0, 15.0  # age is read as (years - MIDDLE_YEARS) / YEARS
OUTPUTS = sum(len(known) for known in ANSWERS.values()) + 1  # the last is age


@dataclass(frozen=True)
class Worn:
    """What one photo shows, as probabilities that sum to 1 per question.

    probabilities: question -> answer -> probability, questions and answers as in data/worn_labels.py
    years: apparent age; years_sd: its standard deviation
    """

    probabilities: Mapping[str, Mapping[str, float]]
    years: float
    years_sd: float

    def chance(self, question: str, *answers: str) -> float:
        """Probability of any of these answers."""
        return sum(self.probabilities[question][answer] for answer in answers)

    def likeliest(self, question: str) -> str:
        """The most probable answer."""
        asked = self.probabilities[question]
        return max(asked, key=lambda answer: asked[answer])

    def mean(self, question: str, values: Mapping[str, float]) -> float:
        """Expected value of a number that each answer means."""
        return sum(p * values[answer] for answer, p in self.probabilities[question].items())


def of_one_person(seen: Sequence[Worn]) -> Worn:
    """What several photos of one person show together: mean probabilities and mean age."""
    mean = {
        question: {answer: sum(one.chance(question, answer) for one in seen) / len(seen) for answer in known}
        for question, known in ANSWERS.items()
    }
    return Worn(mean, sum(one.years for one in seen) / len(seen), seen[0].years_sd)


@dataclass(frozen=True)
class ReadOuts:
    """The trained numbers.

    mean, scale: (VECTOR,) of training looks; weight: (VECTOR, OUTPUTS); bias: (OUTPUTS,)
    calibration: question -> (K + 1, K), from the scores of its K answers and 1 to logits
    years_sd: error of age on people that were not learned from
    """

    mean: Tensor
    scale: Tensor
    weight: Tensor
    bias: Tensor
    calibration: Mapping[str, Tensor]
    years_sd: float

    def __call__(self, look: Look) -> Worn:
        """What one look says."""
        scores = self.scores(look.vector[None])
        found = {}
        for question, known in ANSWERS.items():
            chances = logits(scores[:, columns(question)], self.calibration[question]).softmax(dim=1)[0]
            found[question] = dict(zip(known, chances.tolist(), strict=True))
        return Worn(found, MIDDLE_YEARS + YEARS * float(scores[0, -1]), self.years_sd)

    def scores(self, vectors: Tensor) -> Tensor:
        """(B, OUTPUTS) of (B, VECTOR) looks, before calibration."""
        return standardised(vectors, self.mean, self.scale) @ self.weight + self.bias


def columns(question: str) -> slice:
    """Which of OUTPUTS belong to a question."""
    names = list(ANSWERS)
    start = sum(len(ANSWERS[name]) for name in names[: names.index(question)])
    return slice(start, start + len(ANSWERS[question]))


def standardised(vectors: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
    """(B, VECTOR) in standard deviations, none farther than FARTHEST."""
    return ((vectors - mean) / scale).clamp(-FARTHEST, FARTHEST)


def logits(scores: Tensor, calibration: Tensor) -> Tensor:
    """(B, K) logarithms of probability, up to a constant, of (B, K) scores."""
    return scores @ calibration[:-1] + calibration[-1]


def save_readouts(readouts: ReadOuts, folder: Path, card: Mapping[str, object]) -> None:
    """Write readouts.safetensors (half precision) and readouts.json with the model card."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: getattr(readouts, name) for name in ("mean", "scale", "weight", "bias")}
    tensors |= {f"calibration.{question}": table for question, table in readouts.calibration.items()}
    save_file({n: t.half().contiguous() for n, t in tensors.items()}, folder / "readouts.safetensors")
    about = {"format": 1, "questions": ANSWERS, "years_sd": readouts.years_sd, "card": card}
    (folder / "readouts.json").write_text(json.dumps(about, indent=1) + "\n")


def read_readouts(folder: Path = SHIPPED) -> ReadOuts:
    """Saved read-outs; OSError where there are none, ValueError for other questions than today's."""
    about = json.loads((folder / "readouts.json").read_text())
    tensors = {name: t.float() for name, t in load_file(folder / "readouts.safetensors").items()}
    if about["questions"] != {question: list(known) for question, known in ANSWERS.items()}:
        raise ValueError(f"{folder} answers other questions than this version asks; train it again")
    if tensors["weight"].shape != (VECTOR, OUTPUTS):
        raise ValueError(f"{folder} reads other looks than this version takes; train it again")
    calibration = {question: tensors.pop(f"calibration.{question}") for question in ANSWERS}
    return ReadOuts(calibration=calibration, years_sd=float(about["years_sd"]), **tensors)


@lru_cache(maxsize=1)
def load_readouts() -> ReadOuts:
    """The shipped ones."""
    return read_readouts()
