"""The list of conversations beside every page: find, open, begin, rename, delete, take home."""

from __future__ import annotations

import tempfile
from pathlib import Path

import streamlit as st

from agent.threads import Thread
from tools.report import write_report
from ui.web import visit
from ui.web.desk import the_desk
from ui.web.incidents import shown
from ui.web.owners import mine
from ui.web.take_home import parcel

SHOWN = 30  # threads at most, the newest
LETTERS = 28  # of a title


def show() -> None:
    """Draw the list into the sidebar."""
    with st.sidebar, shown():
        new, interview = st.columns(2)
        if new.button("New chat", icon=":material/add:", width="stretch", key="new-chat"):
            visit.go_to("")
        if interview.button(
            "Witness",
            icon=":material/record_voice_over:",
            width="stretch",
            key="new-witness",
            help="An interview with a witness: free recall first, open questions only, every picture marked",
        ):
            thread = the_desk().threads.create()
            the_desk().opening(thread.name)
            visit.go_to_own(thread)
        now = visit.current()
        wanted = st.text_input(
            "Search", placeholder="Search conversations", label_visibility="collapsed", key="find"
        )
        every = [thread for thread in the_desk().threads.list() if mine(thread.folder)]
        threads = [thread for thread in every if _fits(thread, wanted)]
        if not threads:
            st.caption("Nothing found." if wanted else "Your conversations will be listed here.")
        for thread in threads[:SHOWN]:
            _entry(thread, thread.name == now)
        if len(threads) > SHOWN:
            st.caption(f"{len(threads) - SHOWN} older ones; search to find them.")
        for thread in every:
            if thread.name == now:
                _manage(thread)


def report(thread: Thread) -> bytes:
    """The report of a conversation as one HTML file."""
    with tempfile.TemporaryDirectory() as folder:
        return write_report(thread.folder, Path(folder) / "report.html").read_bytes()


def _fits(thread: Thread, wanted: str) -> bool:
    words = f"{thread.title} {thread.name}".lower()
    return all(word in words for word in wanted.lower().split())


def _entry(thread: Thread, here: bool) -> None:
    title = thread.title if len(thread.title) <= LETTERS else f"{thread.title[:LETTERS].rstrip()}…"
    faces = f"{len(thread.faces)} face{'' if len(thread.faces) == 1 else 's'}"
    if thread.problem:
        st.button(
            title,
            key=f"open-{thread.name}",
            icon=":material/error:",
            width="stretch",
            disabled=True,
            help=thread.problem,
        )
        return
    if st.button(
        title,
        key=f"open-{thread.name}",
        type="primary" if here else "tertiary",
        icon=":material/record_voice_over:" if thread.witness else None,
        width="stretch",
        help=f"{thread.name}, {faces}, last changed {thread.changed[:16].replace('T', ' ')} UTC",
    ):
        visit.go_to(thread.name)
        st.rerun()


def _manage(thread: Thread) -> None:
    st.divider()
    # A click that ran the page again would forget this very file while the browser asks for it.
    st.download_button(
        "Take it home (.zip)",
        data=lambda: parcel(thread.folder),
        file_name=f"{thread.name}.zip",
        mime="application/zip",
        on_click="ignore",
        icon=":material/download:",
        width="stretch",
        help="Transcript, journal, pictures and 3D files of this conversation",
    )
    st.download_button(
        "Case report (.html)",
        data=lambda: report(thread),
        file_name=f"{thread.name}.html",
        mime="text/html",
        on_click="ignore",
        icon=":material/description:",
        width="stretch",
        help="Statements, pictures and settings in their order; of a witness's case for the interviewer only",
    )
    with st.popover("Rename or delete", icon=":material/edit:", width="stretch"):
        name = st.text_input("Name", value=thread.name, key=f"name-{thread.name}", max_chars=64)
        if st.button("Rename", key=f"rename-{thread.name}", disabled=name == thread.name) and _free(thread):
            with shown():
                the_desk().forget(thread.name)
                visit.go_to(the_desk().threads.rename(thread.name, name).name)
                st.rerun()
        st.caption("Deleting takes messages, faces, photos and journal away for good.")
        if st.button("Delete for good", key=f"delete-{thread.name}", icon=":material/delete:") and _free(
            thread
        ):
            with shown():
                the_desk().forget(thread.name)
                the_desk().threads.delete(thread.name)
                visit.go_to("")
                st.rerun()


def _free(thread: Thread) -> bool:
    if the_desk().busy(thread.name):
        st.warning("An answer is still being made here; stop it first.")
        return False
    return True
