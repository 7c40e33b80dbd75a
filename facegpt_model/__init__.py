"""The face model and everything trainable; knows no tools, no agent, no pages."""
