"""What is said after a tool whose result is the answer: no model may garble a list or a comparison."""

from __future__ import annotations

import re
from collections.abc import Callable

_HANDLE = re.compile(r"\bface-\d+\b")
_FILE = re.compile(r"\b[\w+-]+\.(?:png|glb|obj|ply|webp|gif|mtl)\b")


def told(tool: str, result: str) -> str | None:
    """The answer after a tool, None for tools whose result the model puts into words itself."""
    say = _SAYS.get(tool)
    return say(" ".join(result.split()) if tool != "history" else result) if say else None


def made_up(answer: str, result: str) -> bool:
    """True when an answer names a face or a file that the tool did not tell of."""
    return bool(_names(answer) - _names(result))


def plainly(result: str) -> str:
    """A tool's result as a sentence, for want of a better answer."""
    text = " ".join(result.split())
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")


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


_SAYS: dict[str, Callable[[str], str]] = {
    "variants": _variants,
    "breed": _children,
    "compare": plainly,
    "retrieve": plainly,
    "bring": plainly,
    "array": plainly,
    "go_to": plainly,
    "history": lambda result: result,
    "views": plainly,
    "report": plainly,
}
