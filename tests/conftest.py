"""Shared by the tests of tools, agent and ui: random faces, small pictures, a model that follows a script."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pytest
import torch

from facegpt_model import layout
from facegpt_model.face import FaceCode, FaceEstimate
from facegpt_model.serving.backend import ChatTurn, Reply, ToolCall, ToolSchema
from tools.face_files import Face, face_record
from tools.studio import Studio, open_studio
from tools.writing import write_text


class ScriptedBackend:
    """Gives prepared replies in order and remembers what it was asked; an exception is raised."""

    name = "scripted@1"

    def __init__(self, replies: Iterable[Reply | Exception]) -> None:
        self.replies = list(replies)
        self.asked: list[tuple[list[ChatTurn], list[ToolSchema], list[str]]] = []

    def chat(
        self,
        turns: Sequence[ChatTurn],
        tools: Sequence[ToolSchema],
        faces: Sequence[str] = (),
        on_text: Callable[[str], None] | None = None,
    ) -> Reply:
        self.asked.append((list(turns), list(tools), list(faces)))
        reply = self._next()
        for piece in reply.text.split(" "):
            if on_text and piece != "<FACE>":  # like the embedded model, which ends with it
                on_text(piece + " ")
        return reply

    def imagine(self, text: str) -> Reply:
        self.asked.append(([ChatTurn("user", text)], [], []))
        return self._next()

    def _next(self) -> Reply:
        reply = self.replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return reply


def random_estimate(seed: int = 0, source: str = "text:somebody") -> FaceEstimate:
    """A plausible face of openhead@2."""
    generator = torch.Generator().manual_seed(seed)
    code = FaceCode(
        identity=0.5 * torch.randn(1, 150, generator=generator),
        expression=torch.zeros(1, 52),
        albedo=0.3 * torch.randn(1, open_studio().head.layout.albedo, generator=generator),
        basis="openhead@2",
    )
    return FaceEstimate(code, None, source, "scripted@1")


@pytest.fixture
def estimate() -> Callable[..., FaceEstimate]:
    return random_estimate


@pytest.fixture
def scripted() -> type[ScriptedBackend]:
    return ScriptedBackend


@pytest.fixture
def call() -> Callable[..., ToolCall]:
    """call("edit", face="face-1", ...) with an empty id, as a careless backend might give."""
    return lambda name, **arguments: ToolCall("", name, arguments)


@pytest.fixture
def small_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Real pictures, but quick ones."""
    monkeypatch.setattr("tools.face_files.PICTURE_SIZE", 64)


@pytest.fixture
def numbers_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Faces get their real JSON but neither picture nor mesh, for tests that look at neither."""

    def write(folder: Path, face: Face, studio: Studio) -> None:
        write_text(folder / f"{face.handle}.json", layout.dumps(face_record(face, studio)))

    monkeypatch.setattr("tools.workspace.write_face", write)


@pytest.fixture
def case(tmp_path: Path) -> Path:
    """A folder for a workspace."""
    return tmp_path / "case"


@pytest.fixture(scope="session")
def ict_sample() -> Path:
    """The real ICT-FaceKit sample, beside the repository or in $FACEGPT_SHARED."""
    shared = Path(os.environ.get("FACEGPT_SHARED", Path(__file__).parents[2] / "shared"))
    folder = shared / "data" / "ict_facekit_sample"
    if not (folder / "FaceXModel" / "generic_neutral_mesh.obj").is_file():
        pytest.skip(f"no ICT-FaceKit sample in {folder}; set FACEGPT_SHARED to the folder that holds data/")
    return folder
