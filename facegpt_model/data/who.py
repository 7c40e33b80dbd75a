"""Who it was: nouns that tell the sex, nouns that tell the age too, and ways to say an age."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Literal

SEX_WORDS = {
    "man": ("man", "man", "man", "guy", "bloke", "fellow", "gentleman", "male", "chap", "dude", "gent", "geezer",
            "male suspect", "feller"),
    "woman": ("woman", "woman", "woman", "lady", "female", "girl", "gal", "female suspect", "lady"),
    "person": ("person", "person", "someone", "individual", "face", "character", "suspect", "stranger", "human being"),
}  # fmt: skip
AGED_NOUNS: dict[str, tuple[tuple[str, int], ...]] = {  # noun, years
    "man": (("lad", 20), ("young lad", 18), ("schoolboy", 14), ("teenage boy", 16), ("old man", 75), ("grandad", 72),
            ("old boy", 75), ("old codger", 76), ("old geezer", 74), ("elderly gentleman", 76), ("young fellow", 24),
            ("granddad", 72), ("young man", 25), ("middle-aged bloke", 48), ("old fella", 74), ("youth", 18)),
    "woman": (("lass", 20), ("young lass", 18), ("schoolgirl", 14), ("teenage girl", 16), ("old lady", 75), ("granny", 75),
              ("grandma", 72), ("old dear", 77), ("little old lady", 80), ("elderly lady", 76), ("young lady", 23),
              ("grandmother", 72), ("young woman", 25), ("middle-aged woman", 48), ("old girl", 74)),
    "person": (("teenager", 16), ("pensioner", 72), ("student", 21), ("youngster", 17), ("senior citizen", 74),
               ("adolescent", 15), ("twenty-something", 25), ("thirty-something", 35), ("octogenarian", 84)),
}  # fmt: skip
HELD_AGED_NOUNS: dict[str, tuple[tuple[str, int], ...]] = {
    "man": (("stripling", 18), ("old timer", 75)),
    "woman": (("old biddy", 76), ("young thing", 20)),
    "person": (("OAP", 73), ("sixth-former", 17)),
}
BEFORE = (  # adjectives before the noun, years
    ("young", 25), ("youngish", 30), ("teenage", 16), ("middle-aged", 50), ("elderly", 75), ("old", 75), ("very old", 85),
    ("very young", 18), ("quite young", 24), ("oldish", 64), ("ageing", 62), ("aging", 62), ("ancient", 88), ("aged", 78),
    ("adolescent", 15), ("fortyish", 40), ("fiftyish", 50), ("sixtyish", 60), ("thirtyish", 30), ("seventyish", 70),
    ("college-age", 20), ("retired", 68), ("fully grown", 35), ("really old", 84), ("twentysomething", 25),
    ("thirtysomething", 35), ("fortysomething", 45),
)  # fmt: skip
AFTER = (  # said after the noun, years
    ("pushing thirty", 29), ("pushing forty", 39), ("pushing fifty", 49), ("pushing sixty", 59), ("pushing seventy", 69),
    ("getting on for sixty", 59), ("going on seventy", 69), ("knocking on eighty", 79), ("nearly eighty", 79),
    ("just turned forty", 40), ("barely twenty", 20), ("not yet twenty", 19), ("not a day over thirty", 30),
    ("the wrong side of fifty", 53), ("the right side of thirty", 28), ("nearer fifty than forty", 47),
    ("just out of school", 18), ("fresh out of university", 22), ("of retirement age", 66), ("of pensionable age", 68),
    ("in the prime of life", 38), ("somewhere between thirty and forty", 35), ("between forty and fifty", 45),
    ("between 20 and 30", 25), ("fifty to sixty", 55), ("25 to 30", 28), ("60-65", 62), ("no older than twenty-five", 25),
    ("well over seventy", 76), ("well into {his} eighties", 86), ("thirty at most", 30), ("eighty at least", 82),
    ("in {his} teens", 16), ("in {his} late teens", 18), ("in {his} mid-teens", 15), ("fifty if a day", 52),
    ("about my dad's age, fifty or so", 50), ("about my gran's age, eighty-ish", 80), ("in middle age", 48),
    ("in old age", 77), ("old enough to be my grandfather", 76), ("still at school", 16), ("half way to ninety", 45),
    ("with three score years and ten behind {him}", 71), ("in {his} prime", 36), ("of a certain age", 58),
)  # fmt: skip
HELD_AFTER = (
    ("on the threshold of sixty", 59), ("a shade under forty", 39), ("old enough to have grandchildren", 68),
    ("hardly out of {his} teens", 20), ("comfortably past seventy", 74), ("about halfway through life", 42),
)  # fmt: skip
_NUMBER_AFTER = (
    "about {w}", "around {w}", "about {n}", "{w} or so", "aged {n}", "roughly {w}", "{n} years old", "maybe {w}", "{w}-ish",
    "{n} or thereabouts", "approximately {n}", "{n} years of age", "something like {w}", "{w} at a guess", "age {n}", "{n}",
    "of about {n}", "perhaps {w}", "{n} yrs old", "give or take {w}", "circa {n}", "approx. {n}", "of {w}",
)  # fmt: skip
_NUMBER_CLAUSES = (
    "{he} looked about {w}", "{he}'s about {n}", "I'd say {he} was {w}", "{he} must have been {w} or so",
    "{he} was around {n}", "{he} could have been {w}", "{he} is {n}", "I'd put {him} at {w}", "my guess is {w} years old",
    "{he} looks {w}", "{he} was {n} or so", "I would guess {his} age at {n}",
)  # fmt: skip
_DECADES = ("twenties", "thirties", "forties", "fifties", "sixties", "seventies", "eighties")
_PARTS = ((2, "early "), (5, ""), (5, "mid-"), (5, "mid "), (8, "late "))
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty")


@dataclass(frozen=True)
class Age:
    """An age as worded; place: before the noun, after it, or a clause of its own."""

    place: Literal["before", "after", "clause"]
    text: str
    years: int


def sample_age(rng: random.Random, held: bool = False) -> Age:
    """An age between 15 and 90, worded; `held` for wordings kept out of training."""
    if held:
        return Age("after", *rng.choice(HELD_AFTER))
    style = rng.random()
    if style < 0.25:
        return Age("before", *rng.choice(BEFORE))
    if style < 0.4:
        return Age("after", *rng.choice(AFTER))
    if style < 0.6:
        decade = rng.randrange(len(_DECADES))
        offset, part = rng.choice(_PARTS)
        return Age("after", f"in {{his}} {part}{_DECADES[decade]}", 20 + 10 * decade + offset)
    years = 5 * rng.randint(4, 17)
    if style < 0.66:
        return Age("before", f"{years}-year-old", years)
    clause = style > 0.85
    text = rng.choice(_NUMBER_CLAUSES if clause else _NUMBER_AFTER)
    return Age(
        "clause" if clause else "after", text.replace("{w}", spoken(years)).replace("{n}", str(years)), years
    )


def spoken(years: int) -> str:
    """A number from 20 to 89 in words."""
    ten, one = divmod(years, 10)
    return _TENS[ten - 2] + (
        f"-{('one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine')[one - 1]}" if one else ""
    )


def sample_noun(rng: random.Random, sex: str, held: bool = False) -> tuple[str, int | None]:
    """What somebody is called, and the years that tells, if any."""
    if rng.random() < 0.12:
        return rng.choice((HELD_AGED_NOUNS if held else AGED_NOUNS)[sex])
    return rng.choice(SEX_WORDS[sex]), None


def article(noun: str) -> str:
    """With "a" or "an" before it."""
    vowel = (noun[0] in "aeiou" and not noun.startswith(("eu", "one"))) or noun.startswith(("8", "OAP"))
    return ("an " if vowel else "a ") + noun
