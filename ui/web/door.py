"""Who may come in: everybody who reaches the server, those with the shared word, or those a provider knows.

FACEGPT_UI_SECRET sets the word. A section [auth] in Streamlit's secrets.toml turns on OpenID Connect,
for which the package authlib has to be installed beside.
"""

from __future__ import annotations

import hmac
import time

import streamlit as st

from ui.web.addresses import secret

PAUSE = 1.0  # seconds after a wrong word


def passed() -> bool:
    """Whether this visitor may see the pages; else the page shows how to get in."""
    if _has_provider():
        if st.user.is_logged_in:
            return True
        st.subheader("FaceGPT")
        if st.button("Log in", type="primary", icon=":material/login:"):
            st.login()
        return False
    if not secret() or st.session_state.get("let_in"):
        return True
    st.subheader("FaceGPT")
    with st.form("door", border=False):
        word = st.text_input("The word this server asks for", type="password", key="word")
        if st.form_submit_button("Come in") and word:
            if hmac.compare_digest(word.encode(), secret().encode()):
                st.session_state["let_in"] = True
                st.rerun()
            time.sleep(PAUSE)
            st.error("That is not the word.")
    return False


def _has_provider() -> bool:
    try:
        return "auth" in st.secrets
    except FileNotFoundError:
        return False
