# Everything runs in .venv. `make run` installs what the product needs, the other commands what developers need.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(if $(wildcard $(BIN)/python),$(BIN)/python,$(PYTHON)) -m demo.local.install $(VENV)

# What is pinned stays at its version unless UPGRADE=1 or its line in the .in file says otherwise.
COMPILE := $(BIN)/python -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
	--custom-compile-command "make requirements" $(if $(UPGRADE),--upgrade)

.PHONY: run logs test check bench lint lint-deploy format screenshots requirements help

run: $(VENV)/.runtime ## Start a copy with demo data; prints the address and the login.
	@exec $(BIN)/python -m demo.local

logs: ## Follow the log of a running copy.
	@exec $(PYTHON) -m demo.local.follow

# Compiled files are kept whatever the shell says: to compile all tests anew takes each process longer than to run many.
test check: export PYTHONDONTWRITEBYTECODE =

test: $(VENV)/.developer ## Run the whole test suite.
	$(BIN)/python -m pytest -n 2 --dist loadscope --no-loadscope-reorder

check: $(VENV)/.developer ## Run the quick tests: all but those marked slow.
	$(BIN)/python -m pytest -n 2 --dist loadscope --no-loadscope-reorder -m "not slow" -p no:schemathesis

bench: $(VENV)/.developer ## Measure delivering, beside what is usual with Celery; takes half an hour.
	$(BIN)/python -m tests.embedded -m benchmarks

lint: export DEMO = 1
lint: $(VENV)/.developer ## Check format, lint, types, import contracts and migrations; change nothing.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy .
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -m tests.embedded manage.py makemigrations --check --dry-run
	$(BIN)/python -m tests.embedded -m tests.lint_migrations

lint-deploy: $(VENV)/.developer ## Check deploy/ with each tool that is there; say what could not run.
	$(BIN)/python -m tests.deploy.lint

format: $(VENV)/.developer ## Format the code and mend what ruff can.
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

screenshots: $(VENV)/.developer ## Take pictures of every page, light, dark and mobile.
	$(BIN)/python -m tests.browser.screenshots

requirements: $(VENV)/.developer ## Pin all that is installed; UPGRADE=1 takes the newest of what is left open.
	$(COMPILE) requirements.in --output-file requirements.txt
	$(COMPILE) requirements-dev.in --constraint requirements.txt --output-file requirements-dev.txt

help: ## List these targets.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s%s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(VENV)/.runtime: requirements.txt
	@$(INSTALL) requirements.txt
	@touch $@

$(VENV)/.developer: requirements.txt requirements-dev.txt
	@$(INSTALL) requirements-dev.txt
	@touch $(VENV)/.runtime $@
