"""The language model as one short loop over its own weights, and a lighter reading of the same weights.

It has one cache for two readings: `exact`, the model's float32 weights, and `light`, the same
weights in eight bits, which costs a quarter per token and is a little wrong. What the light
reading writes into the cache is overwritten by the exact one (drafting.py).
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

import torch
from torch import Tensor
from torch.nn.functional import linear, silu
from transformers import LlamaModel

from facegpt_model.serving.backend import BackendError

LEVELS = 127.0  # of an eight-bit weight, to either side of 0


class _Weights(Protocol):
    """The linear maps of one layer on (T, ·) rows; gate and up side by side, as are q, k and v."""

    def qkv(self, x: Tensor) -> Tensor: ...
    def out(self, x: Tensor) -> Tensor: ...
    def gate_up(self, x: Tensor) -> Tensor: ...
    def down(self, x: Tensor) -> Tensor: ...


class _Exact:
    """The layer's own tensors, not copied."""

    def __init__(self, layer: Any) -> None:
        attention, mlp = layer.self_attn, layer.mlp
        self._qkv = [attention.q_proj.weight, attention.k_proj.weight, attention.v_proj.weight]
        self._gate_up = [mlp.gate_proj.weight, mlp.up_proj.weight]
        self._out, self._down = attention.o_proj.weight, mlp.down_proj.weight

    def qkv(self, x: Tensor) -> Tensor:
        return torch.cat([linear(x, weight) for weight in self._qkv], dim=-1)

    def out(self, x: Tensor) -> Tensor:
        return linear(x, self._out)

    def gate_up(self, x: Tensor) -> Tensor:
        return torch.cat([linear(x, weight) for weight in self._gate_up], dim=-1)

    def down(self, x: Tensor) -> Tensor:
        return linear(x, self._down)


class _Light:
    """A layer in eight bits: one scale for each output, inputs rounded as they come."""

    def __init__(self, layer: Any) -> None:
        attention, mlp = layer.self_attn, layer.mlp
        self._qkv = packed(attention.q_proj.weight, attention.k_proj.weight, attention.v_proj.weight)
        self._out = packed(attention.o_proj.weight)
        self._gate_up = packed(mlp.gate_proj.weight, mlp.up_proj.weight)
        self._down = packed(mlp.down_proj.weight)

    def qkv(self, x: Tensor) -> Tensor:
        return light_linear(x, self._qkv)

    def out(self, x: Tensor) -> Tensor:
        return light_linear(x, self._out)

    def gate_up(self, x: Tensor) -> Tensor:
        return light_linear(x, self._gate_up)

    def down(self, x: Tensor) -> Tensor:
        return light_linear(x, self._down)


def packed(*weights: Tensor) -> Any:
    """Weights (N, K), one below the other, rounded to eight bits and laid out for this processor."""
    whole = torch.cat([weight.detach().float() for weight in weights])
    scales = (whole.abs().amax(1) / LEVELS).clamp_min(1e-12)
    rounded = (whole / scales[:, None]).round().to(torch.int8)
    zeros = torch.zeros(len(scales), dtype=torch.long)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # torch will replace these tensors one day
        quantised = torch._make_per_channel_quantized_tensor(rounded, scales.double(), zeros, 0)
    return torch.ops.quantized.linear_prepack(quantised, None)


def can_be_light() -> bool:
    """Whether this torch multiplies by eight-bit weights."""
    has_tensors = hasattr(torch, "_make_per_channel_quantized_tensor")
    return has_tensors and str(torch.backends.quantized.engine) != "none"


def light_linear(x: Tensor, weights: Any) -> Tensor:
    """(T, N) of (T, K) rows and packed weights."""
    product: Tensor = torch.ops.quantized.linear_dynamic(x, weights, False)
    return product


@dataclass
class Cache:
    """Keys and values of the tokens that were read; room for a fixed number.

    keys, values: (layers, heads, room, head size); middle: (room, H) of the middle layer, if any
    """

    keys: Tensor
    values: Tensor
    middle: Tensor
    length: int = 0

    @property
    def room(self) -> int:
        """Tokens that fit."""
        return self.keys.shape[2]


@dataclass(frozen=True)
class Beginning:
    """Tokens that many prompts begin with, read once.

    Always the same ones: what a matrix product gives for a row depends, in its last bits, on how many rows
    there are, and the same words shall make the same face.
    """

    ids: tuple[int, ...]
    cache: Cache

    def put(self, ids: Sequence[int], cache: Cache) -> int:
        """Put it into an empty cache if `ids` begin so and go on; returns how many tokens that was."""
        size = len(self.ids)
        if len(ids) <= size or tuple(ids[:size]) != self.ids:
            return 0
        cache.keys[:, :, :size] = self.cache.keys
        cache.values[:, :, :size] = self.cache.values
        cache.middle[:size] = self.cache.middle
        cache.length = size
        return size


