"""Backends that answer a chat: in process now, servers later."""
