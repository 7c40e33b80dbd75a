"""The workspace of one case: its faces by handle, their lineage, undo, photos and journal.

A workspace is a folder. Faces are face-1, face-2 ... and never change or vanish: an edit
makes a new one, undo only moves "the current face" back. All of that can be read from
the files and the journal, so opening the folder again continues where it stopped.

The journal line of a face holds its numbers, their digest, the request that made it, seed,
model, basis, slider directions and digests of the files written: enough to make it again
from the journal alone (replay.py) and to see any change of the files (case.py).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

from facegpt_model import layout
from facegpt_model.face import FaceEstimate
from tools.digests import code_digest, code_numbers, file_digest, slider_digest, version
from tools.errors import ToolError
from tools.face_files import Face, read_face, skin_file, write_face
from tools.history import History
from tools.journal import Journal
from tools.studio import Studio, open_studio
from tools.writing import ensure_folder, exclusive, write_through

FACE_FILE = re.compile(r"^face-([1-9]\d*)\.json$")
NAME_LETTERS = 80  # of a photo's name


def plain_name(name: str) -> str:
    """A file's name as models may read it: letters, digits, blanks and . ( ) - only, cut to NAME_LETTERS."""
    return re.sub(r"[^\w .()-]", "_", name)[-NAME_LETTERS:]


