# The two commands: `make demo` runs the main job, `make test` proves it. The rest is for developers.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
APT_GET := DEBIAN_FRONTEND=noninteractive apt-get
PACKAGES := $(shell cat tests/support/packages.txt 2>/dev/null)

.PHONY: setup packages demo test crash power-cuts soak bench bench-session lint lock clean

setup: $(VENV)/.ready

$(VENV)/.ready: requirements.lock pyproject.toml
	@$(PYTHON) -m venv $(VENV) >/dev/null 2>&1 || \
	  { [ "$$(id -u)" = 0 ] && $(APT_GET) update -qq && $(APT_GET) install -y -qq python3-venv >/dev/null && $(PYTHON) -m venv $(VENV); } || \
	  { echo "Python's venv module is missing: apt-get install python3-venv"; exit 1; }
	@echo "installing Python packages into $(VENV) …"
	@$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

packages:
	@missing=$$(dpkg-query -W -f '$${Package} $${db:Status-Abbrev}\n' $(PACKAGES) 2>/dev/null | awk '$$2=="ii"{print $$1}' | sort > /tmp/edgerouter-have.$$$$; \
	  printf '%s\n' $(PACKAGES) | sort | comm -23 - /tmp/edgerouter-have.$$$$; rm -f /tmp/edgerouter-have.$$$$); \
	[ -z "$$missing" ] || { \
	  if [ "$$(id -u)" = 0 ]; then echo "installing Debian packages:" $$missing; \
	    $(APT_GET) update -qq && $(APT_GET) install -y -qq --no-install-recommends $$missing >/dev/null; \
	  else echo "the tests need Debian packages: apt-get install" $$missing; exit 1; fi; }

demo: setup
	$(BIN)/edgerouter demo

test: setup packages lint
	tests/run.sh $(BIN)/python

# Endurance, by hand: N rounds, SEED repeats a run. Power cuts need root and loop mounts.
N ?=
MINUTES ?= 30
SEED ?=

crash: setup packages
	$(BIN)/python -m tests.soak.crash --rounds $(or $(N),200) $(if $(SEED),--seed $(SEED))

power-cuts: setup packages
	$(BIN)/python -m tests.soak.crash --power --rounds $(or $(N),50) $(if $(SEED),--seed $(SEED))

soak: setup packages
	$(BIN)/python -m tests.soak.steady --minutes $(MINUTES) $(if $(SEED),--seed $(SEED))
bench-session: PACKAGES += nginx-light
bench-session: setup packages
	$(BIN)/python -m tests.bench.session

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: setup
	$(BIN)/python -m tests.bench

lock:
	uv pip compile -q --universal --all-extras --generate-hashes --no-emit-index-url --no-annotate --no-header --python-version 3.11 pyproject.toml -o requirements.lock

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
