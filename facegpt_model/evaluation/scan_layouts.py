"""Scans that the user has, in three layouts; nothing here can be downloaded by us.

own    FOLDER/NAME.obj with NAME.jpg or .png and NAME.txt: 7 or 68 rows of x y z, mm
now    the NoW benchmark (RingNet, Max Planck Institute): image_paths.txt or
       imagepathsvalidation.txt, iphone_pictures/SUBJECT/CHALLENGE/IMAGE.jpg,
       scans/SUBJECT/*.obj, scans_lmks_onlypp/SUBJECT/*.pp; for the test set, no scans
realy  the REALY benchmark (LYHM scans): images/ID*.jpg, REALY_scan_region/ID/{nose, mouth,
       forehead, cheek}.obj, REALY_HIFI3D_keypoints/ID.obj, metrical_scale.txt (row ID: mm per unit)

The seven landmarks are iBUG 36, 39, 42, 45 (eye corners), 33 (below the nose), 48, 54 (mouth
corners). NoW measures within a sphere about the face, REALY region by region.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facegpt_model.evaluation.surfaces import Array
from facegpt_model.morphable.catalogue import BadModel
from facegpt_model.morphable.obj_files import read_vertices

SEVEN = (36, 39, 42, 45, 33, 48, 54)
REALY_REGIONS = ("nose", "mouth", "forehead", "cheek")
PICTURES = (".jpg", ".jpeg", ".png")
NOW_LISTS = ("image_paths.txt", "imagepathsvalidation.txt", "imagepathstest.txt")
NOW_LANDMARKS = ("scans_lmks_onlypp", "scans_lmks")
NOW_UP, NOW_RADIUS = 0.3, 0.7  # from below the nose towards the bridge; of eye width plus nose length


class BadScans(ValueError):
    """A folder of scans that does not have the layout it should."""


@dataclass(frozen=True)
class ScanCase:
    """One photo and, where there is one, the scan of the person.

    name: path without suffix that predictions are written to; points: what is measured, (N, 3) in
    the scan's unit, each set aligned anew; landmarks: (7, 3); both empty without a scan
    mm: millimetres per unit
    """

    name: str
    photo: Path
    points: dict[str, Array]
    landmarks: Array
    mm: float = 1.0


def read_scans(folder: Path, layout: str) -> list[ScanCase]:
    """All cases in order of name. Raises BadScans for an unknown layout and for what is missing."""
    if layout not in LAYOUTS:
        raise BadScans(f"no layout of scans called {layout!r}; known: {', '.join(LAYOUTS)}")
    if not folder.is_dir():
        raise BadScans(f"there is no folder {folder}")
    try:
        cases = LAYOUTS[layout](folder)
    except BadModel as error:
        raise BadScans(str(error)) from error
    if not cases:
        raise BadScans(f"{folder} holds no case in the layout {layout!r}")
    return cases


def face_of_scan(vertices: Array, landmarks: Array) -> Array:
    """The vertices near the face, by NoW's sphere about a point above the base of the nose."""
    bridge, base = (landmarks[1] + landmarks[2]) / 2, landmarks[4]
    centre = base + NOW_UP * (bridge - base)
    width = np.linalg.norm(landmarks[0] - landmarks[3]) + np.linalg.norm(bridge - base)
    inside = np.linalg.norm(vertices - centre, axis=1) <= NOW_RADIUS * width
    if not inside.any():
        raise BadScans("a scan has no vertex near its landmarks; are both in one frame and unit?")
    return np.asarray(vertices[inside])


def _own(folder: Path) -> list[ScanCase]:
    cases = []
    for scan in sorted(folder.glob("*.obj")):
        marks, photo = scan.with_suffix(".txt"), _picture(scan)
        if not marks.is_file() or photo is None:
            missing = marks.name if not marks.is_file() else f"{scan.stem}.jpg"
            raise BadScans(f"{scan.name} lacks {missing} beside it")
        points = _numbers(marks)
        if points.shape not in ((7, 3), (68, 3)):
            raise BadScans(f"{marks} must hold 7 or 68 rows of x y z, not {points.shape}")
        seven = points if len(points) == 7 else points[list(SEVEN)]
        face = face_of_scan(read_vertices(scan).astype(np.float64), seven)
        cases.append(ScanCase(scan.stem, photo, {"face": face}, seven))
    return cases


