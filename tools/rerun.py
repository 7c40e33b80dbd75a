"""Rerun: let the model read the words of a case again, and fit its photos again.

A replay takes these observations from the journal; a rerun asks whether the same words and
pixels still give the same numbers. On the same checkpoint, versions and kind of processor they
do, bit for bit; another checkpoint or fitter is told by name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from facegpt_model.face import FaceEstimate
from facegpt_model.fitting.photo import METHODS, fit_person
from facegpt_model.perception.analyse import NoFace
from facegpt_model.serving.backend import Backend, Reply
from tools.errors import ToolError
from tools.history import History
from tools.imagine import MAX_TEXT
from tools.journal import Entry
from tools.reconstruct import checked_photo
from tools.studio import Studio
from tools.unsaid import with_hair

# Says a text again as in a chat with these faces (the current one last) and these photos.
Speaks = Callable[[Backend, str, Sequence[str], Sequence[tuple[str, Path]]], Reply]


@dataclass(frozen=True)
class Rerun:
    """The model and the fitter, ready to be asked again.

    open_backend: called once words have to be read; speaks: how a chat asked, None to ask only as
    `imagine` does
    """

    folder: Path
    entries: Sequence[Entry]
    open_backend: Callable[[], Backend]
    speaks: Speaks | None = None

    def estimates(self, handle: str, studio: Studio) -> list[tuple[FaceEstimate, str]]:
        """What was made again of the words or photo of a face, and by what; several where the journal
        does not tell which way it was asked. Empty for a face of neither.

        ToolError if a photo is not there any more or shows no face now.
        """
        place = next(
            n for n, e in enumerate(self.entries) if e.event == "face" and e.data["handle"] == handle
        )
        data = self.entries[place].data
        tool = data["made_by"].get("tool")
        if tool == "imagine":
            return self._imagined(place, data, studio)
        if tool == "reconstruct":
            return [self._fitted(place, data)]
        return []

    def _imagined(self, place: int, data: dict[str, Any], studio: Studio) -> list[tuple[FaceEstimate, str]]:
        text, backend = str(data["made_by"]["text"]), self.open_backend()
        number = self._number(place, data["made_by"])
        asked: list[Reply] = []
        if self.speaks and self._was_said(place, text):
            faces, photos = self._known(place)
            asked.append(self.speaks(backend, text, faces, photos))
        if data.get("seed") is not None:
            torch.manual_seed(data["seed"])
        asked.append(backend.imagine(text[:MAX_TEXT]))
        found = []
        for reply in asked:
            if number < len(reply.faces):
                estimate = replace(reply.faces[number], seed=data.get("seed"))
                found.append((with_hair(estimate, reply.text, studio.head.layout)[0], backend.name))
        return found

    def _fitted(self, place: int, data: dict[str, Any]) -> tuple[FaceEstimate, str]:
        made_by = data["made_by"]
        qualities = {method: quality for quality, method in METHODS.items()}
        quality = qualities.get(made_by["method"], "default")
        group = self._group(place, int(made_by.get("photos_together", 1)))
        photos = [checked_photo(self.folder / f"{photo}.jpg") for photo in group]
        try:
            fits = fit_person(
                photos,
                quality=quality,
                with_detail=bool(made_by.get("skin_detail")),
                with_worn="appearance_seen" in made_by,
            )
        except NoFace as error:
            raise ToolError(str(error)) from error
        return fits[group.index(made_by["photo"])].estimate, METHODS[quality]

    def _group(self, place: int, size: int) -> list[str]:
        """Photos that were fitted together with this one; their faces were made one after the other."""
        made = [e.data["made_by"] for e in self.entries if e.event == "face"]
        here = sum(e.event == "face" for e in self.entries[:place])
        before = 0
        while before < here and _together(made[here - 1 - before], size):
            before += 1
        first = here - before % size  # groups of the same size may follow each other
        return [str(one["photo"]) for one in made[first : first + size]]

    def _number(self, place: int, made_by: dict[str, Any]) -> int:
        """Which face of one answer this is, from 0."""
        number = 0
        for entry in reversed(self.entries[:place]):
            if entry.event != "face" or entry.data["made_by"] != made_by:
                break
            number += 1
        return number

    def _was_said(self, place: int, text: str) -> bool:
        said = [e.data.get("text") for e in self.entries[:place] if e.event == "said"]
        return bool(said) and said[-1] == text

    def _known(self, place: int) -> tuple[list[str], list[tuple[str, Path]]]:
        """Faces of the case at that time, the current one last, and its photos."""
        before = self.entries[:place]
        gone = {e.data["handle"] for e in before if e.event == "deleted"}
        opened = [h for e in before if e.event == "opened" for h in e.data.get("faces", ())]
        told = [e.data["handle"] for e in before if e.event == "face"]
        existing = [handle for handle in dict.fromkeys((*opened, *told)) if handle not in gone]
        history = History.replay(before, existing)
        current = history.current
        faces = [handle for handle in existing if handle != current] + ([current] if current else [])
        return faces, [(handle, self.folder / f"{handle}.jpg") for handle in history.photos]


def _together(made_by: dict[str, Any], size: int) -> bool:
    return made_by.get("tool") == "reconstruct" and made_by.get("photos_together") == size
