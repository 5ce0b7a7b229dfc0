# make audit   set up, audit this machine, write the report      make test    set up, run all tests
# make quick   the pure tests: no server, no user, no browser     make check   lint, types, import contracts, documentation
# make bench   the benchmark (docs/performance.md)                make hooks   pre-commit checks what is staged
# make dist    sdist and wheel, checked (docs/releasing.md)
# make demo    audit a posed fleet of Windows hosts and this machine, and show the report
# make pictures   the pictures of the documentation
# make soak    fifty compressed nights of the agent on a fleet that misbehaves (docs/reliability.md)
# make fuzz    ten minutes of made-up bytes against one reader (PARSER=posix, windows-shell, ws-man, inventory, …)
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SOURCES := $(shell find auditor rules reports -type f -not -name '*.pyc')

.PHONY: audit test quick check hooks dist bench soak demo pictures fuzz docs lock clean packages

audit: $(VENV)/.installed
	@code=0; $(BIN)/auditor scan local || code=$$?; \
	case $$code in \
	  0) meaning="every required rule is met" ;; \
	  1) meaning="something required is missing or pending; the audit itself went well" ;; \
	  3) meaning="incomplete: something required could not be told; the audit itself went well" ;; \
	  *) echo "auditor ended with exit code $$code: the audit did not run"; exit $$code ;; \
	esac; \
	echo "Exit code $$code: $$meaning"

# One virtual environment: what runs is locked with hashes, and so is the build backend.
$(VENV)/.python: requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "auditor needs Python 3.11 or later; name one: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { echo "this Python has no venv; install it: apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $@

$(VENV)/.installed: $(VENV)/.python pyproject.toml README.md $(SOURCES)
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --force-reinstall .
	@touch $@

# Tests run against the sources, so the package is installed in place.
$(VENV)/.tests: $(VENV)/.python requirements-dev.lock pyproject.toml
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

packages:
	@sh tests/packages.sh

# Files run beside each other; what makes users or namespaces stays in one process (tests/conftest.py).
test: packages $(VENV)/.tests
	$(BIN)/python -m pytest -n auto

quick: $(VENV)/.tests
	$(BIN)/python -m pytest -n auto -m "not real"

check: $(VENV)/.tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	PYTHONPATH=. $(BIN)/cog --check -P docs/cli.md docs/contracts.md docs/history.md docs/rules.md

hooks: $(VENV)/.tests
	$(BIN)/pre-commit install --hook-type pre-commit --hook-type commit-msg

dist: requirements-release.lock
	$(PYTHON) -m venv $(VENV)/release
	$(VENV)/release/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-release.lock
	rm -rf dist
	SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) $(VENV)/release/bin/python -m build --no-isolation --outdir dist .
	$(VENV)/release/bin/twine check --strict dist/*

docs: $(VENV)/.tests
	PYTHONPATH=. $(BIN)/cog -r -P docs/cli.md docs/contracts.md docs/history.md docs/rules.md

bench: packages $(VENV)/.installed
	$(BIN)/python -m bench

soak: packages $(VENV)/.tests
	AUDITOR_KILLS=200 $(BIN)/python -m pytest tests/history/test_store.py -k kill
	$(BIN)/python -m tests.soak --write docs/reliability.md

demo: $(VENV)/.tests
	$(BIN)/python -m tests.lab.demo

pictures: packages $(VENV)/.tests
	$(BIN)/python -m tests.lab.pictures

FUZZ_SECONDS ?= 600
PARSER ?= article
fuzz: $(VENV)/.tests
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-fuzz.lock
	$(BIN)/python -m tests.fuzz $(PARSER) .bench/corpus-$(PARSER) -max_total_time=$(FUZZ_SECONDS) -max_len=8192 -artifact_prefix=.bench/ -print_final_stats=1

# Renews the lock files; they carry names, versions and hashes, no addresses.
LOCK := --quiet --generate-hashes --strip-extras --allow-unsafe --no-header --no-annotate \
  --no-emit-index-url --no-emit-trusted-host --no-emit-find-links
lock: $(VENV)/.tests
	$(PYTHON) -m venv $(VENV)/lock && $(VENV)/lock/bin/pip install --quiet pip-tools
	$(VENV)/lock/bin/pip-compile $(LOCK) --upgrade requirements.in -o requirements.lock
	$(VENV)/lock/bin/pip-compile $(LOCK) --upgrade requirements-dev.in -o requirements-dev.lock
	$(VENV)/lock/bin/pip-compile $(LOCK) --upgrade requirements-fuzz.in -o requirements-fuzz.lock
	$(VENV)/lock/bin/pip-compile $(LOCK) --upgrade requirements-release.in -o requirements-release.lock

clean:
	rm -rf $(VENV) .bench dist
