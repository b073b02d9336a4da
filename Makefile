# `make` alone lists what there is. Everything runs in .venv, except the targets under "Containers".

PORT ?= 8000
VENV := .venv
BIN := $(VENV)/bin
# The first Python that is new enough; PYTHON=/path/to/python chooses another.
PYTHON ?= $(shell for name in python3.11 python3.12 python3.13 python3; do \
	"$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$name" && break; done)
COMPOSE ?= $(shell docker compose version >/dev/null 2>&1 && echo "docker compose" || echo docker-compose)
# Two processes already help; more than four rarely do.
TEST_PROCESSES ?= $(shell n=$$(nproc 2>/dev/null || echo 2); [ $$n -gt 4 ] && echo 4 || echo $$n)
# Without these the tests need nothing but Python; .ci/run covers them all.
TEST_MARKERS := not browser and not faults and not docker

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help setup setup-run run test faults lint format messages bench requirements clean \
	initialize env-cp build up down purge logs migrate makemigrations collectstatic createsuperuser

help: ## list the targets
	@awk 'BEGIN { FS = ":.*## " } /^# --- / { printf "\n%s\n", substr($$0, 7) } \
		/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# --- On this machine

run: export DJANGO_DEBUG ?= 1
run: setup-run ## web and workers in the foreground, at http://localhost:$(PORT)/admin/ (PORT=8000)
	@exec $(BIN)/python manage.py run --port $(PORT) --demo

setup: $(VENV)/.requirements-dev ## fill .venv with all that running, testing and checking need

setup-run: $(VENV)/.requirements

test: setup ## the tests, on SQLite; ARGS="-k name" chooses some
	$(BIN)/pytest -n $(TEST_PROCESSES) -m "$(TEST_MARKERS)" $(ARGS)

faults: setup ## real processes killed and stopped, on SQLite and on PostgreSQL with Redis; about an hour
	FAULTS=all $(BIN)/pytest -m faults -p no:randomly -n 2 $(ARGS)

lint: setup ## style, format, types, missing migrations
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy .
	$(BIN)/python manage.py makemigrations --check --dry-run

format: setup ## put the code into the one format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

messages: setup ## collect new words for the translation, compile it, list what is missing; needs gettext
	$(BIN)/python -m tests.translations.renew

bench: setup ## every figure in benchmarks/
	@for script in benchmarks/[a-z]*.py; do \
		echo "== $$script"; PYTHONPATH=. $(BIN)/python "$$script" || exit 1; done

requirements: setup ## compile requirements*.txt anew from requirements*.in
	$(BIN)/pip-compile --quiet --upgrade --generate-hashes --strip-extras --no-emit-index-url --no-emit-find-links \
		--no-emit-trusted-host --output-file=requirements.txt requirements.in
	$(BIN)/pip-compile --quiet --upgrade --generate-hashes --strip-extras --allow-unsafe --no-emit-index-url \
		--no-emit-find-links --no-emit-trusted-host --output-file=requirements-dev.txt requirements-dev.in

clean: ## remove .venv and what tools leave behind; var/, with the data, stays
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache htmlcov .coverage

# A changed requirements file installs again, an unchanged one costs nothing. The files name all there is, so nothing is
# resolved: pip would look for a newer release of what is asked for with extras (coverage[toml]), which has no hash.
$(VENV)/.requirements: requirements.txt | $(BIN)/python
	@echo "Installing what the product needs ..."
	@$(BIN)/pip install --quiet --require-hashes --no-deps -r requirements.txt
	@touch $@

$(VENV)/.requirements-dev: requirements.txt requirements-dev.txt | $(BIN)/python
	@echo "Installing what the product and its tests need ..."
	@$(BIN)/pip install --quiet --require-hashes --no-deps -r requirements-dev.txt
	@touch $(VENV)/.requirements $@

$(BIN)/python:
	@if [ -z "$(PYTHON)" ]; then \
		echo "Python 3.11 or newer is needed and was not found. Install it, or name it: make PYTHON=/path/to/python"; \
		exit 1; fi
	@"$(PYTHON)" -m venv $(VENV) || { rm -rf $(VENV); \
		echo "$(PYTHON) cannot make virtual environments. On Debian and Ubuntu: apt install python3-venv"; exit 1; }

# --- Containers

initialize: env-cp build up ## .env, images, then PostgreSQL, Redis, web and worker at http://localhost:8080/admin/

env-cp: ## make .env from .env.example, with generated secrets, if there is none
	@sh docker/make-env.sh

build: ## build the image
	$(COMPOSE) build

up: ## start the containers, each when those it needs are healthy
	$(COMPOSE) up --detach
	@echo "Open http://localhost:$${APP_PORT:-8080}/admin/ (user and password: see .env)"

down: ## stop the containers; the data stays
	$(COMPOSE) down

purge: ## stop the containers and DELETE ALL THEIR DATA
	$(COMPOSE) down --volumes --remove-orphans

logs: ## follow what the containers write
	$(COMPOSE) logs --follow --tail=100

migrate: ## apply the migrations
	$(COMPOSE) exec -T app python manage.py migrate

makemigrations: ## write migrations for changed models
	$(COMPOSE) run --rm -T --user "$$(id -u):$$(id -g)" --volume "$(CURDIR):/app" app python manage.py makemigrations

collectstatic: ## collect the static files
	$(COMPOSE) exec -T app python manage.py collectstatic --noinput

createsuperuser: ## add an administrator
	$(COMPOSE) exec app python manage.py createsuperuser
