"""From the name of a light to the lamps of a still."""

from __future__ import annotations

from facegpt_model.face import FaceEstimate
from facegpt_model.rendering.lamps import LIGHTS, Lamps, lamps_of
from tools.errors import ToolError
from tools.light_names import Light


def lamps_for(estimate: FaceEstimate, light: Light) -> Lamps:
    """The lamps of that name; ToolError for the light of a photo there is not."""
    if light != "photo":
        return LIGHTS[light]
    if estimate.view is None:
        raise ToolError(
            "this face was not fitted to a photo, so there is no photo's light to draw it in; take one of "
            f"{', '.join(LIGHTS)}"
        )
    return lamps_of(estimate.view.light[0])
