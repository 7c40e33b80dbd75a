"""Settings of a training run: one frozen model, presets as TOML, a misspelt name is an error."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from importlib import resources
from typing import Any, Literal, TypeVar

from pydantic import (
    BaseModel,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    ValidationError,
)

from facegpt_model.vlm.lora import LoraSettings

Config = TypeVar("Config", bound=BaseModel)


class ConfigError(ValueError):
    """A preset or an override that cannot be used."""


class LoopConfig(BaseModel, frozen=True, extra="forbid"):
    """What the loop itself needs to know of a run, whatever its stage."""

    steps: PositiveInt = 2000
    max_minutes: NonNegativeFloat = Field(default=0.0, description="stop after this wall time; 0 is no limit")
    learning_rate: PositiveFloat = 1e-3
    warmup_steps: NonNegativeInt = 40
    final_share: NonNegativeFloat = Field(
        default=0.03, description="learning rate at the end, share of the peak"
    )
    gradient_clip: PositiveFloat = 1.0
    precision: Literal["auto", "fp32", "bf16"] = Field(
        default="auto", description="auto: bf16 where the processor has it"
    )
    seed: int = 0
    threads: PositiveInt = 1
    save_minutes: PositiveFloat = Field(default=5.0, description="minutes between resumable checkpoints")


class StageConfig(LoopConfig, frozen=True, extra="forbid"):
    """Everything a run of one stage needs besides its data generators."""

    tokens_per_step: PositiveInt = Field(700, description="padded tokens per device and step")
    mention_weight: NonNegativeFloat = Field(0.2, description="was this axis mentioned, at <FACE>")
    value_weight: NonNegativeFloat = Field(2.0, description="how far the axis moved, at <FACE>")
    phrase_share: NonNegativeFloat = Field(
        0.5, description="the same losses at each phrase, share of <FACE>'s"
    )
    clause_weight: NonNegativeFloat = Field(0.3, description="which wording has just ended, at each token")
    intent_weight: NonNegativeFloat = Field(0.5, description="what a turn asks for, over the user's words")
    clause_layer: PositiveInt = Field(22, description="layer whose output that is read from")
    hearing_rate: NonNegativeFloat = Field(
        1.0, description="learning rate of the layers below and of the clause head, times learning_rate"
    )
    replay_marks: PositiveInt = Field(6000, description="newest read-outs kept for the face head")
    replay_sample: NonNegativeInt = Field(512, description="of these, drawn again in every step; 0 is none")
    head_rate: PositiveFloat = Field(3.0, description="learning rate of the face head, times learning_rate")
    settle_tokens: NonNegativeInt = Field(
        160_000, description="tokens the finished model reads for its face head"
    )
    intent_tokens: NonNegativeInt = Field(
        100_000,
        description="tokens of users' turns that the finished model reads for its intent head; 0 none",
    )
    head_steps: NonNegativeInt = Field(1500, description="steps of the face head alone on those, at the end")
    competing_words: PositiveInt = Field(4096, description="random vocabulary rows beside the batch's own")
    lora: LoraSettings = LoraSettings()
    start: str = Field(
        "", description="folder of a checkpoint to begin from, 'shipped' for the one in the package"
    )


def load_preset(stage: str, preset: str, overrides: Sequence[str] = ()) -> StageConfig:
    """The preset `<stage>_<preset>.toml` of a stage of the language model; errors as load_config."""
    return load_config(StageConfig, stage, preset, overrides)


def load_config(kind: type[Config], stage: str, preset: str, overrides: Sequence[str] = ()) -> Config:
    """The preset `<stage>_<preset>.toml` with key=value overrides, as settings of this kind.

    Raises ConfigError naming the known presets, or the key that is wrong.
    """
    folder = resources.files("facegpt_model.training").joinpath("presets")
    file = folder.joinpath(f"{stage}_{preset}.toml")
    if not file.is_file():
        known = sorted(f.name.removesuffix(".toml").replace("_", " --preset ", 1) for f in folder.iterdir())
        raise ConfigError(f"no preset {preset!r} for stage {stage!r}; known: {', '.join(known)}")
    fields: dict[str, Any] = tomllib.loads(file.read_text("utf-8"))
    for override in overrides:
        key, equals, value = override.partition("=")
        if not equals:
            raise ConfigError(f"{override!r} is no override; write key=value, such as steps=100")
        target = fields
        *parents, leaf = key.split(".")
        for parent in parents:
            target = target.setdefault(parent, {})
        target[leaf] = value
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"setting {where!r}: {first['msg']}") from error
