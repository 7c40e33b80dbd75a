"""From finished photos to the tables of a folder of portraits: copies out, one person on one side."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from facegpt_model.data.duplicates import SAME_PERSON, groups, is_copy, near_pairs
from facegpt_model.data.licences import TABLE, LicenceTable, write_blank_table
from facegpt_model.data.photos import BadPhotoFolder, Found, Prepared, Unusable, prepare_all
from facegpt_model.mesh import save_bytes
from facegpt_model.perception.blendshapes import BLENDSHAPE_NAMES
from facegpt_model.perception.landmarks import MESH68

ABOUT = (
    *("src_w", "src_h", "face_height_src_px", "yaw_deg", "pitch_deg", "roll_deg"),
    *("sharpness", "faces_seen", "fit_percent"),
)
HEAD = (
    *("file", "person_id", "source", "source_file", "licence", "licence_verified", "attribution"),
    *("synthetic", *ABOUT),
)


@dataclass(frozen=True)
class PreparedFolder:
    """Counts of one run.

    portraits: crops in metadata.csv; verified: of them with a verified licence; people: different
    person_ids; copies: pictures there twice; unusable: photos left out; alike: pairs of photos
    that likely show one person
    """

    portraits: int
    verified: int
    people: int
    copies: int
    unusable: int
    alike: int


def prepare_folder(
    folder: Path,
    out: Path,
    licences: Path | None = None,
    people_in_folders: bool = False,
    progress: Callable[[str, float], None] = lambda doing, share: None,
) -> PreparedFolder:
    """Prepare every photo of a folder; see photos.py for what `out` then holds.

    licences: table of licences, by default FOLDER/licences.csv; people_in_folders: each subfolder
    holds one person. Raises BadPhotoFolder, BadLicences.
    """
    table = LicenceTable(folder, licences)
    found = prepare_all(folder, out, progress)
    usable = [one for one in found if isinstance(one, Prepared)]
    report = [(one.name, "unusable", one.reason) for one in found if isinstance(one, Unusable)]
    kept, copies, alike = _sorted_out(usable, report)
    if not kept:
        raise BadPhotoFolder(f"no photo in {folder} has a usable face: {_first_reason(found)}")
    people = _people(kept, table, people_in_folders, alike)
    _write_metadata(out, kept, people, table)
    _write_landmarks(out, kept)
    _write_report(out / "report.csv", report)
    unnamed = [one.name for one in kept if not table.of(one.name).licence]
    blank = out / TABLE
    if unnamed:
        write_blank_table(blank, unnamed)
    else:
        blank.unlink(missing_ok=True)
    return PreparedFolder(
        portraits=len(kept),
        verified=sum(table.of(one.name).verified for one in kept),
        people=len(set(people)),
        copies=copies,
        unusable=len(found) - len(usable),
        alike=len(alike),
    )


def _sorted_out(
    usable: list[Prepared], report: list[tuple[str, str, str]]
) -> tuple[list[Prepared], int, list[tuple[int, int]]]:
    """Photos without copies, how many copies there were, and pairs of the rest that look alike.

    Of two copies the one with the larger face stays.
    """
    order = sorted(range(len(usable)), key=lambda k: (-usable[k].about["face_height_src_px"], usable[k].name))
    best = [usable[k] for k in order]
    pairs = near_pairs(np.array([one.embedding for one in best], np.float32).reshape(-1, 128), SAME_PERSON)
    dropped: set[int] = set()
    for i, j, distance in pairs:
        if i not in dropped and j not in dropped and is_copy(best[i].bits, best[j].bits, distance):
            dropped.add(j)
            report.append((best[j].name, "copy", f"of {best[i].name}"))
    places = {old: new for new, old in enumerate(k for k in range(len(best)) if k not in dropped)}
    alike = []
    for i, j, distance in pairs:
        if i in places and j in places:
            alike.append((places[i], places[j]))
            first, second = sorted((best[i].name, best[j].name))
            report.append((second, "alike", f"{first}, embedding distance {distance:.2f}"))
    return [best[k] for k in places], len(dropped), alike


def _people(
    kept: list[Prepared], table: LicenceTable, in_folders: bool, alike: list[tuple[int, int]]
) -> list[str]:
    """A key per photo: the table's, else of its subfolder, else one for photos that look alike."""
    joined = groups(len(kept), alike)
    keys = []
    for index, one in enumerate(kept):
        given = table.of(one.name).person_id
        inside = one.name.rpartition("/")[0]
        by_folder = f"folder-{_digest(inside)}" if in_folders and inside else ""
        keys.append(given or by_folder or f"photo-{kept[joined[index]].key}")
    return keys


def _write_metadata(out: Path, kept: list[Prepared], people: list[str], table: LicenceTable) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, [*HEAD, *(f"l{k}_{axis}" for k in range(68) for axis in "xy")])
    writer.writeheader()
    for one, person in zip(kept, people, strict=True):
        terms = table.of(one.name)
        row: dict[str, Any] = {
            "file": f"images/{one.key}.jpg",
            "person_id": person,
            "source": terms.source or "own",
            "source_file": one.name,
            "licence": terms.licence,
            "licence_verified": int(terms.verified),
            "attribution": terms.attribution,
            "synthetic": int(terms.synthetic),
        }
        row |= {name: round(one.about[name], 2) for name in ABOUT}
        points = one.points478[list(MESH68)]
        row |= {
            f"l{k}_{axis}": round(float(points[k, a]), 2) for k in range(68) for a, axis in enumerate("xy")
        }
        writer.writerow(row)
    save_bytes(out / "metadata.csv", text.getvalue().encode())


def _write_landmarks(out: Path, kept: list[Prepared]) -> None:
    stream = io.BytesIO()
    np.savez_compressed(
        stream,
        files=np.array([f"{one.key}.jpg" for one in kept]),
        landmarks478=np.stack([one.points478 for one in kept]),
        blendshapes=np.stack([one.blendshapes for one in kept]),
        blendshape_names=np.array(BLENDSHAPE_NAMES),
        head_pose=np.stack([one.pose for one in kept]).astype(np.float32),
        mp68=np.array(MESH68),
        dlib128=np.stack([one.embedding for one in kept]),
    )
    save_bytes(out / "landmarks.npz", stream.getvalue())


def _write_report(file: Path, report: list[tuple[str, str, str]]) -> None:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(("file", "what", "why"))
    writer.writerows(sorted(report))
    save_bytes(file, text.getvalue().encode())


def _first_reason(found: list[Found]) -> str:
    return next(one.reason for one in found if isinstance(one, Unusable))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
