# Every target sets up what it needs; `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory --no-builtin-rules

# The interpreter that makes .venv; everything after that uses .venv.
PYTHON ?= python3
# Modules are compiled once, not in every process, also where the environment says otherwise.
export PYTHONDONTWRITEBYTECODE :=
VENV := .venv
PY := $(VENV)/bin/python
STAMPS := $(VENV)/.stamps
TOOLS := bin/tools

VERSION = $(shell sed -n 's/^__version__ *= *"\(.*\)"/\1/p' python/crossfold/__init__.py)
COMMIT = $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
LDFLAGS = -s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT)

GO_SOURCES := $(wildcard $(shell git ls-files --cached --others --exclude-standard -- '*.go' 'cmd/*.py' 2>/dev/null))
PROTOS := $(wildcard proto/crossfold/v1/*.proto)
# Python outside of the package follows the package's rules.
SCRIPTS := cmd examples tests
# GNU C for its vectors. Numbers may be rounded once where they would be twice; NaN stays NaN.
CFLAGS := -O3 -std=gnu11 -Wall -Wextra -Werror -fno-math-errno -fno-trapping-math
# The race detector needs a C compiler; without one the tests still run.
RACE := $(if $(shell command -v $$(go env CC) 2>/dev/null),-race)

.PHONY: help setup ready run test test-go test-python check check-go check-python check-generated \
	generate bench wheel clean

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' $(firstword $(MAKEFILE_LIST)) | \
		while IFS='|' read -r name text; do printf '  %-10s %s\n' "$$name" "$$text"; done

setup: ## Make .venv, install the pinned packages, build bin/crossfold
	@$(MAKE) -j2 ready

# The downloads of pip and the Go compiler's work overlap.
ready: $(STAMPS)/package python/crossfold/_bin/crossfold python/crossfold/_bin/libsparse.so
	@:

run: setup ## Cross-validate digits with scikit-learn and TensorFlow on a local cluster
	@$(PY) examples/digits.py

test: setup ## Run every test: Go with the race detector, then Python
	@$(MAKE) test-go
	@$(MAKE) test-python

# A test often waits for processes: more of them run at once than there are cores.
test-go:
	CROSSFOLD_PYTHON=$(CURDIR)/$(PY) go test $(RACE) -p 4 -timeout 300s ./...

test-python: $(TOOLS)/nats-server
	cd python && $(CURDIR)/$(PY) -m pytest -q -n 3 --dist loadfile
	$(PY) -m pytest -q -n 3 --dist worksteal --timeout 120 tests

check: setup ## Formatting, vet, linters, types, vulnerabilities, generated code
	@$(MAKE) check-go
	@$(MAKE) check-python
	@$(MAKE) check-generated

check-go:
	@unformatted=$$(gofmt -l $(filter %.go,$(GO_SOURCES))); \
		[ -z "$$unformatted" ] || { echo "run gofmt -w on:" $$unformatted >&2; exit 1; }
	go vet ./...
	go tool staticcheck ./...
	@.ci/govulncheck

check-python:
	$(PY) -m ruff check python
	$(PY) -m ruff check --config python/pyproject.toml $(SCRIPTS)
	$(PY) -m ruff format --check python
	$(PY) -m ruff format --check --config python/pyproject.toml $(SCRIPTS)
	cd python && $(CURDIR)/$(PY) -m mypy

check-generated: $(TOOLS)/.stamp
	@.ci/generate --check

generate: $(STAMPS)/requirements $(TOOLS)/.stamp ## Regenerate the Go and Python code of proto/
	@.ci/generate

bench: setup bin/load ## Measure beside all peers; CASE=plain PEERS=loky,ray REPEATS=3 QUICK=1 narrow it down
	@$(PY) tests/bench/run.py $(if $(CASE),--case $(CASE)) $(if $(PEERS),--peers $(PEERS)) \
		$(if $(REPEATS),--repeats $(REPEATS)) $(if $(QUICK),--quick)

wheel: setup ## Build the wheel, binary inside, into dist/
	$(PY) -m build --wheel --no-isolation --outdir dist python

clean: ## Remove everything that make made
	rm -rf $(VENV) .venv-bench bin dist out python/build python/*.egg-info python/crossfold/_bin

# Stamps: each is newer than what it was made from, so a warm `make setup` does nothing.

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info; v >= (3, 11) or sys.exit( \
		f"make setup: $(PYTHON) is Python {v[0]}.{v[1]}; Crossfold needs 3.11 or newer: make PYTHON=python3.11 setup")'
	$(PYTHON) -m venv $(VENV)

$(STAMPS)/requirements: requirements/dev.txt | $(VENV)/bin/python
	$(PY) -m pip install --quiet --disable-pip-version-check --no-deps --no-compile -r requirements/dev.txt
	@mkdir -p $(@D) && touch $@

$(STAMPS)/package: $(STAMPS)/requirements python/pyproject.toml
	$(PY) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e python
	@touch $@

bin/crossfold: go.mod go.sum $(GO_SOURCES)
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o $@ ./cmd/crossfold

bin/load: go.mod go.sum $(GO_SOURCES)
	CGO_ENABLED=0 go build -trimpath -o $@ ./tests/bench/load

# A link, so that the package runs the binary that was built last; a wheel gets the file itself.
python/crossfold/_bin/crossfold: bin/crossfold
	@mkdir -p $(@D) && ln -sfn ../../../bin/crossfold $@

python/crossfold/_bin/libsparse.so: python/crossfold/_runtime/_keras/sparse.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -shared -fPIC -o $@ $< -lm

$(TOOLS)/nats-server: go.mod go.sum
	CGO_ENABLED=0 go build -trimpath -o $@ github.com/nats-io/nats-server/v2

$(TOOLS)/.stamp: go.mod go.sum
	GOBIN=$(CURDIR)/$(TOOLS) go install google.golang.org/protobuf/cmd/protoc-gen-go \
		google.golang.org/grpc/cmd/protoc-gen-go-grpc
	@touch $@
