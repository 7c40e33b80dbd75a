"""What the last turn asks for, and how that bounds the answer: speak, make a face, or call one tool.

The intent head decides where it is sure; where it is not, the model does. Arguments that follow
from closed classes of words - faces, numbers, parts - are fixed by rule (dialogue/arguments.py),
the changes of an edit by what was heard; only what is left is written by the model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from facegpt_model.dialogue.arguments import arguments
from facegpt_model.dialogue.intents import DECLINE, IMAGINE, INTENTS, PHOTO, TALK, Intent
from facegpt_model.dialogue.references import Scene
from facegpt_model.dialogue.word_votes import word_votes
from facegpt_model.serving.backend import ToolSchema
from facegpt_model.serving.decoding import heard_changes
from facegpt_model.serving.rules import Rules
from facegpt_model.vlm.hearing import Wording

REFUSAL = "I cannot do that: I make, change and compare faces, and I never tell who somebody is."
SURE = 0.5  # probability of an act from which the intent head decides it
SURER = 0.8  # probability of "more" or "less" from which what was heard beside it does not count
PERHAPS = 0.05  # probability from which an edit is likelier than talk where something of a face was heard
NAMED = 0.8  # certainty of a wording from which it names what is to be more or less


@dataclass(frozen=True)
class Turn:
    """The words of the last turn and the faces it can speak of, newest last."""

    words: str
    faces: Sequence[str] = ()

    @property
    def scene(self) -> Scene:
        """The faces by their numbers; the last one offered is the current one."""
        order = sorted(self.faces, key=lambda face: (len(face), face))
        return Scene(tuple(order), self.faces[-1] if self.faces else "")


@dataclass(frozen=True)
class Wanted:
    """How an answer is bound.

    rules:    what it may hold; tools: those that may be called, narrowed to what the words decide
    must_call: the answer is a call of one of them
    said: the whole answer where the model has no say, since a refusal must be plain
    """

    rules: Rules
    tools: Sequence[ToolSchema]
    must_call: bool = False
    said: str = ""


def wanted(
    intents: Tensor | None, turn: Turn, heard: Sequence[Wording], tools: Sequence[ToolSchema], rules: Rules
) -> Wanted:
    """What the answer to a turn is bound to.

    intents: (I,) logits of the intent head, None where the model has none or nobody has just spoken.
    """
    if intents is None:
        return Wanted(rules, [heard_changes(tool, heard) for tool in tools])
    chances = dict(zip((intent.name for intent in INTENTS), intents.softmax(-1).tolist(), strict=True))
    offered = {tool.name: tool for tool in tools}
    possible = [intent for intent in INTENTS if _is_possible(intent, offered, rules)]
    acts: dict[str, float] = {}
    for intent in possible:
        acts[_act(intent)] = acts.get(_act(intent), 0.0) + chances[intent.name]
    act = max(acts, key=lambda name: acts[name])
    sure = acts[act] >= SURE * sum(acts.values())
    named = [wording for wording in heard if wording.certainty >= NAMED]
    if act == "adjust" and acts[act] < SURER and named and "edit" in offered:
        act = "edit"  # "less nose" names what is to be less
    if act == TALK and named and turn.faces and acts.get("edit", 0.0) >= PERHAPS:
        act = "edit"  # "give him a beard" is no "give him a hat"
    if act == "edit" and not turn.faces and rules.may_make_face:
        act = IMAGINE  # there is nothing to change yet
    best = {
        name: max((i for i in possible if _act(i) == name), key=lambda i: chances[i.name]) for name in acts
    }
    narrowed = {
        name: _narrowed(heard_changes(tool, heard), _fixed(best.get(name), turn))
        for name, tool in offered.items()
    }
    if not sure:
        return Wanted(rules, list(narrowed.values()))
    if act in narrowed:
        return Wanted(rules, [narrowed[act]], must_call=True)
    speaking = replace(rules, may_call=False, may_make_face=rules.may_make_face and act == IMAGINE)
    refused = act == TALK and chances[DECLINE] > chances[TALK]
    return Wanted(speaking, (), said=REFUSAL if refused else "")


def votes(head: Tensor | None, words: str) -> Tensor:
    """(I,) logits of what words ask for: by the words alone, and by the intent head where there is one.

    The two err on different turns: head 79, words 77, both 81 of 85 turns written apart.
    """
    said = word_votes(words)
    return said if head is None else head.log_softmax(-1) + said.log_softmax(-1)


def _act(intent: Intent) -> str:
    """What is done for an intent: a tool, a face, or speech."""
    return intent.tool or (IMAGINE if intent.name == IMAGINE else TALK)


def _is_possible(intent: Intent, offered: Mapping[str, ToolSchema], rules: Rules) -> bool:
    if intent.tool:
        return rules.may_call and intent.tool in offered
    return intent.name != IMAGINE or rules.may_make_face


def _fixed(intent: Intent | None, turn: Turn) -> dict[str, Any]:
    if intent is None or intent.name == PHOTO:
        return {}
    return arguments(intent, turn.words, turn.scene)


def _narrowed(tool: ToolSchema, fixed: Mapping[str, Any]) -> ToolSchema:
    """The tool with arguments that can have one value only, where its schema allows that value."""
    properties = dict(tool.parameters.get("properties", {}))
    for name, value in fixed.items():
        schema = properties.get(name)
        if schema is not None and value in schema.get("enum", [value]):
            properties[name] = {"enum": [value]}
    return ToolSchema(tool.name, tool.description, {**tool.parameters, "properties": properties})
