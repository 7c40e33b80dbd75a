"""From nothing to the file that ships: `facegpt train variants` draws its people, learns, writes the flow."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from facegpt_model.semantics.axes import load_axes
from facegpt_model.training.config import load_config
from facegpt_model.training.loop import begin_run, train
from facegpt_model.training.tower_run import Progress, Report, command, openhead
from facegpt_model.training.variants import VariantsConfig, VariantsStage, draw_people
from facegpt_model.vlm.variants import save_flow

NAME = "face-variants@1"


def train_variants(
    preset: str, overrides: Sequence[str], folder: Path, report: Report | None, progress: Progress
) -> Path:
    """Draw people once, teach the flow, write its file; the checkpoint's folder."""
    config = load_config(VariantsConfig, "variants", preset, overrides)
    begin_run(folder, config)
    head = openhead()
    people = draw_people(head, config.people, config.seed, folder, progress)
    stage = VariantsStage(head, load_axes(head), people, config)
    done = train(stage, config, folder, report)
    card: dict[str, object] = {
        "name": NAME,
        "command": command("variants", preset, overrides),
        "begun_from": config.start,
        "people": config.people,
        "seed": config.seed,
        "steps": done.step,
        "minutes": round(done.seconds / 60, 1),
        "limits": "people of our own generator, half women and half men of any origin: no population's "
        "spread, and no draw is likelier than another to be the person meant",
    }
    save_flow(stage.flow, folder / "checkpoint", card)
    return folder / "checkpoint"
