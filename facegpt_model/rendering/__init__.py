"""Cameras, light, visibility, the differentiable renderer and stills."""
