# Two commands matter: `make run` and `make test`. `make help` lists the rest.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help run test browser contract faults lint schema messages screenshots requirements clean

VENV := .venv
BIN := $(VENV)/bin
# The first Python that is new enough; `make run PYTHON=python3.12` chooses another.
PYTHON ?= $(shell for name in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$name && break; done)
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq

# Throw-away values, so that a check never depends on this machine's .env or var/.
KEYRING := ci:$(shell printf 'k%.0s' 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 | base64)
LAPTOP := env HUNTAZE_HOME=/nonexistent DATABASE_URL=sqlite://:memory: DEBUG=1 SECRET_KEY=checks HUNTAZE_KEYRING=$(KEYRING)
PRODUCTION := $(LAPTOP) DEBUG=0 SECRET_KEY=cR8mWq2vXz5tLkNp7sYd4gHj9bFe3uAo6iTcVxQwMnBrKlZyP0 ALLOWED_HOSTS=crm.example.com \
	JWT_SIGNING_KEY=Lr7uXn2pQs9vBe4wKz8mTy3cHd6gFa5j \
	AWS_REGION=eu-west-3 SQS_RATE_LIMITER_QUEUE_URL=https://sqs.example.com/1/huntaze-rate-limiter-queue \
	SQS_RATE_LIMITER_DLQ_URL=https://sqs.example.com/1/huntaze-rate-limiter-queue-dlq
# Says what is wrong with it on stderr, and fails.
SCHEMA = $(LAPTOP) $(BIN)/python manage.py spectacular --fail-on-warn --validate

help: ## Show these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

run: $(VENV)/.run-installed ## Install what is missing and start everything; PORT and HUNTAZE_HOME are honoured
	@exec $(BIN)/python -m huntaze.laptop

test: $(VENV)/.test-installed ## Run the whole suite on SQLite and on PostgreSQL, but for what has a target of its own
	@exec $(BIN)/python -m tests.suite

browser: $(VENV)/.test-installed ## Drive the pages in Chromium at three widths, and look at each with axe in every theme and language
	@exec $(BIN)/python -m tests.suite browser

contract: $(VENV)/.test-installed ## Ask every operation of the running API whether it keeps to docs/openapi.yaml
	@exec $(BIN)/python -m tests.contract

faults: $(VENV)/.test-installed ## Break real processes, queues, databases and platforms, and see that nothing is lost or doubled
	@exec $(BIN)/python -m tests.faults

lint: $(VENV)/.test-installed ## Check style, types, import contracts, migrations and the deployment settings
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(LAPTOP) $(BIN)/python manage.py makemigrations --check --dry-run
	@fresh=$$(mktemp) && trap 'rm -f $$fresh' EXIT && $(SCHEMA) --file $$fresh && \
		diff docs/openapi.yaml $$fresh >&2 || { echo "docs/openapi.yaml is not what the code says, or has warnings: make schema" >&2; exit 1; }
	$(PRODUCTION) $(BIN)/python manage.py check --deploy --fail-level WARNING

schema: $(VENV)/.test-installed ## Write the API's description to docs/openapi.yaml
	$(SCHEMA) --file docs/openapi.yaml

messages: $(VENV)/.test-installed ## Bring locale/ up to date with the code; says what is to be translated
	$(LAPTOP) $(BIN)/python -m tests.catalogue

screenshots: $(VENV)/.test-installed ## Take the pictures in docs/screenshots/ anew
	$(LAPTOP) $(BIN)/python -m tests.screenshots

requirements: $(VENV)/.test-installed ## Resolve requirements*.in into requirements*.txt
	@$(BIN)/uv pip compile --quiet --no-emit-index-url --no-emit-find-links --universal --python-version 3.11 requirements.in -o requirements.txt
	@$(BIN)/uv pip compile --quiet --no-emit-index-url --no-emit-find-links --universal --python-version 3.11 requirements-dev.in -o requirements-dev.txt
	@$(BIN)/uv pip compile --quiet --no-emit-index-url --no-emit-find-links --universal --python-version 3.11 requirements-bench.in -o requirements-bench.txt

clean: ## Remove what was installed and built; the data in var/ stays
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache staticfiles test-results
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "Huntaze needs Python 3.11 or newer: sudo apt install python3 python3-venv" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "This Python cannot make virtual environments: sudo apt install python3-venv" >&2; exit 1; }
	@echo "Creating $(VENV) with $$($(PYTHON) --version) …"
	@$(PYTHON) -m venv --clear $(VENV)

# A stamp is newer than the list it was installed from, or the list is installed again.
$(VENV)/.run-installed: requirements.txt | $(VENV)/bin/python
	@echo "Installing what Huntaze needs …"
	@$(PIP) install -r requirements.txt
	@touch $@

$(VENV)/.test-installed: requirements.txt requirements-dev.txt | $(VENV)/bin/python
	@echo "Installing what the tests need …"
	@$(PIP) install -r requirements-dev.txt
	@touch $@ $(VENV)/.run-installed
