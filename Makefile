# make demo   see it work            make test    everything CI checks
# make docs   the documentation as a site, in site/     make bench   what each backend takes here
# make install, make format, make clean: what they say
#
# Needs Python 3.11 or newer and make; the rest is installed into .venv from the package index.
# PYTHON=python3.12 make test   chooses another interpreter.
# make test SLOW=1      runs what takes long, too, as CI does.
# make test WORKERS=4           runs the tests in four processes at once; each wants a processor and 2 GB.

PYTHON ?= python3
VENV ?= .venv
WORKERS ?= 2
SLOW ?=
BIN := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
STAMP := $(VENV)/.installed
# A crashed worker ends the tests: if xdist starts another, tests by scope wait forever (its issue 1378).
PYTEST := $(BIN)/python -m pytest --numprocesses=$(WORKERS) --max-worker-restart=0 $(if $(SLOW),--slow)

.DEFAULT_GOAL := test
.PHONY: demo test docs bench check style types install format clean

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "napari-metseg needs Python 3.11 or newer; this is " + sys.version)'
	@echo "Installing into $(VENV) (a few minutes, once)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check -c constraints.txt --upgrade pip
	@$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --no-warn-script-location \
		-c constraints.txt -e ".[compare,deidentify,dev,docs,encoders,export,napari,onnx,pacs,scale,server,tune,ui]"
	@touch $@

install: $(STAMP)

demo: $(STAMP)
	@$(BIN)/metseg demo

# Its reference is what docstrings and --help say; a link that leads nowhere is an error.
docs: $(STAMP)
	@PATH="$(abspath $(BIN)):$$PATH" NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet --site-dir site
	@echo "site/index.html"

# Tables for docs/benchmarks/backends.md; let nothing else run beside it.
bench: $(STAMP)
	@$(BIN)/python docs/scripts/measure_backends.py

check: style types

style: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/npe2 validate --imports src/metseg/napari.yaml

types: $(STAMP)
	$(BIN)/mypy

# Types are checked beside the tests; what mypy has to say comes after them.
test: style
	@echo "$(BIN)/mypy, and beside it $(PYTEST)"
	@$(BIN)/mypy >$(VENV)/types.txt 2>&1 & types=$$!; \
	$(PYTEST); tests=$$?; \
	wait $$types; types=$$?; cat $(VENV)/types.txt; exit $$((tests | types))

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) site dist build .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
