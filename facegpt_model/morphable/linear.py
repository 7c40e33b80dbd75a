"""Linear decode shared by morphable models: mean plus weighted displacements."""

from __future__ import annotations

from torch import Tensor

from facegpt_model.face import BasisMismatch, FaceCode
from facegpt_model.layout import CodeLayout


def check_code(code: FaceCode, layout: CodeLayout) -> None:
    """Raise BasisMismatch unless `code` belongs to the basis and has its sizes."""
    if code.basis != layout.basis:
        raise BasisMismatch(
            f"{layout.basis} cannot decode a code of {code.basis or 'no basis'}; make the face again"
        )
    found = (code.identity.shape[1], code.expression.shape[1], code.albedo.shape[1])
    wanted = (layout.identity, layout.expression, layout.albedo)
    if found != wanted:
        raise BasisMismatch(
            f"{layout.basis} has {wanted} identity, expression and albedo numbers, the code has {found}"
        )
    if code.joints.shape[1] not in (0, layout.joints):
        raise BasisMismatch(f"{layout.basis} has {layout.joints} joints, the code has {code.joints.shape[1]}")


def blend(mean: Tensor, *parts: tuple[Tensor, Tensor]) -> Tensor:
    """(B, V, 3): mean (V, 3) plus, for each part (weights (B, K), basis (K, V, 3)), their product.

    One matrix product per part, in the dtype of the weights.
    """
    weights, _ = parts[0]
    total = mean.to(weights.dtype).flatten()
    for weight, basis in parts:
        total = total + weight @ basis.to(weight.dtype).flatten(1)
    return total.unflatten(-1, mean.shape)
