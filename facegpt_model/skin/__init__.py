"""Colour of skin: pigments from optics, and what portraits teach about where they lie."""
