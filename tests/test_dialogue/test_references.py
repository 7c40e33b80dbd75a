"""Which faces a turn speaks of, and the numbers in it: closed classes of words, read by rule."""

import random

import pytest

from facegpt_model.data.asking import several
from facegpt_model.data.examples import called
from facegpt_model.dialogue.arguments import arguments
from facegpt_model.dialogue.intents import INTENTS
from facegpt_model.dialogue.numbers import degrees, how_many, pixels, share
from facegpt_model.dialogue.references import Scene, mentioned

FIVE = tuple(f"face-{n}" for n in range(1, 6))
SCENE = Scene(FIVE, "face-5", previous="face-3")
SHOWN = Scene(FIVE, "face-1", group=("face-3", "face-4", "face-5"))
BY_NAME = {intent.name: intent for intent in INTENTS}


@pytest.mark.parametrize(
    ("text", "faces"),
    [
        ("compare face-2 and face-4", "24"),
        ("how different are 2 and 5?", "25"),
        ("put faces 1, 3 and 4 side by side", "134"),
        ("mix the first and the third", "13"),
        ("the 2nd one looks right", "2"),
        ("go back to number three", "3"),
        ("export the last one please", "5"),
        ("a smaller nose on 2, please", "2"),
        ("use 4 from now on", "4"),
        ("compare the last two", "45"),
        ("return to the original", "1"),
        ("the one before was better", "3"),
        ("is it very different from the previous one?", "3"),
        ("which of those two is wider?", "35"),
        ("face-9 please", "9"),
        ("give me 3 from 2", "2"),
        ("show me five variations", ""),
        ("turn him 40 degrees to the left", ""),
        ("make him 30 to 40 years old", ""),
        ("undo the last change", ""),
        ("on second thoughts, undo", ""),
        ("in 3D please, 1024 x 1024", ""),
        ("a 3/4 view please", ""),
        ("who is this?", ""),
    ],
)
def test_faces_are_found_by_any_of_their_names(text: str, faces: str) -> None:
    assert mentioned(text, SCENE).faces == tuple(f"face-{n}" for n in faces)


def test_ordinals_are_of_the_faces_that_were_shown_together() -> None:
    assert mentioned("the third one looks right, make him smile", SHOWN).faces == ("face-5",)
    assert mentioned("option 2 please", SHOWN).faces == ("face-4",)
    assert mentioned("face-2 looks right", SHOWN).faces == ("face-2",)
    assert mentioned("number 2 looks right", SHOWN).faces == ("face-2",)


def test_every_name_of_the_training_data_is_understood() -> None:
    rng = random.Random(0)
    for _ in range(2000):
        faces = [f"face-{n + 1}" for n in range(rng.randint(2, 8))]
        scene = Scene(tuple(faces), faces[-1])
        face = rng.choice(faces)
        name = called(face, faces, rng)
        assert mentioned(f"take {name}, please", scene).faces == (face,), name
        assert len(mentioned(f"mix {several(faces, 2, rng)} please", scene).faces) == 2


def test_numbers_in_digits_and_words() -> None:
    said = ("five variations", "a couple more", "12 please", "some", "this one")
    assert [how_many(text, 24) for text in said] \
        == [5, 2, 12, None, None]  # fmt: skip
    assert how_many("99 variants", 24) == 24
    assert [degrees(text) for text in ("forty-five degrees left", "20°", "yaw -30", "a bit left")] \
        == [45, 20, 30, None]  # fmt: skip
    assert [pixels(text) for text in ("at 1024x1024", "2k please", "600 pixels", "in 3D")] == [
        1024,
        2048,
        600,
        None,
    ]
    assert [share(text) for text in ("a bit more", "more", "much less", "half that")] == [0.25, 0.5, 1.0, 0.5]


@pytest.mark.parametrize(
    ("intent", "text", "wanted"),
    [
        ("view left", "no. 2, 20° left", {"face": "face-2", "yaw": 20, "pitch": 0, "size": 512}),
        ("view larger", "bigger picture please", {"face": "face-5", "yaw": 0, "pitch": 0, "size": 1024}),
        ("compare", "compare it with face-1", {"face": "face-1", "other": "face-5", "picture": True}),
        ("compare", "what changed?", {"face": "face-3", "other": "face-5", "picture": True}),
        ("variants", "now show me three of the second one",
         {"face": "face-2", "count": 3, "spread": 1.0, "keep": [], "seed": 5}),
        ("breed", "mix 2 and 4, six please",
         {"faces": ["face-2", "face-4"], "count": 6, "mutation": 0.25, "seed": 5}),
        ("less", "no, less than that",
         {"face": "face-5", "how": "less", "sliders": [], "amount": 0.5, "to": ""}),
        ("export obj", "the original as obj", {"face": "face-1", "format": "obj"}),
    ],
)  # fmt: skip
def test_arguments_follow_from_intent_and_words(intent: str, text: str, wanted: dict[str, object]) -> None:
    assert arguments(BY_NAME[intent], text, SCENE) == wanted


def test_parts_and_words_of_a_search() -> None:
    parts = arguments(BY_NAME["retrieve"], "anyone with the same nose and chin?", SCENE)
    assert parts["parts"] == ["nose", "jaw"] and parts["words"] == "" and parts["count"] == 5
    words = arguments(BY_NAME["retrieve words"], "anyone with thin lips on file?", SCENE)
    assert words["words"] == "anyone with thin lips on file?" and words["parts"] == []
