"""Whose conversation it is, where people log in by a provider: each sees their own and those nobody owns.

Without a provider there is nobody to tell apart, and everybody who comes in sees everything. The file
holds a digest, not a name or an address.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import streamlit as st

from tools.writing import write_text
from ui.web.addresses import has_provider

FILE = ".owner"


def logged_in() -> bool:
    """Whether a provider told who this visitor is."""
    return bool(getattr(st.user, "is_logged_in", False))


def me() -> str:
    """Who is logged in, as a digest; "" without a provider."""
    if not has_provider() or not logged_in():
        return ""
    told = f"{st.user.get('iss', '')} {st.user.get('sub', '')}"
    return hashlib.sha256(told.encode()).hexdigest()


def own(folder: Path) -> None:
    """Make a conversation the one of who is logged in."""
    who = me()
    if who:
        write_text(folder / FILE, who)


def mine(folder: Path) -> bool:
    """Whether who is logged in may see a conversation."""
    if not has_provider():
        return True
    try:
        return (folder / FILE).read_text(encoding="utf-8").strip() == me()
    except FileNotFoundError:
        return True
