# `make demo` and `make test` do all their own set-up on Debian 12. Everything lands in ignored folders.
SHELL := /bin/sh
.DELETE_ON_ERROR:

# The system's own Python: Orthanc embeds the same one, so both can share the libraries in .venv.
SYSTEM_PYTHON := /usr/bin/python3
BIN := .venv/bin
STAMPS := build/stamps

RUN_PACKAGES := orthanc orthanc-python orthanc-dicomweb dcmtk nginx-light python3-venv nodejs npm
TEST_PACKAGES := dicom3tools chromium fonts-noto-cjk libegl1 libgl1 libxkbcommon0 libfontconfig1 libdbus-1-3

.PHONY: setup setup-test demo test lint words bench soak clean

## Set-up -------------------------------------------------------------------------------------------------

setup: $(STAMPS)/plugin $(STAMPS)/browser

setup-test: setup $(STAMPS)/test

$(STAMPS)/run-packages: scripts/install_packages.sh Makefile
	scripts/install_packages.sh $(RUN_PACKAGES)
	@mkdir -p $(@D) && touch $@

$(STAMPS)/test-packages: scripts/install_packages.sh Makefile
	scripts/install_packages.sh $(TEST_PACKAGES)
	@mkdir -p $(@D) && touch $@

$(BIN)/python: | $(STAMPS)/run-packages
	$(SYSTEM_PYTHON) -m venv .venv

$(STAMPS)/plugin: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[plugin]'
	@mkdir -p $(@D) && touch $@

$(STAMPS)/test: pyproject.toml constraints.txt $(STAMPS)/plugin | $(STAMPS)/test-packages
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[plugin,training,test]'
	@mkdir -p $(@D) && touch $@

$(STAMPS)/browser: package.json package-lock.json | $(STAMPS)/run-packages
	npm ci --silent
	npm run --silent vendor
	@mkdir -p $(@D) && touch $@

## What to run --------------------------------------------------------------------------------------------

demo: setup
	$(BIN)/python -m orthanc_plugin.stack.demo $(if $(ONCE),--once)

test: setup-test
	# Most end-to-end tests wait for servers: several files at once, each with servers of its own.
	$(BIN)/pytest --numprocesses 4 --dist worksteal

lint: setup-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The catalogue of words after a change of sources or templates; what is new waits for its words in headct.po.
words: setup-test
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

clean:
	rm -rf .venv build node_modules .demo
