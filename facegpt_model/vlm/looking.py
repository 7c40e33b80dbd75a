"""A photo spoken of as <FACE>, without any fit: tower, projector, language model, reading."""

from __future__ import annotations

from dataclasses import replace

import torch
from PIL import Image

from facegpt_model.face import FaceEstimate
from facegpt_model.fitting.photo import expected_expression
from facegpt_model.morphable.openhead import OpenHead
from facegpt_model.perception.analyse import analyse
from facegpt_model.perception.photos import photo_tensor
from facegpt_model.serving.backend import BackendError
from facegpt_model.vlm.model import FaceGPT
from facegpt_model.vlm.sight import face_states
from facegpt_model.vlm.tower import load_identity_prior


@torch.no_grad()
def spoken_face(
    gpt: FaceGPT, photo: Image.Image, source: str = "photo", name: str = "facegpt"
) -> FaceEstimate:
    """The largest face of a photo: identity through <FACE>, expression from the blendshapes, no view.

    source, name: what the estimate says of where it comes from. Raises NoFace, and BackendError when
    the checkpoint has no sight.
    """
    if gpt.sight is None or not isinstance(gpt.head_model, OpenHead):
        raise BackendError(
            "this checkpoint cannot speak of photos; give it sight: facegpt train alignment --preset cpu"
        )
    face = analyse(photo)[0]
    mean, _ = load_identity_prior()(photo_tensor(photo)[None], face.points478[None], face.blendshapes[None])
    hidden = face_states(gpt.model.model.language_model, gpt.tokenizer, gpt.sight.shown(mean))
    expression = torch.from_numpy(expected_expression(gpt.head_model, face)).float()[None]
    code = replace(gpt.head_model.mean_code(), identity=gpt.sight(hidden), expression=expression)
    return FaceEstimate(code, None, source, name)
