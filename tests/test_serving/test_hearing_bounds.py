"""What was heard bounds what may be said and changed, whatever the language model prefers."""

import json
from collections.abc import Sequence

import pytest
import torch
from transformers import PreTrainedTokenizerFast

from agent.schemas import strict_schema, with_choices
from facegpt_model.semantics.axes import axis_list, axis_named
from facegpt_model.semantics.words import parse
from facegpt_model.serving.backend import ToolSchema
from facegpt_model.serving.decoding import Grammars, Matcher, heard_changes
from facegpt_model.serving.rules import Rules
from facegpt_model.serving.speech import Speech, Words
from facegpt_model.vlm.backbones import load_smollm2
from facegpt_model.vlm.hearing import Possible, Wording
from tools.edit import EditRequest
from tools.export import ExportRequest


def wording(*possible: tuple[str, int], degree: float = 0.5) -> Wording:
    share = 1 / len(possible)
    readings = tuple(Possible(axis_named(axis), sign, share) for axis, sign in possible)
    return Wording(0, 0.9, readings, degree)


HEARD = (
    wording(("nose width", 1), ("nose size", 1), degree=0.8),
    wording(("lip fullness", -1), degree=0.25),
    wording(("beard", 1)),
)


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return load_smollm2()[1]


def babble(matcher: Matcher, size: int, seed: int) -> list[int]:
    generator = torch.Generator().manual_seed(seed)
    ids: list[int] = []
    while not matcher.finished and len(ids) < 600:
        ids += matcher.choose(torch.randn(size, generator=generator))
    assert matcher.finished
    return ids


def text_of(tokenizer: PreTrainedTokenizerFast, ids: Sequence[int]) -> str:
    return str(tokenizer.decode(list(ids), skip_special_tokens=True))


@pytest.mark.parametrize("seed", range(4))
def test_a_sentence_says_one_reading_of_each_wording_in_order(
    tokenizer: PreTrainedTokenizerFast, seed: int
) -> None:
    matcher = Grammars(tokenizer).sentence(HEARD)
    said = parse(text_of(tokenizer, babble(matcher, len(tokenizer), seed)))
    assert said is not None and len(said.phrases) == 3
    nose, lips, beard = said.phrases
    assert nose in ("a very broad nose", "a very big nose")
    assert lips == "slightly thin lips" and "beard" in beard


@pytest.mark.parametrize("seed", range(4))
def test_an_edit_moves_what_was_heard_to_the_side_that_was_heard(
    tokenizer: PreTrainedTokenizerFast, seed: int
) -> None:
    choices = {"face": ["face-1"], "slider": [axis.name for axis in axis_list()]}
    tool = ToolSchema("edit", "edit", with_choices(strict_schema(EditRequest), choices))
    narrow = heard_changes(tool, HEARD)
    call = json.loads(text_of(tokenizer, babble(Grammars(tokenizer).call([narrow]), len(tokenizer), seed)))
    changes = call["arguments"]["changes"]
    assert 1 <= len(changes) <= 3
    for change in changes:
        sides = {"nose width": 1, "nose size": 1, "lip fullness": -1, "beard": 1}
        assert change["value"] * sides[change["slider"]] > 0


def test_other_tools_and_silence_leave_the_schema_alone() -> None:
    export = ToolSchema("export", "export", strict_schema(ExportRequest))
    edit = ToolSchema("edit", "edit", strict_schema(EditRequest))
    assert heard_changes(export, HEARD) is export
    assert heard_changes(edit, ()) is edit


def test_a_sentence_can_be_taken_back_and_said_in_another_way(tokenizer: PreTrainedTokenizerFast) -> None:
    speech = Speech(tokenizer, Words(tokenizer), Grammars(tokenizer), Rules(False, True), HEARD, [])
    open_man, man = (tokenizer(text, add_special_tokens=False).input_ids for text in ("A", " man"))
    for token in [*open_man, *man]:
        assert speech.take(token) == []
    begun = speech.allowed()
    assert begun.sum() < 20 and speech.closing
    forced = speech.take(int(begun.nonzero()[0, 0]))
    speech.undo(1 + len(forced))
    assert torch.equal(speech.allowed(), begun) and text_of(tokenizer, speech.ids) == "A man"
    speech.undo(1)  # " man": free words again
    assert speech.allowed().sum() > 40_000 and not speech.closing and text_of(tokenizer, speech.ids) == "A"
    for token in tokenizer(" woman", add_special_tokens=False).input_ids:
        speech.take(token)
    generator = torch.Generator().manual_seed(0)
    while not speech.finished:
        allowed = speech.allowed().nonzero()[:, 0]
        speech.take(int(allowed[torch.randint(len(allowed), (1,), generator=generator)]))
    said = parse(text_of(tokenizer, speech.ids))
    assert said is not None and said.sex == "woman" and len(said.phrases) == 3
    assert tokenizer.decode(speech.closing) == " <FACE>"
