"""Ways into a face store: a folder of its own, a server that several share, or a rebuilt folder."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

from facegpt_model.assets import home
from tools.errors import ToolError
from tools.store.chroma import BATCH, PREFIX, WHOLE, Collections, embedded_client, server_client, stamp_of
from tools.store.face_store import EXACT_LIMIT, WRITING, FaceStore
from tools.store.lock import OwnerLock
from tools.store.records import FaceFacts, NewFace
from tools.store.vectors import calibrate, scale_of
from tools.studio import Studio
from tools.writing import ensure_folder

Report = Callable[[str], None]  # one sentence about something put right
SERVER_VARIABLE = "FACEGPT_STORE_URL"
CHROMA, SIDECAR, REBUILT = "chroma", "sidecar", "rebuilt"
SERVER_LOG = "server.log"  # Chroma tells of every request
MOST_COPIES = 64  # processes of one user that hold a copy of the same server's sidecar
# Runs Chroma's own server in a child process, as its console script does.
SERVER = "import sys; sys.argv[0] = 'chroma'; from chromadb.cli.cli import app; app()"


def open_store(
    folder: Path, studio: Studio, report: Report = lambda _: None, exact_limit: int = EXACT_LIMIT
) -> FaceStore:
    """The store of a folder, made if needed, for this process alone.

    report: told in one sentence each what a killed process left half done and was repaired.
    Raises ToolError if another process has it, or it holds faces of another head model.
    """
    folder = ensure_folder(Path(folder))
    calibration = calibrate(studio.head)
    with ExitStack() as failing:
        lock = OwnerLock(folder)
        failing.callback(lock.release)
        client = embedded_client(folder / CHROMA)
        failing.callback(client.close)
        collections = Collections(client, calibration)
        store = FaceStore(collections, folder / SIDECAR, calibration, lock, False, report, exact_limit)
        failing.pop_all()
    return store


def usual_store(studio: Studio, report: Report = lambda _: None) -> FaceStore:
    """The store that tools use when nobody names one: FACEGPT_STORE_URL's server, else the default folder."""
    url = os.environ.get(SERVER_VARIABLE)
    return connect(url, studio, report) if url else open_store(default_folder(), studio, report)


def connect(url: str, studio: Studio, report: Report = lambda _: None) -> FaceStore:
    """The store behind a server; its sidecar is copied into the user's cache and kept up to date.

    Raises ToolError if no server answers, or it holds faces of another head model.
    """
    calibration = calibrate(studio.head)
    with ExitStack() as failing:
        client = server_client(url)
        failing.callback(client.close)
        collections = Collections(client, calibration)
        key = hashlib.sha256(f"{url} {collections.key}".encode()).hexdigest()[:12]
        folder, lock = _cache(home() / "store-cache", key)
        failing.callback(lock.release)
        store = FaceStore(collections, folder / SIDECAR, calibration, lock, True, report)
        failing.pop_all()
    return store


def serve(folder: Path, host: str, port: int, started: Callable[[str], None]) -> int:
    """Let several processes share a folder by Chroma's server, until it is stopped; its exit code.

    started: told the address once the server answers. Raises ToolError if another process has the
    folder. The server has no passwords: whoever reaches the address can read and delete. Main thread only.
    """
    folder = ensure_folder(Path(folder))
    lock = OwnerLock(folder)
    try:
        ensure_folder(folder / SIDECAR).joinpath(WRITING).touch()  # others write now: compare ids next time
        command = [sys.executable, "-c", SERVER, "run", "--path", str(folder / CHROMA)]
        command += ["--host", host, "--port", str(port)]
        with (folder / SERVER_LOG).open("wb") as log:
            quiet = {**os.environ, "ANONYMIZED_TELEMETRY": "False"}
            child = subprocess.Popen(command, env=quiet, stdout=log, stderr=subprocess.STDOUT)
        before = signal.signal(
            signal.SIGTERM, signal.default_int_handler
        )  # stopped either way, end the server
        address = f"http://{host}:{port}"
        try:
            if _answers(address, child):
                lock.tell(address)
                started(address)
            return child.wait()
        except KeyboardInterrupt:
            return 0
        finally:
            signal.signal(signal.SIGTERM, before)
            child.terminate()
            child.wait()
    finally:
        lock.release()


def _answers(address: str, child: subprocess.Popen[bytes]) -> bool:
    """Wait until the server answers; False if it ended before."""
    while child.poll() is None:
        with suppress(ToolError):
            server_client(address).close()
            return True
        time.sleep(0.1)
    return False


def rebuild(folder: Path, studio: Studio) -> int:
    """Make all vectors of a folder again with today's calibration; returns how many faces it holds.

    The old files stay until the new ones are complete. Raises ToolError if there is no store,
    another process has it, or its faces belong to another head model.
    """
    folder = Path(folder)
    if not (folder / CHROMA).is_dir():
        raise ToolError(f"there is no face store in {folder}")
    calibration = calibrate(studio.head)
    lock = OwnerLock(folder)
    try:
        client = embedded_client(folder / CHROMA)
        stamp = stamp_of(client)
        if stamp is None:
            raise ToolError(f"there is no face store in {folder}")
        collection = client.get_collection(PREFIX + WHOLE, embedding_function=None)
        if stamp.get("basis") != calibration.layout.basis:
            raise ToolError(
                f"this face store holds faces of {stamp.get('basis')}, not of {calibration.layout.basis}"
            )
        scale = scale_of(str(stamp["scales"]))
        fresh = folder / REBUILT
        shutil.rmtree(fresh, ignore_errors=True)
        with open_store(fresh, studio) as store:
            ids = list(collection.get(include=[])["ids"])
            for start in range(0, len(ids), BATCH):
                rows = collection.get(ids=ids[start : start + BATCH], include=["embeddings", "metadatas"])
                codes = calibration.unscaled(rows["embeddings"], scale)
                facts = [FaceFacts.of(fields or {}) for fields in rows["metadatas"]]
                store.add([NewFace(codes[index], fact) for index, fact in enumerate(facts)])
            count = len(store)
        client.close()
        old = folder / f"old-{CHROMA}"
        shutil.rmtree(folder / SIDECAR, ignore_errors=True)  # first: it can always be made from Chroma
        shutil.rmtree(old, ignore_errors=True)
        (folder / CHROMA).rename(old)
        (fresh / CHROMA).rename(folder / CHROMA)
        (fresh / SIDECAR).rename(folder / SIDECAR)
        shutil.rmtree(old, ignore_errors=True)
        shutil.rmtree(fresh, ignore_errors=True)
        return count
    finally:
        lock.release()


def default_folder() -> Path:
    """FACEGPT_STORE, or "store" beside the assets."""
    chosen = os.environ.get("FACEGPT_STORE")
    return Path(chosen).expanduser() if chosen else home() / "store"


def _cache(folder: Path, key: str) -> tuple[Path, OwnerLock]:
    """The first copy of a server's sidecar that no other process is using."""
    for number in range(1, MOST_COPIES + 1):
        place = ensure_folder(folder / f"{key}-{number}")
        with suppress(ToolError):
            return place, OwnerLock(place)
    raise ToolError(f"{MOST_COPIES} processes hold a copy of this store in {folder}; close some")