class LeanLlama:
    """A LlamaModel that reads tokens one after another. It shares its weights: never train it meanwhile.

    middle_layer: whose states are kept beside the last ones; 0 for none. light: whether to have the
    light reading as well, a quarter of the model's size more.
    """

    def __init__(self, language_model: LlamaModel, middle_layer: int = 0, light: bool = True) -> None:
        config = language_model.config
        rope = getattr(config, "rope_parameters", None) or {"rope_type": "default"}
        if config.attention_bias or config.mlp_bias or rope["rope_type"] != "default":
            raise BackendError(
                "the embedded engine reads Llama models without biases and with plain rotation"
            )
        self.language_model = language_model
        self.middle_layer = middle_layer
        self.heads = config.num_attention_heads
        self.kv_heads = cast(int, config.num_key_value_heads)
        layers: list[Any] = list(language_model.layers)
        self.head_size: int = layers[0].self_attn.head_dim
        self.epsilon = config.rms_norm_eps
        self.exact: list[_Weights] = [_Exact(layer) for layer in layers]
        self.light: list[_Weights] = []
        self.light_rows: Any = None
        if light and can_be_light():
            self.light = [_Light(layer) for layer in layers]
            self.light_rows = packed(self.rows)
        self._norms: list[tuple[Tensor, Tensor]] = [
            (layer.input_layernorm.weight, layer.post_attention_layernorm.weight) for layer in layers
        ]
        frequencies = cast(Tensor, language_model.rotary_emb.inv_freq).float()
        angles = torch.arange(config.max_position_embeddings).float()[:, None] * frequencies
        self._cos, self._sin = angles.cos(), angles.sin()

    @property
    def rows(self) -> Tensor:
        """(V, H) embeddings, which are the output rows as well."""
        return cast(Tensor, self.language_model.embed_tokens.weight)

    def cache(self, room: int) -> Cache:
        """An empty cache for so many tokens."""
        size = (len(self.exact), self.kv_heads, room, self.head_size)
        middle = torch.empty(room, self.rows.shape[1])
        return Cache(torch.empty(size), torch.empty(size), middle)

    def beginning(self, ids: Sequence[int]) -> Beginning:
        """Read what prompts begin with."""
        cache = self.cache(len(ids))
        self.read(ids, cache)
        return Beginning(tuple(ids), cache)

    @torch.inference_mode()
    def read(self, ids: Sequence[int], cache: Cache, light: bool = False) -> Tensor:
        """(T, H) final states of more tokens, which join the cache. BackendError when it is full."""
        begin, end = cache.length, cache.length + len(ids)
        if end > cache.room:
            raise BackendError("the answer became too long; describe the face in fewer words")
        x = self.rows[torch.tensor(list(ids))]
        turn = self._cos[begin:end], self._sin[begin:end]
        hidden_from = None
        if len(ids) > 1:
            hidden_from = torch.full((len(ids), end), -torch.inf).triu(begin + 1)
        for number, weights in enumerate(self.light if light else self.exact):
            before, after = self._norms[number]
            qkv = weights.qkv(self._normed(x, before))
            x = x + weights.out(self._attend(qkv, cache, number, turn, hidden_from))
            gate, up = weights.gate_up(self._normed(x, after)).chunk(2, -1)
            x = x + weights.down(silu(gate) * up)
            if number + 1 == self.middle_layer:
                cache.middle[begin:end] = x
        cache.length = end
        return self._normed(x, self.language_model.norm.weight)

    def _normed(self, x: Tensor, weight: Tensor) -> Tensor:
        return x * (x.square().sum(-1, keepdim=True) / x.shape[-1] + self.epsilon).rsqrt() * weight

    def _attend(
        self, qkv: Tensor, cache: Cache, layer: int, turn: tuple[Tensor, Tensor], hidden_from: Tensor | None
    ) -> Tensor:
        """(T, heads x head size) of (T, ·) queries, keys and values, over everything in the cache."""
        tokens, size = len(qkv), self.head_size
        begin, end = cache.length, cache.length + tokens
        qkv = qkv.view(tokens, -1, size).transpose(0, 1)
        turning = self.heads + self.kv_heads
        one, other = qkv[:turning].chunk(2, -1)
        cos, sin = turn
        turned = torch.cat([one * cos - other * sin, other * cos + one * sin], dim=-1)
        cache.keys[layer, :, begin:end] = turned[self.heads :]
        cache.values[layer, :, begin:end] = qkv[turning:]
        keys, values = cache.keys[layer, :, :end], cache.values[layer, :, :end]
        queries = turned[: self.heads].reshape(self.kv_heads, -1, size)  # heads that share keys, in one
        scores = queries @ keys.transpose(1, 2) * size**-0.5
        if hidden_from is not None:
            scores = (scores.view(self.heads, tokens, end) + hidden_from).view_as(scores)
        mixed = (scores.softmax(-1) @ values).view(self.heads, tokens, size)
        return mixed.transpose(0, 1).reshape(tokens, -1)