class Workspace:
    """Handles on the faces of one folder; one person's case, safe against a second process."""

    def __init__(self, folder: Path, studio: Studio | None = None) -> None:
        """Open the folder, made if needed; ToolError if it cannot be written or its journal is damaged."""
        self.folder = ensure_folder(Path(folder))
        self.journal = Journal(self.folder / "journal.jsonl")
        self._studio = studio
        self._faces: dict[str, Face] = {}
        self._given: dict[str, str] = {}
        self._history = History.replay(self.journal.entries(), self.handles)
        if not self.journal.path.exists():
            self.journal.append("opened", {"faces": list(self.handles), "facegpt": version()})

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
    def witness(self) -> bool:
        """Whether this is the case of a witness: every picture of a speculative face is marked so."""
        return self._history.witness

    def begin_witness(self) -> None:
        """Make this a witness's case from now on; ToolError if faces were made in it before."""
        if self.witness:
            return
        if self.handles:
            raise ToolError(
                f"{self.folder} holds faces made before; begin an interview in a folder of its own"
            )
        self._history.witness = True
        self.journal.append("witness", {"marked": True})

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
        marked: bool = False,
    ) -> Face:
        """Make a face of the one face of `estimate`, write its files and make it current.

        Its numbers are taken as its file holds them, so that a face read again is the same. Pictures
        are marked if asked for, in a witness's case, and if the parent's are.
        """
        self.studio.require_basis(estimate.code, "the face")
        detail = estimate.code.detail
        estimate = layout.from_record(layout.to_record(estimate))
        estimate = replace(estimate, code=replace(estimate.code, detail=detail))
        words = self.studio.words(estimate.code)
        marked = marked or (speculative and self.witness) or bool(parent and self.face(parent).marked)
        draft = Face("", estimate, parent, made_by, speculative, words, marked)
        with exclusive(self.folder):
            face = replace(draft, handle=f"face-{self._next_number()}")
            write_face(self.folder, face, self.studio)
        self._faces[face.handle] = face
        self._history.made(face.handle)
        self.wrote(
            "face",
            {
                "handle": face.handle,
                "parent": parent,
                "speculative": speculative,
                "marked": marked,
                "model": estimate.model,
                "source": estimate.source,
                "seed": estimate.seed,
                "basis": estimate.code.basis,
                "sliders": slider_digest(self.studio),
                "made_by": made_by,
                "code": code_digest(estimate),
                "numbers": code_numbers(estimate),
            },
            (*self.files(face.handle), skin_file(face.handle)),
        )
        return face

    def wrote(self, event: str, data: dict[str, Any], names: Iterable[str]) -> None:
        """Note in the journal that these files of the folder were written, with their digests."""
        there = (self.folder / name for name in names)
        files = {path.name: file_digest(path) for path in there if path.is_file()}
        self.journal.append(event, {**data, "files": files})

    def _next_number(self) -> int:
        """A number no face has or had: handles of deleted faces are not given again."""
        return 1 + max((int(handle.removeprefix("face-")) for handle in self._ever()), default=0)

    def _ever(self) -> set[str]:
        return {*self.handles, *self._history.line, *self._history.beside, *self._history.gone}

    def files(self, handle: str) -> tuple[str, ...]:
        """Names of the files every face has."""
        return tuple(f"{handle}.{suffix}" for suffix in ("json", "png", self.studio.mesh_suffix))

    def bring(self, path: Path) -> Face:
        """The face of a JSON file: the one of this folder, or a copy of one from elsewhere."""
        face = read_face(path, self.studio)
        if path.resolve().parent == self.folder.resolve() and path.stem in self.handles:
            return self.face(path.stem)
        made_by = {"tool": "open", "file": path.name, "was": face.made_by}
        return self.add(face.estimate, made_by=made_by, speculative=face.speculative, marked=face.marked)

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

    def go_to(self, handle: str) -> str:
        """Make an earlier face current, so that what follows branches off there."""
        face = self.face(handle)
        self._history.made(face.handle)
        self.journal.append("go to", {"current": face.handle})
        return face.handle

    def one_step(self, handles: Sequence[str], current: str) -> str:
        """Let faces that one call has made be one step of undo, after which `current` is current."""
        face = self.face(current)
        self._history.one_step(handles, face.handle)
        self.journal.append("go to", {"current": face.handle, "together": list(handles)})
        return face.handle

    def delete(self, handle: str) -> tuple[str, ...]:
        """Take every file of a face away for good; returns their names. ToolError for an unknown face.

        The journal can only grow, so the line that tells how the face was made stays in it.
        """
        self.face(handle)
        with exclusive(self.folder):
            names = tuple(sorted(path.name for path in self.folder.glob(f"{handle}[.-]*") if path.is_file()))
            for name in names:
                (self.folder / name).unlink()
        self._faces.pop(handle, None)
        self._history.forget(handle)
        self.journal.append("deleted", {"handle": handle, "files": list(names)})
        return names

    def add_photo(self, path: Path, keep: Callable[[Path], object]) -> str:
        """Make a photo known as photo-N; `keep` writes the copy that stays in the folder.

        The journal holds the file's name and both digests, never the place it came from.
        """
        try:
            given = file_digest(path)
        except OSError as error:
            raise ToolError(
                f"cannot read the photo {path}: {(error.strerror or str(error)).lower()}"
            ) from error
        with exclusive(self.folder):
            taken = {kept.stem for kept in self.folder.glob("photo-*.*")} | set(self.photos)
            number = next(n for n in count(1) if f"photo-{n}" not in taken)
            handle = f"photo-{number}"
            kept = write_through(self.folder / f"{handle}.jpg", keep)
        name = plain_name(path.name)
        self._history.photos[handle] = name
        self._given[handle] = given
        self.wrote("photo", {"handle": handle, "name": name, "sha256": given}, (kept.name,))
        return handle

    def photo_name(self, handle: str = "") -> str:
        """What the file of a photo was called, the newest one's for ""."""
        return self._history.photos[self.photo(handle).stem]

    def photo_digest(self, handle: str) -> str:
        """sha256 of the file a photo was given as; "" when it was shown in an earlier session."""
        return self._given.get(handle, "")

    def photo(self, handle: str = "") -> Path:
        """Where a photo is, the newest for ""; ToolError naming the known ones."""
        known = self.photos
        if not known:
            raise ToolError("no photo has been shown yet; attach one first")
        wanted = handle or known[-1]
        if wanted not in known:
            raise ToolError(f"there is no photo called {wanted!r}; known photos: {', '.join(known)}")
        return self.folder.resolve() / f"{wanted}.jpg"