def _now(folder: Path) -> list[ScanCase]:
    listed = next((folder / name for name in NOW_LISTS if (folder / name).is_file()), None)
    if listed is None:
        raise BadScans(f"{folder} holds none of {', '.join(NOW_LISTS)}")
    pictures = next(
        (
            p
            for p in (folder / "final_release_version" / "iphone_pictures", folder / "iphone_pictures")
            if p.is_dir()
        ),
        folder,
    )
    scans: dict[str, tuple[dict[str, Array], Array]] = {}
    cases = []
    for line in listed.read_text(encoding="utf-8").split():
        parts = line.split("/")
        if len(parts) < 3:
            raise BadScans(f"{listed} must name SUBJECT/CHALLENGE/IMAGE, not {line!r}")
        subject, challenge, image = parts[-3:]
        photo = pictures / subject / challenge / image
        if not photo.is_file():
            raise BadScans(f"{photo} is missing, but {listed.name} names it")
        if subject not in scans:
            scans[subject] = _now_scan(folder, subject)
        points, seven = scans[subject]
        cases.append(ScanCase(f"{subject}/{challenge}/{Path(image).stem}", photo, points, seven))
    return cases


def _now_scan(folder: Path, subject: str) -> tuple[dict[str, Array], Array]:
    scan = next(iter(sorted((folder / "scans" / subject).glob("*.obj"))), None)
    picked = [p for name in NOW_LANDMARKS for p in sorted((folder / name / subject).glob("*.pp"))]
    if scan is None:
        return {}, np.zeros((0, 3))
    if not picked:
        raise BadScans(f"{scan} has no landmarks in {NOW_LANDMARKS[0]}/{subject}")
    seven = read_picked_points(picked[0])
    return {"face": face_of_scan(read_vertices(scan).astype(np.float64), seven)}, seven


def read_picked_points(file: Path) -> Array:
    """(7, 3) points of a MeshLab .pp file; raises BadScans unless there are seven."""
    rows = []
    for tag in re.findall(r"<point\b[^>]*>", file.read_text(encoding="utf-8", errors="replace")):
        values = dict(re.findall(r'\b([xyz])="([^"]+)"', tag))
        try:
            rows.append([float(values[axis]) for axis in "xyz"])
        except (KeyError, ValueError) as error:
            raise BadScans(f"{file} holds a point without three numbers") from error
    if len(rows) < 7:
        raise BadScans(f"{file} must hold seven points, not {len(rows)}")
    return np.array(rows[:7])


def _realy(folder: Path) -> list[ScanCase]:
    scales = _numbers(_needed(folder / "metrical_scale.txt")).ravel()
    pictures = folder / "images" if (folder / "images").is_dir() else folder
    cases = []
    for photo in sorted(p for p in pictures.iterdir() if p.suffix.lower() in PICTURES):
        number = re.match(r"\d+", photo.stem)
        if number is None:
            raise BadScans(f"{photo.name} must begin with the number of its person")
        person = int(number[0])
        if not 1 <= person <= len(scales):
            raise BadScans(f"metrical_scale.txt has {len(scales)} rows, none for person {person}")
        keypoints = read_vertices(_needed(folder / "REALY_HIFI3D_keypoints" / f"{person}.obj"))
        if len(keypoints) < 68:
            raise BadScans(f"the keypoints of person {person} must be 68 or more, not {len(keypoints)}")
        region = folder / "REALY_scan_region" / str(person)
        points = {
            name: read_vertices(_needed(region / f"{name}.obj")).astype(np.float64) for name in REALY_REGIONS
        }
        seven = keypoints[list(SEVEN)].astype(np.float64)
        cases.append(ScanCase(photo.stem, photo, points, seven, float(scales[person - 1])))
    return cases


LAYOUTS: dict[str, Callable[[Path], list[ScanCase]]] = {"own": _own, "now": _now, "realy": _realy}


def _picture(scan: Path) -> Path | None:
    return next((p for end in PICTURES if (p := scan.with_suffix(end)).is_file()), None)


def _needed(file: Path) -> Path:
    if not file.is_file():
        raise BadScans(f"{file} is missing")
    return file


def _numbers(file: Path) -> Array:
    try:
        return np.atleast_2d(np.loadtxt(file, dtype=np.float64))
    except ValueError as error:
        raise BadScans(f"{file} must hold numbers only: {error}") from error
