"""What a server costs while it is asked: memory and processor time of its processes, and a soak."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from facegpt_model.serving.backend import BackendError, ChatTurn
from facegpt_model.serving.vllm_client import VllmBackend

CLIENTS = 8  # of a soak
WARM_SHARE = 0.2  # of a soak's time, after which its memory is taken for the first time


@dataclass(frozen=True)
class Load:
    """Whose cost: the session of a server that was started here; 0 where it runs elsewhere."""

    session: int


@dataclass(frozen=True)
class Cost:
    """GiB of memory, pages shared between processes counted once, and seconds of processor time so far."""

    gib: float
    cpu_seconds: float


def measure(load: Load) -> Cost:
    """The cost of all processes of a session now; zeros for a server elsewhere."""
    pages = ticks = 0
    for folder in Path("/proc").glob("[0-9]*") if load.session else ():
        try:
            fields = (folder / "stat").read_text().rsplit(")", 1)[1].split()
            if int(fields[3]) != load.session:
                continue
            ticks += int(fields[11]) + int(fields[12])
            rollup = (folder / "smaps_rollup").read_text().split()
            pages += int(rollup[rollup.index("Pss:") + 1])
        except (OSError, ValueError, IndexError):
            continue  # it ended meanwhile
    return Cost(pages / 1024**2, ticks / os.sysconf("SC_CLK_TCK"))


def soak(url: str, minutes: float, said: Sequence[str], load: Load) -> dict[str, float]:
    """Eight clients that ask without a pause: answers, errors, wrong answers, growth of memory in GiB.

    Every answer must be the one the same words got first.
    """
    until = time.monotonic() + 60 * minutes
    first = {text: VllmBackend.connect(url).chat([ChatTurn("user", text)], ()).text for text in said}

    def client(number: int) -> tuple[int, int, int]:
        backend = VllmBackend.connect(url)
        answers = errors = others = 0
        while time.monotonic() < until:
            text = said[(number + answers + errors) % len(said)]
            try:
                others += backend.chat([ChatTurn("user", text)], ()).text != first[text]
                answers += 1
            except BackendError:
                errors += 1
        return answers, errors, others

    with ThreadPoolExecutor(CLIENTS) as pool:
        clients = [pool.submit(client, number) for number in range(CLIENTS)]
        time.sleep(60 * minutes * WARM_SHARE)
        warm = measure(load).gib
        time.sleep(max(0.0, until - time.monotonic() - 1))
        grown = measure(load).gib - warm
        answers, errors, others = (sum(counts) for counts in zip(*(c.result() for c in clients), strict=True))
    return {
        "soak_minutes": minutes,
        "soak_answers": float(answers),
        "soak_errors": float(errors),
        "soak_other_words": float(others),
        "soak_memory_growth_gib": grown,
    }
