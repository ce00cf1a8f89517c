# Everything a contributor or a first-time user needs: `make run` to try it, `make test` to prove it.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
LOCK := requirements.lock
RUN := .run-env
PLAYER := bridge/sandbox/player/node_modules/.package-lock.json
REAL_LRS := tests/real_lrs/node_modules/.package-lock.json
VALIDATOR := tests/judges/npm/node_modules/.package-lock.json
AXE := tests/browser/npm/node_modules/.package-lock.json
TYPESCRIPT := tests/clients/npm/node_modules/.package-lock.json
TAP := bridge/tap/node_modules/.package-lock.json
RALPH := .judges/.ready
CLIENTS := .clients/.ready
RIVAL := .bench/.ready

PROGRAMS := chromium strace mariadbd nginx caddy systemd-analyze promtool pgbouncer haproxy ip nft
PACKAGES := chromium strace mariadb-server nginx caddy systemd prometheus pgbouncer haproxy iproute2 nftables
CHAOS_PROGRAMS := patroni etcd

MIN_COVERAGE := 84

# Processes that share the tests out, a file at a time.
WORKERS ?= 3

# The layers that need no server: the core, the formats, storage on SQLite. What is marked is left out.
QUICK := tests/formats tests/imports tests/mapping_library tests/mappings tests/metrics tests/sandbox tests/storage \
  tests/test_documentation.py tests/test_glossary.py tests/test_house.py \
  tests/test_promises.py tests/test_scorm_guide.py tests/test_warnings.py
SKIPPED := --ignore=tests/storage/queries
UNMARKED := not slow and not served

# Tests start hundreds of processes, and each would compile the whole program anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help env run-env lock audit player test-tools bench-tools run test test-quick coverage screenshots chaos attack soak lint types imports docs check bench clean
help:
	@echo "make run          try the bridge with a sample course and a sandbox LRS"
	@echo "make test         all tests, on SQLite and PostgreSQL"
	@echo "make test-quick   the tests of the core, the formats and storage, on SQLite: less than a minute"
	@echo "make coverage     the branches that quick tests run through, which must not become fewer"
	@echo "make screenshots  pictures: of each audit page in .screenshots/, of the documentation in docs/pictures/"
	@echo "make chaos        the tests of promises under trouble, at length: hours"
	@echo "make attack       attacks on a running bridge, with figures: minutes"
	@echo "make soak         two hours at half load with an LRS that fails, on each database"
	@echo "make lock         take the newest releases of what the bridge uses into $(LOCK)"
	@echo "make dist         wheel and source distribution, in dist/"
	@echo "make sbom         what a release brings along, in dist/, as CycloneDX"
	@echo "make audit        look for known vulnerabilities of what the lock names"
	@echo "make reference    docs/settings.md, from the types of the settings"
	@echo "make tap          bridge/tap/tap.js, from its source"
	@echo "make docs         the documentation as a web site, in .site/"
	@echo "make check        lint, types, import rules, documentation"
	@echo "make bench        the benchmarks"

env: $(BIN)/.ready
$(BIN)/.ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@

$(PLAYER): bridge/sandbox/player/package-lock.json
	@echo "Installing the SCORM player of the sample course, from npm …"
	@cd bridge/sandbox/player && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error

$(REAL_LRS): tests/real_lrs/package-lock.json
	cd tests/real_lrs && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error

$(VALIDATOR): tests/judges/npm/package-lock.json
	cd tests/judges/npm && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error

$(AXE): tests/browser/npm/package-lock.json
	cd tests/browser/npm && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error

$(TYPESCRIPT): tests/clients/npm/package-lock.json
	cd tests/clients/npm && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error

$(TAP): bridge/tap/package-lock.json
	cd bridge/tap && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error

# What LMSs' pages load, from its source. A test holds it current.
.PHONY: tap
tap: $(TAP)
	cd bridge/tap && npm run --silent check && npm run --silent build

# Packages that only tests and benchmarks ask for something, in environments of their own: they pin what the bridge uses.
$(RALPH): tests/judges/ralph-requirements.txt
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --requirement $<
	touch $@

$(CLIENTS): tests/clients/python-requirements.txt
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --requirement $<
	touch $@

$(RIVAL): benchmarks/rival-requirements.txt
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --requirement $<
	touch $@

# What runs the bridge: exactly what the lock names, each file of it by its hash, and no tools.
run-env: $(RUN)/.ready
$(RUN)/.ready: $(LOCK) pyproject.toml
	@echo "Installing the bridge and what it needs into $(RUN): about 180 MB, half a minute, once …"
	@$(PYTHON) -m venv --clear $(RUN)
	@$(RUN)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement $(LOCK)
	@$(RUN)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

