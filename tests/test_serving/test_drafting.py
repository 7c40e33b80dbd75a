"""Draft and check says exactly what the exact weights say, whatever the light ones propose."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor
from transformers import LlamaConfig, LlamaModel

from facegpt_model.serving.backend import BackendError
from facegpt_model.serving.drafting import FEW, Decoder
from facegpt_model.serving.lean_llama import LeanLlama, packed

VOCABULARY, HIDDEN, LAYERS = FEW + 500, 96, 3


@pytest.fixture(scope="module")
def llama() -> LlamaModel:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=VOCABULARY, hidden_size=HIDDEN, intermediate_size=96, num_hidden_layers=LAYERS,
        num_attention_heads=6, num_key_value_heads=2, head_dim=16, max_position_embeddings=512,
        initializer_range=0.3,
    )  # fmt: skip
    return LlamaModel(config).eval()


class Talk:
    """Any token but a few, or one of a few where `narrow`; every third token forces two more."""

    closing: tuple[int, ...] = (1, 2)

    def __init__(self, length: int, narrow: bool) -> None:
        self.length, self.narrow = length, narrow
        self.said: list[int] = []
        self.undone = 0

    @property
    def finished(self) -> bool:
        return len(self.said) >= self.length

    def allowed(self) -> Tensor:
        mask = torch.ones(VOCABULARY, dtype=torch.bool)
        mask[: 2000 if self.narrow else 5] = False
        return mask

    def take(self, token: int) -> list[int]:
        forced = [3, 4] if len(self.said) % 3 == 2 else []
        self.said += [token, *forced]
        return forced

    def undo(self, tokens: int) -> None:
        self.undone += tokens
        del self.said[len(self.said) - tokens :]


def answer(model: LeanLlama, talk: Talk, unread: Sequence[int]) -> tuple[list[int], Tensor]:
    decoder = Decoder(model, model.cache(200))
    decoder.feed([11, 12, 13])
    pieces = [token for piece in decoder.speak(talk, unread) for token in piece]
    assert pieces == [*unread, *talk.said]
    return pieces, decoder.hidden


def test_reading_in_pieces_equals_transformers_reading_all(llama: LlamaModel) -> None:
    ids = torch.randint(0, VOCABULARY, (1, 40), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        whole = llama(input_ids=ids, output_hidden_states=True)
    model = LeanLlama(llama, middle_layer=2)
    cache = model.cache(40)
    pieces = [ids[0, a:b].tolist() for a, b in ((0, 17), (17, 18), (18, 40))]
    states = torch.cat([model.read(piece, cache) for piece in pieces])
    assert torch.allclose(states, whole.last_hidden_state[0], atol=1e-4)
    assert torch.allclose(cache.middle, whole.hidden_states[2][0], atol=1e-4)
    with pytest.raises(BackendError, match="too long"):
        model.read([1], cache)


@pytest.mark.parametrize("narrow", [False, True])
@pytest.mark.parametrize("unread", [[], [21, 22, 23, 24, 25, 26]])
def test_what_is_said_does_not_depend_on_the_draft(
    llama: LlamaModel, narrow: bool, unread: list[int]
) -> None:
    alone = LeanLlama(llama, light=False)
    wanted, hidden = answer(alone, Talk(60, narrow), unread)
    good, bad = LeanLlama(llama), LeanLlama(llama)
    assert good.light, "this torch multiplies by no eight-bit weights"
    generator = torch.Generator().manual_seed(2)
    for layer in bad.light:
        layer.__dict__["_down"] = packed(torch.randn(HIDDEN, 96, generator=generator))
    undone = []
    for model in (good, bad):
        talk = Talk(60, narrow)
        said, state = answer(model, talk, unread)
        assert said == wanted and torch.allclose(state, hidden, atol=1e-3)
        undone.append(talk.undone)
    assert undone[0] < undone[1]


def test_what_prompts_begin_with_changes_nothing(llama: LlamaModel) -> None:
    model = LeanLlama(llama, middle_layer=1)
    beginning = model.beginning([5, 6, 7])
    ids = [5, 6, 7, 8, 9]
    states = []
    for known in (True, False):
        cache = model.cache(10)
        start = beginning.put(ids, cache) if known else 0
        assert start == (3 if known else 0)
        states.append((model.read(ids[start:], cache)[-1], cache.middle[:5]))
    assert torch.allclose(states[0][0], states[1][0], atol=1e-3)
    assert torch.allclose(states[0][1], states[1][1], atol=1e-3)
    assert (
        beginning.put([5, 6, 7], model.cache(10)) == 0 and beginning.put([5, 6, 8, 9], model.cache(10)) == 0
    )


def test_models_it_would_misread_are_refused() -> None:
    config = LlamaConfig(
        vocab_size=10, hidden_size=8, num_hidden_layers=1, num_attention_heads=1, attention_bias=True
    )
    with pytest.raises(BackendError, match="without biases"):
        LeanLlama(LlamaModel(config))
