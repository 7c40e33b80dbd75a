"""What skin of openhead can look like, and how well it explains portraits.

    python benchmarks/skin.py [--photos FOLDER --count N] [--out DIR] [--json]

Prints the range of skin tones (individual typology angle of the cheeks), how far lips stand out
(CIE 1976 colour difference), the symmetry and reach of the learned detail, and with --photos the
colour error of fits of held-out portraits: with painted skin only, with the learned mean, and
with the learned components. --out writes a sheet of skin tones and ages. Exits 1 when a bar is missed.
"""

from __future__ import annotations

import argparse
import json
import statistics
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from facegpt_model.face import FaceCode
from facegpt_model.fitting.appearance_fit import fit_appearance
from facegpt_model.fitting.calibrate import in_turn
from facegpt_model.fitting.colour_samples import linear_rgb
from facegpt_model.fitting.portraits import Portrait, read_portraits
from facegpt_model.morphable.openhead import OpenHead
from facegpt_model.rendering.deferred import interpolate, render
from facegpt_model.rendering.face_area import face_area
from facegpt_model.rendering.still import contact_sheet, render_still
from facegpt_model.skin.colour import individual_typology_angle, lab
from facegpt_model.skin.unproject import fit_portrait

LIGHTEST_ITA, DARKEST_ITA, LEAST_LIP_DIFFERENCE = 55.0, -30.0, 5.0
TONES, AGES = (-2.4, -1.2, 0.0, 1.2, 2.4), (-1.0, 0.5, 1.5, 2.5)


def coloured(head: OpenHead, **values: float) -> FaceCode:
    """The mean face with some albedo components, by name with _ for a space."""
    code = head.mean_code()
    albedo = code.albedo.clone()
    for name, value in values.items():
        albedo[0, head.albedo_names.index(name.replace("_", " "))] = value
    return replace(code, albedo=albedo)


def cheek(head: OpenHead, code: FaceCode) -> Tensor:
    """(3,) median linear RGB of the cheeks."""
    x, y, z = head.mean.T
    place = (x.abs() > 25) & (x.abs() < 50) & (y > -30) & (y < 5) & (z > -30)
    return head.albedo(code)[0, place].median(dim=0).values


def lips(head: OpenHead, code: FaceCode) -> Tensor:
    """(3,) median linear RGB of the lips."""
    place = head.region_weights[:, head.region_names.index("lips")] > 0.9
    return head.albedo(code)[0, place].median(dim=0).values


def tones(head: OpenHead) -> list[dict[str, float]]:
    """Angle of the cheeks and difference of the lips along melanin."""
    rows = []
    for z in (-2.5, -1.25, 0.0, 1.25, 2.5):
        code = coloured(head, melanin=z)
        skin, lip = cheek(head, code).numpy(), lips(head, code).numpy()
        rows.append(
            {
                "melanin": z,
                "ita_degrees": float(individual_typology_angle(skin)),
                "lightness": float(lab(skin)[0]),
                "lip_difference": float(np.linalg.norm(lab(skin) - lab(lip))),
            }
        )
    return rows


def detail(head: OpenHead) -> dict[str, float]:
    """Asymmetry of the mean, reach of components into hair, batch against singles; linear RGB."""
    mean = head.mean_code()
    colour = head.albedo(mean)[0]
    learned = head.layout.albedo - len(head.region_colour_basis)
    hair = [head.region_names.index(name) for name in ("scalp", "brow")]
    covered = (head.region_weights[:, hair] > 0.5).any(dim=1)
    both = torch.zeros(2 * learned, head.layout.albedo)
    both[:learned, -learned:], both[learned:, -learned:] = torch.eye(learned) * 2.5, torch.eye(learned) * -2.5
    codes = replace(head.mean_code(len(both)), albedo=both)
    moved = head.albedo(codes) - colour
    singles = torch.cat([head.albedo(codes[k]) for k in range(len(both))])
    return {
        "asymmetry of the mean": float((colour - colour[head.mirror]).abs().mean()),
        "hair moved by components": float(moved[:, covered].abs().max()),
        "skin moved by components": float(moved.abs().max()),
        "batch against singles": float((head.albedo(codes) - singles).abs().max()),
    }


