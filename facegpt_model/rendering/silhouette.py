"""Antialiased outlines that carry gradients, from the silhouette edges of the mesh.

An edge is part of an outline when one of its triangles faces the camera and the other does
not, or when it has only one. Each such edge is stepped over the pixel rows (columns if
flatter than 45°) it crosses; between the two pixel centres around a crossing the colours
are blended by where the edge lies. Edge blending after Laine et al. 2020 (nvdiffrast);
taking the mesh's edges instead of those of the visible triangle after DEODR (de La Gorce
et al. 2011), because at a limb the visible triangles are slivers that do not own the edge.

What blends into a pixel is the other side's triangle as it looks nearest to this pixel, not as
the other pixel sees it, so that nothing jumps when an outline passes a pixel centre. Two
outlines between two pixel centres, one of a nearer surface than the other, leave a strip that
no pixel centre sees, such as teeth between lip and tongue; it takes part with its edge's own
triangle. Otherwise it would come and go whole, and send no gradient as it does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from facegpt_model.rendering.cameras import NEAR_MM
from facegpt_model.rendering.shading import Places
from facegpt_model.rendering.topology import Topology, topology_of

OWN_SURFACE = 3.0  # details within which the front pixel counts as the edge's own surface
BEHIND = 0.02  # details by which the other pixel must lie behind the edge
LAYER = 0.25  # details by which a surface must lie before another to leave a strip of it

ColourOf = Callable[[Places], Tensor]  # n places to the (n, C) colours of their triangles there


@dataclass(frozen=True)
class _Outline:
    """Silhouette edges of all pictures as flat indices into B * V.

    side: a vertex of the object; face: its triangle at the edge.
    """

    picture: Tensor
    start: Tensor
    end: Tensor
    side: Tensor
    face: Tensor


def antialias(
    pixels: Tensor,
    screen: Tensor,
    depth: Tensor,
    ids: Tensor,
    triangles: Tensor,
    detail_mm: Tensor,
    colour_of: ColourOf | None,
) -> Tensor:
    """(B, H, W, C) pixels with outlines blended by exact edge position.

    screen: (B, V, 3) pixel x, y and depth; depth: (B, H, W) without gradient, infinite for
    background; ids: (B, H, W) triangles seen, -1 for none; detail_mm: (B,) mean edge length plus
    the size of a pixel at the mesh, the scale of the depth tests
    colour_of: what triangles look like beside the pixels that see them; None takes the colours of
    pixels and leaves strips out.
    Differentiable to pixels, screen and what colour_of gives.
    """
    shape = pixels.shape
    flat = pixels.reshape(-1, shape[3])
    with torch.no_grad():
        outline = _outline(screen.detach(), topology_of(triangles, screen.shape[1]), triangles)
    targets, changes = [], []
    for axis in (0, 1):
        target, change = _blend(axis, flat, screen.reshape(-1, 3), depth, ids, outline, detail_mm, colour_of)
        targets.append(target)
        changes.append(change)
    return flat.index_add(0, torch.cat(targets), torch.cat(changes)).view(shape)


def _outline(screen: Tensor, topology: Topology, triangles: Tensor) -> _Outline:
    corners = screen[:, triangles]
    first, second = corners[:, :, 1] - corners[:, :, 0], corners[:, :, 2] - corners[:, :, 0]
    facing = first[..., 0] * second[..., 1] - first[..., 1] * second[..., 0] < 0  # y runs down
    drawn = (corners[..., 2] >= NEAR_MM).all(dim=2)
    border = topology.faces[:, 1] < 0
    one, two = topology.faces[:, 0], topology.faces[:, 1].clamp_min(0)
    turning = torch.where(
        border, drawn[:, one], (facing[:, one] != facing[:, two]) & drawn[:, one] & drawn[:, two]
    )
    picture, edge = turning.nonzero(as_tuple=True)
    use_one = facing[picture, one[edge]] | border[edge]
    side = torch.where(use_one, topology.beside[edge, 0], topology.beside[edge, 1])
    base = picture * screen.shape[1]
    face = torch.where(use_one, one[edge], two[edge])
    return _Outline(
        picture, topology.edges[edge, 0] + base, topology.edges[edge, 1] + base, side + base, face
    )


@dataclass(frozen=True)
class _Crossings:
    """Where outlines cross between two neighbouring pixel centres of one row (or column).

    start, end: flat vertices of the edge; line: coordinate of the row; front: coordinate of
    the object's pixel centre; towards: +1 or -1, the way from it to the other pixel;
    front_pixel, back_pixel: flat indices into B * H * W.
    inner, outer: triangles on the object's side and on the other, -1 for background;
    strip_inside, strip_outside: whether that side is a strip that no pixel sees.
    """

    start: Tensor
    end: Tensor
    line: Tensor
    front: Tensor
    towards: Tensor
    front_pixel: Tensor
    back_pixel: Tensor
    inner: Tensor
    outer: Tensor
    strip_inside: Tensor
    strip_outside: Tensor


def _blend(
    axis: int,
    flat: Tensor,
    points: Tensor,
    depth: Tensor,
    ids: Tensor,
    outline: _Outline,
    detail_mm: Tensor,
    colour_of: ColourOf | None,
) -> tuple[Tensor, Tensor]:
    """Pixels to change and by how much, for the edges nearer to perpendicular to this axis."""
    with torch.no_grad():
        found = _crossings(axis, points.detach(), depth, ids, outline, detail_mm, colour_of is not None)
    start = points.index_select(0, found.start)
    end = points.index_select(0, found.end)
    along = (found.line - start[:, 1 - axis]) / (end[:, 1 - axis] - start[:, 1 - axis])
    crossing = start[:, axis] + along * (end[:, axis] - start[:, axis])
    beyond = (crossing - found.front) * found.towards - 0.5  # of the border between the two pixels
    target = torch.where(beyond.detach() > 0, found.back_pixel, found.front_pixel)
    inner, outer = flat.index_select(0, found.front_pixel), flat.index_select(0, found.back_pixel)
    if colour_of is not None:
        with torch.no_grad():
            near, far = _sources(found, beyond.detach() > 0)
            at, chosen = (
                torch.cat([target[near], target[far]]),
                torch.cat([found.inner[near], found.outer[far]]),
            )
            height, width = depth.shape[1:]
            x, y = (at % width).to(points) + 0.5, (at // width % height).to(points) + 0.5
        colours = colour_of(Places(at // (height * width), chosen, x, y))
        inner = inner.index_copy(0, near, colours[: len(near)])
        outer = outer.index_copy(0, far, colours[len(near) :])
    return target, beyond[:, None] * (inner - outer)


def _sources(found: _Crossings, grows: Tensor) -> tuple[Tensor, Tensor]:
    """Crossings whose inner side, and whose outer side, is not what the pixel that changes sees."""
    inner = (grows | found.strip_inside).nonzero().squeeze(1)
    outer = ((~grows | found.strip_outside) & (found.outer >= 0)).nonzero().squeeze(1)
    return inner, outer


def _crossings(
    axis: int,
    points: Tensor,
    depth: Tensor,
    ids: Tensor,
    outline: _Outline,
    detail_mm: Tensor,
    strips: bool,
) -> _Crossings:
    height, width = depth.shape[1:]
    along_size, line_count = (width, height) if axis == 0 else (height, width)
    other = 1 - axis
    start, end, side = points[outline.start], points[outline.end], points[outline.side]
    rise, run = (end[:, other] - start[:, other]).abs(), (end[:, axis] - start[:, axis]).abs()
    edge = (rise >= run if axis == 0 else rise > run).nonzero().squeeze(1)

    low = torch.minimum(start[edge, other], end[edge, other])
    high = torch.maximum(start[edge, other], end[edge, other])
    first = torch.ceil(low - 0.5).clamp_min(0)
    last = (torch.ceil(high - 0.5) - 1).clamp_max(line_count - 1)
    lines = (last - first + 1).clamp_min(0).long()
    step = torch.arange(int(lines.sum()), device=points.device)
    step = step - torch.repeat_interleave(lines.cumsum(0) - lines, lines)
    row = torch.repeat_interleave(first.long(), lines) + step
    edge = torch.repeat_interleave(edge, lines)

    line = row.to(points.dtype) + 0.5
    a, b, object_side = start[edge], end[edge], side[edge]
    span = b[:, other] - a[:, other]
    along = (line - a[:, other]) / span
    crossing = a[:, axis] + along * (b[:, axis] - a[:, axis])
    edge_depth = 1 / ((1 - along) / a[:, 2] + along / b[:, 2])
    edge_at_side = a[:, axis] + (object_side[:, other] - a[:, other]) / span * (b[:, axis] - a[:, axis])
    lower_is_back = object_side[:, axis] > edge_at_side
    lower = torch.floor(crossing - 0.5).long()
    inside = (lower >= 0) & (lower < along_size - 1)
    lower = lower.clamp(0, max(along_size - 2, 0))
    upper = (lower + 1).clamp_max(along_size - 1)
    front, back = torch.where(lower_is_back, upper, lower), torch.where(lower_is_back, lower, upper)

    picture = outline.picture[edge]
    scale = detail_mm[picture]

    def pixel(position: Tensor) -> Tensor:
        y, x = (row, position) if axis == 0 else (position, row)
        return (picture * height + y) * width + x

    front_pixel, back_pixel = pixel(front), pixel(back)
    surfaces = depth.reshape(-1)
    own = (surfaces[front_pixel] - edge_depth).abs() < OWN_SURFACE * scale
    open_behind = surfaces[back_pixel] > edge_depth + BEHIND * scale
    kept = (inside & own & open_behind).nonzero().squeeze(1)
    towards = torch.where(lower_is_back, -1.0, 1.0).to(points.dtype)
    beyond = (crossing - front) * towards
    pair = front_pixel * 2 + lower_is_back
    kept = kept[_outermost(pair[kept], beyond[kept], 2 * depth.numel())]
    seen = ids.reshape(-1)
    inner, outer = seen[front_pixel], seen[back_pixel]
    strip_inside, strip_outside = torch.zeros_like(inside), torch.zeros_like(inside)
    if strips:
        of_pair = kept.new_full((2 * depth.numel(),), -1)
        of_pair[pair[kept]] = kept
        first = of_pair[pair]
        nearer = (first >= 0) & (edge_depth < edge_depth[first.clamp_min(0)] - LAYER * scale)
        nearer = (inside & own & open_behind & nearer).nonzero().squeeze(1)
        nearer = nearer[_outermost(pair[nearer], beyond[nearer], 2 * depth.numel())]
        first = first[nearer]
        inner[first] = outer[nearer] = outline.face[edge[first]]
        strip_inside[first] = strip_outside[nearer] = True
        kept = torch.cat([kept, nearer])
    return _Crossings(
        start=outline.start[edge[kept]],
        end=outline.end[edge[kept]],
        line=line[kept],
        front=front[kept].to(points.dtype) + 0.5,
        towards=towards[kept],
        front_pixel=front_pixel[kept],
        back_pixel=back_pixel[kept],
        inner=inner[kept],
        outer=outer[kept],
        strip_inside=strip_inside[kept],
        strip_outside=strip_outside[kept],
    )


def _outermost(pair: Tensor, beyond: Tensor, pairs: int) -> Tensor:
    """Indices of one crossing for each pair of pixels: the furthest, the last of equals.

    Where a limb folds in projection, several outlines lie between two pixels, one before the
    other; counting all of them would send the gradient of one border several times.
    """
    furthest = beyond.new_full((pairs,), -torch.inf).scatter_reduce(0, pair, beyond, "amax")
    order = torch.arange(len(pair), device=pair.device)
    tied = torch.where(beyond >= furthest[pair], order, -1)
    last = torch.full((pairs,), -1, device=pair.device).scatter_reduce(0, pair, tied, "amax")
    return last[last >= 0]
