"""How quickly FaceGPT answers: in this process, plain transformers beside it, and a server.

Run `python benchmarks/serving.py [--start eager|compiled | --server URL] [--soak MINUTES] [--light N]
[--json]` with OMP_NUM_THREADS=1; about two minutes of one core without a server. Rates in this process are
per second of processor time, so that other work on the machine does not count. Those of a server
are by the clock and, where it was started here, also per second of its own processor time.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from server_load import Load, measure, soak

from facegpt_model.evaluation import parity
from facegpt_model.serving import launch
from facegpt_model.serving.backend import ChatTurn, Reply
from facegpt_model.serving.export import export_checkpoint
from facegpt_model.serving.in_process import InProcessBackend
from facegpt_model.serving.vllm_client import VllmBackend
from facegpt_model.vlm.tokens import prompt

SAID = (
    "a man of about fifty with a broad nose and thin lips",
    "She was in her thirties, with high cheekbones and a pointed chin.",
    "an old man with a hooked nose, deep-set eyes and a receding chin",
    "hello",
)
AT_ONCE = (1, 4, 8, 16)


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


def light_alone(own: InProcessBackend, count: int) -> dict[str, float]:
    """What answers would be worth if eight-bit weights gave them without a check, against the exact ones."""
    asked = parity.questions(count)
    exact = parity.ask(own, asked)
    said = parity.statements(12)
    here = torch.stack([parity.own_sliders(own, one) for one in said])
    lean = own.lean
    states = []
    for one in said:
        ids = own.gpt.tokenizer(one, add_special_tokens=False).input_ids
        states.append(lean.read(ids, lean.cache(len(ids)), light=True)[-1])
    with torch.no_grad():
        light = own.gpt.model.face_head.sliders(torch.stack(states))
    weights, lean.exact = lean.exact, lean.light
    try:
        found = parity.agreement(exact, parity.ask(own, asked))
    finally:
        lean.exact = weights
    return {
        "light_slider_difference_largest": float((here - light).abs().max()),
        "light_slider_difference_mean": float((here - light).abs().mean()),
        "light_same_decision_share": found.kind / found.asked,
        "light_same_calls_share": found.calls / found.asked,
        "light_same_words_share": found.words / found.asked,
    }


def served(url: str, own: InProcessBackend, requests: int, at_once: int, load: Load) -> dict[str, float]:
    """Tokens a second of as many clients at once, and seconds to the first piece of text."""
    backends = [VllmBackend.connect(url) for _ in range(at_once)]
    firsts: list[float] = []

    def ask(number: int) -> Reply:
        asked = time.perf_counter()
        pieces: list[float] = []
        turn = ChatTurn("user", SAID[number % len(SAID)])
        reply = backends[number % at_once].chat([turn], (), (), lambda _: pieces.append(time.perf_counter()))
        firsts.extend(piece - asked for piece in pieces[:1])
        return reply

    ask(0)
    firsts.clear()
    before, begun = measure(load), time.perf_counter()
    with ThreadPoolExecutor(at_once) as pool:
        replies = list(pool.map(ask, range(max(requests, 2 * at_once))))
    spent, made = time.perf_counter() - begun, tokens(own, replies)
    found = {
        f"vllm_tokens_per_s_c{at_once}": made / spent,
        f"vllm_first_token_s_c{at_once}": sorted(firsts)[len(firsts) // 2],
    }
    if load.session:
        found[f"vllm_tokens_per_cpu_s_c{at_once}"] = made / (measure(load).cpu_seconds - before.cpu_seconds)
    return found


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
    parser.add_argument("--start", choices=["eager", "compiled"], help="start a server for this")
    parser.add_argument("--port", type=int, default=8919, help="its port")
    parser.add_argument("--requests", type=int, default=8, help="answers per engine")
    parser.add_argument("--soak", type=float, default=0.0, help="minutes of eight clients without a pause")
    parser.add_argument("--light", type=int, default=0, help="questions for the eight-bit weights alone")
    parser.add_argument("--json", action="store_true", help="one JSON object on the last line")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.start:
        launch.serving_python()  # tell that it is missing before the first minute is over
    own = InProcessBackend.load()
    found = in_process(own, options.requests)
    found["plain_transformers_tokens_per_s"] = plain_transformers(own, options.requests)
    found["times_plain_transformers"] = (
        found["in_process_tokens_per_s"] / found["plain_transformers_tokens_per_s"]
    )
    found["ram_gib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    if options.light:
        found |= light_alone(own, options.light)
    with ExitStack() as stack:
        url, load = options.server, Load(0)
        if options.start:
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="serving-")))
            settings = launch.ServeSettings(
                model=export_checkpoint(folder / "model"), port=options.port, eager=options.start == "eager"
            )
            begun = time.perf_counter()
            server = stack.enter_context(launch.start(settings, folder / "cache"))
            found["vllm_start_s"] = time.perf_counter() - begun
            url, load = server.url, Load(server.process.pid)
        if url:
            for at_once in AT_ONCE:
                found |= served(url, own, options.requests, at_once, load)
            found["vllm_read_outs_per_s"], values = read_outs(url, 8)
            found["parity_correlation"] = correlation(own, values)
            if options.soak:
                found |= soak(url, options.soak, SAID, load)
            if load.session:
                found["vllm_ram_gib"] = measure(load).gib
    for name, value in found.items():
        print(f"{name:34} {value:9.4g}")
    if options.json:
        print(json.dumps(found))


if __name__ == "__main__":
    main()
