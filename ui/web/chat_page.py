"""The chat: what was said, what was done, the faces that came of it, and the live face beside it."""

from __future__ import annotations

import streamlit as st
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage

from agent.events import ApprovalNeeded, FaceMade, Spoke, TextDelta, ToolFinished, ToolProgress, ToolStarted
from agent.loop import Conversation
from agent.toolbox import REFUSED
from ui.web import face_panel, message_view, uploads, visit
from ui.web.desk import the_desk
from ui.web.incidents import sentence, shown
from ui.web.turns import Turn

HEIGHT = 560  # pixels of the scrolling chat
PERSON, MACHINE = ":material/person:", ":material/face:"
STARTERS = (
    "A woman of about 35 with a round face, green eyes and curly red hair",
    "An old man with a hooked nose, bushy eyebrows and a short grey beard",
    "A young man with a narrow face, dark skin and a broad smile",
    "He was in his fifties, heavy build, receding hair, glasses",
)
PROMPT = "Describe a face, say what should change, or drop a photo"


def show() -> None:
    """Draw the page."""
    name = visit.current()
    talk, face = st.columns([11, 10], gap="medium")
    with face, shown():  # first, since following an answer takes as long as it does
        face_panel.show(name)
    with talk, shown():
        st.session_state.cards = 0
        _talk(name)


def _talk(name: str) -> None:
    box = st.container(height=HEIGHT, border=True, key="talk", autoscroll=True)
    witness = bool(name) and the_desk().chat(name).workspace.witness
    asked = st.chat_input(
        "Your words" if witness else PROMPT,
        key=f"say-{witness}",
        accept_file=not witness,
        file_type=uploads.SUFFIXES,
        max_upload_size=uploads.MOST_MB,
        disabled=bool(name) and the_desk().busy(name),
    )
    starter = ""
    with box:
        if name:
            with st.container(key="history"):
                _history(name)
        else:
            with st.container(key="welcome"):
                starter = _welcome()
    if isinstance(asked, str):
        _say(asked, None)
    elif asked is not None and (asked.text.strip() or asked.files):
        _say(asked.text, asked.files[0] if asked.files else None)
    elif starter:
        _say(starter, None)
    elif name:
        with box:
            _running(name)


def _welcome() -> str:
    st.subheader("Describe a face")
    st.write(
        "Say in your own words what it looks like, or drop a photo into the field below. Then say what "
        "should change, or move the sliders. A face made from words is a guess, never a portrait of somebody."
    )
    chosen = ""
    for number, starter in enumerate(STARTERS):
        if st.button(starter, key=f"starter-{number}", width="stretch", icon=":material/chat_bubble:"):
            chosen = starter
    return chosen


def _say(text: str, upload: object) -> None:
    photo = uploads.kept(upload) if upload is not None else None
    name = visit.or_new()
    the_desk().say(name, text, photo)
    st.rerun()


def _history(name: str) -> None:
    chat = the_desk().chat(name)
    workspace = chat.workspace
    if workspace.witness:
        _interview(chat)
        return
    messages = chat.messages
    turn = the_desk().turn(name)
    numbers = {said.message: said.number for said in the_desk().threads.said(name)}
    took, liked = _notes(chat)
    calls: dict[str, dict[str, object]] = {}
    speaker = None
    for position, message in enumerate(messages):
        if isinstance(message, HumanMessage):
            if message.id in numbers:
                with st.chat_message("user", avatar=PERSON):
                    st.markdown(message_view.words(str(message.text)))
                    message_view.photos(
                        workspace.folder, [p["handle"] for p in message.additional_kwargs.get("photos", [])]
                    )
                    _edit(name, numbers[message.id], str(message.text))
            else:
                with st.chat_message("user", avatar=":material/tune:"):
                    st.markdown(message_view.words(str(message.text)))
            speaker = None
            continue
        speaker = speaker or st.chat_message("assistant", avatar=MACHINE)
        with speaker:
            if isinstance(message, AIMessage):
                for call in message.tool_calls:
                    calls[str(call["id"])] = dict(call["args"])
                if message.text:
                    st.markdown(message_view.words(str(message.text)))
                _cards(name, chat, message.additional_kwargs.get("handles", []))
            elif isinstance(message, ToolMessage):
                made = message.artifact or {}
                text = str(message.text).removeprefix(REFUSED)
                message_view.step(
                    str(message.name),
                    calls.get(message.tool_call_id, {}),
                    text,
                    message.status != "error",
                    took.get(message.tool_call_id),
                )
                message_view.files(workspace.folder, made.get("files", ()))
                _cards(name, chat, made.get("faces", ()))
            if _ends(messages, position):
                _after(name, chat, message, liked, last=position == len(messages) - 1, numbers=numbers)
    if turn is not None and turn.done and turn.error is not None:
        _failed(turn, messages)
    _pending(name, chat)


def _interview(chat: Conversation) -> None:
    """A witness sees the questions, their own words and the pictures, never a description."""
    st.warning("Witness interview: every picture is marked speculative. Faces are never described here.")
    for entry in chat.workspace.journal.entries():
        if entry.event in ("warned", "asked"):
            with st.chat_message("assistant", avatar=MACHINE):
                st.markdown(message_view.words(str(entry.data["text"])))
        elif entry.event in ("recall", "statement"):
            with st.chat_message("user", avatar=PERSON):
                st.markdown(message_view.words(str(entry.data["text"])))
        elif entry.event == "face":
            message_view.cards(chat.workspace, [str(entry.data["handle"])], live=False)


