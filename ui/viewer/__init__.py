"""The 3D viewer that runs in a browser: three.js and our own few modules in one bundle.

The bundle is an ES module. It exports `mount(container, source, options)` for any page, and by
default a component for st.components.v2. It asks the network for nothing.
"""

from __future__ import annotations

import hashlib
from importlib import resources

SOURCES = ("component.js", "face.js", "lamps.js", "source.js", "viewer.js")


def bundle() -> str:
    """The text of the JavaScript module."""
    return resources.files("ui.viewer").joinpath("facegpt-viewer.js").read_text("utf-8")


def fingerprint() -> str:
    """Sixteen hex digits of what the bundle is built from; its first line holds them too."""
    folder = resources.files("ui.viewer")
    digest = hashlib.sha256()
    for name in (*(f"src/{source}" for source in SOURCES), "package-lock.json"):
        digest.update(folder.joinpath(name).read_bytes())
    return digest.hexdigest()[:16]
