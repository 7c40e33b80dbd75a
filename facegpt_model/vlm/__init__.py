"""The FaceGPT language model: tokens, face head, saving and loading."""