def _notes(chat: Conversation) -> tuple[dict[str, float], dict[str, bool]]:
    """Seconds by tool call, and thumbs by message, from the journal."""
    took: dict[str, float] = {}
    liked: dict[str, bool] = {}
    for entry in chat.workspace.journal.entries():
        if entry.event == "took":
            took[str(entry.data["call"])] = float(entry.data["seconds"])
        elif entry.event == "feedback":
            liked[str(entry.data["message"])] = bool(entry.data["liked"])
    return took, liked


def _cards(name: str, chat: Conversation, handles: list[str]) -> None:
    chosen = message_view.cards(chat.workspace, handles)
    if chosen is not None:
        the_desk().at_once(name, "go_to", {"face": chosen}, f"Go on from {chosen}").wait(face_panel.STEP_WAIT)
        st.rerun()


def _ends(messages: list[BaseMessage], position: int) -> bool:
    """Whether an answer ends here."""
    after = messages[position + 1 :]
    return not after or isinstance(after[0], HumanMessage)


def _after(
    name: str,
    chat: Conversation,
    message: BaseMessage,
    liked: dict[str, bool],
    last: bool,
    numbers: dict[str, int],
) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        known = liked.get(str(message.id))
        thumb = st.feedback("thumbs", key=f"like-{message.id}", default=None if known is None else int(known))
        if thumb is not None and bool(thumb) != known:
            told = {"message": message.id, "liked": bool(thumb)}
            chat.workspace.journal.append("feedback", told)
        if (
            last
            and numbers
            and not the_desk().busy(name)
            and st.button(
                "Regenerate",
                key="regenerate",
                type="tertiary",
                icon=":material/refresh:",
                help="Answer again, in a copy of this conversation",
            )
        ):
            visit.go_to_own(the_desk().again(name, max(numbers.values())))
            st.rerun()


def _edit(name: str, number: int, text: str) -> None:
    with st.popover("Edit", icon=":material/edit:", type="tertiary", key=f"change-{name}-{number}"):
        new = st.text_area("Say it differently", value=text, key=f"edit-{name}-{number}")
        st.caption("The conversation goes on from here in a copy; this one is kept.")
        if st.button("Say this instead", key=f"say-{name}-{number}", disabled=not new.strip()):
            visit.go_to_own(the_desk().again(name, number, new))
            st.rerun()


def _pending(name: str, chat: Conversation) -> None:
    for asked in chat.pending if not the_desk().busy(name) else ():
        with st.chat_message("assistant", avatar=":material/help:"):
            st.markdown(f"May I do this? It cannot be undone: **{message_view.values(asked.arguments)}**")
            with st.container(horizontal=True):
                if st.button("Do it", key="approve", type="primary"):
                    the_desk().decide(name, True)
                    st.rerun()
                if st.button("Leave it", key="decline"):
                    the_desk().decide(name, False)
                    st.rerun()


def _failed(turn: Turn, messages: list[BaseMessage]) -> None:
    said = [str(message.text) for message in messages if isinstance(message, HumanMessage)]
    if turn.said and turn.said not in said[-1:]:
        with st.chat_message("user", avatar=PERSON):
            st.markdown(message_view.words(turn.said))
    if turn.error is not None:
        turn.sentence = turn.sentence or sentence(turn.error)
    with st.chat_message("assistant", avatar=":material/error:"):
        st.error(turn.sentence)


def _running(name: str) -> None:
    turn = the_desk().turn(name)
    if turn is None or turn.done:
        return
    chat = the_desk().chat(name)
    if turn.said or turn.photo:
        with st.chat_message("user", avatar=PERSON):
            st.markdown(message_view.words(turn.said or f"Here is a photo: {turn.photo}"))
    with st.chat_message("assistant", avatar=MACHINE):
        if st.button("Stop", icon=":material/stop_circle:", key="stop"):
            turn.stop()
        _follow(turn, chat)
    st.rerun()


def _follow(turn: Turn, chat: Conversation) -> None:
    """Draw what happens as it happens."""
    waiting = st.empty()
    text, spoken = "", st.empty()
    begun: dict[str, tuple[ToolStarted, float, object]] = {}
    shown_faces: set[str] = set()
    for happened in turn.follow():
        if happened is None:  # drawing anything lets a press of Stop interrupt this run
            if text or begun:
                waiting.empty()
            else:
                waiting.caption(_why_waiting(turn))
            continue
        waiting.empty()
        event = happened.event
        if isinstance(event, TextDelta):
            text += event.text
            spoken.markdown(message_view.words(text))
        elif isinstance(event, Spoke):
            spoken.markdown(message_view.words(event.text))
            text, spoken = "", st.empty()
        elif isinstance(event, ToolStarted):
            label = (
                f"{message_view.VERBS.get(event.name, event.name)} · {message_view.values(event.arguments)}"
            )
            begun[event.call_id] = (event, happened.at, st.status(label, state="running"))
        elif isinstance(event, ToolProgress):
            for _, _, box in begun.values():
                box.update(label=f"{event.doing} · {event.share:.0%}")  # type: ignore[attr-defined]
        elif isinstance(event, ToolFinished) and event.call_id in begun:
            _, at, box = begun.pop(event.call_id)
            box.update(  # type: ignore[attr-defined]
                label=f"{message_view.VERBS.get(event.name, event.name)} · {happened.at - at:.1f} s",
                state="complete" if event.ok else "error",
            )
        elif isinstance(event, FaceMade) and event.handle not in shown_faces:
            shown_faces.add(event.handle)
            message_view.cards(chat.workspace, [event.handle], live=False)
        elif isinstance(event, ApprovalNeeded):
            waiting.caption("Waiting for your decision.")


def _why_waiting(turn: Turn) -> str:
    if turn.stopped:
        return "Stopping …"
    if not the_desk().ready:
        return "Loading the model; the first answer after a start takes longest …"
    return "Thinking …" if turn.started else "Waiting for another conversation's answer …"
