"""The one error a tool raises on purpose.

Its text is read by people and by the chat model alike: one sentence that says what was
wrong and what would be right. Anything else that escapes a tool is a bug.
"""

from __future__ import annotations


class ToolError(Exception):
    """A request that could not be carried out, in one clear sentence."""
