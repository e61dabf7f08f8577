# `make demo` and `make test` do all their own set-up on Debian 12. Everything lands in ignored folders.
SHELL := /bin/sh
.DELETE_ON_ERROR:

# The system's own Python: Orthanc embeds the same one, so both can share the libraries in .venv.
SYSTEM_PYTHON := /usr/bin/python3
BIN := .venv/bin
comma := ,
STAMPS := build/stamps

# Hundreds of processes read our modules while the tests run: each module is compiled once, not by all of them.
unexport PYTHONDONTWRITEBYTECODE

PYTHON_PACKAGES := python3-venv
BROWSER_PACKAGES := nodejs npm
RUN_PACKAGES := orthanc orthanc-python orthanc-dicomweb dcmtk nginx-light nftables
TEST_PACKAGES := dicom3tools chromium-headless-shell fonts-noto-cjk libegl1 libgl1 libxkbcommon0 libfontconfig1 libdbus-1-3

.PHONY: setup setup-unit setup-test demo check lint test test-random test-other-processor words wheel debian13 bench soak clean

## Set-up -------------------------------------------------------------------------------------------------

setup: $(STAMPS)/run-packages $(STAMPS)/plugin $(STAMPS)/browser

# Neither TensorFlow nor 3D Slicer, no server and no browser.
setup-unit: $(STAMPS)/unit

setup-test: setup $(STAMPS)/test

define packages
	scripts/install_packages.sh $(1)
	@mkdir -p $(@D) && touch $@
endef

define python
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[$(1)]'
	@mkdir -p $(@D) && touch $@
endef

$(STAMPS)/%-packages: scripts/install_packages.sh Makefile
	$(call packages,$($(shell echo $* | tr a-z A-Z)_PACKAGES))

$(BIN)/python: | $(STAMPS)/python-packages
	$(SYSTEM_PYTHON) -m venv .venv

$(STAMPS)/plugin: pyproject.toml constraints.txt | $(BIN)/python
	$(call python,plugin)

$(STAMPS)/unit: pyproject.toml constraints.txt | $(BIN)/python
	$(call python,lint$(comma)unit-test)

$(STAMPS)/test: pyproject.toml constraints.txt $(STAMPS)/plugin | $(STAMPS)/test-packages
	$(call python,test)

$(STAMPS)/browser: package.json package-lock.json | $(STAMPS)/browser-packages
	npm ci --silent
	npm run --silent vendor
	@mkdir -p $(@D) && touch $@

## What to run --------------------------------------------------------------------------------------------

demo: setup
	$(BIN)/python -m orthanc_plugin.stack.demo $(if $(ONCE),--once)

# Before every commit: what is soon told. Real head CTs take their time.
check: lint
	HEADCT_SHARED_DATA=none $(BIN)/pytest --unit --numprocesses logical --dist worksteal --quiet

lint: setup-unit
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# End-to-end tests wait for servers: several files at once, each with servers of its own, the long ones first.
# `make test TESTS=tests/headct` runs a part, in any of these ways.
PYTEST := $(BIN)/pytest --numprocesses 4 --dist loadfile --no-loadscope-reorder

test: setup-test
	$(PYTEST) $(TESTS)

# The seed is printed; `make test-random SEED=...` takes the same order again.
test-random: setup-test
	$(PYTEST) -p randomly $(if $(SEED),--randomly-seed=$(SEED)) $(TESTS)

# As far as one processor can stand in for another: other kernels, sums in another order.
test-other-processor: setup-test $(STAMPS)/other-processor
	OMP_NUM_THREADS=1 TF_ENABLE_ONEDNN_OPTS=0 HEADCT_TEST_PLAIN_LITERT=1 $(PYTEST) $(TESTS)

# Read by every Python of the environment as it starts; does nothing unless the variable is set.
$(STAMPS)/other-processor: Makefile | $(BIN)/python
	echo 'import os, runpy; os.environ.get("HEADCT_TEST_PLAIN_LITERT") and runpy.run_path("$(CURDIR)/tests/other_processor.py")' \
		>"$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/headct_other_processor.pth"
	@mkdir -p $(@D) && touch $@

# What setuptools keeps of earlier builds would bring files along that are gone.
wheel: $(STAMPS)/plugin $(STAMPS)/browser
	rm -rf build/lib build/bdist.*
	$(BIN)/pip wheel --quiet --no-deps --wheel-dir build/wheel .

# A real Orthanc of Debian 13: other versions, another Python. As root; needs debootstrap.
debian13:
	scripts/install_packages.sh debootstrap
	scripts/debian13.sh

# The catalogue of words after a change of sources or templates; what is new waits for its words in headct.po.
words: setup-unit
	@mkdir -p build
	$(BIN)/pybabel -q extract --mapping-file babel.cfg --no-wrap --add-location file --sort-by-file \
		--output-file build/headct.pot headct orthanc_plugin
	$(BIN)/pybabel -q update --input-file build/headct.pot --output-dir headct/locale --domain headct \
		--no-fuzzy-matching --ignore-obsolete --ignore-pot-creation-date --no-wrap
	$(BIN)/pybabel -q compile --directory headct/locale --domain headct

bench: setup-test
	$(BIN)/python tests/bench/run.py

soak: setup-test
	$(BIN)/python tests/soak/run.py
	$(MAKE) debian13

clean:
	rm -rf .venv build node_modules .demo
