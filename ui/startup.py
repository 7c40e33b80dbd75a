"""What is settled once, before any heavy library is imported: threads, and no network.

Nothing else in the house chooses a number of threads.
"""

from __future__ import annotations

import os
import sys

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


def prepare(threads: int) -> None:
    """Set threads and offline switches for this process and its children."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["TRANSFORMERS_OFFLINE"] = "1"
    os.environ["LANGSMITH_TRACING"] = "false"
    os.environ["LANGGRAPH_STRICT_MSGPACK"] = "true"
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)
        return
    for name in THREAD_VARIABLES:
        os.environ[name] = str(threads)
