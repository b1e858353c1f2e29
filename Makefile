# The commands of the README. A fresh machine needs Python >= 3.11 with venv; everything else goes to $(VENV).
SHELL := /bin/bash
VENV ?= .venv
CORES ?= 2
SECONDS ?= 60
BIN := $(VENV)/bin
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)

.PHONY: help example test e2e long faults oldest slurm lint docs bench fuzz clean

help: ## list the commands
	@grep -E '^[a-z0-9]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(VENV)/.python:
	@test -n "$(PYTHON)" || { echo "acefit needs Python 3.11 or newer; install it or name it: make PYTHON=/path/to/python $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(f"acefit needs Python 3.11 or newer, $(PYTHON) is {sys.version.split()[0]}" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV) || { echo "cannot create $(VENV): install the venv module (Debian: apt-get install python3-venv)"; rm -rf $(VENV); exit 1; }
	$(BIN)/python -m pip install --quiet --upgrade pip
	@touch $@

$(VENV)/.run: $(VENV)/.python pyproject.toml
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/.test: $(VENV)/.run
	$(BIN)/python -m pip install --quiet --editable '.[test]'
	@touch $@

$(VENV)/.dev: $(VENV)/.test
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@

example: $(VENV)/.run ## fit the embedded silicon example and say where potential and report are
	$(BIN)/snakemake --cores $(CORES)
	@echo "report: results/silicon/report/summary.html   potential: results/silicon/potential.yaml"

test: $(VENV)/.test ## run all tests
	$(BIN)/python -m pytest

e2e: $(VENV)/.test ## run only the tests that run the whole workflow
	$(BIN)/python -m pytest -m e2e

long: $(VENV)/.test ## run the tests that take minutes and are not part of `make test`
	$(BIN)/python -m pytest -m long

faults: $(VENV)/.test ## inject faults into many whole runs and print a table (half an hour; some need root)
	$(BIN)/python -m pytest -m faults -s

oldest: ## run all tests with the oldest versions of all libraries that acefit declares, in an environment of its own
	$(MAKE) $(VENV)-oldest/.python VENV=$(VENV)-oldest
	$(VENV)-oldest/bin/python -m pip install --quiet --constraint tests/oldest.txt --editable '.[test]'
	$(VENV)-oldest/bin/python -m pytest -o filterwarnings=default --disable-warnings

slurm: $(VENV)/.test ## run the tests that start a Slurm of their own (as root, with Debian's slurm-wlm and munge)
	$(BIN)/python -m pip install --quiet --editable '.[slurm,test]'
	$(BIN)/python -m pytest -m slurm

lint: $(VENV)/.dev ## check style, types, layers and the workflow
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/snakemake --lint

docs: $(VENV)/.run ## regenerate the pages made from the code (configuration, tables)
	$(BIN)/python docs/generate.py

bench: $(VENV)/.test ## measure evaluation, loss, start-up and memory on this machine (BENCH="--peers DIR" adds pacemaker)
	$(BIN)/python benchmarks/suite.py $(BENCH)

fuzz: $(VENV)/.test ## let atheris look for files that break a reader, SECONDS for each (FUZZ="--only xyz" for some)
	$(BIN)/python -m pip install --quiet --editable '.[fuzz]'
	$(BIN)/python tests/fuzz/campaign.py --seconds $(SECONDS) $(FUZZ)

clean: ## remove the environment and tool caches, not the results
	rm -rf $(VENV) $(VENV)-oldest .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
