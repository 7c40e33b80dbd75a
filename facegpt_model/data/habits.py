"""Habits of witnesses: what they speak of often, never together, take back, or add without need."""

from __future__ import annotations

import random
import re

from facegpt_model.semantics.axes import Axis

PRONOUNS = {"man": ("he", "him", "his"), "woman": ("she", "her", "her"), "person": ("they", "them", "their")}
_PLURAL = {  # verbs that follow "they"
    "was": "were", "wasn't": "weren't", "is": "are", "isn't": "aren't", "has": "have", "hasn't": "haven't", "does": "do",
    "doesn't": "don't", "carries": "carry", "misses": "miss",
}  # fmt: skip
OFTEN, SELDOM = 3.0, 0.4
OFTEN_SAID = frozenset(
    ("weight", "face width", "face length", "round face", "face fullness", "eye size", "eye spacing", "eye colour",
     "nose width", "nose length", "nose size", "nose bridge", "mouth width", "lip fullness", "chin prominence",
     "jaw strength", "cheekbones", "brow thickness", "skin tone", "hair colour", "grey hair", "hair length", "hair wave",
     "baldness", "beard", "moustache", "stubble", "glasses", "smile", "anger", "wrinkles", "freckles")
)  # fmt: skip
SELDOM_SAID = frozenset(
    ("columella", "nose wings", "nose root", "nostril show", "ear tilt", "ear shape", "ear position", "nape",
     "back of the head", "head depth", "midface", "temples", "jaw depth", "upper lip width", "lower lip width",
     "upper lip middle", "mouth height", "mouth shift", "tear troughs", "eyelid crease", "diamond face", "forehead curve")
)  # fmt: skip
MENS = frozenset(
    ("beard", "moustache", "goatee", "stubble", "baldness", "receding hairline", "shaved sides")
)  # seldom said of women
SELF_CORRECTIONS = 0.04  # share of noun phrases
TAKEN_BACK = (" - no, ", ", no wait, ", ", sorry, I mean ", "... no, actually ", ", or rather ", ", no, ")
ASIDES = 0.12  # share of statements
_ASIDES = (
    "it was getting dark", "I only saw {him} for a second", "{he} was about six foot tall", "{he} wore a blue jacket",
    "{he} ran off towards the station", "it happened on Monday", "I was on my way to work", "{he} had a dog with {him}",
    "{he} drove a white van", "it was raining", "I was standing across the street", "I could not see {his} hands",
    "{he} was carrying a rucksack", "I think {he} spoke with an accent", "{he} was of medium height",
    "there was another person with {him}", "I would know {him} again", "that is all I remember", "I was quite scared",
    "{he} had white trainers on", "{he} smelled of smoke", "I am fairly sure about that", "my friend saw it too",
    "{he} was in a hurry", "the light was bad", "{he} asked me for the time", "this was outside the bank",
    "{he} had {his} hood down", "I saw the face from the side", "it was over in a moment", "{he} was quite short",
    "I did not notice the ears", "I cannot say anything about the mouth", "the nose was nothing special",
    "I do not remember the eyes", "no idea about the chin", "the rest was quite ordinary",
)  # fmt: skip
EXCLUSIVE = (  # at most one axis of each group is said of a person
    {"african appearance", "east asian appearance", "european appearance"},
    {
        "round face",
        "oval face",
        "square face",
        "heart-shaped face",
        "pear-shaped face",
        "diamond face",
        "rectangular face",
        "face width",
        "face length",
    },
    {"eye colour", "green eyes"},
    {"hair colour", "red hair", "grey hair", "baldness"},
    {"baldness", "hair length", "tied-back hair", "shaved sides"},
    {"baldness", "hair wave", "fringe", "parting"},
    {"baldness", "hair volume", "swept-back hair"},
    {"fringe", "swept-back hair", "tied-back hair"},
    {"beard", "goatee", "stubble"},
    {"moustache", "beard"},
    {"glasses", "round glasses", "thick-rimmed glasses", "sunglasses"},
    {"mole on the left cheek", "mole above the lip"},
    {"mole on the right cheek", "mole on the chin"},
    {
        "scar on the left cheek",
        "scar on the right cheek",
        "scar on the forehead",
        "scar through the eyebrow",
        "scar on the chin",
    },
    {
        "smile",
        "frown",
        "anger",
        "surprise",
        "open mouth",
        "pursed lips",
        "disgust",
        "fear",
        "smirk",
        "puffed cheeks",
    },
    {"raised brow", "anger", "surprise", "fear", "disgust"},
    {"wink", "closed eyes", "squint", "surprise", "fear", "smirk"},
    {"lip fullness", "upper lip"},
    {"lip fullness", "lower lip"},
    {"cheekbones", "cheek height"},
    {"weight", "muscle", "health"},
    {"age", "maturity"},
    {"nose projection", "nose flattening", "nose bend"},
    {"nose width", "nose size"},
    {"weight", "face fullness", "cheek fullness"},
    {"skin tone", "african appearance"},
    {"closed eyes", "squint", "surprise", "eye opening"},
)


def aside(text: str, rng: random.Random) -> str:
    """Sometimes a witness tells what no face shows; the answer leaves it out."""
    if rng.random() > ASIDES or not text:
        return text
    said = agreeing(rng.choice(_ASIDES), rng.choice(tuple(PRONOUNS)))
    if rng.random() < 0.5:
        return f"{said[:1].upper() + said[1:]}. {text}"
    joint = " " if text[-1] in ".!" else ". "
    return f"{text}{joint}{said[:1].upper() + said[1:]}."


def end_weight(axis: Axis, sex: str = "person") -> float:
    """How often an axis is spoken of, relative to the others: much of hair and glasses, little of ear tilt."""
    weight = OFTEN if axis.name in OFTEN_SAID else SELDOM if axis.name in SELDOM_SAID else 1.0
    return 0.15 * weight if sex == "woman" and axis.name in MENS else weight


def _plural(verb: re.Match[str]) -> str:
    said = verb[0]
    third_person = (
        said.endswith("s") and not said.endswith(("ss", "'s")) and said not in ("always", "perhaps")
    )
    return _PLURAL.get(said, said[:-1] if third_person else said)


def agreeing(text: str, sex: str) -> str:
    """{he}, {him} and {his} filled in, and verbs that agree with "they"."""
    he, him, his = PRONOUNS[sex]
    text = text.replace("{he}", he).replace("{him}", him).replace("{his}", his)
    if he != "they":
        return text
    text = re.sub(
        r"\bthey's (?=got\b|been\b|had\b|gone\b|lost\b|just\b|never\b)", "they've ", text, flags=re.IGNORECASE
    )
    text = re.sub(r"\bthey's\b", "they're", text, flags=re.IGNORECASE)
    return re.sub(r"(?<=\bthey )[a-z']+", _plural, text, flags=re.IGNORECASE)
