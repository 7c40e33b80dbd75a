"""Which faces a turn speaks of: handles, numbers, ordinals, "the last one", "those two", "the one before".

Names of faces are a closed class, so they are read by rule; a model would only confuse them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from facegpt_model.dialogue.numbers import number

_ORDINALS = [
    "first",
    "second",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "tenth",
    "eleventh",
    "twelfth",
]
_ORDINAL = rf"(?:{'|'.join(_ORDINALS)}|\d{{1,2}}(?:st|nd|rd|th))"
_COUNT = r"(?:two|three|four|five|six|seven|eight|\d)"
_NUMBER = r"(?:\d{1,3}|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)"
_NOUN = (
    r"(?:one|face|version|variant|variation|option|picture|image|guy|man|woman|lad|girl|head|candidate|attempt|"
    r"try|draft|child|mix|edit)s?"
)
_AND = (
    r"(?:\s*,\s*(?:and\s+)?|\s+and\s+|\s*&\s*|\s*\+\s*|\s+with\s+|\s+or\s+|\s+to\s+|\s+vs\.?\s+|"
    r"\s+versus\s+)"
)
_NOT_A_FACE = (
    r"(?!\s*(?:°|deg|px|pix|%|mm\b|cm\b|x\b|/|years?\b|more\b|other|variation|variant|version|option|"
    r"alternative|face|possib|candidate|d\b|k\b))"
)
_NUMBERED = r"number |no\.? ?|nr\.? ?|variant |variation |option |version |candidate "
_EVENTS = (
    r"change|edit|step|thing|bit|request|time|part|action|tuesday|week|night|instruction|adjustment|"
    r"modification|move"
)
_PATTERNS: tuple[tuple[str, str], ...] = (
    ("handle", rf"\bface[-_ ]?(?:number |no\.? ?|nr\.? ?|#)?({_NUMBER})\b"),
    (
        "list",
        r"\b(?:faces |numbers |nos\.? |of |mix |between |compare |#)?"
        rf"(#?{_NUMBER}{_AND}(?:#?{_NUMBER}{_AND})*#?{_NUMBER}){_NOT_A_FACE}(?=\W|$)",
    ),
    ("number", rf"(?:\b(?:{_NUMBERED})|#)({_NUMBER})\b"),
    (
        "bare",
        r"\b(?:on|for|from|with|take|use|export|save|than|like|keep|pick|choose) (\d{1,2})\b"
        r"(?! ?(?!(?:from|and|please|now|again|as|then|instead|or|to)\b)[a-z%°/])",
    ),
    ("last few", rf"\b(?:the )?(?:last|latest|newest|most recent|final) ({_COUNT})\b(?! mm| degrees)"),
    ("first few", rf"\bthe first ({_COUNT})\b"),
    (
        "both",
        r"\b(?:both|(?:those|these|the) two(?: faces| ones)?|the pair(?: of them)?|each other)\b",
    ),
    (
        "but last",
        r"\b(?:the )?(?:last but one|second[- ]to[- ]last|second[- ]last|penultimate)(?: one| face)?\b",
    ),
    (
        "original",
        r"\b(?:the )?(?:original|very first)(?: one| face| version)?\b|\b(?:the )?(?:start|beginning)\b|"
        r"\bwhere (?:we|I) (?:started|began)\b",
    ),
    (
        "last",
        r"\b(?:the |that |your )?(?:last|latest|newest|most recent|final)"
        r"(?: one| face| version| variant| variation| picture| option)?"
        rf"(?= |$|[,.?!;:])(?! (?:{_EVENTS}))",
    ),
    (
        "before",
        r"\b(?:the )?(?:previous|preceding|earlier|prior)(?: one| face| version| picture)?\b|"
        r"\b(?:the )?(?:one|face|version) (?:before|from before)(?: (?:that|this|it|him|her|last))?\b",
    ),
    ("middle", r"\bthe middle one\b|\bthe one in the middle\b"),
    ("other", r"\bthe other (?:one|face|version|guy|man|woman)\b"),
    (
        "ordinal",
        rf"\b(?:the|this|that|your|my) ({_ORDINAL})\b(?: {_NOUN}\b)?"
        r"(?! (?:time|thing|place|thought|step|change|row))|"
        rf"\b({_ORDINAL}) {_NOUN}\b",
    ),
)
_OF_GROUP = re.compile(r"(variant|variation|option|candidate) ")
_MORE_ORDINALS = rf"^{_AND}(?:the )?({_ORDINAL}|last|latest)\b(?:\s{_NOUN}\b)?"
_MORE_NUMBERS = rf"^{_AND}(?:number |no\.? ?|#|face[- ])({_NUMBER})\b{_NOT_A_FACE}"


@dataclass(frozen=True)
class Scene:
    """What can be spoken of.

    faces:    handles in the order they were made
    current:  the one meant by "it", "" when there is none
    group:    the faces that were last shown together, such as variants: "the third one" is of these
    previous: what the current face was made from, "" for the one made before it
    """

    faces: tuple[str, ...] = ()
    current: str = ""
    group: tuple[str, ...] = ()
    previous: str = ""

    @property
    def before(self) -> str:
        """The face meant by "the one before"."""
        if self.previous:
            return self.previous
        earlier = self.faces[: self.faces.index(self.current)] if self.current in self.faces else ()
        others = earlier or tuple(face for face in self.faces if face != self.current)
        return others[-1] if others else ""


@dataclass(frozen=True)
class Mentioned:
    """faces: handles in the order they were spoken of; rest: the words without the names of faces."""

    faces: tuple[str, ...]
    rest: str


def mentioned(text: str, scene: Scene) -> Mentioned:
    """The faces a text names. A number of a face that does not exist is kept, so that it can be refused."""
    rest = text.lower()
    found: dict[int, list[str]] = {}
    for kind, pattern in _PATTERNS:
        place = 0
        while match := re.compile(pattern).search(rest, place):
            handles, end = _handles(kind, match, rest, scene)
            place = max(end, match.start() + 1)
            if not handles:
                continue
            found[match.start()] = handles
            rest = rest[: match.start()] + "\x00" * (end - match.start()) + rest[end:]
    order = [handle for start in sorted(found) for handle in found[start]]
    return Mentioned(tuple(dict.fromkeys(order)), re.sub(r"\s+", " ", rest.replace("\x00", " ")).strip())


def _handles(kind: str, match: re.Match[str], text: str, scene: Scene) -> tuple[list[str], int]:
    """The handles of one match, and where it ends with everything listed after it."""
    end = match.end()
    if kind in ("handle", "number", "ordinal"):
        said = next(group for group in match.groups() if group)
        of_group = bool(_OF_GROUP.match(match.group(0)))
        if kind == "ordinal":
            of_group = not match.group(0).endswith("face")
        handles = [_numbered(said, scene, of_group)]
        pattern = _MORE_ORDINALS if kind == "ordinal" else _MORE_NUMBERS
        while more := re.match(pattern, text[end:]):
            handles.append(_numbered(more.group(1), scene, of_group))
            end += more.end()
        return [handle for handle in handles if handle], end
    if kind == "bare":
        handle = _numbered(match.group(1), scene, False)
        return [handle] if handle in scene.faces else [], end
    if kind == "list":
        return _listed(match, scene)
    if kind in ("last few", "first few"):
        count = number(match.group(1)) or 2
        pool = scene.group or scene.faces if kind == "first few" else scene.faces
        return list(pool[-count:] if kind == "last few" else pool[:count]), end
    faces = scene.faces
    single = {
        "last": faces[-1:],
        "but last": faces[-2:-1],
        "original": faces[:1],
        "before": (scene.before,) if scene.before else (),
        "other": (scene.before,) if scene.before else (),
        "middle": (scene.group or faces)[len(scene.group or faces) // 2 :][:1],
        "both": (scene.before, scene.current) if scene.before and scene.current else (),
    }
    return list(single[kind]), end


def _listed(match: re.Match[str], scene: Scene) -> tuple[list[str], int]:
    """The faces of "2, 3 and 5": as many as exist and are written alike, at least two."""
    found = list(re.finditer(_NUMBER, match.group(1)))
    handles: list[str] = []
    end = match.start(1)
    for one in found:
        handle = _numbered(one.group(0), scene, False)
        if handle not in scene.faces or one.group(0).isdigit() != found[0].group(0).isdigit():
            break
        handles.append(handle)
        end = match.start(1) + one.end()
    return (handles, end) if len(handles) > 1 else ([], match.end())


def _numbered(said: str, scene: Scene, of_group: bool) -> str:
    if said in ("last", "latest"):
        return scene.faces[-1] if scene.faces else ""
    place = _ORDINALS.index(said) + 1 if said in _ORDINALS else number(re.sub(r"(st|nd|rd|th)$", "", said))
    if place is None:
        return ""
    if of_group and 0 < place <= len(scene.group):
        return scene.group[place - 1]
    return f"face-{place}"
