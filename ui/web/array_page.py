"""Faces to choose from: recognising is easier than recalling, so a person picks, breeds and goes on.

First the inner face (hair and outline blurred), then hair and outline round the one chosen, then the
face as a whole. All faces of an array fit what was said; which were shown, chosen, bred, morphed and
rated stands in the journal.
"""

from __future__ import annotations

import streamlit as st
from PIL import Image, ImageDraw, ImageFilter

from tools.outcome import Outcome
from tools.workspace import Workspace
from ui.web import visit, whole_face, working
from ui.web.desk import Told, the_desk
from ui.web.incidents import shown
from ui.web.kept import keep, kept

SIZES = (9, 18)
COLUMNS = 3
BLUR = 14  # pixels, of pictures of 512
INNER, OUTER = "Eyes, nose, mouth", "Hair and outline"
TICKED, STAGE = "ticked", "stage"  # what the page keeps with the conversation


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
    before = (kept(case.folder, STAGE) or [INNER])[0]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        stage = st.segmented_control(
            "Step",
            (INNER, OUTER),
            default=before if before in (INNER, OUTER) else INNER,
            required=True,
            key=f"array-stage-{name}-{before}",
            help="First choose by the inner face alone, the rest blurred; then hair and outline round it",
        )
        count = st.segmented_control("Faces", SIZES, default=SIZES[0], required=True, key="array-count")
        if st.button(
            f"Show {count} faces that fit" if stage == INNER else f"Show {count} with other hair",
            type="primary",
            key="array-show",
            disabled=the_desk().busy(name),
            icon=":material/grid_view:",
        ):
            keep(case.folder, STAGE, [str(stage)])
            if stage == INNER:
                ask_for(name, case, int(count))
            else:
                ask_for_outer(name, case, int(count))
            st.rerun()
        blurred = st.toggle(
            "Blur the rest",
            value=stage == INNER,
            key=f"array-blur-{stage}",
            help="Hair and outline out of focus, so that eyes, nose and mouth decide",
        )
    keep(case.folder, STAGE, [str(stage)])
    if not handles:
        st.caption(
            f"They will fit what was said of {case.current}; everything else differs. No face is likelier "
            "than another to be the person meant."
        )
    else:
        _choices(name, case, _grid(name, case, handles, blurred))
    whole_face.morph(name, case)


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


def ask_for_outer(name: str, case: Workspace, count: int) -> None:
    """Draw other hair and outlines round the inner face of the one ticked, or the current one."""
    ticked = [handle for handle in kept(case.folder, TICKED) if handle in case.handles]
    face = ticked[0] if len(ticked) == 1 else str(case.current)
    fields = {"face": face, "count": count, "seed": len(case.handles)}
    the_desk().act(name, "outer", fields, f"Show {face} with other hair and outline", told=_noting(case))


def _noting(case: Workspace) -> Told:
    def told(outcome: Outcome) -> str:
        case.journal.append("array shown", {"faces": list(outcome.faces)})
        keep(case.folder, TICKED, [])
        return f"{len(outcome.faces)} faces to choose from."

    return told


def _grid(name: str, case: Workspace, handles: tuple[str, ...], blurred: bool) -> list[str]:
    before = kept(case.folder, TICKED)
    chosen = []
    for start in range(0, len(handles), COLUMNS):
        for column, handle in zip(st.columns(COLUMNS), handles[start : start + COLUMNS], strict=False):
            with column:
                picture = Image.open(case.folder / f"{handle}.png")
                st.image(
                    outer_blurred(picture) if blurred else picture,
                    width="stretch",
                    alt=f"picture of {handle}",
                )
                if st.checkbox(handle, value=handle in before, key=f"pick-{name}-{handle}"):
                    chosen.append(handle)
    keep(case.folder, TICKED, chosen)
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
    st.markdown(f"**Chosen:** {', '.join(chosen) or 'tick the faces that come near.'}")
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
            the_desk().at_once(name, "go_to", {"face": chosen[0]}, f"Go on from {chosen[0]}")
            st.rerun()
    if len(chosen) == 1:
        whole_face.scales(name, case, chosen[0])
        whole_face.likeness(case, chosen[0])
    else:
        st.caption("Scales for the whole face and a likeness rating appear when one face is ticked.")
