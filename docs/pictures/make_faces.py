"""The picture of the README: statements, and the faces the shipped model makes of them.

Run: python docs/pictures/make_faces.py
"""

from __future__ import annotations

from pathlib import Path

from facegpt_model.morphable.base import load
from facegpt_model.rendering.still import contact_sheet, render_still
from facegpt_model.serving.in_process import InProcessBackend

STATEMENTS = (
    ("an old man with a hooked nose and thin lips", 25.0),
    ("a young woman with East Asian features and full lips", -20.0),
    ("a heavy man of fifty, broad nose, ruddy complexion, smiling", 15.0),
    ("a Black woman with high cheekbones and a wide smile", -25.0),
)


def main() -> None:
    """Write faces.jpg beside this file."""
    backend = InProcessBackend.load()
    head = load("openhead@2")
    pictures, labels = [], []
    for text, yaw in STATEMENTS:
        reply = backend.imagine(text)
        pictures.append(render_still(head, reply.faces[0].code, yaw_deg=yaw, size=360, background="studio"))
        labels.append(text)
    sheet = contact_sheet(pictures, len(pictures), labels)
    sheet.convert("RGB").save(Path(__file__).with_name("faces.jpg"), quality=88)


if __name__ == "__main__":
    main()
