"""Measures with the command that makes them."""
