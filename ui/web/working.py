"""Shows on any page that something of its thread is under way, and lets a person stop it."""

from __future__ import annotations

import streamlit as st

from agent.events import FaceMade, ToolProgress
from ui.web.desk import the_desk
from ui.web.incidents import sentence


def follow(name: str) -> None:
    """Follow the running turn with a bar and a stop button, then run the page again; tell how one failed.

    name: of the thread, "" for none; its place on the page is held in any case, so that what stands below
    keeps its own, and an open tab stays open.
    """
    place = st.container()
    turn = the_desk().turn(name)
    if turn is None:
        return
    if turn.done:
        if turn.error is not None:
            turn.sentence = turn.sentence or sentence(turn.error)
            place.error(turn.sentence)
        return
    with place.container(border=True):
        if st.button("Stop", key="stop-work", icon=":material/stop_circle:"):
            turn.stop()
        bar = st.progress(0.0, text=f"{turn.said} …")
        made, share, text = 0, 0.0, f"{turn.said} …"
        for happened in turn.follow():
            event = happened.event if happened else None
            if isinstance(event, ToolProgress):
                share, text = min(max(event.share, 0.0), 1.0), event.doing
            elif isinstance(event, FaceMade):
                made += 1
                share, text = 1.0, f"{made} face{'' if made == 1 else 's'}"
            bar.progress(share, text=text)  # also when nothing happened, so that this run can be interrupted
    st.rerun()
