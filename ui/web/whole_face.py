"""The face as a whole: scales people judge by, likeness to the memory, and a face between two others."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from tools.errors import ToolError
from tools.morph import MorphRequest
from tools.morph import morph as morphed
from tools.outcome import Outcome
from tools.workspace import Workspace
from ui.web.desk import the_desk
from ui.web.owners import mine

# A scale and the sliders it moves, per step of the scale. "Friendliness" is our own reading of what makes
# a face look friendly; nobody was asked whether it does.
SCALES: dict[str, tuple[str, str, dict[str, float]]] = {
    "age": ("younger", "older", {"age": 1.0}),
    "weight": ("slimmer", "heavier", {"weight": 1.0}),
    "masculinity": ("more feminine", "more masculine", {"masculinity": 1.0}),
    "health": ("sickly", "healthy", {"health": 1.0}),
    "friendliness": (
        "stern",
        "friendly",
        {"mouth corners": 1.0, "smile": 0.4, "frown": -0.4, "anger": -0.4},
    ),
}
HERE = "this conversation"


def changes(moved: dict[str, float]) -> list[dict[str, float | str]]:
    """What an edit has to move for scales moved that far; scales at 0 move nothing."""
    amounts: dict[str, float] = {}
    for scale, step in moved.items():
        for slider, share in SCALES[scale][2].items():
            amounts[slider] = amounts.get(slider, 0.0) + share * step
    return [
        {"slider": slider, "value": round(max(-1.0, min(value, 1.0)), 3)}
        for slider, value in amounts.items()
        if abs(value) > 1e-6
    ]


def scales(name: str, case: Workspace, handle: str) -> None:
    """Move one face along whole-face scales."""
    with st.expander(f"The whole face of {handle}", icon=":material/tune:"):
        with st.form(f"scales-{handle}", border=False):
            moved = {}
            for column, (scale, (low, high, _)) in zip(
                [*st.columns(3), *st.columns(3)], SCALES.items(), strict=False
            ):
                moved[scale] = column.slider(
                    f"{scale.capitalize()}: {low} or {high}",
                    -0.5,
                    0.5,
                    0.0,
                    0.05,
                    key=f"scale-{scale}-{handle}",
                )
            wanted = st.form_submit_button("Change it", disabled=the_desk().busy(name))
        st.caption("Friendliness moves mouth corners, smile, frown and anger; no study stands behind it.")
        if wanted and any(moved.values()):
            told = ", ".join(f"{scale} {step:+.2f}" for scale, step in moved.items() if step)
            case.journal.append("whole-face scales", {"face": handle, "scales": moved})
            fields = {"face": handle, "changes": changes(moved)}
            the_desk().act(name, "edit", fields, f"Change {handle} as a whole: {told}")
            st.rerun()


def likeness(case: Workspace, handle: str) -> None:
    """Ask how like the person a face is; every answer stands in the journal."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        rating = st.slider(
            "How like the person is it? (0 not at all, 10 very)", 0, 10, 5, key=f"rate-{handle}"
        )
        if st.button("Record this likeness", key=f"rated-{handle}", icon=":material/star:"):
            case.journal.append("likeness", {"face": handle, "rating": rating, "of": 10})
    given = [entry.data for entry in case.journal.entries() if entry.event == "likeness"]
    if given:
        told = ", ".join(f"{one['face']} {one['rating']}" for one in given[-8:])
        st.caption(f"Likeness recorded so far (of 10): {told}")


def morph(name: str, case: Workspace) -> None:
    """A face between one of this conversation and one of this or another, such as of a second witness."""
    with st.expander("Morph two faces, such as those of two witnesses", icon=":material/join:"):
        found = the_desk().threads.list()
        threads = {thread.name: thread for thread in found if thread.faces and mine(thread.folder)}
        titles = {HERE: f"{HERE}"} | {
            other: f"{thread.title} ({other})" for other, thread in threads.items() if other != name
        }
        left, middle, right = st.columns([2, 3, 2])
        known = len(case.handles)  # a new face begins the choice anew
        first = left.selectbox("First face", list(reversed(case.handles)), key=f"morph-first-{known}")
        source = middle.selectbox(
            "The other one is of", list(titles), format_func=lambda one: titles[one], key="morph-from"
        )
        elsewhere = source != HERE
        there = threads[source].faces if elsewhere else tuple(one for one in case.handles if one != first)
        second = right.selectbox(
            "Second face", list(reversed(there)), key=f"morph-second-{source}-{known}-{first}"
        )
        folder = threads[source].folder if elsewhere else case.folder
        for column, handle, place in ((left, first, case.folder), (right, second, folder)):
            if handle and (place / f"{handle}.png").is_file():
                column.image(str(place / f"{handle}.png"), width=150, alt=f"picture of {handle}")
        share = middle.slider("Share of the second face", 5, 95, 50, 5, format="%d %%", key="morph-share")
        if middle.button(
            "Morph",
            type="primary",
            key="morph",
            disabled=second is None or the_desk().busy(name),
            icon=":material/join:",
        ):
            asked = f"Morph {first} with {second}" + (f" of {source}" if elsewhere else "")
            work = _work(str(first), str(second), source if elsewhere else "", share / 100)
            fields = {"face": first, "other": second, "share": share / 100}
            the_desk().do(name, "morph", fields | ({"of": source} if elsewhere else {}), work, asked)
            st.rerun()
        st.caption(
            "The morph becomes a new face of this conversation; its journal tells what it was made of."
        )


def _work(
    first: str, second: str, source: str, share: float
) -> Callable[[Workspace, Callable[[str, float], None]], Outcome]:
    def work(case: Workspace, report: Callable[[str, float], None]) -> Outcome:
        other = second
        if source:
            record = the_desk().threads.get(source).folder / f"{second}.json"
            if not record.is_file():
                raise ToolError(f"{second} of {source} is gone")
            report(f"bringing {second} of {source}", 0.3)
            other = case.bring(record).handle
            case.journal.append("brought", {"face": other, "was": second, "of": source})
        return morphed(MorphRequest(face=first, other=other, share=share), case)

    return work
