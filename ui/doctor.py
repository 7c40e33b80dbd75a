"""What `facegpt doctor` looks at: Python, packages, machine, assets, checkpoint, shadowed names."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path
from typing import Literal

from packaging.requirements import Requirement

HOUSE = ("facegpt_model", "tools", "agent", "ui")
LEAST_PYTHON = (3, 11)
LEAST_MEMORY = 3e9  # bytes free for the embedded model and the renderer
LEAST_DISK = 0.5e9  # bytes free for assets


@dataclass(frozen=True)
class Finding:
    """One line of the report; "broken" means something will not work, "note" is only worth knowing."""

    name: str
    state: Literal["ok", "note", "broken"]
    text: str


def examine() -> list[Finding]:
    """All findings, the machine first."""
    checks: tuple[Callable[[], list[Finding]], ...] = (
        check_python,
        check_packages,
        check_machine,
        check_names,
        check_renderers,
        check_assets,
        check_checkpoint,
    )
    return [finding for check in checks for finding in check()]


def check_python() -> list[Finding]:
    """The interpreter's version."""
    wanted = ".".join(map(str, LEAST_PYTHON))
    fine = sys.version_info >= LEAST_PYTHON
    text = f"{platform.python_version()} at {sys.prefix}" + ("" if fine else f"; {wanted} or newer is needed")
    return [Finding("python", "ok" if fine else "broken", text)]


def check_packages(distribution: str = "facegpt") -> list[Finding]:
    """Each required package against the version asked for; optional extras as a note."""
    try:
        lines = metadata.requires(distribution) or []
    except metadata.PackageNotFoundError:
        return [Finding("packages", "broken", f"{distribution} is not installed; run: pip install -e .")]
    findings = []
    absent: dict[str, list[str]] = {}
    for requirement in map(Requirement, lines):
        extra = requirement.marker is not None and "extra" in str(requirement.marker)
        problem = package_problem(requirement)
        if not problem:
            if not extra:
                findings.append(Finding(requirement.name, "ok", metadata.version(requirement.name)))
        elif extra:
            group = str(requirement.marker).partition("extra == ")[2].strip("\"'")
            absent.setdefault(group, []).append(requirement.name)
        else:
            findings.append(Finding(requirement.name, "broken", problem))
    for group, names in absent.items():
        findings.append(
            Finding(f"extra {group}", "note", f"not complete, {', '.join(names)} missing (optional)")
        )
    return findings


def package_problem(requirement: Requirement) -> str:
    """What is wrong with an installed package, empty if it is as required."""
    try:
        version = metadata.version(requirement.name)
    except metadata.PackageNotFoundError:
        return f"not installed; {requirement} is needed"
    fine = requirement.specifier.contains(version, prereleases=True)
    return "" if fine else f"{version} is installed; {requirement.specifier} is needed"


def check_machine() -> list[Finding]:
    """Threads, memory and disk."""
    threads = os.environ.get("OMP_NUM_THREADS", "?")
    free = _available_memory()
    disk = shutil.disk_usage(Path.home()).free
    return [
        Finding(
            "threads", "ok", f"{threads} used of {os.cpu_count()}; change with --threads or FACEGPT_THREADS"
        ),
        Finding(
            "memory", "ok" if free >= LEAST_MEMORY else "note", f"{free / 1e9:.1f} GB free, about 2 GB needed"
        ),
        Finding(
            "disk", "ok" if disk >= LEAST_DISK else "note", f"{disk / 1e9:.1f} GB free in the home folder"
        ),
    ]


def check_names(root: Path | None = None) -> list[Finding]:
    """Whether the four packages that get imported are the ones of this house."""
    root = root or Path(__file__).resolve().parents[1]
    findings = []
    for name in HOUSE:
        spec = util.find_spec(name)
        places = list(spec.submodule_search_locations or []) if spec else []
        here = bool(places) and Path(places[0]).resolve() == root / name
        other = places[0] if places else "nothing"
        if not here:
            text = f"import {name} finds {other}; install facegpt in an environment of its own"
            findings.append(Finding(f"package {name}", "broken", text))
    return findings or [Finding("package names", "ok", f"{', '.join(HOUSE)} come from {root}")]


def check_renderers() -> list[Finding]:
    """Optional renderers: whether they can be imported beside the installed torch."""
    from facegpt_model.rendering import torch3d

    try:
        version = torch3d.require_pytorch3d().__version__
    except torch3d.Pytorch3dMissing as error:
        return [Finding("pytorch3d", "note", f"{error} (optional)")]
    return [Finding("pytorch3d", "ok", str(version))]


def check_assets() -> list[Finding]:
    """The files taken from registry packages; those only builders need are a note."""
    from facegpt_model import assets

    findings = []
    for status in assets.status():
        needed = status.spec.group == "run"
        state: Literal["ok", "note", "broken"] = "broken" if needed else "note"
        if status.state == "ready":
            findings.append(Finding(f"asset {status.name}", "ok", str(status.path)))
        elif needed or status.state == "corrupt":
            findings.append(Finding(f"asset {status.name}", state, status.problem))
    return findings


def check_checkpoint() -> list[Finding]:
    """The embedded model's own weights."""
    try:
        from facegpt_model.assets import AssetError
        from facegpt_model.serving.backend import BackendError
        from facegpt_model.serving.in_process import InProcessBackend
    except ImportError as error:
        return [Finding("checkpoint", "broken", f"the model cannot be imported: {error}")]
    try:
        backend = InProcessBackend.load()
    except (AssetError, BackendError, OSError) as error:
        return [Finding("checkpoint", "broken", str(error))]
    silent = backend.gpt.silent_axes
    if silent:
        text = (
            f"{backend.name}; words do not reach {len(silent)} sliders yet, such as {', '.join(silent[:3])}"
        )
        return [Finding("checkpoint", "note", text)]
    return [Finding("checkpoint", "ok", backend.name)]


def _available_memory() -> float:
    """Bytes a new process can have; infinite where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return float("inf")
    kilobytes = next((line.split()[1] for line in lines if line.startswith("MemAvailable")), None)
    return float(kilobytes) * 1024 if kilobytes else float("inf")
