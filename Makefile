PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin

.PHONY: setup demo test test-all check docs constraints clean

INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable

# Quick when nothing changed: the markers are newer than what decides the environment. `demo` needs what a user needs,
# everything else also the extras and the tools of development.
setup: .venv/.installed

$(BIN)/python:
	$(PYTHON) -m venv .venv

.venv/.installed-user: pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) .
	touch $@

.venv/.installed: pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) '.[dev]'
	touch .venv/.installed-user $@

demo: .venv/.installed-user
	rm -rf runs/demo
	$(BIN)/medtail train digits-lt --method dbm_bs --out runs/demo

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

# Two workers with one thread each: more threads than cores wait for one another. The processes that tests start need not
# compile every module again.
PYTEST := OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE= $(BIN)/pytest --numprocesses 2 --dist loadfile

test: check
	$(PYTEST) -m 'not slow'

test-all: check
	$(PYTEST)

# The site in build/site; no network is needed once the environment is there.
docs: setup
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# Renew the exact versions after changing a range in pyproject.toml.
constraints: setup
	$(BIN)/python -m pip install --quiet --upgrade --editable '.[dev]'
	{ head -n 1 constraints.txt; $(BIN)/python -m pip freeze --exclude-editable; } > constraints.new
	mv constraints.new constraints.txt

clean:
	rm -rf .venv build dist src/*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
