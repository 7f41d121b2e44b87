# `make quickstart` and `make test` set up what they need; nothing is done twice.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
RUN := runs/quickstart
EXAMPLES := $(RUN)/examples
SHIPPED := src/facedistill/models/slim-m.onnx

# Of `make fuzz`: all readers share them.
MINUTES ?= 60

.PHONY: quickstart test test-all fuzz lint docs

$(READY): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing into $(VENV); this takes a minute or more"
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[train,synth,export,dev]'
	touch $@

quickstart: $(READY)
	$(BIN)/facedistill distill recipes/quickstart.yaml
	$(BIN)/facedistill verify $(EXAMPLES)/one.png $(EXAMPLES)/one_again.png --model $(RUN)/student.onnx
	$(BIN)/facedistill verify $(EXAMPLES)/one.png $(EXAMPLES)/another.png --model $(RUN)/student.onnx
	@if test -f $(SHIPPED); then \
		echo "The shipped model, slim-m, of the same pictures:" && \
		$(BIN)/facedistill verify $(EXAMPLES)/one.png $(EXAMPLES)/one_again.png --model $(SHIPPED) && \
		$(BIN)/facedistill verify $(EXAMPLES)/one.png $(EXAMPLES)/another.png --model $(SHIPPED); \
	else echo "No shipped model compares the same pictures: this version has none ($(SHIPPED))"; fi
	@echo "Now open $(RUN)/report.html"

# One process a core, each with one thread: small nets gain nothing from more.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --dist loadfile

test: $(READY)
	$(PYTEST)

test-all: $(READY)
	$(PYTEST) -m ""

fuzz: $(READY)
	OMP_NUM_THREADS=1 PYTHONPATH=. $(BIN)/python -m tests.fuzz $(MINUTES) $(READERS)

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(READY)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[docs]'
	$(BIN)/mkdocs build --strict
