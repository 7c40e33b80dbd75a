"""Morphable head models behind one protocol."""
