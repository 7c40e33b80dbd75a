"""Addresses of what the server gives beside the pages, and the tickets that open them.

Where a door is shut (door.py), an address of a face carries a ticket made from the shared secret, or
from a word of this process, so that only pages that were let in can name one.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from functools import lru_cache
from urllib.parse import quote

import streamlit as st

PREFIX = "facegpt"
VIEWER = f"{PREFIX}/viewer.js"
SECRET_VARIABLE = "FACEGPT_UI_SECRET"


def mesh(thread: str, handle: str) -> str:
    """Address of a face's .glb with all sliders of its shape, relative to the page."""
    address = f"{PREFIX}/faces/{quote(thread)}/{handle}.glb"
    return f"{address}?ticket={ticket(thread, handle)}" if guarded() else address


def secret() -> str:
    """The shared secret, "" if everybody who reaches the server may use it."""
    return os.environ.get(SECRET_VARIABLE, "")


def has_provider() -> bool:
    """Whether an OpenID Connect provider is set in Streamlit's secrets.toml."""
    try:
        return "auth" in st.secrets
    except FileNotFoundError:
        return False


def guarded() -> bool:
    """Whether somebody has to be let in before they may see a face."""
    return bool(secret()) or has_provider()


@lru_cache(maxsize=1)
def _own_word() -> str:
    return secrets.token_hex(16)


def ticket(thread: str, handle: str) -> str:
    """What opens one face's address."""
    return hmac.new(
        (secret() or _own_word()).encode(), f"{thread}/{handle}".encode(), hashlib.sha256
    ).hexdigest()[:32]


def opens(given: str, thread: str, handle: str) -> bool:
    """Whether a ticket opens this face, or none is needed."""
    return not guarded() or hmac.compare_digest(given, ticket(thread, handle))
