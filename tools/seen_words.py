"""What a photo shows a face to wear, in words for the chat and as probabilities for face-N.json."""

from __future__ import annotations

from facegpt_model.wearing.readouts import Worn

HAIR = {
    "0": "no hair",
    "1": "clipped hair",
    "2": "short hair",
    "3": "hair between ear and chin",
    "4": "long hair",
}
COLOURS = {"dark": "dark brown", "light": "light brown"}
WAVES = {"1": "wavy", "2": "curly", "3": "tightly curled"}
FACIAL_HAIR = {"1": "stubble", "2": "a moustache", "3": "a goatee", "4": "a beard"}
GLASSES = {"1": "thin glasses", "2": "glasses", "3": "glasses with a thick dark rim", "4": "sunglasses"}
RECEDING = {"1": "a receding hairline", "2": "a badly receding hairline"}
LEAST = 0.01  # smaller probabilities are not written


def appearance_seen(worn: Worn) -> dict[str, object]:
    """Question to answer to probability (data/worn_labels.py tells what they mean), and apparent age."""
    chances = {
        question: {answer: round(p, 2) for answer, p in answers.items() if p >= LEAST}
        for question, answers in worn.probabilities.items()
    }
    return {**chances, "years": round(worn.years, 1), "years_sd": round(worn.years_sd, 1)}


def seen_in_words(worn: Worn) -> str:
    """One line: the likeliest answers with their probabilities; age and sex are of the appearance only."""

    def with_chance(question: str, words: dict[str, str], lead: str = "") -> list[str]:
        answer = worn.likeliest(question)
        return (
            [f"{lead}{words[answer]} {100 * worn.chance(question, answer):.0f} %"] if answer in words else []
        )

    if worn.likeliest("hat") == "1":
        told = ["a hat or something else over the hair"]
    else:
        bare = worn.likeliest("hair") == "0"
        colour = worn.likeliest("hair_colour")
        wave = WAVES.get(worn.likeliest("wave"), "")
        look = "" if bare else " ".join(filter(None, [COLOURS.get(colour, colour), wave])) + " "
        told = [*with_chance("hair", HAIR, look), *([] if bare else with_chance("receding", RECEDING))]
    told += with_chance("facial_hair", FACIAL_HAIR) + with_chance("glasses", GLASSES)
    return ", ".join([*told, f"looks {worn.years:.0f} years old, give or take {worn.years_sd:.0f}"])
