"""Work on the pictures of a batch, in threads where torch may use several."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor


def each_picture(work: Callable[[int], None], count: int, threads: int | None = None) -> None:
    """Call work(k) for k below count, at most `threads` at once; None follows torch's thread count.

    The work must release the interpreter's lock (nogil) and write only to its own picture.
    """
    threads = min(threads or torch.get_num_threads(), count)
    if threads <= 1:
        for k in range(count):
            work(k)
        return
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, range(count)))


def array_of(tensor: Tensor) -> np.ndarray:
    """The numbers of a CPU tensor, row by row in memory, without a copy where they lie so already."""
    return tensor.detach().contiguous().numpy()
