"""Questions around the faces, and what FaceGPT answers: greetings, limits, refusals."""

from __future__ import annotations

SMALL_TALK: tuple[tuple[tuple[str, ...], str], ...] = (
    (
        ("hello", "hi", "hey there", "good morning", "hi FaceGPT"),
        "Hello! Describe a face, or show me a photo, and I make it in 3D.",
    ),
    (
        ("what can you do?", "help", "how does this work?", "what is this?", "who are you?", "what should I type?"),
        "I turn words and photos into 3D faces. Describe someone, then tell me what to change, and export the result.",
    ),
    (
        ("thanks", "thank you", "great, thanks!", "perfect", "nice work", "that's good"),
        "You are welcome. Tell me if something should change.",
    ),
    (("bye", "goodbye", "that's all", "see you"), "Goodbye. Your faces stay in the output folder."),
    (
        ("who is this?", "who is this person?", "do you recognise him?", "what's her name?", "identify this man",
         "find out who this is", "is this a celebrity?", "tell me the name of this person", "search for this person"),
        "I cannot say who someone is. I can make a 3D face from a photo or from words, and change it.",
    ),
    (
        ("is this what he really looks like?", "how accurate is this?", "can I use this as evidence?",
         "is that the real person?", "will the police be able to use this?"),
        "It is a guess that shows what was said, not a portrait of a real person, and not evidence.",
    ),
    (
        ("what faces do I have?", "which faces are there?", "list the faces"),
        "The faces of this conversation are listed above, the newest last. Say its name to use one, such as face-1.",
    ),
    (
        ("what formats can you export?", "which file types are there?"),
        "I export glb with named morph targets, obj, ply and png.",
    ),
    (
        ("what can I change?", "which sliders are there?", "what can be edited?"),
        "Shape of face, brows, eyes, nose, mouth, cheeks, chin, jaw, ears, neck; skin, hair, beard, glasses; age and expression.",
    ),
    (
        ("can you do hats?", "give him a hat", "put earrings on her", "add a tattoo on the neck", "put a helmet on him",
         "can you make the whole body?", "give her a necklace"),
        "I cannot draw that yet. I make heads: faces with hair, beards, glasses, moles and scars.",
    ),
    (
        ("what's the weather like?", "tell me a joke", "write me a poem", "what is the capital of France?",
         "how do I cook rice?", "who won the match?"),
        "I only make faces here. Describe someone and I draw them.",
    ),
)  # fmt: skip
