"""Two processes that each learn from half a batch."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

ROOT = Path(__file__).parents[2]


def learn_half(
    stage: nn.Module, batch: Any, weight: nn.Parameter, rank: int, meeting: str, results: str
) -> None:
    """In one of two processes: leaves the loss of its half and the gradient after the exchange; ends it."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=2)
    wrapped = DistributedDataParallel(stage)
    total = torch.stack(list(wrapped(batch).values())).sum()
    total.backward()
    torch.save({"loss": total.detach(), "gradient": weight.grad}, f"{results}/{rank}.pt")
    dist.barrier()
    os._exit(0)  # taking the group down can wait for ever: its thread wants the interpreter that waits for it


def in_two(module: str, places: Path, tmp_path: Path) -> list[dict[str, Tensor]]:
    """What `learn(rank, places, meeting, results)` of a test module leaves in two processes."""
    told = (str(places), str(tmp_path / "meeting"), str(tmp_path))
    code = f"import sys\nfrom {module} import learn\nlearn(int(sys.argv[1]), *{told!r})"
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo", "PYTHONPATH": str(ROOT)}
    both = [
        subprocess.Popen([sys.executable, "-c", code, str(rank)], env=environment, cwd=ROOT)
        for rank in (0, 1)
    ]
    assert [process.wait(timeout=600) for process in both] == [0, 0]
    return [torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1)]
