"""The gallery through the registry of tools: the chat, MCP and pages open the store the user chose."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from agent.registry import Services, tool_named
from facegpt_model.face import FaceEstimate
from tools.errors import ToolError
from tools.store.face_store import FaceStore
from tools.store.opening import open_store
from tools.store.records import NewFace
from tools.studio import open_studio
from tools.workspace import Workspace

pytestmark = pytest.mark.usefixtures("numbers_only")


def test_retrieve_and_bring_use_the_chosen_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, new_face: Callable[..., NewFace]
) -> None:
    monkeypatch.setattr("tools.store.thumbnails.SIDE", 32)
    monkeypatch.setenv("FACEGPT_STORE", str(tmp_path / "mine"))
    monkeypatch.delenv("FACEGPT_STORE_URL", raising=False)
    with open_store(tmp_path / "mine", open_studio()) as store:
        (stored,) = store.add([new_face(3)]).ids
    workspace = Workspace(tmp_path / "case")
    workspace.add(FaceEstimate(new_face(3).code, None, "photo:abc", "fit@1"), made_by={}, speculative=False)
    services = Services(workspace, None)  # type: ignore[arg-type]
    found = tool_named("retrieve").run({"count": 1}, services, lambda doing, share: None)
    assert stored in found.text
    brought = tool_named("bring").run({"id": stored}, services, lambda doing, share: None)
    assert brought.faces == ("face-2",)


def test_a_server_that_does_not_answer_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: FaceStore
) -> None:
    monkeypatch.setenv("FACEGPT_STORE_URL", "http://127.0.0.1:9")
    services = Services(Workspace(tmp_path / "case"), None)  # type: ignore[arg-type]
    with pytest.raises(ToolError, match=r"127\.0\.0\.1:9"):
        tool_named("bring").run({"id": "f0123456789abcdef"}, services, lambda doing, share: None)
