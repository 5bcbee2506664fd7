# Every target sets up what it needs; nothing has to be installed by hand but Python 3.11+, make and git.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help demo test coverage workflows browser database lint format schemas reference docs lock bench bench-messages phones prove clean

help: ## Show the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 12

demo: $(VENV)/.run ## See real campaigns planned, priced, applied and recorded against the sandbox
	@$(BIN)/octoplan demo

test: $(VENV)/.dev browser database ## Run every test, linter and type check
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -n 2 --dist worksteal

coverage: $(VENV)/.dev browser database ## Run every test once more and tell which lines none of them reaches
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -n 2 --dist worksteal
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

workflows: $(VENV)/.dev ## Carry out the action and the example workflows step by step, and install the action for real
	$(BIN)/python -m pytest -v -m "" tests/workflows

# Pages are looked at in a real browser. Debian has Chromium as a package; Ubuntu only as a snap, which containers cannot run.
browser: $(VENV)/.dev
	@$(BIN)/python -m tests.chromium || { [ "$$(id -u)" = 0 ] && grep -qs '^ID=debian' /etc/os-release \
	  && apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends chromium; } \
	  || echo "The tests that look at pages need Chromium or Chrome: install one. Without it they are skipped, in CI they fail."

# Contacts are read from a real MariaDB, which each test run starts for itself in a folder of its own.
database:
	@PATH="$$PATH:/usr/sbin:/usr/local/sbin:/opt/homebrew/bin" sh -c 'command -v mariadbd' >/dev/null \
	  || { [ "$$(id -u)" = 0 ] && grep -qs '^ID=debian' /etc/os-release && apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
	  apt-get install -qq -y --no-install-recommends mariadb-server-core mariadb-client-core openssl; } \
	  || echo "The tests of MySQL's kind of database need MariaDB: install it. Without it they are skipped, in CI they fail."

format: $(VENV)/.dev ## Rewrite the code in the house format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

schemas: $(VENV)/.dev ## Write the JSON Schemas from the models
	$(BIN)/octoplan schema --write schemas

reference: $(VENV)/.dev ## Write the pages of docs/reference that are made from the code
	$(BIN)/python docs/generate_commands.py
	$(BIN)/python docs/generate_hours.py
	$(BIN)/python docs/generate_reference.py

docs: $(VENV)/.dev ## Build the documentation site into build/site; a broken link is an error
	$(BIN)/python -m zensical build --clean --strict
	@echo "To read it: $(BIN)/python -m http.server --directory build/site, then http://localhost:8000"

lock: ## Resolve the dependencies again and pin them with hashes (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-emit-find-links --no-header --upgrade pyproject.toml --extra build -o requirements/run.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-emit-find-links --no-header --upgrade pyproject.toml --extra build --extra dev --extra docs \
	  -o requirements/dev.txt

bench: $(VENV)/.dev ## Measure start-up, the send protocol, and plans of up to ten million rows (minutes)
	$(BIN)/python benchmarks/startup.py
	$(BIN)/python -m benchmarks.protocol
	$(BIN)/python benchmarks/audience.py

bench-messages: $(VENV)/.dev ## Count requests for ten templates, and texts measured in a second
	$(BIN)/python benchmarks/messages.py

phones: $(VENV)/.dev ## Compare the fast way of reading phone numbers with the library, on two million inputs
	$(BIN)/python -m tests.phones_comparison --inputs 2000000

prove: $(VENV)/.dev ## Prove "never twice, never lost": simulated faults and killed processes (minutes)
	@$(BIN)/python -m tests.simulation.prove

clean: ## Remove everything that the targets made
	rm -rf $(VENV) build .octoplan .coverage* .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "octoplan needs Python 3.11 or newer")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: requirements/run.txt pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/run.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: requirements/dev.txt pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@
