# Sentinel: every target does its own set-up, in .venv of this folder.
.DEFAULT_GOAL := help
.PHONY: help setup setup-dev demo demo-kafka test lint check-imports types unit bench bench-kafka bench-sources evaluate soak docs lock clean

BIN := .venv/bin
DATA ?= var/demo

help:  ## the targets
	@grep -hE '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 12

setup: .venv/runtime.stamp  ## .venv with the sentinel command in it
setup-dev: .venv/dev.stamp

.venv/runtime.stamp: requirements.lock pyproject.toml
	@deploy/setup/venv.sh requirements.lock $@

.venv/dev.stamp: requirements-dev.lock pyproject.toml
	@deploy/setup/venv.sh requirements-dev.lock $@
	@touch .venv/runtime.stamp

demo: setup  ## a simulated hospital streaming into the service, at http://127.0.0.1:8000
	$(BIN)/sentinel demo --data $(DATA)

demo-kafka: setup-dev  ## the same through Apache Kafka, two workers and a shared store
	$(BIN)/python -m deploy.demo_kafka --data $(DATA)-kafka

test: setup-dev  ## everything that must hold: style, types, import contracts, tests
	@deploy/setup/apt.sh chromium curl kcat openssl rsyslog rsyslog-openssl rsyslog-gnutls postgresql slapd default-jdk-headless
	$(MAKE) --no-print-directory lint types check-imports unit

lint: setup-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup-dev
	$(BIN)/mypy

check-imports: setup-dev
	$(BIN)/lint-imports

unit: setup-dev
	$(BIN)/pytest

bench: setup-dev  ## events per CPU-second, beside the yardsticks of the same run
	$(BIN)/python -m deploy.bench

bench-kafka: setup-dev  ## a worker's events per CPU-second from Kafka, beside other readers of the same topic
	$(BIN)/python -m deploy.bench.bus

bench-sources: setup-dev  ## events of each format read in a CPU-second, beside a bare parser
	$(BIN)/python -m deploy.bench.sources

evaluate: setup-dev  ## seven simulated hospitals: recall by kind, precision, alerts a day (docs/evaluation.md); SEED=N: other hospitals
	@$(BIN)/python -m deploy.evaluate $(SEED)

soak: setup-dev  ## the long runs
	SENTINEL_SOAK=1 $(BIN)/pytest -m soak

docs: setup-dev  ## the reference pages made from the code, checked
	$(BIN)/python -m deploy.reference

lock:  ## pin every dependency anew, with hashes, for all supported Pythons
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile -q --upgrade --universal --python-version 3.11 --generate-hashes --no-header pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile -q --upgrade --universal --python-version 3.11 --generate-hashes --no-header --all-extras pyproject.toml -o requirements-dev.lock

clean:
	rm -rf .venv var build dist
