"""Glasses sit on any head: clear of eyes and skin, on the ears, and absent when not worn."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from facegpt_model.appearance.parameters import Appearance, Glasses
from facegpt_model.appearance.relief import relief
from facegpt_model.appearance.worn import worn_meshes
from facegpt_model.face import FaceCode
from facegpt_model.gltf import glb_bytes
from facegpt_model.mesh import NamedMesh, mesh_of
from facegpt_model.morphable.openhead import OpenHead
from facegpt_model.rendering.cameras import portrait_view, project
from facegpt_model.rendering.still import render_still

STYLES = (
    Glasses(worn=1, rim=0.7),
    Glasses(worn=1, shape=-1, size=1, rim=0.2),
    Glasses(worn=1, shape=1, size=-1),
    Glasses(worn=1, shape=1, size=1, rim=1, dark=1),
)


@pytest.fixture(scope="module")
def model() -> OpenHead:
    return OpenHead()


def wearing(model: OpenHead, glasses: Glasses, identity: torch.Tensor | None = None) -> FaceCode:
    code = replace(model.mean_code(), appearance=Appearance(glasses=glasses).row())
    return code if identity is None else replace(code, identity=identity)


def frame_and_lenses(model: OpenHead, code: FaceCode) -> tuple[NamedMesh, NamedMesh]:
    frame, lenses = worn_meshes(model, code)
    assert (frame.name, lenses.name) == ("glasses", "lenses")
    return frame, lenses


def head(model: OpenHead, code: FaceCode) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    return model.vertices(code)[0].double().numpy(), model.triangles.numpy()


def test_twenty_people_can_wear_them(model: OpenHead) -> None:
    people = model.sample_identity(20, torch.Generator().manual_seed(11))
    eyes = np.unique(model.triangles.numpy()[np.isin(model.part.numpy(), (1, 2))])
    for number, identity in enumerate(people):
        code = wearing(model, STYLES[number % len(STYLES)], identity[None])
        frame, lenses = frame_and_lenses(model, code)
        vertices, triangles = head(model, code)
        away = np.linalg.norm(lenses.vertices[:, None] - vertices[eyes][None], axis=2).min()
        assert 8 < away < 20, f"lenses of person {number} are {away:.1f} mm from an eye"
        front = relief(vertices, triangles, "front")
        glass = lenses.vertices
        gap = (glass[:, 2] - front.at(glass[:, 0], glass[:, 1])).min()
        assert gap > -0.5, f"lenses of person {number} are {-gap:.1f} mm inside the face"
        solid = frame.vertices[frame.vertices[:, 2] > glass[:, 2].max() - 16]
        inside = front.at(solid[:, 0], solid[:, 1]) - solid[:, 2]
        pads = np.abs(solid[:, 0]) < 14  # they press on the steep sides of the nose
        assert inside[pads].max() < 5.5, f"pads of person {number} are {inside[pads].max():.1f} mm deep"
        assert inside[~pads].max() < 0, f"frame of person {number} is {inside[~pads].max():.1f} mm deep"


def test_temples_rest_on_both_ears_and_stay_out_of_the_head(model: OpenHead) -> None:
    people = model.sample_identity(10, torch.Generator().manual_seed(12))
    for number, identity in enumerate(people):
        code = wearing(model, STYLES[number % len(STYLES)], identity[None])
        frame, lenses = frame_and_lenses(model, code)
        vertices, triangles = head(model, code)
        for side, sign in (("left", 1.0), ("right", -1.0)):
            mine = frame.vertices[sign * frame.vertices[:, 0] > 20]
            beside = relief(vertices, triangles, side)  # type: ignore[arg-type]
            back = mine[:, 2].min()
            ear = vertices[(sign * vertices[:, 0] > 70) & (np.abs(vertices[:, 1] - 20) < 40)]
            assert back < ear[:, 2].mean(), f"a temple of person {number} ends before the ear"
            along = mine[(mine[:, 2] > ear[:, 2].max()) & (mine[:, 2] < lenses.vertices[:, 2].min() - 12)]
            out = sign * along[:, 0] - beside.at(-along[:, 2], along[:, 1])
            assert out.min() > -0.3, f"a temple of person {number} cuts {-out.min():.1f} mm into the head"


def test_nothing_is_worn_below_the_threshold_and_the_picture_stays(model: OpenHead) -> None:
    bare = model.mean_code()
    faint = wearing(model, Glasses(worn=0.29, rim=1, dark=1))
    assert worn_meshes(model, bare) == () and worn_meshes(model, faint) == ()
    assert render_still(model, bare, size=96).tobytes() == render_still(model, faint, size=96).tobytes()


def test_numbers_change_what_their_names_say(model: OpenHead) -> None:
    def lens(glasses: Glasses) -> NDArray[np.float32]:
        rows = frame_and_lenses(model, wearing(model, glasses))[1].vertices
        return rows[rows[:, 0] > 0]

    def spans(glasses: Glasses) -> NDArray[np.float32]:
        return np.ptp(lens(glasses), axis=0)

    small, large = spans(Glasses(worn=1, size=-1)), spans(Glasses(worn=1, size=1))
    assert large[0] > small[0] + 6 and large[1] > small[1] + 6
    round_, square = spans(Glasses(worn=1, shape=-1)), spans(Glasses(worn=1, shape=1))
    assert abs(round_[1] / round_[0] - 1) < 0.1 and square[1] / square[0] < 0.75
    counts = [
        len(worn_meshes(model, wearing(model, Glasses(worn=1, rim=rim)))[0].triangles) for rim in (0, 0.2)
    ]
    assert counts[0] < counts[1], "a rimless frame has no rims"
    clear, dark = (worn_meshes(model, wearing(model, Glasses(worn=1, dark=dark)))[1].image for dark in (0, 1))
    assert clear is not None and dark is not None
    assert np.median(clear[..., 3]) < 20 and np.median(dark[..., 3]) > 230


def test_glasses_are_few_triangles_facing_outwards_and_repeatable(model: OpenHead) -> None:
    code = wearing(model, STYLES[3])
    first, again = worn_meshes(model, code), worn_meshes(model, code)
    assert sum(len(mesh.triangles) for mesh in first) < 4000
    for mesh, same in zip(first, again, strict=True):
        assert np.array_equal(mesh.vertices, same.vertices)
    lenses = first[1]
    corners = lenses.vertices[lenses.triangles].astype(np.float64)
    towards = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])[:, 2]
    assert (towards > -1e-3).mean() > 0.85


def test_sunglasses_hide_the_eyes_and_shade_the_face(model: OpenHead) -> None:
    view = portrait_pixels(model)
    bare, clear, dark = (
        np.asarray(render_still(model, code, size=256).convert("RGB")).astype(float)
        for code in (
            model.mean_code(),
            wearing(model, Glasses(worn=1)),
            wearing(model, Glasses(worn=1, dark=1)),
        )
    )
    row, column = view
    eye = np.s_[row - 3 : row + 4, column - 6 : column + 7]
    assert dark[eye].mean() < 0.35 * bare[eye].mean(), "dark lenses cover the eyes"
    assert abs(clear[eye].mean() / bare[eye].mean() - 1) < 0.2, "clear lenses show the eyes"


def portrait_pixels(model: OpenHead) -> tuple[int, int]:
    """Row and column of the person's left eye in a frontal portrait of 256 pixels."""
    points = model.landmarks68(model.vertices(model.mean_code()))
    eye = project(points[:, 42:48], portrait_view(size=256))[0].mean(0)
    return round(float(eye[1])), round(float(eye[0]))


def test_files_hold_glasses_under_their_own_names(model: OpenHead) -> None:
    code = wearing(model, STYLES[0])
    worn = worn_meshes(model, code)
    payload = glb_bytes(mesh_of(model, code), worn)
    document = json.loads(payload[20 : 20 + int.from_bytes(payload[12:16], "little")])
    assert {"glasses", "lenses"} <= {node["name"] for node in document["nodes"]}
    modes = {material["name"]: material.get("alphaMode", "OPAQUE") for material in document["materials"]}
    assert modes["lenses"] == "BLEND" and modes["glasses"] == "OPAQUE"
