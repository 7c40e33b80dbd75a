"""Pictures that show the same thing twice, and photos that likely show one person twice.

The second is asked of an identity embedding only to keep one person on one side of the
split into training and test; nobody is named.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

HASH_BITS = 6  # of 64 that may differ between two copies of a picture
SAME_PICTURE = 0.15  # and how near their embeddings must be
SAME_PERSON = 0.36  # embedding distance below which two photos count as one person
BLOCK = 1024


def picture_hash(picture: Image.Image) -> int:
    """64 bits that survive scaling and JPEG: whether each cell is brighter than its neighbour."""
    small = picture.convert("L").resize((9, 8), Image.Resampling.BOX)
    values = np.asarray(small, np.int16)
    bits = (values[:, 1:] > values[:, :-1]).ravel()
    return int("".join("1" if bit else "0" for bit in bits), 2)


def near_pairs(embeddings: NDArray[np.float32], largest: float) -> list[tuple[int, int, float]]:
    """(i, j, distance), i < j, of all embeddings (N, 128) nearer than that, in order."""
    found = []
    rows = embeddings.astype(np.float64)
    squares = (rows**2).sum(axis=1)
    for start in range(0, len(rows), BLOCK):
        block = rows[start : start + BLOCK]
        gaps = squares[start : start + BLOCK, None] + squares[None] - 2 * block @ rows.T
        for i, j in np.argwhere(gaps < largest**2):
            if start + i < j:
                found.append((int(start + i), int(j), float(np.sqrt(max(gaps[i, j], 0.0)))))
    return found


def is_copy(hash_one: int, hash_two: int, distance: float) -> bool:
    """Whether two pictures with these hashes and this embedding distance are copies of one."""
    return distance < SAME_PICTURE and (hash_one ^ hash_two).bit_count() <= HASH_BITS


def groups(count: int, pairs: list[tuple[int, int]]) -> list[int]:
    """For each of `count` things the first one it is joined to by pairs, itself for singles."""
    first = list(range(count))

    def root(k: int) -> int:
        while first[k] != k:
            k = first[k]
        return k

    for i, j in pairs:
        a, b = sorted((root(i), root(j)))
        first[b] = a
    return [root(k) for k in range(count)]
