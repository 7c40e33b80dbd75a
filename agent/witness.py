"""An interview with a witness: free recall first, open questions only, every picture marked.

The language model never speaks to the witness, since it could put words into their mouth: all
that is said comes from questions.py. It only reads the witness's words into a face. What it
understood stands in the journal and in face-N.json for the interviewer. Where the interview
stands is read from the journal, so it goes on after an interruption.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from types import TracebackType

from agent.events import Event, FaceMade, Final, Spoke
from agent.prompts import SYSTEM
from agent.questions import (
    ABOUT,
    END,
    FIRST_PICTURE,
    GO_ON,
    LAST,
    NEXT_PICTURE,
    NO_CHANGE,
    NO_PICTURE,
    PARTS,
    RECALL,
    WARNING,
)
from agent.registry import tool_named
from agent.schemas import strict_schema, with_choices
from facegpt_model.semantics.axes import axis_list, phrase_table
from facegpt_model.semantics.words import SEX_VALUE, age_value, parse
from facegpt_model.serving.backend import Backend, ChatTurn, Reply, ToolSchema
from facegpt_model.vlm.tokens import FACE
from tools.edit import EditRequest, SliderChange, edit
from tools.errors import ToolError
from tools.imagine import MAX_TEXT, checked_text, keep
from tools.workspace import Workspace

CHANGES = 8  # of one statement at most
SETTLED = 0.05  # slider steps smaller than this change nothing
_DONE = re.compile(
    r"(that is|that's|thats) (all|it|everything)( i (know|remember))?|nothing( else| more)?|no|none|no more|"
    r"i (do not|don't|dont|cannot|can't) (know|remember)( more| anything else)?|done"
)


class WitnessInterview:
    """One witness, one case; shows itself as a conversation does: turns go in, events come out."""

    def __init__(self, workspace: Workspace, backend: Backend) -> None:
        """Begin or go on; ToolError if the folder holds faces that were made before any interview."""
        workspace.begin_witness()
        self.workspace = workspace
        self.backend = backend

    def __enter__(self) -> WitnessInterview:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to let go of: everything is in the journal already."""

    def opening(self) -> str:
        """What the witness hears first: the warning and the call for free recall, or where they were."""
        asked = self._texts("asked")
        if asked:
            return asked[-1]
        self.workspace.journal.append("warned", {"text": WARNING})
        self.workspace.journal.append("asked", {"text": RECALL})
        return f"{WARNING}\n\n{RECALL}"

    def turn(self, text: str) -> Iterator[Event]:
        """What the witness says. Raises ToolError for empty or overlong text, BackendError."""
        said = checked_text(text)
        if not self._texts("warned"):
            yield Spoke(self.opening())
        before = self.workspace.handles
        answer = self._recall(said) if not self._events("recalled") else self._picture(said)
        made = tuple(handle for handle in self.workspace.handles if handle not in before)
        yield from (FaceMade(handle) for handle in made)
        self.workspace.journal.append("asked", {"text": answer})
        yield Spoke(answer)
        yield Final(answer, made)

    def _recall(self, said: str) -> str:
        done, words = _without_end(said)
        if words:
            self.workspace.journal.append("recall", {"text": words})
        if not done:
            return GO_ON
        recalled = " ".join(self._texts("recall"))
        if not recalled:
            return RECALL
        reply = self.backend.imagine(recalled[:MAX_TEXT])
        if not reply.faces:
            return NO_PICTURE
        self.workspace.journal.append("recalled", {"words": len(recalled.split())})
        face = keep(reply.faces[0], recalled, reply.text, self.workspace)
        return FIRST_PICTURE.format(handle=face.handle)

    def _picture(self, said: str) -> str:
        self.workspace.journal.append("statement", {"text": said})
        done, words = _without_end(said)
        if not words and done:
            return self._next_question()
        before = self.workspace.current
        try:
            self._change(words)
        except ToolError:
            return NO_CHANGE
        if self.workspace.current == before:
            return NO_CHANGE
        return NEXT_PICTURE.format(handle=self.workspace.current)

    def _change(self, words: str) -> None:
        """Let the model read a statement or a request and move what it names; all else stays."""
        handle = self.workspace.face().handle
        schema = with_choices(
            strict_schema(EditRequest), {"face": [handle], "slider": [axis.name for axis in axis_list()]}
        )
        tool = ToolSchema("edit", tool_named("edit").description, schema)
        turns = [ChatTurn("system", SYSTEM), ChatTurn("user", words)]
        reply = self.backend.chat(turns, [tool], [handle], None)
        for call in reply.tool_calls:
            if call.name == "edit":
                edit(EditRequest.model_validate({**call.arguments, "face": handle}), self.workspace)
                return
        changes = self._described(reply)
        if changes:
            edit(EditRequest(face=handle, changes=changes), self.workspace)

    def _described(self, reply: Reply) -> list[SliderChange]:
        """Steps that bring the sliders a description names to what it says."""
        statement = parse(reply.text.replace(FACE, "").strip())
        if statement is None:
            return []
        table = phrase_table()
        wanted = dict(table[phrase] for phrase in statement.phrases if phrase in table)
        if statement.age is not None:
            wanted["age"] = age_value(statement.age)
        if statement.sex != "person":
            wanted["masculinity"] = SEX_VALUE[statement.sex]
        now = self.workspace.studio.axes.read(self.workspace.face().estimate.code)
        steps = {name: min(max(value - now[name], -1.0), 1.0) for name, value in wanted.items()}
        moved = [(name, step) for name, step in steps.items() if abs(step) > SETTLED][:CHANGES]
        return [SliderChange(slider=name, value=step) for name, step in moved]

    def _next_question(self) -> str:
        asked = set(self._texts("asked"))
        for part in PARTS:
            question = ABOUT.format(part=part)
            if question not in asked:
                return question
        return LAST if LAST not in asked else END

    def _texts(self, event: str) -> list[str]:
        return [str(data.get("text", "")) for data in self._events(event)]

    def _events(self, event: str) -> list[dict[str, object]]:
        return [entry.data for entry in self.workspace.journal.entries() if entry.event == event]


def _without_end(said: str) -> tuple[bool, str]:
    """Whether the witness says that this is all, and what else they said."""
    *front, last = re.split(r"(?<=[.!?])\s+|\n+", said.strip())
    closing = " ".join(re.sub(r"[.!?,]", " ", last).lower().split())
    if _DONE.fullmatch(closing):
        return True, " ".join(front).strip()
    return False, said
