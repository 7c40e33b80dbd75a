"""The picture of the README: statements, and the faces the shipped model makes of them.

Run: python docs/pictures/make_faces.py
"""

from __future__ import annotations

from pathlib import Path

from facegpt_model.morphable.base import load
from facegpt_model.rendering.still import contact_sheet, render_still
from facegpt_model.serving.in_process import InProcessBackend
from tools.unsaid import with_hair

STATEMENTS = (
    ("an old man with a hooked nose and a long beard", 25.0),
    ("a young woman with full lips and long curly hair", -20.0),
    ("a man of fifty with a broad nose, a moustache and glasses", 15.0),
    ("a woman with very dark skin, an afro and a smile", -25.0),
)


def main() -> None:
    """Write faces.jpg beside this file."""
    backend = InProcessBackend.load()
    head = load()
    pictures, labels = [], []
    for text, yaw in STATEMENTS:
        reply = backend.imagine(text)
        face, _ = with_hair(reply.faces[0], reply.text, head.layout)
        pictures.append(render_still(head, face.code, yaw_deg=yaw, size=360, background="studio"))
        labels.append(text)
    sheet = contact_sheet(pictures, len(pictures), labels)
    sheet.convert("RGB").save(Path(__file__).with_name("faces.jpg"), quality=88)


if __name__ == "__main__":
    main()
