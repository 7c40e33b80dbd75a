"""Photo to face by optimisation: teacher, refinement and fallback of the learned path."""
