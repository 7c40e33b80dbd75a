"""The workspace of one case: its faces by handle, their lineage, undo, photos and journal.

A workspace is a folder. Faces are face-1, face-2 ... and never change or vanish: an edit
makes a new one, undo only moves "the current face" back. All of that can be read from
the files and the journal, so opening the folder again continues where it stopped.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from facegpt_model.face import FaceEstimate
from tools.errors import ToolError
from tools.face_files import Face, read_face, write_face
from tools.history import History
from tools.journal import Journal
from tools.studio import Studio, open_studio
from tools.writing import ensure_folder, exclusive

FACE_FILE = re.compile(r"^face-([1-9]\d*)\.json$")


class Workspace:
    """Handles on the faces of one folder; one person's case, safe against a second process."""

    def __init__(self, folder: Path, studio: Studio | None = None) -> None:
        """Open the folder, made if needed; ToolError if it cannot be written or its journal is damaged."""
        self.folder = ensure_folder(Path(folder))
        self.journal = Journal(self.folder / "journal.jsonl")
        self._studio = studio
        self._faces: dict[str, Face] = {}
        self._history = History.replay(self.journal.entries(), self.handles)
        if not self.journal.path.exists():
            self.journal.append("opened", {"faces": list(self.handles)})

    @property
    def studio(self) -> Studio:
        """The head model and its axes, loaded on first use."""
        self._studio = self._studio or open_studio()
        return self._studio

    @property
    def handles(self) -> tuple[str, ...]:
        """Handles of all faces, oldest first."""
        numbers = (FACE_FILE.match(path.name) for path in self.folder.iterdir())
        return tuple(f"face-{n}" for n in sorted(int(match.group(1)) for match in numbers if match))

    @property
    def current(self) -> str | None:
        """Handle of the face that "it" means now, or None before the first one."""
        return self._history.current

    @property
    def photos(self) -> tuple[str, ...]:
        """Handles of all photos shown so far, oldest first."""
        return tuple(self._history.photos)

    def face(self, handle: str = "") -> Face:
        """The face of a handle, the current one for ""; ToolError naming the known faces."""
        known = self.handles
        if not known:
            raise ToolError("there is no face yet; describe one in words or show a photo first")
        wanted = handle or self.current
        if not wanted:
            raise ToolError(f"all faces were undone; name the one you mean: {', '.join(known)}")
        if wanted not in known:
            raise ToolError(f"there is no face called {wanted!r}; known faces: {', '.join(known)}")
        if wanted not in self._faces:
            self._faces[wanted] = read_face(self.folder / f"{wanted}.json", self.studio)
        return self._faces[wanted]

    def add(
        self,
        estimate: FaceEstimate,
        made_by: dict[str, Any],
        parent: str | None = None,
        speculative: bool = True,
    ) -> Face:
        """Make a face of the one face of `estimate`, write its files and make it current."""
        self.studio.require_basis(estimate.code, "the face")
        words = self.studio.words(estimate.code)
        draft = Face("", estimate, parent, made_by, speculative, words)
        with exclusive(self.folder):
            handles = self.handles
            number = int(handles[-1].removeprefix("face-")) + 1 if handles else 1
            face = replace(draft, handle=f"face-{number}")
            write_face(self.folder, face, self.studio)
        self._faces[face.handle] = face
        self._history.made(face.handle)
        self.journal.append(
            "face",
            {
                "handle": face.handle,
                "parent": parent,
                "speculative": speculative,
                "model": estimate.model,
                "source": estimate.source,
                "made_by": made_by,
            },
        )
        return face

    def files(self, handle: str) -> tuple[str, ...]:
        """Names of the files every face has."""
        return tuple(f"{handle}.{suffix}" for suffix in ("json", "png", self.studio.mesh_suffix))

    def bring(self, path: Path) -> Face:
        """The face of a JSON file: the one of this folder, or a copy of one from elsewhere."""
        face = read_face(path, self.studio)
        if path.resolve().parent == self.folder.resolve() and path.stem in self.handles:
            return self.face(path.stem)
        made_by = {"tool": "open", "file": path.name}
        return self.add(face.estimate, made_by=made_by, speculative=face.speculative)

    def lineage(self, handle: str = "") -> tuple[str, ...]:
        """Handles from the first ancestor down to this face."""
        face = self.face(handle)
        line = [face.handle]
        while face.parent and face.parent in self.handles and face.parent not in line:
            face = self.face(face.parent)
            line.append(face.handle)
        return tuple(reversed(line))

    def undo(self) -> str | None:
        """Go back to the face that was current before; None if that was before the first face."""
        current = self._history.undo()
        self.journal.append("undo", {"current": current})
        return current

    def redo(self) -> str:
        """Take one undo back; returns the handle that is current again."""
        current = self._history.redo()
        self.journal.append("redo", {"current": current})
        return current

    def add_photo(self, path: Path) -> str:
        """Make a photo known as photo-N; only its place and digest are kept, not the picture."""
        try:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError as error:
            raise ToolError(
                f"cannot read the photo {path}: {(error.strerror or str(error)).lower()}"
            ) from error
        handle = f"photo-{len(self.photos) + 1}"
        place = str(path.resolve())
        self._history.photos[handle] = place
        self.journal.append("photo", {"handle": handle, "path": place, "sha256": digest})
        return handle

    def photo(self, handle: str = "") -> Path:
        """Where a photo is, the newest for ""; ToolError naming the known ones."""
        known = self.photos
        if not known:
            raise ToolError("no photo has been shown yet; attach one first")
        wanted = handle or known[-1]
        if wanted not in known:
            raise ToolError(f"there is no photo called {wanted!r}; known photos: {', '.join(known)}")
        return Path(self._history.photos[wanted])
