"""Face detection, landmarks and blendshapes from packaged weights, in plain torch."""
