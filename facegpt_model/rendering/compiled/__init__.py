"""The renderer's differentiable steps as compiled loops for the CPU, one picture at a time.

Each does in one pass over triangles, pixels or edges what the torch reference does in dozens of
tensor operations, forward and backward, with the same numbers.
"""
