"""How quickly FaceGPT answers: in this process, plain transformers beside it, and a server.

Run `python benchmarks/serving.py [--server URL] [--requests N] [--json]` with OMP_NUM_THREADS=1;
about two minutes of one core. Rates in this process are per second of processor time, so that
other work on the machine does not count; those of a server are by the clock, since its
processor time is elsewhere.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import torch

from facegpt_model.evaluation import parity
from facegpt_model.serving.backend import ChatTurn, Reply
from facegpt_model.serving.in_process import InProcessBackend
from facegpt_model.serving.vllm_client import VllmBackend
from facegpt_model.vlm.tokens import prompt

SAID = (
    "a man of about fifty with a broad nose and thin lips",
    "She was in her thirties, with high cheekbones and a pointed chin.",
    "an old man with a hooked nose, deep-set eyes and a receding chin",
    "hello",
)


def tokens(backend: InProcessBackend, replies: Sequence[Reply]) -> int:
    """Tokens of the answers."""
    return sum(len(backend.gpt.tokenizer(r.text, add_special_tokens=False).input_ids) for r in replies)


def in_process(backend: InProcessBackend, requests: int) -> dict[str, float]:
    """Tokens a second and seconds to the first piece of text, after one answer to warm up."""
    backend.chat([ChatTurn("user", SAID[0])], ())
    firsts: list[float] = []
    replies: list[Reply] = []
    begun = time.process_time()
    for number in range(requests):
        asked = time.process_time()
        pieces: list[float] = []

        def piece(text: str, asked: float = asked, pieces: list[float] = pieces) -> None:
            pieces.append(time.process_time() - asked)

        replies.append(backend.chat([ChatTurn("user", SAID[number % len(SAID)])], (), (), piece))
        firsts += pieces[:1]
    spent = time.process_time() - begun
    return {
        "in_process_tokens_per_s": tokens(backend, replies) / spent,
        "first_token_s": sorted(firsts)[len(firsts) // 2],
    }


@torch.no_grad()
def plain_transformers(backend: InProcessBackend, requests: int) -> float:
    """Tokens a second of transformers' own generate() on the same prompts, greedy, float32."""
    made = 0
    begun = time.process_time()
    for number in range(requests):
        text = prompt([ChatTurn("user", SAID[number % len(SAID)])], ())
        ids = backend.gpt.tokenizer(text, add_special_tokens=False, return_tensors="pt").input_ids
        out = backend.gpt.model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=30,
            do_sample=False,
            pad_token_id=2,
        )
        made += out.shape[1] - ids.shape[1]
    return made / (time.process_time() - begun)


def served(url: str, own: InProcessBackend, requests: int, at_once: int) -> float:
    """Tokens a second, by the clock, of as many clients at once."""
    backends = [VllmBackend.connect(url) for _ in range(at_once)]

    def ask(number: int) -> Reply:
        return backends[number % at_once].chat([ChatTurn("user", SAID[number % len(SAID)])], ())

    ask(0)
    begun = time.perf_counter()
    with ThreadPoolExecutor(at_once) as pool:
        replies = list(pool.map(ask, range(requests)))
    return tokens(own, replies) / (time.perf_counter() - begun)


def read_outs(url: str, count: int) -> tuple[float, torch.Tensor]:
    """Faces read a second, by the clock, and their slider values."""
    backend = VllmBackend.connect(url)
    said = parity.statements(count)
    begun = time.perf_counter()
    values = torch.stack([parity.served_sliders(backend, one) for one in said])
    return count / (time.perf_counter() - begun), values


def correlation(own: InProcessBackend, values: torch.Tensor) -> float:
    """Of served slider values with those read in this process."""
    here = torch.stack([parity.own_sliders(own, said) for said in parity.statements(len(values))])
    return float(torch.corrcoef(torch.stack([here.flatten(), values.flatten()]))[0, 1])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", default="", help="address of 'facegpt serve'")
    parser.add_argument("--requests", type=int, default=8, help="answers per engine")
    parser.add_argument("--json", action="store_true", help="one JSON object on the last line")
    options = parser.parse_args()
    own = InProcessBackend.load()
    found = in_process(own, options.requests)
    found["plain_transformers_tokens_per_s"] = plain_transformers(own, options.requests)
    found["ram_gib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    if options.server:
        for at_once in (1, 8):
            rate = served(options.server, own, options.requests, at_once)
            found[f"vllm_tokens_per_s_c{at_once}"] = rate
        found["vllm_read_outs_per_s"], values = read_outs(options.server, 8)
        found["parity_correlation"] = correlation(own, values)
    for name, value in found.items():
        print(f"{name:34} {value:9.4g}")
    if options.json:
        print(json.dumps(found))


if __name__ == "__main__":
    main()
