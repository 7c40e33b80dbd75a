"""The steps of a still one by one: subdivision, occlusion, shadows, light under the skin."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from facegpt_model.appearance.strand import Strands
from facegpt_model.rendering.developing import SHOULDER, developed, tone
from facegpt_model.rendering.hair_pass import HairInPlace
from facegpt_model.rendering.occlusion import ambient_occlusion, even_directions, parallel_view, shadow_map
from facegpt_model.rendering.portrait import draw_portrait
from facegpt_model.rendering.scattering import scatter, scatter_in_skin
from facegpt_model.rendering.strand_light import light_through
from facegpt_model.rendering.subdivision import fine_attributes, fine_corners, subdivide
from facegpt_model.rendering.surface import Surface
from facegpt_model.rendering.topology import mean_edge_length, topology_of, vertex_normals

Sphere = tuple[Tensor, Tensor]


def test_subdivision_of_a_closed_mesh_is_closed_and_round(sphere: Sphere) -> None:
    vertices, triangles = sphere[0].float().numpy(), sphere[1].numpy()
    fine, finer = subdivide(vertices, triangles)
    edges = topology_of(torch.from_numpy(finer), len(fine))
    assert len(finer) == 4 * len(triangles) and len(np.unique(finer)) == len(fine)
    assert (edges.faces >= 0).all()
    assert len(fine) - len(edges.edges) + len(finer) == 2
    radius = np.linalg.norm(fine, axis=1)
    assert radius.min() > 79 and radius.max() <= 80.01


def test_subdivision_of_a_sheet_keeps_it_flat_and_its_straight_border_in_place() -> None:
    grid = np.array([[x, y, 0] for y in range(4) for x in range(4)], np.float32)
    corner = (np.arange(3)[:, None] * 4 + np.arange(3)).reshape(-1, 1)
    triangles = np.concatenate([corner + np.array([0, 1, 4]), corner + np.array([1, 5, 4])])
    fine, finer = subdivide(grid, triangles)
    assert np.abs(fine[:, 2]).max() == 0
    assert fine[1:3, 1].tolist() == [0, 0]
    a, b, c = (fine[finer[:, k], :2] for k in range(3))
    areas = np.cross(b - a, c - a) / 2
    assert (areas > 0).all()


def test_attributes_and_corners_follow_the_same_triangles(sphere: Sphere) -> None:
    vertices, triangles = sphere[0].float().numpy(), sphere[1].numpy()
    _, finer = subdivide(vertices, triangles)
    np.testing.assert_allclose(
        fine_attributes(vertices, triangles)[finer], fine_corners(vertices[triangles]), atol=1e-4
    )


def test_topology_knows_neighbours_and_borders() -> None:
    square = topology_of(torch.tensor([[0, 1, 2], [0, 2, 3]]), 4)
    inner = (square.faces >= 0).all(dim=1)
    assert inner.sum() == 1 and sorted(square.edges[inner][0].tolist()) == [0, 2]
    assert sorted(square.beside[inner][0].tolist()) == [1, 3]
    for triangle, edges in zip([[0, 1, 2], [0, 2, 3]], square.triangle_edges, strict=True):
        for k in range(3):
            assert set(square.edges[edges[k]].tolist()) == {triangle[k], triangle[(k + 1) % 3]}
    with pytest.raises(ValueError, match="names vertex 9"):
        topology_of(torch.tensor([[0, 1, 9]]), 4)


def test_topology_notices_triangles_changed_in_place() -> None:
    triangles = torch.tensor([[0, 1, 2], [0, 2, 3]])
    assert len(topology_of(triangles, 4).edges) == 5
    triangles[1] = torch.tensor([0, 1, 2])
    assert len(topology_of(triangles, 4).edges) == 3


def test_normals_and_edge_lengths_of_a_sphere(sphere: Sphere) -> None:
    vertices, triangles = sphere
    both = torch.stack([vertices, 2 * vertices])
    normals = vertex_normals(both, triangles)
    torch.testing.assert_close(normals[0], normals[1])
    assert ((normals[0] * vertices / 80).sum(dim=1) > 0.999).all()
    lengths = mean_edge_length(both, triangles)
    torch.testing.assert_close(lengths[1], 2 * lengths[0])
    assert 3 < lengths[0] < 8


def test_a_lonely_sphere_sees_everything_and_one_under_a_lid_does_not(sphere: Sphere) -> None:
    vertices, triangles = sphere[0].float().numpy(), sphere[1].numpy()
    normals = vertices / 80
    free = ambient_occlusion(vertices, normals, triangles)
    assert free.min() > 0.85 and free.max() <= 1
    lid = np.array([[-200, 100, -200], [-200, 100, 200], [200, 100, 0]], np.float32)
    covered = ambient_occlusion(
        np.concatenate([vertices, lid]),
        np.concatenate([normals, np.zeros((3, 3), np.float32)]),
        np.concatenate([triangles, len(vertices) + np.array([[0, 1, 2]])]),
    )
    top, bottom = vertices[:, 1].argmax(), vertices[:, 1].argmin()
    assert covered[top] < free[top] - 0.4 and covered[bottom] > free[bottom] - 0.1


def test_directions_are_even() -> None:
    directions = even_directions(200)
    np.testing.assert_allclose(np.linalg.norm(directions, axis=1), 1)
    np.testing.assert_allclose(directions.mean(axis=0), 0, atol=0.01)


def test_the_shadow_map_holds_the_surface_nearest_to_the_lamp(sphere: Sphere) -> None:
    vertices, triangles = sphere[0].float().numpy(), sphere[1].numpy()
    view = parallel_view(vertices, np.array([0.3, 0.9, 0.2]), 64)
    points = view.points(vertices)
    nearest = shadow_map(vertices, triangles, view)
    column, row = points[:, :2].astype(int).T
    towards = vertices @ (np.array([0.3, 0.9, 0.2]) / np.linalg.norm([0.3, 0.9, 0.2]))
    ahead, behind = towards > 60, towards < -60
    assert (nearest[row, column] - points[:, 2])[ahead].max() < 8
    assert (nearest[row, column] - points[:, 2])[behind].min() > 80


def test_scatter_keeps_even_light_and_carries_red_furthest_but_not_across_layers() -> None:
    depth = np.full((9, 61), 1000, np.float32)
    depth[:, 40:] = 1100
    skin = np.ones((9, 61), bool)
    even = np.full((9, 61, 3), 0.4, np.float32)
    np.testing.assert_allclose(scatter(even, depth, skin, 2.0, True), even, atol=1e-5)
    edge = np.zeros((9, 61, 3), np.float32)
    edge[:, 20:] = 1.0
    spread = scatter(edge, depth, skin, 2.0, True)[4]
    assert spread[16, 0] > spread[16, 1] > spread[16, 2]
    edge[:, 40:] = 5.0
    assert scatter(edge, depth, skin, 2.0, True)[4, 39].max() < 1.01
    skin[4, 18] = False
    np.testing.assert_array_equal(scatter(edge, depth, skin, 2.0, True)[4, 18], edge[4, 18])


def test_light_of_samples_spreads_within_the_skin_only_and_keeps_its_sum() -> None:
    random = np.random.default_rng(0)
    light = random.random((40, 40, 3)).astype(np.float32)
    nearest = np.full((40, 40), 1 / 1000, np.float32)
    nearest[:, 30:] = 1 / 1100
    skin = np.ones((40, 40), bool)
    skin[:, :10] = False
    spread = light.copy()
    scatter_in_skin(spread, nearest, skin, 2, 4.0)
    np.testing.assert_array_equal(spread[:, :10], light[:, :10])
    inside = np.s_[4:36, 14:28]
    assert spread[inside].std() < 0.5 * light[inside].std()
    assert spread[inside].mean() == pytest.approx(light[inside].mean(), abs=0.02)
    bright = np.repeat(np.where(nearest < 1 / 1050, 5.0, 0.5)[..., None], 3, axis=2).astype(np.float32)
    kept = bright.copy()
    scatter_in_skin(kept, nearest, skin, 2, 4.0)
    np.testing.assert_allclose(kept, bright, atol=1e-3)


def test_a_picture_is_developed_as_written_down_slowly() -> None:
    random = np.random.default_rng(1)
    colour, shown = random.random((6, 6, 3)).astype(np.float32), random.random((6, 6)).astype(np.float32)
    over = random.random((6, 6)).astype(np.float32)
    hair = np.concatenate([0.3 * over[..., None] * random.random((6, 6, 3)), over[..., None]], axis=2)
    fade = np.linspace(1, 0.2, 6).astype(np.float32)
    found = developed(colour, shown, hair.astype(np.float32), fade, 1.3, 2)
    cover = over + (1 - over) * shown
    light = (hair[..., :3] + ((1 - over) * shown)[..., None] * colour) / cover[..., None]
    cover = cover * fade[:, None]
    toned = np.concatenate([tone(1.3 * light) * cover[..., None], cover[..., None]], axis=2)
    mean = toned.reshape(3, 2, 3, 2, 4).mean(axis=(1, 3))
    expected = np.concatenate([mean[..., :3] / mean[..., 3:], mean[..., 3:]], axis=2) * 255
    assert np.abs(found - expected).max() < 0.52
    bare = developed(colour, np.zeros((6, 6), np.float32), np.zeros((0, 0, 4), np.float32), fade, 1.3, 2)
    assert bare.max() == 0


def test_near_hair_hides_far_hair_and_the_head_hides_both() -> None:
    count = 60
    points = np.zeros((2 * count, 5, 3), np.float32)
    points[..., 0] = np.linspace(-20, 20, 5)
    points[..., 1] = np.tile(np.linspace(-3, 3, count), 2)[:, None]
    points[:count, :, 2], points[count:, :, 2] = -900, -1000
    colour = np.repeat(np.array([[0.6, 0.05, 0.05], [0.05, 0.05, 0.6]], np.float32), count, axis=0)
    hair = Strands(
        points=points,
        colour=colour,
        width=np.full(2 * count, 1.0, np.float32),
        normal=np.tile(np.array([[0, 0, 1]], np.float32), (2 * count, 1)),
        lock=np.arange(2 * count),
        triangle=np.zeros(2 * count, np.int64),
        weights=np.zeros((2 * count, 3), np.float32),
        follow_mm=1.0,
    )
    place = HairInPlace([hair], light_through(points, hair.width), [np.ones((2 * count, 5), np.float32)])
    free = place.layer(np.zeros((64, 64), np.float32), 900.0)
    assert free[32, 32, 3] > 0.97 and free[32, 32, 0] > 3 * free[32, 32, 2] > 0
    assert free[2, 32].max() == 0
    between = place.layer(np.full((64, 64), 1 / 950, np.float32), 900.0)
    np.testing.assert_allclose(between[32, 32], free[32, 32], atol=0.02)
    assert place.layer(np.full((64, 64), 1 / 800, np.float32), 900.0).max() == 0


def test_the_tone_curve_rises_smoothly_and_leaves_the_middle_alone() -> None:
    linear = np.linspace(0, 6, 4000)
    curve = tone(linear)
    assert (np.diff(curve) >= 0).all() and curve[0] == 0 and curve[-1] <= 1
    assert np.diff(curve)[1:].max() < 0.03
    assert tone(np.array([0.21404]))[0] == pytest.approx(0.5, abs=1e-4)
    assert tone(np.array([SHOULDER]))[0] == pytest.approx(tone(np.array([SHOULDER + 1e-6]))[0], abs=1e-4)


@pytest.mark.parametrize("yaw", [0.0, 80.0])
def test_pores_are_round_from_every_side(sphere: Sphere, yaw: float) -> None:
    vertices, triangles = sphere[0].float().numpy(), sphere[1].numpy()
    count = len(vertices)
    ball = Surface(
        vertices=vertices - [0, 0, 75],
        normals=vertices / 80,
        rest=vertices,
        triangles=triangles,
        material=np.zeros(len(triangles), np.int64),
        occlusion=np.ones(count, np.float32),
        colours=np.full((count, 3), 0.4, np.float32),
        corner_uv=np.zeros((len(triangles), 3, 2), np.float32),
        texture=np.zeros((0, 0, 4), np.float32),
        eyes=np.zeros((0, 6), np.float32),
    )
    patch = draw_portrait(ball, yaw, 0, 300, 2)[130:170, 130:170, 1].astype(float)
    down, across = (np.abs(np.diff(patch, 2, axis)).mean() for axis in (0, 1))
    assert down > 0.3
    assert 0.7 < across / down < 1.4
