"""The instruction stage for real, three steps long: train, save, load, answer."""

from pathlib import Path

import pytest
import torch

from facegpt_model.training import run
from facegpt_model.training.config import ConfigError
from facegpt_model.vlm.model import load_checkpoint


@pytest.mark.slow
def test_three_steps_make_a_checkpoint_that_loads(tmp_path: Path) -> None:
    lines: list[dict[str, float]] = []
    folder = run.main("instruction", "tiny", ["steps=10"], tmp_path, lines.append)
    assert lines and {"language", "replay"} <= set(lines[0])
    with pytest.raises(ConfigError, match="other settings"):
        run.main("instruction", "tiny", ["steps=11"], tmp_path)
    gpt = load_checkpoint(folder)
    saved = torch.load(tmp_path / "resume.pt", weights_only=True)["trainable"]
    rows = gpt.token_rows[gpt.special_ids]
    assert torch.allclose(rows, saved["rows"], atol=1e-3)
    assert torch.allclose(gpt.model.face_head.value.weight, saved["face_head.value.weight"], atol=1e-3)
    assert gpt.model.lm_head.weight.data_ptr() == gpt.token_rows.data_ptr()


def test_an_unknown_stage_is_named() -> None:
    with pytest.raises(ConfigError, match="no stage called 'tower'"):
        run.main("tower")
