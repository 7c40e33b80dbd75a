"""Retrieve: stored faces of similar shape, as a whole, by some parts, or by what a statement said.

Answers say how each face differs, in words and millimetres. They are similar shapes in a
gallery, never a person: nothing here identifies anybody, and the store holds no names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from pydantic import BaseModel, Field

from facegpt_model.face import FaceCode
from facegpt_model.fitting.photo import fit_photo
from facegpt_model.perception.analyse import NoFace
from facegpt_model.rendering.still import contact_sheet
from facegpt_model.semantics.axes import phrase_table
from facegpt_model.semantics.words import Statement, parse
from facegpt_model.serving.backend import Backend
from facegpt_model.vlm.tokens import FACE
from tools.errors import ToolError
from tools.imagine import checked_text
from tools.outcome import Outcome
from tools.reconstruct import checked_photo
from tools.store.differences import differences, in_words
from tools.store.estimates import age_reader
from tools.store.face_store import EVERYBODY, FaceStore, Hit
from tools.store.filters import FaceFilter
from tools.store.thumbnails import thumbnail
from tools.studio import Studio
from tools.unsaid import with_hair
from tools.workspace import Workspace
from tools.writing import write_through

DISCLAIMER = "similar shape, not an identification"
MOST_SHOWN = 12
AGE = "age of"
AS_SAID = 0.75  # standard deviations of the stored faces within which a reading is as it was said
RIDGE = 4.0  # of reading sliders: random people hold about 1 sd that no slider explains, sliders 0.5
Part = Literal["eyes", "brows", "nose", "mouth", "jaw", "skin"]
Report = Callable[[str, float], None]


class RetrieveRequest(BaseModel, extra="forbid"):
    """Find faces of similar shape in the gallery; nobody is identified."""

    face: str = Field(default="", description="handle of the face, empty for the current one")
    words: str = Field(
        default="", max_length=4000, description="what they should look like; empty for the face"
    )
    parts: list[Part] = Field(
        default_factory=list, description="only these parts have to be alike; empty for the whole face"
    )
    count: int = Field(default=5, ge=1, le=MOST_SHOWN, description="how many faces")
    looks: Literal["", "woman", "man"] = Field(default="", description="only such faces, empty for all")
    min_age: int = Field(default=0, ge=0, le=120, description="youngest estimated age in years")
    max_age: int = Field(default=120, ge=0, le=120, description="oldest estimated age in years")
    tags: list[str] = Field(default_factory=list, description="labels the faces must have")


class BringRequest(BaseModel, extra="forbid"):
    """Take a face of the gallery into this conversation."""

    id: str = Field(description="id of a stored face, such as f0123456789abcdef")


@dataclass(frozen=True)
class Question:
    """What to look for: one face, and what of it counts.

    parts: part -> the face whose part is meant; everything else is free. Empty: the whole face
    said:  the statement a face was made from; then only what it spoke of counts
    """

    code: FaceCode
    parts: Mapping[str, FaceCode] = field(default_factory=dict)
    said: Statement | None = None
    wanted: FaceFilter = EVERYBODY
    count: int = 5

    def about(self) -> str:
        """What counts, in words."""
        if self.parts:
            return f"by {', '.join(self.parts)} alone"
        if self.said is not None:
            return f"by what was said ({self.said.text().removesuffix('.')})"
        return "by the whole face"


@dataclass(frozen=True)
class Found:
    """A hit with how it differs from what was asked, in words."""

    hit: Hit
    words: str

    def line(self) -> str:
        """One line for people."""
        face = self.hit.face
        return f"{face.id} distance {self.hit.distance:.2f}: {self.words} ({face.facts.words()})"


def retrieve(
    request: RetrieveRequest,
    workspace: Workspace,
    store: FaceStore,
    on_progress: Report | None = None,
    backend: Backend | None = None,
) -> Outcome:
    """Ids of similar stored faces and how they differ; writes similar-FACE.png with their pictures.

    A face made from words is looked for by what was said; any other by its whole shape; with `words`
    no face of the conversation is needed, but a backend that reads them. ToolError for an unknown
    face, an empty store, or when nothing fits the filter.
    """
    wanted = FaceFilter(
        looks=request.looks, min_age=request.min_age, max_age=request.max_age, tags=tuple(request.tags)
    )
    if request.words and backend is not None:
        question, whom = question_of_text(request.words, workspace.studio, backend), "words"
    else:
        face = workspace.face(request.face)
        code = face.estimate.code
        parts: dict[str, FaceCode] = dict.fromkeys(request.parts, code)
        question, whom = Question(code, parts, None if parts else statement_of(face.made_by)), face.handle
    question = replace(question, wanted=wanted, count=request.count)
    found = search(store, workspace.studio, question)
    name = f"similar-{whom}.png"
    picture = sheet(store, workspace.studio, found, on_progress or (lambda _, __: None))
    write_through(workspace.folder / name, picture.save)
    lines = "; ".join(f"{number}. {row.line()}" for number, row in enumerate(found, start=1))
    like = "" if whom == "words" else f"like {whom} "
    faces = "1 face" if len(found) == 1 else f"{len(found)} faces"
    text = f"{faces} {like}{question.about()} ({DISCLAIMER}): {lines}"
    return Outcome(text, files=(name,))


def bring(request: BringRequest, workspace: Workspace, store: FaceStore) -> Outcome:
    """Make a stored face a face of the conversation; ToolError for an unknown id."""
    stored = store.get(request.id)
    made_by = {"tool": "bring", "id": stored.id, "source": stored.facts.source}
    face = workspace.add(stored.estimate(), made_by=made_by, speculative=stored.facts.speculative)
    text = f"{face.handle} from the gallery, {stored.facts.words()}"
    return Outcome(text, (face.handle,), workspace.files(face.handle))


def question_of_text(text: str, studio: Studio, backend: Backend) -> Question:
    """What words ask for: the face the model imagines of them, and what it understood they said."""
    reply = backend.imagine(checked_text(text))
    if not reply.faces:
        raise ToolError("the model made no face of this text; describe what the face looks like")
    dressed, _ = with_hair(reply.faces[-1], reply.text, studio.head.layout)
    return Question(dressed.code, said=parse(reply.text.replace(FACE, "").strip()))


def question_of_photo(path: Path, on_progress: Report | None = None) -> Question:
    """What a photo asks for: the shape fitted to it. ToolError if it is no photo or shows no face."""
    try:
        return Question(fit_photo(checked_photo(path), on_progress, path.name).estimate.code)
    except NoFace as error:
        raise ToolError(str(error)) from error


def search(store: FaceStore, studio: Studio, question: Question) -> list[Found]:
    """The nearest stored faces with their differences; ToolError when the store has none that fit."""
    if not len(store):
        raise ToolError("the face store is empty; fill it with: facegpt store demo, or facegpt store import")
    if question.said is not None and not question.parts:
        return _by_statement(store, studio, question, question.said)
    wanted, count, code = question.wanted, question.count, question.code
    if question.parts:
        hits = _checked_hits(store, store.query_parts(question.parts, count, wanted), wanted)
        words = _part_words(store, studio, question.parts, hits)
    else:
        hits = _checked_hits(store, store.query(code, count, wanted), wanted)
        codes = joined([hit.face.code for hit in hits])
        parts = differences(studio.head, store.calibration, code, codes)
        words = [in_words(rows, code, hit.face.code) for hit, rows in zip(hits, parts, strict=True)]
    return [Found(hit, told) for hit, told in zip(hits, words, strict=True)]


def _by_statement(store: FaceStore, studio: Studio, question: Question, said: Statement) -> list[Found]:
    """Faces in which the sliders a statement spoke of stand as they do in the imagined face."""
    wanted = question.wanted
    if not wanted.looks and said.sex in ("woman", "man"):
        wanted = wanted.model_copy(update={"looks": said.sex})
    readings = said_readings(studio, said, question.code)
    if not readings.names:
        return search(store, studio, replace(question, said=None, wanted=wanted))
    hits, apart = store.query_readings(readings.readers, readings.targets, question.count, wanted)
    return [
        Found(hit, ", ".join(map(_against_statement, readings.names, readings.signs, row)))
        for hit, row in zip(_checked_hits(store, hits, wanted), apart, strict=True)
    ]


def _against_statement(name: str, sign: float, apart: float) -> str:
    """Such as "a broad nose as said" or "a broad nose, less so"."""
    if abs(apart) < AS_SAID:
        return f"{name} as said"
    if name.startswith(AGE):
        return "older" if apart > 0 else "younger"
    return f"{name}, {'more' if apart * sign > 0 else 'less'} so"


def _checked_hits(store: FaceStore, hits: list[Hit], wanted: FaceFilter) -> list[Hit]:
    if not hits:
        known = ", ".join(store.known("tags")) or "none"
        raise ToolError(f"no stored face fits {wanted.words()}; tags in the store: {known}")
    return hits


def _part_words(
    store: FaceStore, studio: Studio, targets: Mapping[str, FaceCode], hits: Sequence[Hit]
) -> list[str]:
    """Each hit's asked-for parts against their own targets, nearest first."""
    codes = joined([hit.face.code for hit in hits])
    words: list[list[tuple[float, str]]] = [[] for _ in hits]
    for part, target in targets.items():
        for told, rows in zip(words, differences(studio.head, store.calibration, target, codes), strict=True):
            row = next(row for row in rows if row.part == part)
            told.append((row.relative, row.words))
    return [", ".join(text for _, text in sorted(told)) for told in words]


