.PHONY: serve test lint format bench clean .venv

PYTHON ?= python3

serve: .venv
	.venv/bin/intmk serve

test: .venv lint
	.venv/bin/pytest

lint: .venv
	.venv/bin/ruff check server tests benchmarks
	.venv/bin/ruff format --check server tests benchmarks
	.venv/bin/mypy

format: .venv
	.venv/bin/ruff check --fix server tests benchmarks
	.venv/bin/ruff format server tests benchmarks
	.venv/bin/intmk format

# Half an hour, on a machine that does nothing else.
bench: .venv
	.venv/bin/intmk build
	.venv/bin/python benchmarks/compare.py

.venv: .venv/.installed

# The stamp comes last, so an interrupted installation starts again; a changed lock installs again.
.venv/.installed: requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	.venv/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	.venv/bin/pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	@touch $@

clean:
	rm -rf .venv var
