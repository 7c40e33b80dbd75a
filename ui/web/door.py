"""Who may come in: everybody who reaches the server, those with the shared word, or those a provider knows.

FACEGPT_UI_SECRET sets the word. A section [auth] in Streamlit's secrets.toml turns on OpenID Connect,
for which the package authlib has to be installed beside.
"""

from __future__ import annotations

import hmac
import time

import streamlit as st

from ui.web.addresses import has_provider, secret
from ui.web.owners import logged_in

PAUSE = 1.0  # seconds after a wrong word


def passed() -> bool:
    """Whether this visitor may see the pages; else the page shows how to get in."""
    if has_provider():
        if logged_in():
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


def way_out() -> None:
    """Who is logged in and a button to leave, beside every page; nothing without a provider."""
    if has_provider() and logged_in():
        with st.sidebar:
            st.caption(f"Logged in as {st.user.get('email') or st.user.get('name') or st.user.get('sub')}")
            if st.button("Log out", key="log-out", icon=":material/logout:", width="stretch"):
                st.logout()
