# The few commands a newcomer needs. Everything is installed into .venv by the project's own files.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
SOAK_SECONDS ?= 600
SOAK_KILLS ?= 400
BENCH ?=
CONTAINER ?= docker
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
CHART := shipper-$(shell sed -n 's/^version: //p' packaging/helm/shipper/Chart.yaml).tgz
IMAGE ?= shipper:$(VERSION)

.PHONY: help demo test test-system soak lint types contracts format schemas bench bench-peers performance deb rpm image chart clean

help:
	@echo "make demo         set up, then run the whole system on this host's logs (Ctrl-C ends it)"
	@echo "make test         set up, then run all tests (Python only)"
	@echo "make test-system  the tests that need other programs; each that is missing is skipped with its reason"
	@echo "make soak         a simulated host for SOAK_SECONDS, then real agents killed SOAK_KILLS times; prints the seeds"
	@echo "make lint types contracts   what CI checks besides the tests"
	@echo "make format       format the code"
	@echo "make schemas      write the JSON Schemas that editors use, after a change of a key"
	@echo "make bench        measure speed, latency and footprint, as ratios within one run on one core"
	@echo "make bench-peers  the same, beside syslog-ng and rsyslog where they are installed"
	@echo "make deb          the Debian package, with a Python of its own, into dist/"
	@echo "make rpm          the RPM package, with the same content, into dist/"
	@echo "make image        the container image, with docker or CONTAINER=podman"
	@echo "make chart        the Helm chart, checked, into dist/"
	@echo "make performance  all of that and how cost grows with the work; writes docs/performance.md"

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"

$(VENV)/.installed: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --group dev
	@touch $@

$(VENV)/.installed-bench: $(VENV)/.installed-dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --group bench
	@touch $@

demo: $(VENV)/.installed
	$(BIN)/shipper demo

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n 2 -m "not system and not bench"

test-system: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -m system -rs

soak: $(VENV)/.installed-dev
	$(BIN)/python -m tests.simulation --seconds $(SOAK_SECONDS)
	$(BIN)/python -m tests.soak --kills $(SOAK_KILLS)

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-dev
	$(BIN)/mypy

contracts: $(VENV)/.installed-dev
	$(BIN)/lint-imports

format: $(VENV)/.installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

schemas: $(VENV)/.installed-dev
	$(BIN)/python -m tests.schemas

bench: $(VENV)/.installed-dev
	$(BIN)/python -m tests.bench $(BENCH)

bench-peers: $(VENV)/.installed-dev
	$(BIN)/python -m tests.bench --peers $(BENCH)

performance: $(VENV)/.installed-bench
	$(BIN)/python -m tests.bench.performance $(BENCH)

deb: $(VENV)/.installed
	$(BIN)/python packaging/deb/build.py --output dist

rpm: $(VENV)/.installed
	$(BIN)/python packaging/rpm/build.py --output dist

image:
	$(CONTAINER) build -f packaging/container/Dockerfile -t $(IMAGE) --build-arg VERSION=$(VERSION) \
	  --build-arg REVISION=$$(git rev-parse HEAD) $(IMAGE_OPTIONS) .

chart:
	helm lint --strict packaging/helm/shipper
	@mkdir -p dist
# what `helm package` makes, but the same bytes each time
	tar --create --sort=name --owner=0 --group=0 --numeric-owner --mtime=@$$(git log -1 --format=%ct) --mode=u=rwX,go=rX \
	  --directory packaging/helm shipper | gzip --best --no-name > dist/$(CHART)
	helm show chart dist/$(CHART)

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache dist build
