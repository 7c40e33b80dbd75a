"""What the embedded model's chat says after a tool: the result in a sentence, by rule.

A model of its size garbles lists, measurements and refusals; here nothing is lost and nothing made
up. A planner puts results into words itself and is only held to the names in them (made_up).
"""

from __future__ import annotations

import re
from collections.abc import Callable

from facegpt_model.semantics.axes import UnknownAxis, axis_named
from facegpt_model.semantics.words import Degree

NOT_APPROVED = "I left everything as it was, since you did not approve it."
_HANDLE = re.compile(r"\bface-\d+\b")
_FILE = re.compile(r"\b[\w+-]+\.(?:png|glb|obj|ply|webp|gif|mtl|html|pdf)\b")
_CHANGE = re.compile(r"(.+) ([+-]\d+\.\d+)")


def told(tool: str, result: str) -> str:
    """The answer after a tool that did what was asked."""
    say = _SAYS.get(tool)
    return (say(result) if say else None) or plainly(result)


def made_up(answer: str, result: str) -> bool:
    """True when an answer names a face or a file that the tool did not tell of."""
    return bool(_names(answer) - _names(result))


def plainly(result: str) -> str:
    """A tool's result as a sentence; names of faces and files keep their first letter."""
    text = " ".join(result.split())
    first = text.split(" ", 1)[0].rstrip(":,")
    if not (_HANDLE.fullmatch(first) or _FILE.fullmatch(first)):
        text = text[:1].upper() + text[1:]
    return text + ("" if text.endswith((".", "!", "?")) else ".")


def _names(text: str) -> set[str]:
    return {*_HANDLE.findall(_FILE.sub(" ", text)), *_FILE.findall(text)}


def _listed(names: list[str]) -> str:
    return ", ".join(names[:-1]) + " and " + names[-1] if len(names) > 1 else "".join(names)


def _variants(result: str) -> str:
    made, _, about = result.partition(": ")
    source = _HANDLE.search(about)
    kept = f" {source.group(0)} is still the current one." if source else ""
    others = "another face that fits" if "," not in made else "other faces that fit"
    return (
        f"Here {'are' if ',' in made else 'is'} {_listed(made.split(', '))}: {others} the same words.{kept}"
    )


def _children(result: str) -> str:
    made, _, about = result.partition(": ")
    parents = list(dict.fromkeys(_HANDLE.findall(about)))
    return (
        f"Here {'are' if ',' in made else 'is'} {_listed(made.split(', '))}, mixed from {_listed(parents)}."
    )


def _edited(result: str) -> str | None:
    match = re.fullmatch(
        r"(?P<made>face-\d+) made from (?P<old>face-\d+): (?P<changes>.*?)\."
        r"(?: Measured: (?P<measured>.*?)\.)? face-\d+ is kept\.(?P<limit>.*)",
        result,
    )
    if match is None:
        return None
    changes = [_change(change) for change in match["changes"].split("; ")]
    measured = f" Measured: {match['measured']}." if match["measured"] else ""
    return f"Here is {match['made']}: {_listed(changes)}.{measured} {match['old']} is kept.{match['limit']}"


def _change(told_change: str) -> str:
    """ "a little towards a small nose (nose size -0.12)" of "nose size -0.12"."""
    match = _CHANGE.fullmatch(told_change)
    if match is None:
        return told_change
    value = float(match[2])
    try:
        axis = axis_named(match[1])
    except UnknownAxis:
        return told_change
    end, other = (axis.high, axis.low) if value > 0 else (axis.low, axis.high)
    much = {Degree.STRONG: "much ", Degree.PLAIN: ""}.get(Degree.of(abs(value)) or Degree.SLIGHT, "a little ")
    if end is not None:
        return f"{much}towards {end.plain} ({told_change})"
    return f"{much}away from {other.plain} ({told_change})" if other else told_change


def _shown(result: str) -> str | None:
    """ "Here is WHAT: FILE." of "FILE: WHAT"."""
    name, _, what = result.partition(": ")
    if not what or not _FILE.fullmatch(name):
        return None
    return f"Here {'are' if what[:1].isdigit() else 'is'} {what}: {name}."


def _saved(result: str) -> str | None:
    match = re.fullmatch(r"(\S+): (face-\d+), (.*)", result)
    return f"Saved {match[2]} as {match[1]}: {match[3].rstrip('.')}." if match else None


def _described(result: str) -> str | None:
    match = re.fullmatch(r"(face-\d+): (A|An) (.*?); (.*)", result)
    if match is None:
        return None
    return f"{match[1]} shows {match[2].lower()} {match[3]}. Measured: {match[4].rstrip('.')}."


def _reconstructed(result: str) -> str | None:
    fitted, *more = result.splitlines()
    match = re.fullmatch(r"(face-\d+) from (.+), (fitted .*)", fitted)
    if match is None:
        return None
    return " ".join([f"Here is {match[1]} from {match[2]}. It was {match[3]}.", *map(plainly, more)])


def _found(result: str) -> str | None:
    """What retrieve tells, a line for each face."""
    about, *rows = re.split(r"(?:: |; )(?=\d+\. \S+ distance )", result)
    here = "Here is" if about.startswith("1 ") else "Here are"
    return "\n".join([f"{here} {about}:", *rows]) if rows else None


def _history(result: str) -> str:
    return f"The faces so far, the current one marked with *:\n{result}"


_SAYS: dict[str, Callable[[str], str | None]] = {
    "variants": _variants,
    "breed": _children,
    "edit": _edited,
    "adjust": _edited,
    "render": _shown,
    "views": _shown,
    "array": _shown,
    "report": _shown,
    "export": _saved,
    "describe": _described,
    "reconstruct": _reconstructed,
    "retrieve": _found,
    "history": _history,
}
