"""What a turn asks for by its words alone, where a checkpoint has no intent head."""

import random

from facegpt_model.data.asking import ask, talk
from facegpt_model.dialogue.intents import INTENTS, intent_rows
from facegpt_model.dialogue.word_votes import pieces, word_votes
from facegpt_model.training.word_votes import learn
from facegpt_model.vlm.tokens import END


def asked(text: str) -> str:
    return INTENTS[int(word_votes(text).argmax())].name


def test_plain_requests_are_told_apart() -> None:
    assert asked("undo that please") == "undo"
    assert asked("now show me five variations") == "variants"
    assert asked("compare it with face-1") == "compare"
    assert asked("find similar faces in the gallery") == "retrieve"
    assert asked("who is this man?") == "decline"
    assert asked("what's the capital of France?") == "talk"


def test_most_wordings_that_were_never_trained_are_understood() -> None:
    rng = random.Random(5)
    examples = [ask(rng, "held") if n % 3 else talk(rng, "held") for n in range(300)]
    tools = {intent.name: intent.tool for intent in INTENTS}
    said = [example.prompt.rpartition("<|im_start|>user\n")[2].partition(END)[0] for example in examples]
    right = sum(tools[asked(text)] == tools[one.asks] for text, one in zip(said, examples, strict=True))
    assert right > 0.8 * len(examples)


def test_weights_are_learned_from_turns() -> None:
    said = [
        (pieces(text), intent_rows()[name]) for text, name in (("undo it", "undo"), ("hello", "talk"))
    ] * 40
    weight, bias = learn(said)
    undo = weight[pieces("undo this")].sum(0) + bias
    assert int(undo.argmax()) == intent_rows()["undo"]
