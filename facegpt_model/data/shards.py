"""Synthetic faces in tar files: written once, resumable, read in order.

shard-00000.tar holds about.json first, then NNNNNNNN.jpg and NNNNNNNN.npy of every picture. The .npy
is one float32 row; about.json names its parts and their lengths, the kind of each picture, the
seed and what was drawn. The same seed and settings give the same bytes.
"""

from __future__ import annotations

import io
import json
import math
import multiprocessing
import os
import tarfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from facegpt_model.data.backdrops import read_backdrops
from facegpt_model.data.synthetic import SyntheticBlock, SyntheticConfig, SyntheticFaces
from facegpt_model.face import FaceCode, View
from facegpt_model.morphable.base import load
from facegpt_model.morphable.openhead import OpenHead

FORMAT = 1
SHARD_BLOCKS = 8
POSES = "photo_poses.npz"
Progress = Callable[[str, float], None]


class BadShards(ValueError):
    """A folder of synthetic faces that cannot be written or read."""


@dataclass(frozen=True)
class Order:
    """What to write: so many pictures with a seed and settings, on photographs of a folder or none."""

    count: int
    seed: int
    config: SyntheticConfig
    photos: Path | None = None
    unverified: bool = False


def write_shards(order: Order, out: Path, workers: int = 1, progress: Progress | None = None) -> list[Path]:
    """The tar files, those already there kept; a killed run is continued by the same call.

    `count` is rounded up to whole blocks. Raises BadShards when `out` holds shards of another
    order, BadPortraits or BadBackdrops for photos that cannot be used.
    """
    report = progress or _silent
    out.mkdir(parents=True, exist_ok=True)
    _claim(out, order)
    if order.photos is not None:
        head = _head()
        read_backdrops(order.photos, head, out / POSES, unverified=order.unverified, progress=report)
    blocks = math.ceil(order.count / order.config.block)
    tasks = [(first, min(SHARD_BLOCKS, blocks - first)) for first in range(0, blocks, SHARD_BLOCKS)]
    files = [out / f"shard-{first // SHARD_BLOCKS:05d}.tar" for first, _ in tasks]
    missing = [(file, *task) for file, task in zip(files, tasks, strict=True) if not file.is_file()]
    done = len(files) - len(missing)
    report("drawing faces", done / len(files))
    if workers <= 1 or len(missing) <= 1:
        for task in missing:
            _write(_supply(order, out), order, *task)
            done += 1
            report("drawing faces", done / len(files))
        return files
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        running = [pool.submit(_write_in_process, order, out, *task) for task in missing]
        for finished in as_completed(running):
            finished.result()
            done += 1
            report("drawing faces", done / len(files))
    return files


def read_shards(folder: Path) -> Iterator[SyntheticBlock]:
    """The contents of each tar file in turn; raises BadShards for a folder without any."""
    files = sorted(folder.glob("shard-*.tar"))
    if not files:
        raise BadShards(
            f"{folder} holds no shard-*.tar; make some with: facegpt data synthetic --out {folder}"
        )
    for file in files:
        yield read_shard(file)


def read_shard(file: Path) -> SyntheticBlock:
    """All pictures of one tar file; raises BadShards when it is damaged or of another format."""
    try:
        with tarfile.open(file) as archive:
            members = {m.name: archive.extractfile(m).read() for m in archive}  # type: ignore[union-attr]
        about = json.loads(members["about.json"])
        if about["format"] != FORMAT:
            raise BadShards(f"{file.name} has format {about['format']}; this version reads {FORMAT}")
        names = [f"{about['first'] + k:08d}" for k in range(len(about["kinds"]))]
        rows = torch.from_numpy(np.stack([np.load(io.BytesIO(members[f"{n}.npy"])) for n in names]))
        parts = dict(zip(about["parts"], rows.split(list(about["parts"].values()), dim=1), strict=True))
        jpegs = tuple(members[f"{n}.jpg"] for n in names)
    except (tarfile.TarError, KeyError, ValueError, OSError, RuntimeError) as error:
        if isinstance(error, BadShards):
            raise
        raise BadShards(f"{file} is not a whole shard of synthetic faces ({error})") from error
    side = int(about["order"]["config"]["size"])
    return SyntheticBlock(
        jpegs=jpegs,
        kinds=tuple(about["kinds"]),
        code=FaceCode(parts["identity"], parts["expression"], parts["albedo"], about["basis"]),
        view=View(
            rotation=parts["rotation"],
            translation=parts["translation"],
            focal=parts["focal"][:, 0],
            light=parts["light"].view(-1, 9, 3),
            image_size=(side, side),
        ),
        points478=parts["points478"].view(-1, 478, 2),
        person=parts["person"][:, 0].long(),
    )


