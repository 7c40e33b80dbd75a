"""From what was seen to the numbers that draw it."""

import pytest
import torch

from facegpt_model.appearance.parameters import COUNT, Appearance
from facegpt_model.data.worn_labels import ANSWERS
from facegpt_model.face import FaceCode
from facegpt_model.wearing.readouts import Worn
from facegpt_model.wearing.sliders import BARE_SCALP, appearance_of, dressed, painted_numbers, skin_age

FITTED = {"scalp hair coverage": 0.0, "beard shadow": 0.4}


def made(years: float = 45.0, **chances: dict[str, float] | str) -> Worn:
    """Sure of the given answers, or of probabilities given, and of the first of every other question."""
    probabilities = {}
    for question, known in ANSWERS.items():
        said = chances.get(question, known[0])
        told = {said: 1.0} if isinstance(said, str) else said
        probabilities[question] = {answer: told.get(answer, 0.0) for answer in known}
    return Worn(probabilities, years, 5.0)


def test_a_bald_head_is_bare_and_a_hat_hides_hair_rather_than_taking_it() -> None:
    bald = made(hair="0", sex="m")
    assert appearance_of(bald).hair.length == 0
    assert painted_numbers(bald, FITTED)["scalp hair coverage"] == BARE_SCALP
    hidden = made(hair={"0": 0.6, "2": 0.4}, hat="1", sex="m")
    assert appearance_of(hidden).hair.length > 0.2
    assert painted_numbers(hidden, FITTED)["scalp hair coverage"] == 0


def test_length_rises_with_what_is_seen() -> None:
    for sex in "fm":
        lengths = [appearance_of(made(hair=answer, sex=sex)).hair.length for answer in "1234"]
        assert lengths == sorted(lengths) and lengths[-1] >= 0.8


def test_a_woman_gets_no_crew_cut_unless_it_is_clearly_seen() -> None:
    doubtful = {"1": 0.5, "2": 0.4, "3": 0.1}
    assert appearance_of(made(hair=doubtful, sex="f")).hair.length > 0.3
    assert appearance_of(made(hair=doubtful, sex="m")).hair.length < 0.28
    assert appearance_of(made(hair="1", sex="f")).hair.length < 0.2


def test_sides_of_a_parting() -> None:
    assert appearance_of(made(hair="2", parting="l", sex="m")).hair.parting > 0.5
    assert appearance_of(made(hair="2", parting="r", sex="m")).hair.parting < -0.5
    assert appearance_of(made(hair="2", sex="m")).hair.parting == 0


def test_beards_by_kind_and_length_and_none_on_women() -> None:
    full = appearance_of(made(sex="m", facial_hair="4", moustache="1", fh_length="3")).facial_hair
    assert full.beard > 0.8 and full.moustache > 0.8 and full.length > 0.2
    chin = appearance_of(made(sex="m", facial_hair="3", fh_length="2")).facial_hair
    assert chin.goatee > 0.5 and chin.beard == chin.moustache == 0
    assert not any(vars(appearance_of(made(sex="f", facial_hair="4")).facial_hair).values())
    stubble = made(sex="m", facial_hair="1", fh_length="1")
    assert not any(vars(appearance_of(stubble).facial_hair).values())
    assert painted_numbers(stubble, FITTED)["beard shadow"] > 1


def test_glasses_by_kind() -> None:
    assert appearance_of(made(glasses={"0": 0.6, "3": 0.4})).glasses.worn == 0
    thin, thick = (appearance_of(made(glasses=kind)).glasses for kind in "13")
    assert thin.worn == thick.worn == 1 and thin.rim < 0.2 < 0.6 < thick.rim and thick.dark == 0
    assert appearance_of(made(glasses="4")).glasses.dark > 0.5


def test_folds_come_with_age_and_wrinkles() -> None:
    assert (
        skin_age(made(25.0))
        < -1
        < 0
        < skin_age(made(45.0, wrinkles="1"))
        < skin_age(made(80.0, wrinkles="2"))
    )


def test_colours_are_mixed_by_their_probabilities() -> None:
    half = painted_numbers(made(hair_colour={"black": 0.5, "grey": 0.5}), FITTED)
    grey = painted_numbers(made(hair_colour="grey"), FITTED)
    assert 0 < half["hair grey"] < grey["hair grey"]


class Palette:
    albedo_names = ("melanin", "hair lightness", "hair redness", "hair grey", "skin age",
                    "scalp hair coverage", "beard shadow")  # fmt: skip


def test_a_fitted_face_keeps_everything_else() -> None:
    code = FaceCode(torch.randn(1, 4), torch.rand(1, 3), torch.randn(1, 7), "made@1")
    worn = dressed(Palette(), code, made(hair="2", glasses="3", sex="m"))
    assert torch.equal(worn.identity, code.identity) and torch.equal(worn.expression, code.expression)
    assert torch.equal(worn.albedo[:, 0], code.albedo[:, 0])
    assert worn.appearance.shape == (1, COUNT) and Appearance.of(
        worn.appearance[0]
    ).glasses.worn == pytest.approx(1)
