"""Float .tflite files as differentiable torch modules.

Only the schema package `tflite` is needed, no TensorFlow runtime. Tensors are channels
last (B, H, W, C), as in the file; files are written for one sample, and here the first
axis is always the batch. Weights stored as float16 are computed in float32.
The known operations are those of the packaged face nets; another one raises UnsupportedNet.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tflite
import torch
import torch.nn.functional as F
from torch import Tensor, nn

Run = Callable[[Sequence[Tensor], Any], Tensor]

OPERATOR_NAMES = {v: k for k, v in vars(tflite.BuiltinOperator).items() if isinstance(v, int)}
NUMPY_TYPES = {
    tflite.TensorType.FLOAT32: "<f4",
    tflite.TensorType.FLOAT16: "<f2",
    tflite.TensorType.INT32: "<i4",
    tflite.TensorType.INT64: "<i8",
}
ACTIVATIONS: dict[int, Callable[[Tensor], Tensor]] = {
    tflite.ActivationFunctionType.NONE: lambda x: x,
    tflite.ActivationFunctionType.RELU: torch.relu,
    tflite.ActivationFunctionType.RELU6: F.relu6,
}


class UnsupportedNet(ValueError):
    """A .tflite file uses something this reader does not know."""


@dataclass(frozen=True)
class Window2d:
    """How a convolution or a pooling slides."""

    stride: tuple[int, int]
    dilation: tuple[int, int] = (1, 1)
    size: tuple[int, int] = (1, 1)
    same: bool = True
    activation: int = 0


@dataclass(frozen=True)
class Operation:
    """One line of the program: what runs, on which tensors, with which options."""

    name: str
    inputs: tuple[int, ...]
    output: int
    options: Any


class TfliteNet(nn.Module):
    """The first subgraph of a .tflite file.

    data: the bytes of the file. Constants become buffers (they move with `.to` and take part
    in no training); gradients flow from every output to every input.
    """

    def __init__(self, data: bytes) -> None:
        super().__init__()
        model = tflite.Model.GetRootAsModel(data, 0)
        graph = model.Subgraphs(0)
        self.input_ids = [int(i) for i in graph.InputsAsNumpy()]
        self.output_ids = [int(i) for i in graph.OutputsAsNumpy()]
        self.constant_ids = _register_constants(self, model, graph)
        self.operations = [_read_operation(model, graph, i) for i in range(graph.OperatorsLength())]
        outputs = [operation.output for operation in self.operations if operation.name != "DEQUANTIZE"]
        self.shapes = {i: tuple(int(n) for n in graph.Tensors(i).ShapeAsNumpy()) for i in outputs}

    def forward(self, *inputs: Tensor) -> list[Tensor]:
        """Outputs in the order of the file, each with the batch as first axis."""
        return self.values_of(self.output_ids, *inputs)

    def last_maps(self, sides: Sequence[int]) -> list[int]:
        """For each side the number of the last square feature map (B, side, side, C) of the file."""
        found = {shape[1]: i for i, shape in self.shapes.items() if len(shape) == 4 and shape[1] == shape[2]}
        missing = [side for side in sides if side not in found]
        if missing:
            raise UnsupportedNet(f"this net has no feature map of {missing[0]} x {missing[0]}")
        return [found[side] for side in sides]

    def values_of(self, numbers: Sequence[int], *inputs: Tensor) -> list[Tensor]:
        """The tensors with these numbers in the file; feature maps as well as outputs."""
        values: dict[int, Tensor] = dict(zip(self.input_ids, inputs, strict=True))
        values.update({i: getattr(self, f"constant_{i}") for i in self.constant_ids})
        for operation in self.operations:
            run = KERNELS[operation.name][1]
            values[operation.output] = run([values[i] for i in operation.inputs if i >= 0], operation.options)
        return [values[i] for i in numbers]


def _register_constants(net: nn.Module, model: Any, graph: Any) -> list[int]:
    found = []
    for i in range(graph.TensorsLength()):
        tensor = graph.Tensors(i)
        buffer = model.Buffers(tensor.Buffer())
        if not buffer.DataLength():
            continue
        if tensor.Type() not in NUMPY_TYPES:
            raise UnsupportedNet(
                f"tensor {i} has the type {tensor.Type()}; this reader knows float and int32/64"
            )
        array = np.frombuffer(buffer.DataAsNumpy().tobytes(), NUMPY_TYPES[tensor.Type()])
        array = array.reshape(tensor.ShapeAsNumpy() if tensor.ShapeLength() else ())
        array = array.astype(np.float32 if array.dtype.kind == "f" else np.int64)
        net.register_buffer(f"constant_{i}", torch.from_numpy(array))
        found.append(i)
    return found


def _read_operation(model: Any, graph: Any, index: int) -> Operation:
    operator = graph.Operators(index)
    code = model.OperatorCodes(operator.OpcodeIndex())
    name = OPERATOR_NAMES.get(max(code.BuiltinCode(), code.DeprecatedBuiltinCode()), "?")
    if name == "CUSTOM":
        name = code.CustomCode().decode()
    if name not in KERNELS:
        raise UnsupportedNet(f"operation {name} is not one of {', '.join(sorted(KERNELS))}")
    inputs = tuple(int(operator.Inputs(k)) for k in range(operator.InputsLength()))
    output = int(operator.Outputs(0))
    options_type, read = OPTIONS.get(KERNELS[name][0], (None, None))
    options: Any = None
    if options_type is not None and read is not None:
        fields, table = options_type(), operator.BuiltinOptions()
        fields.Init(table.Bytes, table.Pos)
        options = read(fields)
    if name == "RESHAPE":
        options = tuple(int(n) for n in graph.Tensors(output).ShapeAsNumpy())
    return Operation(name, inputs, output, options)


def _read_convolution(o: Any) -> Window2d:
    stride, dilation = (o.StrideH(), o.StrideW()), (o.DilationHFactor(), o.DilationWFactor())
    return Window2d(stride, dilation, same=o.Padding() == 0, activation=o.FusedActivationFunction())


def _read_pool(o: Any) -> Window2d:
    size = (o.FilterHeight(), o.FilterWidth())
    return Window2d((o.StrideH(), o.StrideW()), size=size, same=o.Padding() == 0)


OPTIONS: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
    "conv": (tflite.Conv2DOptions, _read_convolution),
    "depthwise": (tflite.DepthwiseConv2DOptions, _read_convolution),
    "pool": (tflite.Pool2DOptions, _read_pool),
    "add": (tflite.AddOptions, lambda o: o.FusedActivationFunction()),
    "subtract": (tflite.SubOptions, lambda o: o.FusedActivationFunction()),
    "multiply": (tflite.MulOptions, lambda o: o.FusedActivationFunction()),
    "divide": (tflite.DivOptions, lambda o: o.FusedActivationFunction()),
    "reduce": (tflite.ReducerOptions, lambda o: bool(o.KeepDims())),
    "resize": (tflite.ResizeBilinearOptions, lambda o: (bool(o.AlignCorners()), bool(o.HalfPixelCenters()))),
    "concatenate": (tflite.ConcatenationOptions, lambda o: o.Axis()),
    "slice": (tflite.StridedSliceOptions, lambda o: (o.BeginMask(), o.EndMask())),
}


def _pad_same(x: Tensor, size: Sequence[int], window: Window2d, value: float = 0.0) -> Tensor:
    """TensorFlow's "same" padding of (B, C, H, W): the odd pixel goes to the bottom and right."""
    padding: list[int] = []
    for length, kernel, stride, dilation in zip(
        x.shape[2:], size, window.stride, window.dilation, strict=True
    ):
        reach = (kernel - 1) * dilation + 1
        total = max((-(-length // stride) - 1) * stride + reach - length, 0)
        padding = [total // 2, total - total // 2, *padding]
    return F.pad(x, padding, value=value) if any(padding) else x


def _convolve(x: Tensor, weight: Tensor, bias: Tensor | None, window: Window2d, groups: int) -> Tensor:
    image = x.permute(0, 3, 1, 2)
    if window.same:
        image = _pad_same(image, weight.shape[2:], window)
    out = F.conv2d(image, weight, bias, window.stride, 0, window.dilation, groups)
    return ACTIVATIONS[window.activation](out.permute(0, 2, 3, 1))


def _conv(x: Sequence[Tensor], window: Window2d) -> Tensor:
    return _convolve(x[0], x[1].permute(0, 3, 1, 2), x[2] if len(x) > 2 else None, window, groups=1)


def _depthwise(x: Sequence[Tensor], window: Window2d) -> Tensor:
    weight = x[1].permute(3, 0, 1, 2)
    return _convolve(x[0], weight, x[2] if len(x) > 2 else None, window, groups=x[0].shape[3])


def _max_pool(x: Sequence[Tensor], window: Window2d) -> Tensor:
    image = x[0].permute(0, 3, 1, 2)
    if window.same:
        image = _pad_same(image, window.size, window, value=float("-inf"))
    return F.max_pool2d(image, window.size, window.stride).permute(0, 2, 3, 1)


def _average_pool(x: Sequence[Tensor], window: Window2d) -> Tensor:
    """Means of windows; what "same" padding adds is not counted."""
    image, full = x[0].permute(0, 3, 1, 2), torch.ones_like(x[0][:1, :, :, :1]).permute(0, 3, 1, 2)
    if window.same:
        image, full = (_pad_same(part, window.size, window) for part in (image, full))
    pooled, counted = (F.avg_pool2d(part, window.size, window.stride) for part in (image, full))
    return (pooled / counted).permute(0, 2, 3, 1)


def _resize(x: Sequence[Tensor], places: tuple[bool, bool]) -> Tensor:
    """Bilinear; TensorFlow's old way, neither corners aligned nor half pixels, is not known here."""
    aligned, half = places
    if not (aligned or half):
        raise UnsupportedNet("RESIZE_BILINEAR with pixels counted from their corners is not known here")
    size = _axes(x[1])
    out = F.interpolate(x[0].permute(0, 3, 1, 2), size=size, mode="bilinear", align_corners=aligned)
    return out.permute(0, 2, 3, 1)


def _transposed_conv(x: Sequence[Tensor], options: None) -> Tensor:
    """MediaPipe's Convolution2DTransposeBias with a stride of its kernel's size: every pixel a tile."""
    weight = x[1].permute(3, 0, 1, 2)
    out = F.conv_transpose2d(x[0].permute(0, 3, 1, 2), weight, x[2], stride=weight.shape[2:])
    return out.permute(0, 2, 3, 1)


def _axes(x: Tensor) -> tuple[int, ...]:
    return tuple(int(a) for a in x.reshape(-1).tolist())


def _pad(x: Sequence[Tensor], options: None) -> Tensor:
    return F.pad(x[0], [int(n) for pair in reversed(x[1].tolist()) for n in pair])


def _reshape(x: Sequence[Tensor], shape: tuple[int, ...]) -> Tensor:
    return x[0].reshape(x[0].shape[0], *shape[1:])


def _concatenate(x: Sequence[Tensor], axis: int) -> Tensor:
    batch = max(part.shape[0] for part in x)
    return torch.cat([part.expand(batch, *part.shape[1:]) for part in x], dim=axis)


def _slice(x: Sequence[Tensor], masks: tuple[int, int]) -> Tensor:
    """A strided slice of every axis but the batch, which stays whole and is never dropped."""
    begin, end, stride = (_axes(t) for t in x[1:4])
    index: list[slice] = [slice(None)]
    for k in range(1, len(begin)):
        first = None if masks[0] >> k & 1 else begin[k]
        last = None if masks[1] >> k & 1 else end[k]
        index.append(slice(first, last, stride[k]))
    return x[0][tuple(index)]


KERNELS: dict[str, tuple[str, Run]] = {
    "DEQUANTIZE": ("", lambda x, _: x[0]),
    "CONV_2D": ("conv", _conv),
    "DEPTHWISE_CONV_2D": ("depthwise", _depthwise),
    "MAX_POOL_2D": ("pool", _max_pool),
    "AVERAGE_POOL_2D": ("pool", _average_pool),
    "RESIZE_BILINEAR": ("resize", _resize),
    "Convolution2DTransposeBias": ("", _transposed_conv),
    "HARD_SWISH": ("", lambda x, _: F.hardswish(x[0])),
    "ADD": ("add", lambda x, activation: ACTIVATIONS[activation](x[0] + x[1])),
    "SUB": ("subtract", lambda x, activation: ACTIVATIONS[activation](x[0] - x[1])),
    "MUL": ("multiply", lambda x, activation: ACTIVATIONS[activation](x[0] * x[1])),
    "DIV": ("divide", lambda x, activation: ACTIVATIONS[activation](x[0] / x[1])),
    "MEAN": ("reduce", lambda x, keep: x[0].mean(dim=_axes(x[1]), keepdim=keep)),
    "SUM": ("reduce", lambda x, keep: x[0].sum(dim=_axes(x[1]), keepdim=keep)),
    "PAD": ("", _pad),
    "RESHAPE": ("", _reshape),
    "TRANSPOSE": ("", lambda x, _: x[0].permute(*_axes(x[1]))),
    "CONCATENATION": ("concatenate", _concatenate),
    "STRIDED_SLICE": ("slice", _slice),
    "PRELU": ("", lambda x, _: torch.relu(x[0]) - x[1] * torch.relu(-x[0])),
    "RELU": ("", lambda x, _: torch.relu(x[0])),
    "LOGISTIC": ("", lambda x, _: torch.sigmoid(x[0])),
    "SQRT": ("", lambda x, _: torch.sqrt(x[0])),
    "RSQRT": ("", lambda x, _: torch.rsqrt(x[0])),
    "NEG": ("", lambda x, _: -x[0]),
    "SQUARED_DIFFERENCE": ("", lambda x, _: (x[0] - x[1]).square()),
}
