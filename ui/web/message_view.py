"""How one message looks: words, photos, tool steps, face cards."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from tools.workspace import Workspace

CARDS = 4  # in a row
FACE = "<FACE>"
VERBS = {
    "edit": "Changed the face",
    "adjust": "Changed the face",
    "reconstruct": "Fitted a face to the photo",
    "render": "Drew another view",
    "describe": "Looked at the face",
    "export": "Wrote a file",
    "undo": "Went a step back",
    "redo": "Went a step forward",
    "imagine": "Imagined a face",
    "variants": "Drew other faces that fit the words",
    "breed": "Mixed the chosen faces",
    "go_to": "Went to a face",
    "array": "Laid faces side by side",
    "outer": "Drew other hair and outlines",
    "morph": "Morphed two faces",
    "express": "Took over an expression",
    "relight": "Lit the photo from elsewhere",
    "bring": "Brought a face from the gallery",
    "compare": "Compared two faces",
    "retrieve": "Searched the gallery",
    "delete": "Deleted a face",
}


def words(text: str) -> str:
    """Text to show, as Markdown: without face tokens, and nothing in it can become markup or a picture."""
    shown = " ".join(text.replace(FACE, "").split(" ")).strip()
    for sign in "\\`*_{}[]<>#$|~":
        shown = shown.replace(sign, "\\" + sign)
    return shown.replace("\n", "  \n")


def values(arguments: dict[str, Any]) -> str:
    """The values of a call in one short line, such as "nose width +0.50"."""
    changes = arguments.get("changes")
    told = [f"{change['slider']} {change['value']:+.2f}" for change in changes] if changes else []
    for name, value in arguments.items():
        if name != "changes" and value not in ("", None, [], {}):
            told.append(f"{name.replace('_', ' ')} {_plain(value)}")
    return ", ".join(told)


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(str(one) for one in value)
    return str(value) if not isinstance(value, dict) else json.dumps(value)


def step(name: str, arguments: dict[str, Any], text: str, ok: bool, seconds: float | None) -> None:
    """One finished tool step, folded."""
    parts = [VERBS.get(name, name), values(arguments), f"{seconds:.1f} s" if seconds is not None else ""]
    mark = ":material/check_circle:" if ok else ":material/error:"
    with st.expander(" · ".join(part for part in parts if part), icon=mark):
        st.caption(f"Tool `{name}`")
        st.text(text)


def photos(folder: Path, handles: Sequence[str]) -> None:
    """Photos that were shown, side by side."""
    found = [folder / f"{handle}.jpg" for handle in handles if (folder / f"{handle}.jpg").is_file()]
    if found:
        st.image([str(path) for path in found], width=150, alt=[path.stem for path in found])


def files(folder: Path, names: Sequence[str]) -> None:
    """What a tool wrote beside faces: pictures inline, other files to download."""
    for name in names:
        path = folder / name
        if not path.is_file() or _of_a_face(name):
            continue
        if path.suffix == ".png":
            st.image(str(path), width=420 if "yaw" not in name else 260, alt=path.stem.replace("-", " "))
        else:
            st.download_button(name, path.read_bytes(), name, key=f"file-{name}-{st.session_state.cards}")
            st.session_state.cards += 1


def _of_a_face(name: str) -> bool:
    stem, _, suffix = name.partition(".")
    return suffix in ("png", "json", "glb") and stem.removeprefix("face-").isdigit()


def cards(workspace: Workspace, handles: Sequence[str], live: bool = True) -> str | None:
    """Faces with handle and picture; returns the handle of the one a person chose to go on from."""
    chosen = None
    for start in range(0, len(handles), CARDS):
        row = handles[start : start + CARDS]
        columns = st.columns(CARDS if len(handles) > 1 else 2)
        for column, handle in zip(columns, row, strict=False):
            with column:
                if card(workspace, handle, live):
                    chosen = handle
    return chosen


def card(workspace: Workspace, handle: str, live: bool) -> bool:
    """One face; True when its button was pressed."""
    picture = workspace.folder / f"{handle}.png"
    if not picture.is_file():
        st.caption(f"{handle} was deleted.")
        return False
    st.image(str(picture), width="stretch", alt=f"picture of {handle}")
    st.session_state.cards = st.session_state.get("cards", 0) + 1
    here = handle == workspace.current
    return bool(
        st.button(
            handle,
            key=f"card-{handle}-{st.session_state.cards}",
            icon=":material/radio_button_checked:" if here else ":material/radio_button_unchecked:",
            type="tertiary",
            disabled=here or not live,
            help="The current face" if here else "Go on from this face",
        )
    )
