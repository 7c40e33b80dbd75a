"""The script Streamlit runs for every visit and every click: the pages, and the list of threads."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from ui.web import array_page, chat_page, compare_page, door, photo_page, thread_list, visit
from ui.web.desk import the_desk
from ui.web.incidents import shown

st.set_page_config(page_title="FaceGPT", page_icon=str(Path(__file__).with_name("icon.png")), layout="wide")
INK = {"light": "#1d2126", "dark": "#e7e9ec"}  # textColor of .streamlit/config.toml
ink = INK.get(str(st.context.theme.type), INK["light"])
style = Path(__file__).with_name("page.css").read_text("utf-8")
st.html(f"<style>:root{{--facegpt-ink:{ink}}}\n{style}</style>")
with shown():
    pages = [
        st.Page(chat_page.show, title="Chat", icon=":material/chat:", url_path="chat", default=True),
        st.Page(array_page.show, title="Choose", icon=":material/grid_view:", url_path="choose"),
        st.Page(photo_page.show, title="Photos", icon=":material/photo_camera:", url_path="photos"),
        st.Page(compare_page.show, title="Compare", icon=":material/compare:", url_path="compare"),
    ]
    page = st.navigation(pages, position="top")
    if door.passed():
        thread_list.show()
        door.way_out()
        here = visit.current()
        seen = the_desk().pulse(here) if here else ""
        page.run()
        visit.watch(str(st.session_state.get(visit.PARAMETER, "")), seen)
