"""What a page shows when something goes wrong: one sentence, or an incident to look up in the log.

Errors raised on purpose carry their sentence. Anything else is a bug: its traceback goes to the log
with an id, and the page shows only the id.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from facegpt_model.serving.backend import BackendError
from ui.errors import is_expected

LOG = logging.getLogger("facegpt.web")


def sentence(error: Exception) -> str:
    """What to show for an error; bugs are logged here."""
    if is_expected(error) or isinstance(error, BackendError):
        return str(error)
    incident = uuid.uuid4().hex[:8]
    LOG.error("incident %s", incident, exc_info=error)
    return (
        f"Something went wrong that should not have. What was made so far is kept. Incident {incident}; "
        "the server's log tells more."
    )


@contextmanager
def shown() -> Iterator[None]:
    """Show an error of the block on the page in place of what it did not draw."""
    try:
        yield
    except Exception as error:
        st.error(sentence(error))
