"""The embedded model answers for real: words, faces, tool calls; and the decoding under it."""

import json

import pytest
import torch

from agent.schemas import strict_schema, with_choices
from facegpt_model.semantics.axes import axis_list, phrase_table
from facegpt_model.semantics.words import parse
from facegpt_model.serving.backend import BackendError, ChatTurn, ToolSchema
from facegpt_model.serving.decoding import Grammars
from facegpt_model.serving.in_process import InProcessBackend
from facegpt_model.vlm.tokens import FACE
from tools.edit import EditRequest
from tools.export import ExportRequest
from tools.reconstruct import ReconstructRequest

CHOICES = {
    "face": ["face-1", "face-2"],
    "photo": ["photo-1"],
    "slider": [axis.name for axis in axis_list()],
}


def schemas() -> list[ToolSchema]:
    requests = {"edit": EditRequest, "reconstruct": ReconstructRequest, "export": ExportRequest}
    return [
        ToolSchema(name, name, with_choices(strict_schema(request), CHOICES))
        for name, request in requests.items()
    ]


@pytest.fixture(scope="module")
def backend() -> InProcessBackend:
    return InProcessBackend.load()


@pytest.mark.parametrize("seed", range(4))
def test_whatever_the_model_prefers_a_call_is_valid(backend: InProcessBackend, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    matcher = Grammars(backend.gpt.tokenizer).call(schemas())
    size = backend.gpt.model.get_input_embeddings().weight.shape[0]
    ids: list[int] = []
    while not matcher.finished and len(ids) < 600:
        ids += matcher.choose(torch.randn(size, generator=generator))
    assert matcher.finished
    text = backend.gpt.tokenizer.decode([i for i in ids if i != 2], skip_special_tokens=True)
    call = json.loads(text)
    assert call["name"] in {"edit", "reconstruct", "export"}
    if call["name"] == "edit":
        assert call["arguments"]["face"] in CHOICES["face"]
        for change in call["arguments"]["changes"]:
            assert change["slider"] in CHOICES["slider"] and -1 <= change["value"] <= 1


@pytest.mark.parametrize("seed", range(4))
def test_whatever_the_model_prefers_a_sentence_is_canonical(backend: InProcessBackend, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    matcher = Grammars(backend.gpt.tokenizer).sentence()
    matcher.take(backend.gpt.tokenizer("A man", add_special_tokens=False).input_ids)
    size = backend.gpt.model.get_input_embeddings().weight.shape[0]
    ids: list[int] = []
    while not matcher.finished and len(ids) < 2000:
        ids += matcher.choose(torch.randn(size, generator=generator))
    statement = parse("A man" + backend.gpt.tokenizer.decode(ids, skip_special_tokens=True))
    assert matcher.finished and statement is not None and statement.sex == "man"
    assert set(statement.phrases) <= set(phrase_table())


def test_tokens_the_grammar_forbids_are_refused(backend: InProcessBackend) -> None:
    matcher = Grammars(backend.gpt.tokenizer).sentence()
    with pytest.raises(BackendError, match="grammar stopped"):
        matcher.take(backend.gpt.tokenizer("A horse", add_special_tokens=False).input_ids)


def test_a_statement_becomes_words_and_one_face(backend: InProcessBackend) -> None:
    pieces: list[str] = []
    turn = ChatTurn("user", "It was a man of about fifty with a broad nose, thin lips and a strong jaw.")
    reply = backend.chat([turn], schemas(), (), pieces.append)
    assert reply.text.count(FACE) == len(reply.faces) == 1 and not reply.tool_calls
    statement = parse(reply.text.replace(FACE, ""))
    assert statement is not None and statement.sex == "man" and statement.age == 50
    assert "thin lips" in reply.text and "nose" in reply.text
    assert "".join(pieces).strip() in reply.text
    assert reply.faces[0].code.basis == "openhead@2" and reply.faces[0].source.startswith("text:A man")


def test_a_request_to_change_becomes_a_call(backend: InProcessBackend) -> None:
    turn = ChatTurn("user", "make his nose broader")
    reply = backend.chat([turn], schemas(), ["face-1", "face-2"])
    assert [call.name for call in reply.tool_calls] == ["edit"] and not reply.faces
    assert reply.tool_calls[0].arguments["face"] == "face-2"
    change = reply.tool_calls[0].arguments["changes"][0]
    assert change["slider"] == "nose width" and change["value"] > 0


def test_without_tools_nothing_is_called(backend: InProcessBackend) -> None:
    assert not backend.chat([ChatTurn("user", "export it")], (), ["face-1"]).tool_calls


def test_imagine_always_makes_one_face_and_always_the_same(backend: InProcessBackend) -> None:
    first, again = backend.imagine("broad nose, bald, old"), backend.imagine("broad nose, bald, old")
    assert len(first.faces) == 1 and first.text == again.text
    assert torch.equal(first.faces[0].code.identity, again.faces[0].code.identity)
    assert len(backend.imagine("hm").faces) == 1


def test_a_message_beyond_the_model_is_refused(backend: InProcessBackend) -> None:
    with pytest.raises(BackendError, match="at most 2000"):
        backend.chat([ChatTurn("user", "big nose " * 3000)], ())