def colour_error(portrait: Portrait, head: OpenHead, learned: bool) -> tuple[float, float]:
    """Mean absolute sRGB difference (of 255) on the face, and the landmarks' error in percent."""
    photo = Image.open(portrait.file).convert("RGB")
    code, view, missed = fit_portrait(portrait, head, photo)
    albedo, light = fit_appearance(photo, portrait.points478[:, :2], head, code, view, learned)
    code, view = replace(code, albedo=albedo), replace(view, light=light)
    with torch.no_grad():
        drawn = render(head.vertices(code), head.triangles, head.albedo(code), view)
        area = interpolate(drawn, head.triangles, face_area(head, code)[None, :, None])[0, 0]
    seen = linear_rgb(np.asarray(photo, dtype=np.float64) / 255)
    shown = drawn.image[0].permute(1, 2, 0).clamp(0, 1).double().numpy()
    apart = np.abs(encoded(seen) - encoded(shown)).mean(axis=2)
    weight = area.double().numpy()
    return float((apart * weight).sum() / weight.sum()) * 255, missed


def encoded(linear: np.ndarray) -> np.ndarray:
    """Linear RGB raised to 1 / 2.2, about how different colours look."""
    return np.asarray(np.clip(linear, 0, 1) ** (1 / 2.2))


def portraits_table(folder: Path, count: int) -> dict[str, dict[str, float]]:
    """Mean errors over held-out portraits for each kind of skin."""
    held_out = in_turn([p for p in read_portraits(folder) if p.verified and p.is_test], count)
    painted, head = OpenHead(skin=None), OpenHead()
    kinds = {"painted": (painted, False), "learned mean": (head, False), "learned components": (head, True)}
    table = {}
    for name, (model, learned) in kinds.items():
        found = [colour_error(portrait, model, learned) for portrait in held_out]
        errors = [error for error, _ in found]
        table[name] = {
            "colour_error_of_255": statistics.fmean(errors),
            "median": statistics.median(errors),
            "landmark_percent": statistics.fmean(missed for _, missed in found),
        }
    return table


def sheet(head: OpenHead, size: int) -> Image.Image:
    """Five skin tones across, four ages down."""
    pictures, labels = [], []
    for age in AGES:
        for tone in TONES:
            code = coloured(head, melanin=tone, skin_age=age, hair_grey=age - 0.5)
            pictures.append(render_still(head, code, yaw_deg=-15, size=size))
            angle = float(individual_typology_angle(cheek(head, code).numpy()))
            labels.append(f"ITA {angle:.0f}, age {age:+.1f} sd")
    return contact_sheet(pictures, len(TONES), labels)


def main() -> int:
    """Print the tables; 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=Path, help="folder of portraits, for the colour error")
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--out", type=Path, help="folder for skin.jpg, tones across and ages down")
    parser.add_argument("--size", type=int, default=384, help="pixels of one face on the sheet")
    parser.add_argument("--json", action="store_true", help="end with one JSON object")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    head = OpenHead()
    rows, figures = tones(head), detail(head)
    print(f"{'melanin':>8}{'ITA':>8}{'L*':>8}{'lips dE':>9}")
    for row in rows:
        print(
            f"{row['melanin']:8.2f}{row['ita_degrees']:8.1f}{row['lightness']:8.1f}{row['lip_difference']:9.1f}"
        )
    for name, value in figures.items():
        print(f"{name:28}{value:10.5f}")
    bars = {
        f"ITA above {LIGHTEST_ITA:.0f}": rows[0]["ita_degrees"] > LIGHTEST_ITA,
        f"ITA below {DARKEST_ITA:.0f}": rows[-1]["ita_degrees"] < DARKEST_ITA,
        "lips stand out": min(row["lip_difference"] for row in rows) > LEAST_LIP_DIFFERENCE,
        "mean is symmetric": figures["asymmetry of the mean"] < 0.004,
        "components leave hair alone": figures["hair moved by components"] < 0.002,
        "batch is singles": figures["batch against singles"] < 1e-5,
    }
    result: dict[str, object] = {"tones": rows, "detail": figures}
    if chosen.photos is not None:
        errors = portraits_table(chosen.photos, chosen.count)
        print(f"\n{'held-out portraits':24}{'colour error':>14}{'median':>9}{'landmarks %':>13}")
        for name, row in errors.items():
            print(
                f"{name:24}" + "".join(f"{v:{w}.2f}" for v, w in zip(row.values(), (14, 9, 13), strict=True))
            )
        bars["components explain portraits better"] = (
            errors["learned components"]["colour_error_of_255"] < errors["painted"]["colour_error_of_255"]
        )
        result["portraits"] = errors
    for name, met in bars.items():
        print(f"{name:44}{'met' if met else 'MISSED'}")
    if chosen.out is not None:
        chosen.out.mkdir(parents=True, exist_ok=True)
        sheet(head, chosen.size).save(chosen.out / "skin.jpg", quality=90)
        print(f"wrote {chosen.out / 'skin.jpg'}")
    if chosen.json:
        print(json.dumps(result | {"bars": bars}))
    return 0 if all(bars.values()) else 1


if __name__ == "__main__":
    raise SystemExit(main())
