# make train   train NN2 on MNIST, even against odd, and save the run under runs/
# make test    every test, the linter and the type checker
# make soak    the tests that repeat something, at a larger size
# make docs    the site, in build/site: its pages run the code that they show
# make release a wheel and an sdist, tried in clean environments
# make bench   ratios against PyTorch, JAX and scikit-learn, which it installs into an environment of their own
# The first two need only python3 (3.11 or newer) and make; everything else goes into .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PEERS := .venv-peers
ARGS ?=

.DELETE_ON_ERROR:
.PHONY: train test soak system lint docs notebook lock bench release clean

train: $(VENV)/.train
	@$(BIN)/mlcvlab train $(ARGS)

# The order of the tests is another each time, and how to have it again is printed. There is a process for each core,
# so the matrix products of each have one thread. The compiled sources are kept even if the shell says otherwise: some
# hundred processes import them.
PYTEST = env -u PYTHONDONTWRITEBYTECODE OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -n $$($(BIN)/python -c 'import os; print(min(4, os.cpu_count()))') --dist worksteal

# The linters run beside the tests, and what they say is printed at the end.
test: $(VENV)/.test system
	@$(MAKE) --no-print-directory lint > $(VENV)/lint.log 2>&1 & \
	$(PYTEST) $(ARGS); tests=$$?; wait $$!; linters=$$?; cat $(VENV)/lint.log; exit $$((tests | linters))

# The tests that repeat something, at a larger size: SOAK=1 for some minutes, SOAK=full for hours. What passed with
# SOAK=full is not run again; SHARD=2/8 is the second of eight parts.
SOAK ?= 1
SHARD ?= 1/1
soak: $(VENV)/.test system
	@SOAK=$(SOAK) SHARD=$(SHARD) $(PYTEST) $(ARGS)

# The grader's sandbox and the browser are programs of the system's: installed where that can be done, else named.
system:
	@{ command -v bwrap && { command -v chromium-headless-shell || command -v chromium; }; } > /dev/null \
		|| { [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null && apt-get -qq update \
		&& apt-get -qq install --yes --no-install-recommends bubblewrap chromium-headless-shell > /dev/null; } \
		|| echo "bubblewrap or a Chromium is missing, and its tests are skipped: apt install bubblewrap chromium-headless-shell"

lint: $(VENV)/.test
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/pydoclint src/mlcvkit hw1/mlcvlab
	@$(BIN)/mypy
	@$(BIN)/lint-imports

# The site has an environment of its own: its packages and the playground's do not go together.
DOCS_EXTRAS = fast tables sklearn notebook course tune
DOCS := .venv-docs

$(DOCS)/.done: $(BIN)/uv pyproject.toml requirements/docs.txt
	@$(PYTHON) -m venv --clear $(DOCS)
	@$(BIN)/uv pip install --quiet --compile-bytecode --python $(DOCS)/bin/python --require-hashes -r requirements/docs.txt
	@$(BIN)/uv pip install --quiet --python $(DOCS)/bin/python --no-deps --build-constraints requirements/build.txt --editable .
	@touch $@

# The pages are made anew, but the cells of one that were run before are not run again.
docs: $(DOCS)/.done
	@$(DOCS)/bin/python -m sphinx -W --keep-going -q -E -a -b html docs build/site $(ARGS)
	@$(DOCS)/bin/python docs/_ext/links.py build/site && echo "The site is in build/site/index.html"

notebook: $(VENV)/.test
	@cd hw1 && ../$(BIN)/jupyter execute --inplace HW1_MNIST_NN2.ipynb

# The two variables choose other matrix products than the machine's own.
bench: $(VENV)/.test $(PEERS)/.done
	@env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE $(BIN)/python benchmarks/bench.py --peers $(PEERS)/bin/python $(ARGS)

$(PEERS)/.done: requirements/peers.txt
	@$(PYTHON) -m venv --clear $(PEERS)
	@$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

$(BIN)/uv: requirements/installer.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "mlcvlab needs Python 3.11 or newer: make PYTHON=python3.12 ..."; exit 1; }
	@echo "Setting up $(VENV) (once)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements/installer.txt
	@touch $@

INSTALL = $(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python

$(VENV)/.train: $(BIN)/uv pyproject.toml requirements/train.txt requirements/build.txt
	@$(INSTALL) --require-hashes -r requirements/train.txt
	@$(INSTALL) --no-deps --build-constraints requirements/build.txt --editable .
	@touch $@

$(VENV)/.test: $(VENV)/.train requirements/test.txt
	@$(INSTALL) --require-hashes -r requirements/test.txt
	@touch $@

COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header

lock: $(BIN)/uv
	@$(COMPILE) requirements/installer.in -o requirements/installer.txt
	@$(COMPILE) requirements/build.in -o requirements/build.txt
	@$(COMPILE) pyproject.toml --extra fast -o requirements/train.txt
	@$(COMPILE) pyproject.toml --all-extras --group test -c requirements/train.txt -o requirements/test.txt
	@$(COMPILE) pyproject.toml $(DOCS_EXTRAS:%=--extra %) --group docs -o requirements/docs.txt

# Wheel and sdist, and both tried in clean environments, with each extra.
release: $(VENV)/.train
	@rm -rf dist
	@$(BIN)/uv run --quiet --isolated --no-project --with build --with twine sh -c \
		'python -m build --outdir dist . > $(VENV)/build.log && python -m twine check --strict dist/*'
	@$(BIN)/python tests/release.py $(ARGS)

clean:
	rm -rf $(VENV) $(PEERS) $(DOCS) build
