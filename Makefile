# Every command does its own set-up: make demo, make test, make screenshots, make bench.
.PHONY: help demo test check screenshots bench wheel clean

help:
	@echo "make demo         the console on the embedded cloud: no AWS account, no network"
	@echo "make test         every check: ruff, mypy, import contracts, tests"
	@echo "make screenshots  draw screenshots/ again"
	@echo "make bench        the figures of benchmarks/"
	@echo "make wheel        dist/*.whl"

demo:
	@scripts/setup demo
	@.venv/bin/cloudtui demo

test: check
	@.venv/bin/python -m pytest -n auto --dist worksteal

check:
	@scripts/setup test
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports

screenshots:
	@scripts/setup test
	.venv/bin/python -m tests.screenshots

bench:
	@BENCH=1 scripts/setup test
	.venv/bin/python -m benchmarks

wheel:
	@scripts/setup test
	.venv/bin/python -m pip wheel --quiet --no-deps --wheel-dir dist .

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist build
