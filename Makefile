# make demo   see it work            make test    everything CI checks
# make install, make format, make clean: what they say
#
# Needs Python 3.11 or newer and make; the rest is installed into .venv from the package index.
# PYTHON=python3.12 make test   chooses another interpreter.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := test
.PHONY: demo test check install format clean

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "napari-metseg needs Python 3.11 or newer; this is " + sys.version)'
	@echo "Installing into $(VENV) (a few minutes, once)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --no-warn-script-location \
		-c constraints.txt -e ".[compare,dev,encoders,export,napari,server,tune,ui]"
	@touch $@

install: $(STAMP)

demo: $(STAMP)
	@$(BIN)/metseg demo

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/npe2 validate --imports src/metseg/napari.yaml

test: check
	$(BIN)/python -m pytest

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) dist build .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
