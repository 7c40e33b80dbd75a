"""Photos to faces: fit, look under the overlay, turn, light from elsewhere, many at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import streamlit as st
from PIL import Image

from tools.outcome import Outcome
from tools.reconstruct import reconstruct_many
from tools.workspace import Workspace
from ui.web import uploads, visit, working
from ui.web.desk import the_desk
from ui.web.incidents import shown

MOST = 20  # photos at once


def show() -> None:
    """Draw the page."""
    st.subheader("Photos")
    with shown():
        name = visit.current()
        if name and the_desk().chat(name).workspace.witness:
            st.warning("A witness's case takes no photos; begin a new chat for them.")
            return
        if name:
            working.follow(name)
        st.caption(
            "Nobody is identified. What is fitted to a photo of a real person is biometric data: treat it so."
        )
        given = st.file_uploader(
            "Photos with one face each",
            type=uploads.SUFFIXES,
            accept_multiple_files=True,
            key=f"photos-{st.session_state.get('photo_round', 0)}",
        )
        ready = st.button(
            "Fit faces",
            type="primary",
            key="fit",
            disabled=not given,
            icon=":material/face_retouching_natural:",
        )
        if ready and given:
            photos = [uploads.kept(one) for one in given[:MOST]]
            st.session_state.photo_round = st.session_state.get("photo_round", 0) + 1
            fit(visit.or_new(), photos)
            st.rerun()
        if name:
            _fitted(name, the_desk().chat(name).workspace)


def fit(name: str, photos: list[Path]) -> None:
    """Fit a face to each photo, one after the other; one that fails does not stop the others."""

    def work(case: Workspace, report: Callable[[str, float], None]) -> Outcome:
        told: list[str] = []
        faces: list[str] = []
        files: list[str] = []
        for number, result in enumerate(
            reconstruct_many(photos, case, lambda doing, share: report(doing, share)), start=1
        ):
            report(f"photo {number} of {len(photos)}", number / len(photos))
            told.append(result.outcome.text if result.outcome else f"{result.photo.name}: {result.error}")
            if result.outcome:
                faces += result.outcome.faces
                files += result.outcome.files
        return Outcome("\n".join(told), tuple(faces), tuple(files))

    names = [photo.name for photo in photos]
    the_desk().do(name, "reconstruct", {"photos": names}, work, f"Fit faces to {', '.join(names)}")


def _fitted(name: str, case: Workspace) -> None:
    fitted = [handle for handle in case.handles if (case.folder / f"{handle}-overlay.png").is_file()]
    if not fitted:
        st.info("Drop photos above; each gives a face, with the fit laid over the photo to check it.")
        return
    handle = st.selectbox("Fitted face", list(reversed(fitted)), key="fitted")
    photo, over, alone = strip(Image.open(case.folder / f"{handle}-overlay.png"))
    left, right = st.columns(2)
    with left:
        share = st.slider("Photo or face", 0, 100, 50, format="%d %%", key="mix")
        st.image(mixed(photo, over, share / 100), width="stretch", alt="the fitted face over the photo")
    with right:
        yaw = st.slider("Turn (degrees)", -90, 90, 0, 5, key="turn")
        drawn = case.folder / f"{handle}-yaw{yaw:+d}.png"
        if yaw and drawn.is_file():
            st.image(str(drawn), width="stretch", alt=f"{handle} turned by {yaw} degrees")
        else:
            st.image(alone, width="stretch", alt="the fitted face alone")
        if yaw and not drawn.is_file() and st.button("Draw it", key="draw", disabled=the_desk().busy(name)):
            fields: dict[str, Any] = {"face": handle, "yaw": yaw}
            the_desk().act(name, "render", fields, f"Turn {handle} by {yaw} degrees")
            st.rerun()
        st.caption("Light it from elsewhere and turn it freely in the 3D view of the chat page.")


def strip(overlay: Image.Image) -> tuple[Image.Image, Image.Image, Image.Image]:
    """Photo, face over photo, and face alone, from the strip of the three."""
    width = overlay.width // 3
    first, second, third = (overlay.crop((n * width, 0, (n + 1) * width, overlay.height)) for n in range(3))
    return first, second, third


def mixed(photo: Image.Image, over: Image.Image, share: float) -> Image.Image:
    """The photo with the fitted face over its left `share`, 0..1."""
    whole = photo.copy()
    edge = round(share * photo.width)
    if edge:
        whole.paste(over.crop((0, 0, edge, over.height)), (0, 0))
    return whole
