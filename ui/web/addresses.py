"""Addresses of what the server gives beside the pages, and the tickets that open them.

With a shared secret set, an address of a face carries a ticket made from it, so that only pages
that were let in can name one.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from urllib.parse import quote

PREFIX = "facegpt"
VIEWER = f"{PREFIX}/viewer.js"
SECRET_VARIABLE = "FACEGPT_UI_SECRET"


def mesh(thread: str, handle: str) -> str:
    """Address of a face's .glb with all sliders of its shape, relative to the page."""
    address = f"{PREFIX}/faces/{quote(thread)}/{handle}.glb"
    return f"{address}?ticket={ticket(thread, handle)}" if secret() else address


def secret() -> str:
    """The shared secret, "" if everybody who reaches the server may use it."""
    return os.environ.get(SECRET_VARIABLE, "")


def ticket(thread: str, handle: str) -> str:
    """What opens one face's address."""
    return hmac.new(secret().encode(), f"{thread}/{handle}".encode(), hashlib.sha256).hexdigest()[:32]


def opens(given: str, thread: str, handle: str) -> bool:
    """Whether a ticket opens this face, or none is needed."""
    return not secret() or hmac.compare_digest(given, ticket(thread, handle))