def statement_of(made_by: Mapping[str, Any]) -> Statement | None:
    """The statement a face was imagined from, None for faces of another origin."""
    if made_by.get("tool") != "imagine":
        return None
    return parse(str(made_by.get("understood", "")).replace(FACE, "").strip())


@dataclass(frozen=True)
class Readings:
    """What a statement spoke of, as linear readings of the flat code.

    names:   the phrases, such as "a broad nose"; signs: 1 where the phrase means more of the reading
    readers: (m, D); targets: (m,) what they should be
    """

    names: tuple[str, ...]
    signs: tuple[float, ...]
    readers: NDArray[np.float32]
    targets: NDArray[np.float32]


def said_readings(studio: Studio, said: Statement, code: FaceCode) -> Readings:
    """Readings of the sliders a statement named, with the imagined face's own as targets, and of its age."""
    table = phrase_table()
    meant = {phrase: table[phrase] for phrase in said.phrases if phrase in table}
    names, signs = list(meant), [float(np.sign(value)) for _, value in meant.values()]
    directions = studio.axes.directions.double()
    ridge = directions @ directions.T + RIDGE * torch.eye(len(directions), dtype=torch.float64)
    rows = [studio.axes.row(name) for name, _ in meant.values()]
    readers = torch.linalg.solve(ridge, directions)[rows].float().numpy()
    targets = readers @ studio.head.layout.pack(code)[0].numpy()
    reader = age_reader(studio.head.layout)
    if said.age is not None and reader is not None:
        names.append(f"{AGE} about {said.age}")
        signs.append(1.0)
        readers = np.concatenate([readers, reader[0][None]])
        targets = np.append(targets, said.age - reader[1])
    return Readings(tuple(names), tuple(signs), readers.astype(np.float32), targets.astype(np.float32))


def sheet(store: FaceStore, studio: Studio, found: Sequence[Found], report: Report) -> Image.Image:
    """Pictures of the hits with their numbers and distances; missing ones are drawn and kept."""
    pictures, labels = [], []
    for number, row in enumerate(found, start=1):
        pictures.append(thumbnail(store, row.hit.face, studio.head))
        labels.append(f"{number}. distance {row.hit.distance:.2f}")
        report("drawing similar faces", number / len(found))
    return contact_sheet(pictures, min(6, len(pictures)), labels)


def joined(codes: Sequence[FaceCode]) -> FaceCode:
    """Several codes of one head model as one batch; bare heads become rows of zeros."""
    most = max(code.appearance.shape[1] for code in codes)
    worn = [
        code.appearance if code.appearance.shape[1] else code.albedo.new_zeros(code.batch_size, most)
        for code in codes
    ]
    return replace(
        codes[0],
        identity=torch.cat([code.identity for code in codes]),
        expression=torch.cat([code.expression for code in codes]),
        albedo=torch.cat([code.albedo for code in codes]),
        joints=torch.cat([code.joints for code in codes]),
        appearance=torch.cat(worn),
    )
