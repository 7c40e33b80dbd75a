"""Learn where pigments lie in skin from portraits and write the file the head model loads.

    python -m facegpt_model.skin --photos FOLDER

FOLDER is as fitting/portraits.py describes. Only portraits with a verified licence and of
people not kept for tests are used, the sources in turn. docs/skin.md tells the method.
"""

from __future__ import annotations

import argparse
import json
import logging
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from facegpt_model.fitting.calibrate import in_turn
from facegpt_model.fitting.portraits import Portrait, read_portraits
from facegpt_model.morphable.build.pack import write_npz
from facegpt_model.morphable.openhead import SKIN_FILE, OpenHead
from facegpt_model.skin.atlas_maps import bare_skin, known_share, quantised, shipped_maps
from facegpt_model.skin.delight import pigment_map
from facegpt_model.skin.lowrank import learn, symmetric
from facegpt_model.skin.tones import pigments, skin_palette
from facegpt_model.skin.unproject import head_texels, mean_openness, unproject

log = logging.getLogger(__name__)

ATLAS_SIZE = 256  # texels of about a millimetre: the portraits hold no finer detail
COMPONENTS, SEED = 7, 0


def skin_arrays(model: OpenHead, portraits: list[Portrait]) -> dict[str, NDArray[Any]]:
    """Every array of the skin file by name; shapes in morphable/skin_detail.py."""
    texels = head_texels(model, ATLAS_SIZE)
    bare, directions = bare_skin(model, texels), pigments()
    openness = mean_openness(model, texels)
    maps = []
    for number, portrait in enumerate(portraits):
        maps.append(pigment_map(unproject(portrait, model, texels), bare.skin, openness, directions))
        if number % 50 == 49:
            log.info("%d of %d portraits", number + 1, len(portraits))
    pigment = np.stack([found.pigment for found in maps]).astype(np.float32)
    weight = np.stack([found.weight for found in maps]).astype(np.float32)
    pigment, weight = symmetric(pigment, weight, texels.mirror)
    fade = known_share(texels, bare, weight.mean(axis=0))
    known = fade > 0.001
    found = learn(pigment[:, known], weight[:, known], bare.beard[known], COMPONENTS, SEED)
    learned = np.zeros((1 + COMPONENTS, len(fade), 2))
    learned[0, known], learned[1:, known] = found.mean, found.components
    steps, scale = quantised(shipped_maps(texels, bare, fade, learned))
    log.info("explained by the components: %s", np.round(found.share, 3).tolist())
    colours = skin_palette(model.region_names)
    about = {
        "made_by": "python -m facegpt_model.skin",
        "fitted_with": model.basis,
        "portraits": dict(Counter(f"{p.source}, {p.licence}" for p in portraits)),
        "attribution": sorted({p.attribution for p in portraits}),
        "component_shares": [round(float(value), 4) for value in found.share],
        "explained": round(found.explained, 4),
        "note": "averages and seven directions over all portraits; no person can be read from them",
    }
    return {
        "about": np.array(json.dumps(about, sort_keys=True)),
        "names": np.array([f"skin {number + 1}" for number in range(COMPONENTS)]),
        "pigments": directions.astype(np.float32),
        "maps": steps,
        "scale": scale,
        "region_colour_mean": colours.mean.astype(np.float32),
        "region_colour_basis": colours.basis.astype(np.float32),
        "region_gain": colours.gain.astype(np.float32),
    }


def main() -> None:
    """Read the folder, learn, write the file."""
    parser = argparse.ArgumentParser(prog="python -m facegpt_model.skin", description=__doc__)
    parser.add_argument("--photos", type=Path, required=True, help="folder of portraits")
    parser.add_argument("--count", type=int, default=300, help="portraits to use")
    parser.add_argument("--out", type=Path, default=SKIN_FILE)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(1)
    model = OpenHead(skin=None)
    usable = [p for p in read_portraits(options.photos) if p.verified and not p.is_test]
    write_npz(options.out, skin_arrays(model, in_turn(usable, options.count)))
    log.info("wrote %s, %.2f MB", options.out, options.out.stat().st_size / 1e6)


if __name__ == "__main__":
    main()
