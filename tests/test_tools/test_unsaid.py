"""Hair of a person whose hair nobody mentioned."""

from __future__ import annotations

from dataclasses import replace

import torch

from facegpt_model.appearance.parameters import Appearance, Glasses, Hair
from facegpt_model.face import FaceEstimate
from tools.studio import open_studio
from tools.unsaid import with_hair

LAYOUT = open_studio().head.layout


def spoken(appearance: Appearance | None = None) -> FaceEstimate:
    axes = open_studio().axes
    code = axes.code({"nose width": 0.5})
    if appearance is not None:
        code = replace(code, appearance=appearance.row())
    return FaceEstimate(code, None, "text:x", "m@1")


def test_hair_comes_with_sex_and_age_and_is_told() -> None:
    woman, told = with_hair(spoken(), "A woman of about 30 with a broad nose. <FACE>", LAYOUT)
    man, _ = with_hair(spoken(), "A man with a broad nose. <FACE>", LAYOUT)
    assert "long hair" in told and "not described" in told
    lengths = [Appearance.of(face.code.appearance[0]).hair.length for face in (woman, man)]
    assert lengths[0] > lengths[1] > 0.1
    old, _ = with_hair(spoken(), "A man of about 70. <FACE>", LAYOUT)
    assert Appearance.of(old.code.appearance[0]).hair.receding > 0


def test_what_was_said_stays() -> None:
    said = spoken(Appearance(Hair(length=0.3), glasses=Glasses(worn=1.0)))
    kept, told = with_hair(said, "A woman with short hair and glasses. <FACE>", LAYOUT)
    assert kept is said and told == ""
    bald, told = with_hair(said, "A man with a bald head. <FACE>", LAYOUT)
    assert bald is said and told == ""
    dressed, _ = with_hair(
        spoken(Appearance(glasses=Glasses(worn=1.0))), "A woman with glasses. <FACE>", LAYOUT
    )
    assert Appearance.of(dressed.code.appearance[0]).glasses.worn == 1.0
    assert torch.equal(dressed.code.identity, said.code.identity)


def test_a_sentence_that_is_not_canonical_changes_nothing() -> None:
    said = spoken()
    assert with_hair(said, "Hello there.", LAYOUT) == (said, "")


def test_a_face_that_came_without_numbers_of_hair_gets_some() -> None:
    said = spoken()
    bare = replace(said, code=replace(said.code, appearance=torch.zeros(1, 0)))
    dressed, told = with_hair(bare, "A woman of about 30. <FACE>", LAYOUT)
    assert told and Appearance.of(dressed.code.appearance[0]).hair.length > 0.5
    assert with_hair(bare, "A woman of about 30. <FACE>", replace(LAYOUT, appearance=0)) == (bare, "")


def test_curls_without_a_length_get_one_and_stay_curls() -> None:
    curly = spoken(Appearance(Hair(wave=0.6)))
    dressed, told = with_hair(curly, "A man with curly hair. <FACE>", LAYOUT)
    hair = Appearance.of(dressed.code.appearance[0]).hair
    assert hair.wave > 0.5 and hair.length >= 0.5 and "length was not described" in told


def test_a_length_that_was_said_but_not_read_is_made_good_and_told() -> None:
    dressed, told = with_hair(spoken(), "A woman with long hair. <FACE>", LAYOUT)
    assert Appearance.of(dressed.code.appearance[0]).hair.length > 0.5 and "read no length" in told


def test_an_afro_stands_off_the_head_whoever_wears_it() -> None:
    afro = spoken(Appearance(Hair(wave=0.9)))
    lengths = []
    for sentence in ("A woman with an afro. <FACE>", "A man with an afro. <FACE>"):
        dressed, _ = with_hair(afro, sentence, LAYOUT)
        lengths.append(Appearance.of(dressed.code.appearance[0]).hair.length)
    assert lengths == [0.5, 0.5]
