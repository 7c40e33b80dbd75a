"""Face detection, landmarks, blendshapes, identity and person masks from packaged weights, in plain torch."""

from facegpt_model.perception.analyse import FaceObservation, NoFace, analyse
from facegpt_model.perception.photos import PhotoError, load_photo

__all__ = ["FaceObservation", "NoFace", "PhotoError", "analyse", "load_photo"]
