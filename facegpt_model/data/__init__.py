"""Training data made by this repository's own generators."""