def _write_in_process(order: Order, out: Path, file: Path, first: int, count: int) -> None:
    torch.set_num_threads(1)
    _write(_supply(order, out), order, file, first, count)


@lru_cache(maxsize=1)
def _supply(order: Order, out: Path) -> SyntheticFaces:
    head = _head()
    backdrops = None
    if order.photos is not None:
        backdrops = read_backdrops(order.photos, head, out / POSES, unverified=order.unverified)
    return SyntheticFaces(head, order.config, order.seed, backdrops)


def _head() -> OpenHead:
    head = load("openhead@2")
    if not isinstance(head, OpenHead):
        raise TypeError("synthetic faces are drawn with openhead@2")
    return head


def _claim(out: Path, order: Order) -> None:
    """Write order.json, or see that the one there is the same but for the count."""
    file = out / "order.json"
    wanted = _about(order)
    if file.is_file():
        found = json.loads(file.read_text())
        if {**found, "count": 0} != {**wanted, "count": 0}:
            raise BadShards(f"{out} holds faces made with other settings; give another --out or delete it")
    part = file.with_suffix(f".{os.getpid()}.part")
    part.write_text(json.dumps(wanted, indent=1) + "\n")
    os.replace(part, file)


def _about(order: Order) -> dict[str, object]:
    photos = None if order.photos is None else order.photos.name
    return {
        "count": order.count, "seed": order.seed, "config": order.config.model_dump(),
        "photos": photos, "unverified": order.unverified,
    }  # fmt: skip


def _write(faces: SyntheticFaces, order: Order, file: Path, first: int, count: int) -> None:
    drawn = [faces.block(number) for number in range(first, first + count)]
    parts: dict[str, int] = {}
    rows = []
    for block in drawn:
        columns = {
            "identity": block.code.identity, "expression": block.code.expression, "albedo": block.code.albedo,
            "rotation": block.view.rotation, "translation": block.view.translation,
            "focal": block.view.focal[:, None], "light": block.view.light.flatten(1),
            "points478": block.points478.flatten(1), "person": block.person[:, None].float(),
        }  # fmt: skip
        parts = {name: column.shape[1] for name, column in columns.items()}
        rows.append(torch.cat(list(columns.values()), dim=1).numpy())
    numbers = np.concatenate(rows)
    start = first * order.config.block
    about = {
        "format": FORMAT, "first": start, "basis": faces.head.basis, "parts": parts,
        "kinds": [kind for block in drawn for kind in block.kinds], "order": {**_about(order), "count": 0},
    }  # fmt: skip
    part = file.with_name(f"{file.name}.{os.getpid()}.part")
    with tarfile.open(part, "w") as archive:
        _add(archive, "about.json", json.dumps(about).encode())
        for k, picture in enumerate(jpeg for block in drawn for jpeg in block.jpegs):
            _add(archive, f"{start + k:08d}.jpg", picture)
            stream = io.BytesIO()
            np.save(stream, numbers[k])
            _add(archive, f"{start + k:08d}.npy", stream.getvalue())
    os.replace(part, file)


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    archive.addfile(entry, io.BytesIO(data))


def _silent(what: str, share: float) -> None:
    """Report nothing."""
