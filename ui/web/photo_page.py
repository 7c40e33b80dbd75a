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
from ui.web import face_panel, uploads, visit, working
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
        done = 0

        def follow(doing: str, share: float) -> None:
            which = f"photo {min(done + 1, len(photos))} of {len(photos)}"
            report(f"{which}: {doing}", min((done + share) / len(photos), 1.0))

        for result in reconstruct_many(photos, case, follow):
            done += 1
            told.append(result.outcome.text if result.outcome else f"{result.photo.name}: {result.error}")
            if result.outcome:
                faces += result.outcome.faces
                files += result.outcome.files
        return Outcome("\n".join(told), tuple(faces), tuple(files))

    names = [photo.name for photo in photos]
    the_desk().do(name, "reconstruct", {"photos": names}, work, f"Fit faces to {', '.join(names)}")


def _fitted(name: str, case: Workspace) -> None:
    fitted = fitted_faces(case)
    if not fitted:
        st.info("Drop photos above; each gives a face, with the fit laid over the photo to check it.")
        return
    st.divider()
    handle = str(st.selectbox("Fitted face", list(reversed(fitted)), key="fitted"))
    left, right = st.columns(2, gap="medium")
    with left:
        looked, lit = st.tabs(["Photo and face", "Another light"], key="photo-tab")
        with looked:
            _overlay(case, handle)
        with lit:
            _light(name, case, handle)
    with right:
        live, still = st.tabs(["Turn it in 3D", "Picture from a side"], key="view-tab")
        with live:
            face_panel.view(name, handle, f"photo-view-{name}")
        with still:
            _turned(name, case, handle)
    _expression(name, case, handle)


def fitted_faces(case: Workspace) -> list[str]:
    """Handles of faces that were fitted to photos, oldest first."""
    return [handle for handle in case.handles if (case.folder / f"{handle}-overlay.png").is_file()]


def _overlay(case: Workspace, handle: str) -> None:
    photo, over, _ = strip(Image.open(case.folder / f"{handle}-overlay.png"))
    share = st.slider("Photo (0 %) or face (100 %)", 0, 100, 50, 5, format="%d %%", key="mix")
    how = st.segmented_control(
        "How", ("Side by side", "See through"), default="Side by side", required=True, key="mix-how"
    )
    picture = mixed(photo, over, share / 100) if how == "Side by side" else blended(photo, over, share / 100)
    st.image(picture, width="stretch", alt="the fitted face over the photo")


def _light(name: str, case: Workspace, handle: str) -> None:
    with st.form("light", border=False):
        yaw = st.slider("Lamp: left (−) or right (+), degrees", -90, 90, 45, 15, key="lamp-yaw")
        pitch = st.slider("Lamp: below (−) or above (+), degrees", -60, 75, 15, 15, key="lamp-pitch")
        wanted = st.form_submit_button(
            "Light the photo so", disabled=the_desk().busy(name), icon=":material/lightbulb:"
        )
    if wanted:
        fields: dict[str, Any] = {"face": handle, "yaw": yaw, "pitch": pitch}
        the_desk().act(name, "relight", fields, f"Light the photo of {handle} from {yaw:+d}, {pitch:+d}")
        st.rerun()
    drawn = case.folder / f"{handle}-light{yaw:+d}{pitch:+d}.png"
    if drawn.is_file():
        st.image(str(drawn), width="stretch", alt=f"the photo of {handle} in another light")
        st.caption("Shadows cast in the photo stay where they were; hair and background keep their light.")


def _turned(name: str, case: Workspace, handle: str) -> None:
    with st.form("turned", border=False):
        yaw = st.slider("Turn (degrees)", -90, 90, 30, 15, key="turn")
        wanted = st.form_submit_button("Draw it", disabled=the_desk().busy(name), icon=":material/360:")
    if wanted:
        fields: dict[str, Any] = {"face": handle, "yaw": yaw}
        the_desk().act(name, "render", fields, f"Turn {handle} by {yaw} degrees")
        st.rerun()
    drawn = case.folder / f"{handle}-yaw{yaw:+d}.png"
    if drawn.is_file():
        st.image(str(drawn), width="stretch", alt=f"{handle} turned by {yaw} degrees")


def _expression(name: str, case: Workspace, handle: str) -> None:
    others = [one for one in reversed(case.handles) if one != handle]
    with st.expander("Give this face another one's expression", icon=":material/mood:"):
        if not others:
            st.caption("Fit a second photo, or make another face in the chat, to take its expression from.")
            return
        left, right = st.columns(2)
        like = str(left.selectbox("Take the expression of", others, key="express-like"))
        amount = right.slider("How much of it", 10, 100, 100, 10, format="%d %%", key="express-amount")
        for column, one in ((left, like), (right, handle)):
            column.image(str(case.folder / f"{one}.png"), width=180, alt=f"picture of {one}")
        if st.button(
            f"Give {handle} the expression of {like}",
            key="express",
            disabled=the_desk().busy(name),
            icon=":material/mood:",
        ):
            fields: dict[str, Any] = {"face": handle, "like": like, "amount": amount / 100}
            the_desk().act(name, "express", fields, f"Give {handle} the expression of {like}")
            st.rerun()
        made = [one for one in case.handles if case.face(one).made_by.get("tool") == "express"]
        if made:
            st.image(str(case.folder / f"{made[-1]}.png"), width=260, alt=f"picture of {made[-1]}")
            st.caption(f"{made[-1]}: {case.face(made[-1]).made_by['face']} with the expression of "
                       f"{case.face(made[-1]).made_by['like']}")  # fmt: skip


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


def blended(photo: Image.Image, over: Image.Image, share: float) -> Image.Image:
    """The fitted face seen through the photo, `share` of it, 0..1."""
    return Image.blend(photo.convert("RGB"), over.convert("RGB"), share)
