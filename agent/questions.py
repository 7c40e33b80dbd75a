"""What is said to a witness: a warning, a call for free recall, open questions, nothing else.

After the cognitive interview: the witness speaks first and freely; questions name a part of the
face at most and never a form, a colour or a thing that may be worn. leading_words() is the
measure: every word that any slider's name or phrase uses, but for the bare parts and for grammar.
"""

from __future__ import annotations

import re
from functools import lru_cache

from facegpt_model.semantics.axes import axis_list, phrase_table

WARNING = (
    "Before we begin: making a picture of a person from memory can change the memory itself. Afterwards "
    "it can be harder to recognise that person again, also among others in an identity parade. Go on only "
    "if the people in charge have decided so. The picture will be a guess made from your words; it says "
    "'speculative', and it is no evidence."
)
RECALL = (
    "Think back to where you were when you saw the person. Then tell everything you remember about the "
    "face, in your own words and in any order. Do not guess, and leave out nothing. "
    "Say 'that is all' when you are done."
)
GO_ON = "Thank you. Is there anything else you remember? Say 'that is all' when you are done."
FIRST_PICTURE = (
    "{handle} is a first picture. It shows your words only; where you said nothing it shows what is "
    "usual, which need not be so. How does it differ from the person you saw?"
)
NEXT_PICTURE = "{handle} is the picture after what you said. How does it differ from the person you saw now?"
NO_PICTURE = "I could not make a picture of that. Could you say it in another way?"
NO_CHANGE = "I could not change the picture by that. Could you say it in another way?"
PARTS = ("head", "forehead", "eyes", "nose", "mouth", "chin", "cheeks", "ears", "hair", "skin")
ABOUT = "What, if anything, do you remember about the {part}?"
LAST = "What else do you remember that no picture shows yet?"
END = (
    "Thank you. These are your words and the pictures made of them; all of it is recorded in the order in "
    "which it was said."
)

# Words that say nothing about a face on their own: grammar, and the bare names of PARTS.
_GRAMMAR = frozenset(
    ("a", "an", "and", "at", "from", "in", "of", "on", "or", "s", "that", "the", "through", "to")
)
_FILLING = frozenset(("very", "with", "person", "persons", "one", "look", "up", "back"))
_BARE = frozenset((*PARTS, "face", "eye", "ear", "lip", "cheek"))


def questions() -> tuple[str, ...]:
    """Everything this mode ever says of its own, each text once."""
    asked = tuple(ABOUT.format(part=part) for part in PARTS)
    fixed = (WARNING, RECALL, GO_ON, FIRST_PICTURE, NEXT_PICTURE, NO_PICTURE, NO_CHANGE, LAST, END)
    return (*fixed, *asked)


@lru_cache(maxsize=1)
def attribute_words() -> frozenset[str]:
    """Every word of a slider's name or phrase that could suggest how a face looked."""
    texts = [*phrase_table(), *(axis.name for axis in axis_list())]
    words = {word for text in texts for word in _words(text)}
    return frozenset(words - _GRAMMAR - _FILLING - _BARE)


def leading_words(text: str, said: str = "") -> tuple[str, ...]:
    """Words of a text that suggest a look the person did not speak of, in order.

    said: everything the person said so far; their own words suggest nothing.
    """
    own = set(_words(said))
    return tuple(word for word in _words(text) if word in attribute_words() and word not in own)


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z]+", text.lower())
