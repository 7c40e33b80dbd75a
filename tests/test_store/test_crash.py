"""Killed while importing, four times: every acknowledged face is there and all copies agree."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tools.store.chroma import WHOLE
from tools.store.face_store import FaceStore
from tools.store.opening import open_store
from tools.store.records import NewFace
from tools.store.regions import PARTS
from tools.store.sidecar import ROWS, VECTORS
from tools.studio import open_studio

Make = Callable[..., NewFace]
# One process that imports everything once; per line "SEED" on stdin it forks a writer, tells its
# pid, and waits for its end.
FORKER = """
import os, sys
from dataclasses import replace
from pathlib import Path
import torch
import chromadb
from tools.store.opening import open_store
from tools.store.records import FaceFacts, NewFace
from tools.studio import open_studio

studio = open_studio()
code = studio.axes.code({})
facts = FaceFacts("synthetic", "", "t@1", "man", 30.0, "neutral", True)

def write(seed):
    generator = torch.Generator().manual_seed(seed)
    print("pid", os.getpid(), flush=True)
    with open_store(Path(sys.argv[1]), studio) as store:
        while True:
            identity = torch.randn(25, 150, generator=generator)
            faces = [NewFace(replace(code, identity=row[None]), facts) for row in identity]
            for known in store.add(faces).ids:
                os.write(1, f"stored {known}\\n".encode())  # at once: a kill may come between two writes

for line in sys.stdin:
    writer = os.fork()
    if writer == 0:
        write(int(line))
    os.waitpid(writer, 0)
    print("ended", flush=True)
"""


def assert_all_copies_agree(store: FaceStore) -> None:
    truth = set(store._collections.ids())
    assert set(store.ids()) == truth
    for part in PARTS:
        assert set(store._collections.ids(part)) == truth, part
    assert len(store._sidecar.index.rows) == len(truth)


def test_kill_9_while_importing_loses_nothing_acknowledged(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    forker = subprocess.Popen(
        [sys.executable, "-c", FORKER, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    assert forker.stdin is not None and forker.stdout is not None
    acknowledged: list[str] = []
    batches = (30, 55, 90, 130)
    for seed, enough in enumerate(batches):
        forker.stdin.write(f"{seed}\n")
        forker.stdin.flush()
        writer = int(forker.stdout.readline().split()[1])
        for count, line in enumerate(forker.stdout, start=1):
            if line.strip() == "ended":
                break
            acknowledged.append(line.split()[1])
            if count == enough:
                time.sleep(0.004 * seed)  # somewhere else in the next batch each time
                os.kill(writer, signal.SIGKILL)
    forker.stdin.close()
    forker.wait()
    with open_store(tmp_path, open_studio()) as store:
        assert_all_copies_agree(store)
        assert len(acknowledged) >= sum(batches)
        for known in acknowledged:
            hit = store.query(store.get(known).code, 1)[0]
            assert hit.face.id == known and hit.distance == 0


@pytest.mark.parametrize(
    "damage", ["sidecar gone", "rows cut", "vectors cut", "part lost", "extra part", "extra row"]
)
def test_whatever_was_left_half_done_is_repaired_and_told(
    tmp_path: Path, damage: str, new_face: Make
) -> None:
    with open_store(tmp_path, open_studio()) as store:
        ids = store.add([new_face(index) for index in range(12)]).ids
        collections = store._collections
        if damage == "part lost":
            collections.delete("jaw", ids[:3])
        elif damage == "extra part":
            collections.delete(WHOLE, ids[:1])
            collections.add(WHOLE, ["f-new"], store._sidecar.index.rows[:1] + 1, [{"looks": "man"}])
        elif damage == "extra row":
            collections.delete(WHOLE, ids[:2])
    sidecar = tmp_path / "sidecar"
    if damage == "sidecar gone":
        (sidecar / ROWS).unlink()
    elif damage == "rows cut":
        content = (sidecar / ROWS).read_bytes()
        (sidecar / ROWS).write_bytes(content[: len(content) - 30])
    elif damage == "vectors cut":
        content = (sidecar / VECTORS).read_bytes()
        (sidecar / VECTORS).write_bytes(content[:-100])
    if damage == "extra part":
        (sidecar / "writing").touch()  # as a killed process leaves it: counts alone look right
    told: list[str] = []
    with open_store(tmp_path, open_studio(), told.append) as store:
        assert told and all(sentence.startswith("repaired the store:") for sentence in told)
        assert_all_copies_agree(store)
        assert len(store) == {"extra row": 10}.get(damage, 12)
        assert store.query(new_face(11).code, 1)[0].distance == 0
    again: list[str] = []
    open_store(tmp_path, open_studio(), again.append).close()
    assert not again


def test_rows_are_lines_of_json(tmp_path: Path, new_face: Make) -> None:
    with open_store(tmp_path, open_studio()) as store:
        known = store.add([new_face(0, "k-2", ("a", "b"))]).ids[0]
    line = json.loads((tmp_path / "sidecar" / ROWS).read_text().splitlines()[0])
    assert line["id"] == known and line["facts"]["tags"] == ["a", "b"]
