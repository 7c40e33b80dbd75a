"""The default gallery: synthetic adults of openhead with hair, beards and glasses. No real persons."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch

from facegpt_model.appearance.sampling import sample_appearance
from facegpt_model.face import FaceCode, FaceEstimate
from facegpt_model.morphable.openhead import OpenHead
from facegpt_model.morphable.people import sample_people
from facegpt_model.semantics.words import AGE_SPAN, MIDDLE_AGE
from tools.errors import ToolError
from tools.store.estimates import facts_of
from tools.store.face_store import FaceStore
from tools.store.records import NewFace
from tools.studio import Studio

PEOPLE = 1000
MOST_PEOPLE = 100_000
CHUNK = 100  # people made and stored at a time
MODEL = "openhead-people@1"
TAG = "demo"

Report = Callable[[str, float], None]


def fill(store: FaceStore, studio: Studio, count: int, seed: int, report: Report) -> int:
    """Store `count` synthetic people tagged "demo"; returns how many were new.

    The same seed gives the same people, so doing it again, or after it was cut short, adds
    only what is missing. Raises ToolError for another head model or an impossible number.
    """
    if not isinstance(studio.head, OpenHead):
        raise ToolError(f"the demo gallery is made of openhead's faces, not of {studio.head.basis}")
    if not 1 <= count <= MOST_PEOPLE:
        raise ToolError(f"a gallery holds 1 to {MOST_PEOPLE:,} people, not {count}")
    new = 0
    for start in range(0, count, CHUNK):
        codes = people(studio.head, min(CHUNK, count - start), seed * MOST_PEOPLE + start)
        estimates = [
            FaceEstimate(codes[index], None, f"seed:{seed}", MODEL, seed) for index in range(codes.batch_size)
        ]
        faces = [
            NewFace(estimate.code, facts_of(estimate, studio, speculative=True, tags=(TAG,)))
            for estimate in estimates
        ]
        new += sum(store.add(faces).fresh)
        report("making synthetic people", min(1.0, (start + CHUNK) / count))
    return new


def people(head: OpenHead, count: int, seed: int) -> FaceCode:
    """Random adults dressed as goes with their sex and age."""
    generator = torch.Generator().manual_seed(seed)
    drawn = sample_people(head, count, generator)
    worn = sample_appearance(count, 2 * drawn.sex - 1, (drawn.years - MIDDLE_AGE) / AGE_SPAN, generator)
    return replace(drawn.code, appearance=worn)
