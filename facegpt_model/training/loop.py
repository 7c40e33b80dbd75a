"""The one training loop: step, log, checkpoint, resume. Stages only say what a step computes."""

from __future__ import annotations

import json
import math
import os
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from accelerate import Accelerator
from torch import Tensor

from facegpt_model.training.config import ConfigError, LoopConfig

LOG_EVERY = 10  # steps


class Stage(Protocol):
    """A module whose forward gives named losses, with its own data."""

    def batches(self, rng: random.Random) -> Iterator[Any]:
        """Endless batches."""
        ...

    def parameter_groups(self) -> list[dict[str, object]]:
        """Trainable parameters, each group with "rate_factor", times the common rate."""
        ...

    def finish(self) -> None:
        """What remains to be done when the steps are used up."""
        ...

    def trainable(self) -> dict[str, Tensor]:
        """State of the trainable parts."""
        ...

    def restore(self, state: dict[str, Tensor]) -> None:
        """Set that state."""
        ...


@dataclass
class Progress:
    """How far a run is; saved with every checkpoint."""

    step: int = 0
    seconds: float = 0.0

    def share(self, config: LoopConfig) -> float:
        """Finished share of the run in [0, 1], by steps or by wall time, whichever is further."""
        by_time = self.seconds / (60 * config.max_minutes) if config.max_minutes else 0.0
        return min(1.0, max(self.step / config.steps, by_time))


def learning_rate(config: LoopConfig, progress: Progress) -> float:
    """Linear warm-up, then a cosine down to final_share of the peak."""
    warm = min(1.0, (progress.step + 1) / max(1, config.warmup_steps))
    cosine = 0.5 * (1 + math.cos(math.pi * progress.share(config)))
    return config.learning_rate * warm * (config.final_share + (1 - config.final_share) * cosine)


def mixed_precision(config: LoopConfig) -> str:
    """accelerate's name of the precision: "no" or "bf16".

    Measured on AVX512-BF16: 1.7 times the tokens a second of fp32; without it bf16 is
    2.6 to 3 times slower, so "auto" asks the processor.
    """
    if config.precision != "auto":
        return "bf16" if config.precision == "bf16" else "no"
    native = (
        torch.cuda.is_bf16_supported() if torch.cuda.is_available() else torch.cpu._is_avx512_bf16_supported()
    )
    return "bf16" if native else "no"


def begin_run(folder: Path, config: LoopConfig) -> None:
    """Write config.json, or see that an unfinished run in the folder has the same; ConfigError.

    Sets threads and seed too, before a stage draws the weights it starts with.
    """
    file = folder / "config.json"
    settings = config.model_dump(mode="json")
    if file.exists() and (folder / "resume.pt").exists() and json.loads(file.read_text()) != settings:
        raise ConfigError(f"{folder} holds a run with other settings; choose another folder or remove it")
    folder.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(settings, indent=1) + "\n")
    torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)


def train(
    stage: Any,
    config: LoopConfig,
    folder: Path,
    report: Callable[[dict[str, float]], None] | None = None,
) -> Progress:
    """Train until the steps or minutes are used up; resumes from `folder` when it holds a run.

    Writes folder/log.jsonl (one line per ten steps: losses, rate, seconds) and
    folder/resume.pt. Raises FloatingPointError when a loss is no longer finite.
    """
    torch.manual_seed(config.seed)
    accelerator = Accelerator(cpu=not torch.cuda.is_available(), mixed_precision=mixed_precision(config))
    stage.train()
    parameters = [p for p in stage.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(
        stage.parameter_groups(), lr=config.learning_rate, weight_decay=0.0, betas=(0.9, 0.98)
    )
    progress = _resume(stage, optimizer, folder)
    rng = random.Random(f"{config.seed}-{progress.step}-{accelerator.process_index}")
    batches = stage.batches(rng)
    wrapped, optimizer = accelerator.prepare(stage, optimizer)
    sums: dict[str, float] = {}
    saved = time.monotonic()
    while progress.share(config) < 1.0:
        begun = time.monotonic()
        rate = learning_rate(config, progress)
        for group in optimizer.param_groups:
            group["lr"] = rate * group["rate_factor"]
        losses = wrapped(next(batches))
        total = torch.stack(list(losses.values())).sum()
        if not torch.isfinite(total):
            raise FloatingPointError(f"loss is not finite at step {progress.step}; lower learning_rate")
        accelerator.backward(total)
        accelerator.clip_grad_norm_(parameters, config.gradient_clip)
        optimizer.step()
        optimizer.zero_grad()
        progress.step += 1
        progress.seconds += time.monotonic() - begun
        for name, value in losses.items():
            sums[name] = sums.get(name, 0.0) + float(value.detach()) / LOG_EVERY
        if progress.step % LOG_EVERY == 0 and accelerator.is_main_process:
            line = {"step": progress.step, "seconds": round(progress.seconds, 1), "rate": rate, **sums}
            _log(folder, line)
            if report:
                report(line)
            sums = {}
        if time.monotonic() - saved > 60 * config.save_minutes and accelerator.is_main_process:
            _save(stage, optimizer, progress, folder)
            saved = time.monotonic()
    if accelerator.is_main_process:
        _save(stage, optimizer, progress, folder)
    with accelerator.autocast():
        stage.finish()
    if accelerator.is_main_process:
        _save(stage, optimizer, progress, folder)
    return progress


def _log(folder: Path, line: dict[str, float]) -> None:
    rounded = {k: round(v, 6) if isinstance(v, float) else v for k, v in line.items()}
    with (folder / "log.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(rounded) + "\n")


def _save(stage: Any, optimizer: Any, progress: Progress, folder: Path) -> None:
    part = folder / "resume.pt.part"
    torch.save(
        {"trainable": stage.trainable(), "optimizer": optimizer.state_dict(), "progress": vars(progress)},
        part,
    )
    os.replace(part, folder / "resume.pt")


def _resume(stage: Any, optimizer: torch.optim.Optimizer, folder: Path) -> Progress:
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "resume.pt").exists():
        return Progress()
    state = torch.load(folder / "resume.pt", weights_only=True)
    stage.restore(state["trainable"])
    optimizer.load_state_dict(state["optimizer"])
    progress = Progress(**state["progress"])
    _forget(folder / "log.jsonl", progress.step)
    return progress


def _forget(log: Path, step: int) -> None:
    """Take lines of steps that were told but not saved out of a log; they are made again."""
    if log.is_file():
        lines = [line for line in log.read_text("utf-8").splitlines() if json.loads(line)["step"] <= step]
        log.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
