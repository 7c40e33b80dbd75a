"""The gallery of stored faces, searched by a face, by words or by a photo, whole or by parts.

Hits are similar shapes and never a person: each one says in words and millimetres why it is there.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import streamlit as st
from langchain_core.messages import ToolMessage
from PIL import Image

from facegpt_model.rendering.still import LABEL_HEIGHT
from tools.outcome import Outcome
from tools.retrieve import DISCLAIMER, MOST_SHOWN, question_of_photo, question_of_text, search, sheet
from tools.store.filters import FaceFilter
from tools.store.opening import usual_store
from tools.workspace import Workspace
from tools.writing import write_through
from ui.web import message_view, uploads, visit
from ui.web.desk import the_desk

PARTS = ("eyes", "brows", "nose", "mouth", "jaw", "skin")
WAYS = ("A face", "Words", "A photo")
SHEET_COLUMNS = 6  # of the picture `sheet` draws
CARDS = 3  # hits in a row
HIT = re.compile(r"(\d+)\. (f[0-9a-f]+) distance ([\d.]+): (.*) \(([^()]*(?:\([^()]*\)[^()]*)*)\)$", re.S)


@dataclass(frozen=True)
class Shown:
    """One hit as a card: its number from 1, id, distance, how it differs, and what is known of it."""

    number: int
    known: str
    distance: float
    why: str
    facts: str


def show(name: str, case: Workspace | None) -> None:
    """Draw the search and what the newest one found."""
    st.caption(f"Hits are of {DISCLAIMER}. The gallery holds no names.")
    way = st.segmented_control("Search by", WAYS, default=WAYS[0], required=True, key="search-by")
    with st.form("search-form", border=False):
        handle, words, photo = "", "", None
        if way == WAYS[0]:
            handles = list(reversed(case.handles)) if case is not None else []
            handle = st.selectbox("Face", handles, key="asked", placeholder="There is no face yet") or ""
        elif way == WAYS[1]:
            words = st.text_input(
                "Words", max_chars=1000, key="asked-words", placeholder="an old man with a broad nose"
            )
        else:
            photo = st.file_uploader(
                "Photo with one face; it is not kept",
                type=uploads.SUFFIXES,
                max_upload_size=uploads.MOST_MB,
                key="asked-photo",
            )
        parts = st.multiselect(
            "Only these parts have to be alike", PARTS, placeholder="The whole face", key="parts"
        )
        left, middle, right = st.columns(3)
        looks = left.selectbox("Who", ("anybody", "woman", "man"), key="looks")
        ages = middle.slider("Estimated age", 0, 120, (0, 120), 5, key="ages")
        count = right.slider("How many", 1, MOST_SHOWN, 6, key="hits")
        wanted = st.form_submit_button("Search the gallery", type="primary", icon=":material/search:")
    if wanted and not (handle or words.strip() or photo):
        st.warning({WAYS[0]: "Make a face in the chat first.", WAYS[1]: "Say what to look for."}.get(
            str(way), "Choose a photo first."
        ))  # fmt: skip
    elif wanted:
        wish: dict[str, Any] = {
            "looks": "" if looks == "anybody" else looks,
            "min_age": ages[0],
            "max_age": ages[1],
        }
        if handle:
            fields = {"face": handle, "parts": parts, "count": count, **wish}
            the_desk().act(name, "retrieve", fields, f"Look for faces like {handle}")
        else:
            path = uploads.kept(photo) if photo else None
            _search(visit.or_new(), words, path, parts, count, FaceFilter(**wish))
        st.rerun()
    if case is not None:
        _found(name, case)


def _search(
    name: str, words: str, photo: Path | None, parts: list[str], count: int, wanted: FaceFilter
) -> None:
    asked = f"Look for faces like {photo.name}" if photo else f"Look for {words}"
    fields: dict[str, Any] = {"photo": photo.name} if photo else {"words": words}
    fields |= {"parts": parts, "count": count}
    the_desk().do(name, "retrieve", fields, work_of(words, photo, parts, count, wanted), asked)


def work_of(
    words: str, photo: Path | None, parts: list[str], count: int, wanted: FaceFilter
) -> Callable[[Workspace, Callable[[str, float], None]], Outcome]:
    """Search by words or by a photo, for the worker; writes the hits' pictures as `retrieve` does."""

    def work(case: Workspace, report: Callable[[str, float], None]) -> Outcome:
        report("reading what is looked for", 0.0)
        if photo is not None:
            question = question_of_photo(photo, report)
        else:
            question = question_of_text(words, case.studio, the_desk().model())
        question = replace(
            question, parts={part: question.code for part in parts}, wanted=wanted, count=count
        )
        if parts:
            question = replace(question, said=None)
        with usual_store(case.studio, lambda told: report(told, 0.0)) as store:
            found = search(store, case.studio, question)
            picture = sheet(store, case.studio, found, report)
        number = 1 + sum(1 for _ in case.folder.glob("similar-search-*.png"))
        file = f"similar-search-{number}.png"
        write_through(case.folder / file, picture.save)
        case.wrote(
            "searched", {"words": words, "photo": photo.name if photo else "", "parts": parts}, (file,)
        )
        lines = "; ".join(f"{number}. {row.line()}" for number, row in enumerate(found, start=1))
        what = "the photo" if photo else "these words"
        return Outcome(f"{len(found)} like {what} {question.about()} ({DISCLAIMER}): {lines}", files=(file,))

    return work


def hits(told: str) -> list[Shown]:
    """The hits an answer of `retrieve` tells of, [] if it tells of none."""
    _, _, lines = told.partition(f"({DISCLAIMER}): ")
    found = [HIT.match(line) for line in re.split(r"; (?=\d+\. f[0-9a-f]+ distance)", lines)]
    return [Shown(int(m[1]), m[2], float(m[3]), m[4], m[5]) for m in found if m]


def tiles(picture: Image.Image, count: int) -> list[Image.Image]:
    """The hits' pictures, cut out of their sheet without the labels."""
    columns = min(SHEET_COLUMNS, count)
    side = picture.width // columns
    boxes = ((n % columns * side, n // columns * (side + LABEL_HEIGHT)) for n in range(count))
    return [picture.crop((x, y, x + side, y + side)) for x, y in boxes]


def _found(name: str, case: Workspace) -> None:
    for message in reversed(the_desk().chat(name).messages):
        if isinstance(message, ToolMessage) and message.name == "retrieve" and message.status != "error":
            break
    else:
        return
    told, files = str(message.text), (message.artifact or {}).get("files", ())
    cards = hits(told)
    sheet_file = case.folder / str(files[0]) if files else None
    st.markdown(f"**{message_view.words(told.partition(': ')[0])}**")
    if not cards or sheet_file is None or not sheet_file.is_file():
        st.markdown(message_view.words(told))
        return
    pictures = tiles(Image.open(sheet_file), len(cards))
    for start in range(0, len(cards), CARDS):
        row = zip(
            st.columns(CARDS), cards[start : start + CARDS], pictures[start : start + CARDS], strict=False
        )
        for column, card, picture in row:
            with column:
                st.image(picture, width="stretch", alt=f"stored face {card.known}")
                st.markdown(f"**{card.number}. distance {card.distance:.2f}**")
                st.markdown(message_view.words(card.why))
                st.caption(message_view.words(card.facts))
                if st.button(
                    "Bring it into the chat",
                    key=f"bring-{card.known}",
                    disabled=the_desk().busy(name),
                    icon=":material/add_circle:",
                ):
                    the_desk().act(name, "bring", {"id": card.known}, f"Bring {card.known}")
                    st.rerun()
