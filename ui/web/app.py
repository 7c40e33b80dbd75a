"""The script Streamlit runs for every visit and every click: which pages there are, and the list of threads."""

from __future__ import annotations

import streamlit as st

from ui.web import chat_page, thread_list
from ui.web.incidents import shown

st.set_page_config(page_title="FaceGPT", page_icon=":material/face:", layout="wide")
with shown():
    pages = [
        st.Page(chat_page.show, title="Chat", icon=":material/chat:", url_path="chat", default=True),
    ]
    page = st.navigation(pages, position="top")
    thread_list.show()
    page.run()
