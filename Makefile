# `make demo` and `make test` need Python 3.11 or newer with venv, git and make; nothing else is installed by hand.

PYTHON ?= python3
VERSION ?=
UPGRADE ?=

PIP := .venv/bin/python -m pip --quiet --disable-pip-version-check
COMPILE := .venv/bin/uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate $(UPGRADE)

.PHONY: demo test races walks chaos mailing bench check format lock changelog

demo: .venv/run.installed  ## Start the demonstration on http://127.0.0.1:8000, until Ctrl-C
	@.venv/bin/conference-orchestrator demo

test: .venv/dev.installed  ## Run the whole test suite, PostgreSQL included
	@.venv/bin/pytest -n 3 --dist worksteal

races: .venv/dev.installed  ## Twenty rounds of two hundred who want the last slot, and how long they waited
	@CO_TEST_ROUNDS=20 .venv/bin/pytest -q -rP tests/journeys/test_last_slot.py

walks: .venv/dev.installed  ## Five thousand random walks through what can happen to a round
	@CO_TEST_WALKS=5000 .venv/bin/pytest -q -n 2 tests/walks/test_walks.py

chaos: .venv/dev.installed  ## Three hundred conferences at a provider that fails, and what came of it
	@CO_TEST_CONFERENCES=$${CO_TEST_CONFERENCES:-300} .venv/bin/pytest -q -rP tests/chaos/test_storm.py

mailing: .venv/dev.installed  ## Ten thousand invitations whose workers are killed again and again, and what came of it
	@CO_TEST_MAILING=$${CO_TEST_MAILING:-10000} .venv/bin/pytest -q -rP tests/faults/test_mailing.py

bench: .venv/dev.installed  ## Measure what docs/benchmarks.md claims, and print it as ratios
	@.venv/bin/python -m benchmarks

check: .venv/dev.installed  ## Style, types, import directions, locks; models and migrations agree
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@.venv/bin/pytest -q tests/architecture

format: .venv/dev.installed  ## Lay out the code and mend what ruff can mend
	@.venv/bin/ruff check --fix-only .
	@.venv/bin/ruff format .

# The locks keep their versions where pyproject.toml allows; `make lock UPGRADE=--upgrade` takes the newest.
# What runs is locked to the versions that were tested.
lock: .venv/dev.installed  ## Write requirements/*.lock anew from pyproject.toml
	@$(COMPILE) --all-extras --group build pyproject.toml -o requirements/dev.lock
	@$(COMPILE) --extra postgres --group build -c requirements/dev.lock pyproject.toml -o requirements/run.lock
	@$(COMPILE) --group build -c requirements/dev.lock -o requirements/build.lock

changelog:  ## Gather changes/*.md into CHANGELOG.md: make changelog VERSION=0.2.0
	@test -n "$(VERSION)" || { echo "Say which version: make changelog VERSION=0.2.0" >&2; exit 2; }
	@{ sed 1q CHANGELOG.md; echo; echo "## $(VERSION), $$(date +%Y-%m-%d)"; \
	   for kind in added changed fixed removed security; do \
	     set -- changes/$$kind-*.md; test -e "$$1" || continue; \
	     echo; echo "### $$kind"; echo; \
	     for note; do sed '1s/^/- /; 2,$$s/^/  /' "$$note"; done; \
	   done; \
	   sed 1d CHANGELOG.md; } > CHANGELOG.md.new
	@mv CHANGELOG.md.new CHANGELOG.md
	@rm -f changes/*-*.md

# One environment serves both: `run` holds what the service needs, `dev` adds what the tests and checks need.
.venv/%.installed: requirements/%.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12")'
	@echo "Installing what requirements/$*.lock names into .venv (up to a minute, once) ..."
	@$(PYTHON) -m venv .venv
	@$(PIP) install --require-hashes --only-binary :all: -r requirements/build.lock
	@$(PIP) install --require-hashes --only-binary :all: --no-binary dkimpy --no-build-isolation -r requirements/$*.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@
