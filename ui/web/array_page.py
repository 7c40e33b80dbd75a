"""Faces to choose from: recognising is easier than recalling, so a person picks, breeds and goes on.

All faces of an array fit what was said; which were shown, chosen, bred and rated stands in the journal.
"""

from __future__ import annotations

import streamlit as st
from PIL import Image, ImageDraw, ImageFilter

from tools.outcome import Outcome
from tools.workspace import Workspace
from ui.web import visit, working
from ui.web.desk import Told, the_desk
from ui.web.incidents import shown

SIZES = (9, 18)
COLUMNS = 3
BLUR = 14  # pixels, of pictures of 512
HOLISTIC = ("age", "weight", "masculinity")
ORIGINS = ("variants", "breed")


def show() -> None:
    """Draw the page."""
    st.subheader("Choose among faces")
    with shown():
        name = visit.current()
        case = the_desk().chat(name).workspace if name else None
        if case is None or case.current is None:
            st.info("First describe a face in the chat; then faces that fit those words appear here.")
            return
        _page(name, case)


def _page(name: str, case: Workspace) -> None:
    working.follow(name)
    handles = last_array(case)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        count = st.segmented_control("Faces", SIZES, default=SIZES[0], key="array-count") or SIZES[0]
        inner = st.toggle(
            "Inner face only",
            key="array-inner",
            help="Blurs hair and outline: first choose by eyes, nose and mouth, then by the outer face",
        )
        if st.button(
            f"Show {count} faces that fit", type="primary", key="array-show", icon=":material/grid_view:"
        ):
            ask_for(name, case, int(count))
            st.rerun()
    if not handles:
        st.caption(f"They will fit what was said of {case.current}; everything else differs.")
        return
    chosen = _grid(case, handles, inner)
    _choices(name, case, chosen)


def last_array(case: Workspace) -> tuple[str, ...]:
    """Handles of the array shown last and still there, none before the first."""
    shown_last = [entry for entry in case.journal.entries() if entry.event == "array shown"]
    there = set(case.handles)
    return tuple(h for h in shown_last[-1].data["faces"] if h in there) if shown_last else ()


def ask_for(name: str, case: Workspace, count: int) -> None:
    """Draw faces that fit what was said of the current one."""
    observed = not case.face().speculative
    fields = {"count": count, "seed": len(case.handles), "spread": 0.5 if observed else 1.0}
    the_desk().act(name, "variants", fields, f"Show {count} faces that fit", told=_noting(case))


def _noting(case: Workspace) -> Told:
    def told(outcome: Outcome) -> str:
        case.journal.append("array shown", {"faces": list(outcome.faces)})
        return f"{len(outcome.faces)} faces to choose from."

    return told


def _grid(case: Workspace, handles: tuple[str, ...], inner: bool) -> list[str]:
    chosen = []
    for start in range(0, len(handles), COLUMNS):
        for column, handle in zip(st.columns(COLUMNS), handles[start : start + COLUMNS], strict=False):
            with column:
                picture = Image.open(case.folder / f"{handle}.png")
                st.image(
                    outer_blurred(picture) if inner else picture, width="stretch", alt=f"picture of {handle}"
                )
                if st.checkbox(handle, key=f"pick-{handle}"):
                    chosen.append(handle)
    return chosen


def outer_blurred(picture: Image.Image) -> Image.Image:
    """A face-N.png with everything but eyes, nose and mouth out of focus."""
    scale = picture.width / 512
    soft = picture.filter(ImageFilter.GaussianBlur(BLUR * scale))
    mask = Image.new("L", picture.size)
    box = [value * scale for value in (166, 190, 346, 405)]
    ImageDraw.Draw(mask).ellipse(box, fill=255)
    return Image.composite(picture, soft, mask.filter(ImageFilter.GaussianBlur(10 * scale)))


def _choices(name: str, case: Workspace, chosen: list[str]) -> None:
    st.divider()
    told = ", ".join(chosen) or "Tick the faces that come near."
    st.markdown(f"**Chosen:** {told}")
    busy = the_desk().busy(name)
    with st.container(horizontal=True):
        if st.button(
            "Breed the chosen", key="breed", disabled=busy or len(chosen) < 2, icon=":material/genetics:"
        ):
            fields = {"faces": chosen[:12], "count": 9, "seed": len(case.handles)}
            the_desk().act(name, "breed", fields, f"Breed {', '.join(chosen)}", told=_noting(case))
            st.rerun()
        if st.button(
            "Vary the one chosen", key="vary", disabled=busy or len(chosen) != 1, icon=":material/shuffle:"
        ):
            fields = {"face": chosen[0], "count": 9, "spread": 0.5, "seed": len(case.handles)}
            the_desk().act(name, "variants", fields, f"Vary {chosen[0]}", told=_noting(case))
            st.rerun()
        if st.button(
            "Go on with the one chosen",
            key="take",
            disabled=busy or len(chosen) != 1,
            icon=":material/check:",
        ):
            the_desk().act(name, "go_to", {"face": chosen[0]}, f"Go on from {chosen[0]}")
            st.rerun()
    if len(chosen) == 1:
        _judge(name, case, chosen[0])


def _judge(name: str, case: Workspace, handle: str) -> None:
    """Whole-face scales and the likeness a person sees."""
    with st.expander(f"The whole face of {handle}", icon=":material/tune:"):
        with st.form(f"scales-{handle}", border=False):
            moved = {
                slider: st.slider(slider.capitalize(), -0.5, 0.5, 0.0, 0.05, key=f"scale-{slider}-{handle}")
                for slider in HOLISTIC
            }
            if st.form_submit_button("Change it") and any(moved.values()):
                changes = [{"slider": s, "value": v} for s, v in moved.items() if v]
                the_desk().act(
                    name, "edit", {"face": handle, "changes": changes}, f"Change {handle} as a whole"
                )
                st.rerun()
        rating = st.slider(
            "How like the person is it? (0 not at all, 10 very)", 0, 10, 5, key=f"rate-{handle}"
        )
        if st.button("Record this likeness", key=f"rated-{handle}"):
            case.journal.append("likeness", {"face": handle, "rating": rating, "of": 10})
            st.toast(f"Recorded: {handle} {rating} of 10")
