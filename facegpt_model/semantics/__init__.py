"""Named axes of a face: words, directions in code space, millimetres."""
