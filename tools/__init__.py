"""Verbs on faces as plain typed functions; knows no agent framework."""
