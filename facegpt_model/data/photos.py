"""Any folder of photos made into portraits to train on: `facegpt data prepare`.

Each photo with a usable face becomes a 256-pixel crop, 1.55 times its landmark box and not
turned, with 478 landmarks, blendshapes, pose, an identity embedding and a person mask. OUT
then holds what fitting/portraits.py reads, and more:

    images/KEY.jpg, masks/KEY.png   crops and 8-bit person masks
    metadata.csv                    a row per crop: licence, pose in degrees, sharpness, 68 points
    landmarks.npz                   files, landmarks478 (N, 478, 3) crop pixels, blendshapes,
                                    blendshape_names, head_pose (N, 4, 4) head to camera in mm, dlib128
    report.csv                      every photo that was left out or looks like another, and why
    licences.csv                    rows to fill, for photos that no table of licences names
    kept/KEY.npz, kept/KEY.json     finished photos: a stopped run goes on from them

KEY is the first 16 digits of the file's sha256, so that no name of a person gets into the
crops. All numbers are of the crop unless said otherwise.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from facegpt_model.data.duplicates import picture_hash
from facegpt_model.fitting.landmark_fit import Camera
from facegpt_model.fitting.photo import fit_observation
from facegpt_model.mesh import save_bytes
from facegpt_model.morphable.base import load
from facegpt_model.morphable.openhead import OpenHead
from facegpt_model.perception.analyse import FaceObservation, NoFace, analyse
from facegpt_model.perception.identity import load_identity_net
from facegpt_model.perception.person_mask import person_mask
from facegpt_model.perception.photos import PhotoError, load_photo, photo_tensor

CROP_SIZE = 256
CROP_SHARE = 1.55  # side of the crop over the longer side of the landmark box
JPEG_QUALITY = 90
LEAST_FACE = 56.0  # pixels of the landmark box's height in the photo
MOST_YAW = 75.0  # degrees; beyond it the landmarks are guesses
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
KEPT = "kept"


class BadPhotoFolder(ValueError):
    """A folder that cannot be prepared."""


@dataclass(frozen=True)
class Prepared:
    """One finished photo; numbers of the crop.

    key: of the file's bytes; name: its path inside the folder; points478: (478, 3) pixels
    blendshapes: (52,); embedding: (128,); pose: (4, 4) head to camera, mm; bits: picture_hash
    about: photo's size, face height in it, angles in degrees, sharpness, faces seen
    """

    key: str
    name: str
    points478: NDArray[np.float32]
    blendshapes: NDArray[np.float32]
    embedding: NDArray[np.float32]
    pose: NDArray[np.float64]
    bits: int
    about: dict[str, float]


@dataclass(frozen=True)
class Unusable:
    """A photo that cannot be trained on, and why."""

    key: str
    name: str
    reason: str


Found = Prepared | Unusable


def photos_of(folder: Path) -> list[Path]:
    """All pictures in a folder and its subfolders in order of path; raises BadPhotoFolder if none."""
    if not folder.is_dir():
        raise BadPhotoFolder(f"there is no folder {folder}")
    found = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
    if not found:
        raise BadPhotoFolder(f"there is no picture in {folder}; pictures end in {', '.join(SUFFIXES)}")
    return found


def prepare_all(
    folder: Path, out: Path, progress: Callable[[str, float], None] = lambda doing, share: None
) -> list[Found]:
    """Prepare every photo once; those finished in an earlier run are read back.

    Raises BadPhotoFolder when there is no picture or `out` lies inside `folder`.
    """
    if out.resolve().is_relative_to(folder.resolve()):
        raise BadPhotoFolder(f"{out} lies inside {folder}; the crops would be read as photos next time")
    paths = photos_of(folder)
    for name in (KEPT, "images", "masks"):
        (out / name).mkdir(parents=True, exist_ok=True)
    found = []
    for index, path in enumerate(paths):
        progress(f"looking at {len(paths)} photos", index / len(paths))
        name = path.relative_to(folder).as_posix()
        key = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
        done = _read_back(out, key, name)
        found.append(done if done is not None else _prepare(path, out, key, name))
    progress(f"looking at {len(paths)} photos", 1.0)
    return found


def _prepare(path: Path, out: Path, key: str, name: str) -> Found:
    """Cut, look and keep; the record is written last, so that a kill leaves nothing half."""
    try:
        photo = load_photo(path)
        faces = analyse(photo, path.name)
    except (PhotoError, NoFace) as error:
        return _refuse(out, key, name, str(error))
    face = faces[0]
    height = face.box[3] - face.box[1]
    if height < LEAST_FACE:
        return _refuse(out, key, name, f"the face is {height:.0f} pixels high; {LEAST_FACE:.0f} are needed")
    fit, error_percent = fit_observation(_head(), face, photo.size)
    angles = head_angles(fit.camera)
    if abs(angles[0]) > MOST_YAW:
        return _refuse(out, key, name, f"the head is turned by {abs(angles[0]):.0f} degrees")
    crop, points = cut_face(photo, face)
    tensor = photo_tensor(crop)[None]
    with torch.no_grad():
        embedding = load_identity_net().embed(tensor, torch.from_numpy(points)[None])[0].numpy()
    mask = np.round(person_mask(tensor)[0, 0].numpy() * 255).clip(0, 255).astype(np.uint8)
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = fit.camera.rotation, fit.camera.translation
    about = {
        "src_w": float(photo.width),
        "src_h": float(photo.height),
        "face_height_src_px": height,
        "yaw_deg": angles[0],
        "pitch_deg": angles[1],
        "roll_deg": angles[2],
        "sharpness": sharpness(crop),
        "faces_seen": float(len(faces)),
        "fit_percent": error_percent,
    }
    done = Prepared(key, name, points, face.blendshapes.numpy(), embedding, pose, picture_hash(crop), about)
    save_bytes(out / "images" / f"{key}.jpg", _encoded(crop, "JPEG", quality=JPEG_QUALITY))
    save_bytes(out / "masks" / f"{key}.png", _encoded(Image.fromarray(mask), "PNG"))
    _keep(out, done)
    return done


def cut_face(photo: Image.Image, face: FaceObservation) -> tuple[Image.Image, NDArray[np.float32]]:
    """The crop and the (478, 3) landmarks in it; outside the photo its border is continued."""
    left, top, right, bottom = face.box
    side = CROP_SHARE * max(right - left, bottom - top)
    corner = np.array([(left + right) / 2 - side / 2, (top + bottom) / 2 - side / 2])
    border = math.ceil(max(0.0, *(-corner), *(corner + side - photo.size))) + 1
    pixels = np.pad(np.asarray(photo.convert("RGB")), ((border, border), (border, border), (0, 0)), "edge")
    x, y = corner + border
    crop = Image.fromarray(pixels).resize(
        (CROP_SIZE, CROP_SIZE), Image.Resampling.LANCZOS, box=(x, y, x + side, y + side)
    )
    points = face.points478.double().numpy().copy()
    points[:, :2] -= corner
    return crop, (points * CROP_SIZE / side).astype(np.float32)


def head_angles(camera: Camera) -> tuple[float, float, float]:
    """Yaw (to the person's left), pitch (chin up), roll (clockwise on the screen) in degrees."""
    forward, up = camera.rotation[:, 2], camera.rotation[:, 1]
    yaw = math.degrees(math.atan2(forward[0], -forward[2]))
    pitch = math.degrees(math.asin(float(np.clip(-forward[1], -1, 1))))
    return yaw, pitch, math.degrees(math.atan2(up[0], -up[1]))


def sharpness(crop: Image.Image) -> float:
    """Variance of the Laplacian of the grey picture, 0..255 squared; low is blurred."""
    grey = np.asarray(crop.convert("L"), np.float64)
    inner = grey[1:-1, 1:-1]
    laplacian = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * inner
    return float(laplacian.var())


def _refuse(out: Path, key: str, name: str, reason: str) -> Unusable:
    record = json.dumps({"unusable": reason})
    save_bytes(out / KEPT / f"{key}.json", record.encode())
    return Unusable(key, name, reason)


def _keep(out: Path, done: Prepared) -> None:
    numbers = io.BytesIO()
    np.savez(
        numbers,
        points478=done.points478,
        blendshapes=done.blendshapes,
        embedding=done.embedding,
        pose=done.pose,
    )
    save_bytes(out / KEPT / f"{done.key}.npz", numbers.getvalue())
    record = json.dumps({"bits": done.bits, "about": done.about})
    save_bytes(out / KEPT / f"{done.key}.json", record.encode())


def _read_back(out: Path, key: str, name: str) -> Found | None:
    """What an earlier run found for a file with these bytes, None if it did not finish it."""
    record, numbers = out / KEPT / f"{key}.json", out / KEPT / f"{key}.npz"
    if not record.is_file():
        return None
    known = json.loads(record.read_text(encoding="utf-8"))
    if "unusable" in known:
        return Unusable(key, name, known["unusable"])
    if not all(p.is_file() for p in (numbers, out / "images" / f"{key}.jpg", out / "masks" / f"{key}.png")):
        return None
    with np.load(numbers, allow_pickle=False) as arrays:
        stored = {part: arrays[part] for part in arrays.files}
    return Prepared(key, name, bits=known["bits"], about=known["about"], **stored)


def _encoded(picture: Image.Image, kind: str, **options: int) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def _head() -> OpenHead:
    head = load()
    if not isinstance(head, OpenHead):
        raise TypeError("poses are fitted with openhead@2 only")
    return head
