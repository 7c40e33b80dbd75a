"""Small pictures of stored faces, drawn when first asked for and kept beside the store."""

from __future__ import annotations

from PIL import Image

from facegpt_model.morphable.base import MorphableModel
from facegpt_model.rendering.still import render_still
from tools.store.face_store import FaceStore
from tools.store.records import StoredFace
from tools.writing import ensure_folder, write_through

SIDE = 192  # pixels


def thumbnail(store: FaceStore, face: StoredFace, head: MorphableModel) -> Image.Image:
    """RGBA picture of SIDE pixels, transparent behind the head; the first time takes about a second."""
    path = store.thumbnail(face.id)
    if path.exists():
        try:
            with Image.open(path) as kept:
                return kept.convert("RGBA")
        except OSError:  # unreadable: draw it again
            path.unlink(missing_ok=True)
    picture = render_still(head, face.code, size=SIDE)
    ensure_folder(path.parent)
    write_through(path, picture.save)
    return picture