# The newest releases that pyproject.toml allows, for every platform and Python that it does.
lock: env
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" \
	  --group build --output-file $(LOCK) pyproject.toml

audit: env
	.ci/audit $(BIN)/pip-audit $(LOCK)

# What a release brings along, as a CycloneDX document.
.PHONY: sbom
sbom: env
	.ci/sbom $(BIN)/cyclonedx-py dist/scorm-xapi-bridge.cdx.json

player: $(PLAYER)

# The page of all settings, from their types. A test holds it current.
.PHONY: reference
reference: env
	$(BIN)/python -m docs.site.settings_reference

# Wheel and source distribution, in dist/, with the SCORM player of the sample course.
.PHONY: dist
dist: env player
	$(BIN)/uv build --out-dir dist

# Tests need programs that are no packages of Python or npm: Debian's, installed here where this is Debian and root.
test-tools: $(REAL_LRS) $(VALIDATOR) $(AXE) $(RALPH) $(CLIENTS) $(TYPESCRIPT) $(PLAYER) $(TAP)
	@PATH="$$PATH:/usr/sbin"; for program in $(PROGRAMS); do command -v $$program >/dev/null || missing=1; done; [ -z "$$missing" ] \
	  || (apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $(PACKAGES) >/dev/null) \
	  || (echo "The tests need $(PROGRAMS); please install them." >&2; exit 1)

# What only `make chaos` needs. Debian would start services of what it installs, at once and at each boot: none is.
.PHONY: chaos-tools
chaos-tools:
	@for program in $(CHAOS_PROGRAMS); do command -v $$program >/dev/null || missing="$$missing $$program"; done; \
	[ -z "$$missing" ] || ( \
	  policy=/usr/sbin/policy-rc.d; \
	  [ -e $$policy ] || { printf '#!/bin/sh\nexit 101\n' >$$policy && chmod +x $$policy && trap "rm $$policy" EXIT; }; \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
	    $$(echo $$missing | sed 's/etcd/etcd-server/') >/dev/null \
	  && for service in $$missing; do systemctl --quiet disable $$service 2>/dev/null || true; done \
	) || (echo "The tests need $(CHAOS_PROGRAMS); please install them." >&2; exit 1)

run: run-env
	@if command -v npm >/dev/null; then $(MAKE) --no-print-directory player; \
	 else echo "node and npm were not found: the sample course cannot be played, everything else runs."; fi
	@echo "Starting the bridge, a sandbox LRS and the sample course …"
	@$(RUN)/bin/scorm-bridge sandbox $(ARGS)

test: env test-tools
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile $(ARGS)

test-quick: env
	$(BIN)/python -m pytest -q -n 2 -m "$(UNMARKED)" -k "not postgresql and not mariadb" $(SKIPPED) $(QUICK) $(ARGS)

coverage: QUICK += tests/alerts tests/cli tests/limits tests/packages
coverage: SKIPPED :=
coverage: UNMARKED := not slow
coverage: ARGS += --cov --cov-report=term:skip-covered --cov-fail-under=$(MIN_COVERAGE)
coverage: test-quick

screenshots: env test-tools
	$(BIN)/python -m tests.browser.screenshots

chaos: env chaos-tools
	CHAOS=full $(BIN)/python -m pytest -s --timeout 0 tests/chaos tests/http/test_any_request.py $(ARGS)

attack: env
	CHAOS=full $(BIN)/python -m pytest -s --timeout 900 tests/attack $(ARGS)

soak: env
	$(BIN)/python -m benchmarks.soak $(ARGS)

lint: env
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/hadolint Dockerfile

types: env
	$(BIN)/mypy

imports: env
	$(BIN)/lint-imports

docs: env
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet
	@echo "The documentation is in .site/index.html."

check: lint types imports docs

bench-tools: $(RIVAL)

bench: env bench-tools
	$(BIN)/python -m benchmarks.mapping
	$(BIN)/python -m benchmarks.core
	$(BIN)/python -m benchmarks.commits
	$(BIN)/python -m benchmarks.forwarding
	$(BIN)/python -m benchmarks.disk
	$(BIN)/python -m benchmarks.growth
	$(BIN)/python -m benchmarks.audit
	$(BIN)/python -m benchmarks.impact
	$(BIN)/python -m benchmarks.imports
	$(BIN)/python -m benchmarks.people
	$(BIN)/python -m benchmarks.hostile_bodies

clean:
	rm -rf .run dist $(RUN) $(VENV) .judges .clients .bench bridge/sandbox/player/node_modules bridge/tap/node_modules tests/real_lrs/node_modules \
	  tests/judges/npm/node_modules tests/browser/npm/node_modules tests/clients/npm/node_modules .screenshots .site
