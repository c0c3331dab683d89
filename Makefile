# The commands of this repository. `make` lists them; PYTHON=python3.12 make ... picks an interpreter.
#
# Every interpreter has a virtual environment (.venv/cpython-313) and a build folder
# (target/cpython-313) of its own, so that they do not disturb each other. Greenloop is installed
# there from a wheel, never in place: the source tree holds no binary. Steps already taken are
# remembered by stamp files and skipped.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# A slow network is waited for, within reason.
export PIP_DEFAULT_TIMEOUT ?= 60
export PIP_RETRIES ?= 10
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export CARGO_NET_RETRY ?= 10

# Which interpreter it is decides the names of files, so it is asked at once; but only by commands
# that need one.
INDEPENDENT := help clean test-rust miri arrows lint-viewer
ifneq ($(filter-out $(INDEPENDENT),$(MAKECMDGOALS)),)
INTERPRETER := $(shell .ci/find-python $(PYTHON))
ifeq ($(INTERPRETER),)
$(error No interpreter to work with)
endif
TAG := $(shell $(INTERPRETER) -c 'import sys; print(sys.implementation.cache_tag)')
ifeq ($(shell command -v cargo),)
$(error cargo was not found: install Rust 1.85 or newer, see https://rustup.rs)
endif
endif

VENV := .venv/$(TAG)
BUILD := target/$(TAG)
RUN := $(VENV)/bin/python
PIP_INSTALL := $(RUN) -m pip install --quiet
# Cargo builds the extension for the interpreter that PYO3_PYTHON names.
CARGO_ENVIRONMENT := PYO3_PYTHON="$(CURDIR)/$(RUN)" CARGO_TARGET_DIR="$(BUILD)"

SOURCES := Cargo.toml pyproject.toml README.md LICENSE \
	$(wildcard Cargo.lock) \
	$(shell find crates -name '*.rs' -o -name Cargo.toml) \
	$(shell find python -name '*.py' -o -name '*.pyi' -o -name py.typed -o -path '*/viewer/*')

# The extension in examples/bridge, which tests and benchmarks use.
EXAMPLE_SOURCES := $(shell find examples/bridge crates/greenloop-bridge -name '*.rs' -o -name '*.toml')

TOKIO_BRIDGE_SOURCES := $(shell find benches/tokio_bridge -name '*.rs' -o -name '*.toml' -o -name Cargo.lock)

# The other end of the network benchmarks knows no Python, so all interpreters share it.
LOAD := target/load/release/greenloop-load

# The checker of the viewer's types, held at its version as the linters are in pyproject.toml.
TYPESCRIPT_VERSION := 5.9.3
TYPESCRIPT := target/typescript-$(TYPESCRIPT_VERSION)/node_modules/typescript/bin/tsc

# The versions of Python whose types are checked.
SUPPORTED := 3.11 3.12 3.13 3.14 3.15

# The suites on which the scheduler's correctness hangs most, for a quick look at an interpreter.
CRITICAL_CPYTHON := $(addprefix --module ,test_tasks test_futures test_events)

##@ To see it
.PHONY: demo
demo: $(VENV)/installed ## Run lesson 1 on Greenloop, then a million messages on asyncio and on Greenloop
	@echo 'python -m greenloop examples/lesson/producer_sets_pace.py --interval 0.2'
	@$(RUN) -m greenloop examples/lesson/producer_sets_pace.py --interval 0.2
	@echo
	@$(RUN) examples/side_by_side.py

##@ To work on it
.PHONY: build
build: $(VENV)/installed ## Build the extension and install it into the interpreter's environment

# The parts do not disturb each other: once `make test-needs` has installed what they need,
# `make --jobs 2 --output-sync=target test` runs two at once.
.PHONY: test
test: test-rust test-cpython test-asyncio test-own ## Run every test

.PHONY: test-rust
test-rust: ## Run the tests of the crates that know nothing of Python
	cargo test --quiet --package greenloop-core --package greenloop-os --package greenloop \
		--package greenloop-loom --package greenloop-public-api

# Miri interprets: what a processor does in a second takes it many minutes. So random programs are few, and
# the tests with ten thousand timers and with very many tasks are left to `test-rust`. proptest asks for
# the working directory, which Miri hides unless it is told not to. Of the system it knows no level-triggered epoll, no sendmsg and no
# sockets but TCP's, so of `greenloop-os` it watches what handles addresses, memory and time.
MIRI := PROPTEST_CASES=$(or $(PROPTEST_CASES),8) MIRIFLAGS=-Zmiri-disable-isolation \
	CARGO_TARGET_DIR=target/miri cargo +nightly miri test
.PHONY: miri
miri: ## Have Miri watch the core; needs `rustup toolchain install nightly --component miri`
	$(MIRI) --package greenloop-core -- \
		--skip entries_leave_in_the_same_order_whether_few_or_many_are_due \
		--skip a_long_chain_takes_no_stack \
		--skip a_chain_of_many_tasks_takes_no_stack_and_little_time \
		--skip of_too_many_pairs_only_some_are_told
	$(MIRI) --package greenloop-os --lib -- address:: epoll:: prefetch:: clock::tests::time

.PHONY: test-cpython
test-cpython: $(VENV)/installed $(VENV)/test-tools ## Run CPython's own asyncio tests on Greenloop
	$(RUN) -m tests.cpython $(CPYTHON_ARGS)

TEST_TOOLS := test servers browser docs guides

# Without the suite that test-cpython runs.
OUR_TESTS := $(RUN) -m pytest --ignore tests/cpython/test_cpython_suite.py
OUR_TESTS_NEED := $(VENV)/installed $(VENV)/example-installed $(addprefix $(VENV)/,$(TEST_TOOLS:=-tools))

.PHONY: test-needs
test-needs: $(OUR_TESTS_NEED) ## Install what the tests need

.PHONY: test-python
test-python: $(OUR_TESTS_NEED) ## Run our Python tests; PYTEST_ARGS="-k timer" narrows them
	$(OUR_TESTS) $(PYTEST_ARGS)

# The two halves of test-python.
ORACLE := tests/behaviour tests/property

.PHONY: test-asyncio
test-asyncio: $(OUR_TESTS_NEED) ## Run those of our Python tests whose answers are asyncio's
	$(OUR_TESTS) $(ORACLE)

.PHONY: test-own
test-own: $(OUR_TESTS_NEED) ## Run those of our Python tests that asyncio says nothing of
	$(OUR_TESTS) $(addprefix --ignore ,$(ORACLE)) tests

.PHONY: fuzz
fuzz: $(VENV)/installed $(VENV)/test-tools ## Do random things to every class with garbage and evil objects; FUZZ_SEEDS, FUZZ_FIRST
	GREENLOOP_FUZZ_SEEDS=$(or $(FUZZ_SEEDS),50000) GREENLOOP_FUZZ_FIRST=$(or $(FUZZ_FIRST),0) \
		$(RUN) -m pytest tests/stress/test_fuzz.py

.PHONY: test-critical
test-critical: $(VENV)/installed $(VENV)/test-tools ## Run the tests that the scheduler's correctness hangs on
	$(RUN) -m tests.cpython $(CRITICAL_CPYTHON)
	$(RUN) -m pytest tests/behaviour
	GREENLOOP_PROPERTY_PROFILE=quick $(RUN) -m pytest tests/property

# Python's own allocator would hide from valgrind where an object begins and ends.
.PHONY: valgrind
valgrind: $(VENV)/installed ## Have valgrind watch a program that uses all of the extension; half a minute
	PYTHONMALLOC=malloc valgrind --quiet --error-exitcode=9 --num-callers=30 \
		$(RUN) tests/valgrind/everything.py

# The suites are downloaded, and take three quarters of an hour: not a part of `test`.
.PHONY: peers
peers: $(VENV)/installed ## Run the suites of uvloop, aiohttp, redis-py, asyncpg and ten more on both loops
	$(RUN) -m tests.peers --wheel $(BUILD)/wheels/*.whl $(PEERS_ARGS)

.PHONY: peers-orders
peers-orders: $(VENV)/installed ## Run the suites of janus, AnyIO and six more in 20 orders each, in virtual time
	$(RUN) -m tests.orders --wheel $(BUILD)/wheels/*.whl $(PEERS_ARGS)

.PHONY: lint
lint: $(VENV)/installed $(VENV)/lint-tools ## Check formatting, lints, documentation, types, workflows, and the stubs against the extension
	cargo fmt --check
	$(CARGO_ENVIRONMENT) cargo clippy --quiet --workspace --all-targets -- --deny warnings
	$(CARGO_ENVIRONMENT) RUSTDOCFLAGS="--deny warnings" cargo doc --quiet --no-deps \
		--package greenloop-core --package greenloop-cpython --package greenloop-os \
		--package greenloop --package greenloop-bridge
	$(CARGO_ENVIRONMENT) RUSTDOCFLAGS="--deny warnings --allow rustdoc::private-intra-doc-links" \
		cargo doc --quiet --no-deps --document-private-items --package greenloop-python
	$(RUN) -m ruff check
	$(RUN) -m ruff format --check
	for version in $(SUPPORTED); do $(RUN) -m mypy --python-version $$version || exit; done
	$(RUN) -m mypy --strict --package release
	$(RUN) -m mypy.stubtest greenloop --mypy-config-file pyproject.toml \
		--allowlist tests/surface/stubtest_allowlist.txt
	$(VENV)/bin/zizmor --offline --no-progress --quiet .github
	$(RUN) -m check_jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(RUN) -m check_jsonschema --quiet --builtin-schema vendor.github-issue-forms \
		$(filter-out %/config.yml,$(wildcard .github/ISSUE_TEMPLATE/*.yml))
	@if command -v npm >/dev/null; then $(MAKE) --no-print-directory lint-viewer; \
		else echo 'node is absent: the modules of the trace viewer are not checked'; fi

# The modules have their types in comments, and nothing is made of them: TypeScript only reads.
.PHONY: lint-viewer
lint-viewer: $(TYPESCRIPT)
	node $(TYPESCRIPT) --project python/greenloop/tracing/viewer/jsconfig.json

.PHONY: arrows
arrows: ## Print the arrows between the rooms of the extension, and what breaks their order
	@python3 -m tests.house

# Nothing is fetched while the site is built, and a warning is an error.
.PHONY: docs
docs: $(VENV)/installed $(VENV)/docs-tools ## Check the spelling of the documents, and build the site into target/docs
	$(RUN) docs/spelling.py
	$(RUN) -m codespell_lib --toml pyproject.toml
	$(RUN) -m sphinx --builder dirhtml --fail-on-warning --keep-going --quiet \
		--doctree-dir target/doctrees docs target/docs
	@echo 'target/docs/index.html'

.PHONY: docs-serve
docs-serve: docs ## Build the site and show it at http://127.0.0.1:8000/
	$(RUN) -m http.server --bind 127.0.0.1 --directory target/docs 8000

.PHONY: release-check
release-check: $(VENV)/installed $(VENV)/lint-tools ## Refuse a release in which something was forgotten
	$(RUN) -m release

# Of MACHINES and PYTHONS all are built that are supported, if none is named.
.PHONY: wheels
wheels: $(VENV)/wheels-tools ## Build all that is published into dist; MACHINES="x86_64" and PYTHONS="3.13" narrow it
	$(RUN) -m release.wheels $(addprefix --machine ,$(MACHINES)) $(addprefix --python ,$(PYTHONS)) $(WHEELS_ARGS)

# Needs nothing built here: each wheel gets an environment of its own.
.PHONY: test-wheels
test-wheels: ## Install each wheel of dist that fits this machine and run the tests of behaviour
	$(INTERPRETER) -m release.wheels.trying $(addprefix --python ,$(PYTHONS)) $(WHEELS_ARGS)

.PHONY: charts
charts: $(VENV)/docs-tools ## Draw the charts of the benchmarks from the JSON beside them
	PYTHONPATH=docs/site $(RUN) docs/site/charts.py

.PHONY: diagrams
diagrams: $(VENV)/installed ## Draw the diagrams of the tutorial from its programs
	$(RUN) docs/diagrams.py

.PHONY: bench
bench: $(VENV)/installed $(VENV)/example-installed $(VENV)/bench-tools $(LOAD) ## Compare Greenloop with the other loops; BENCH_ARGS="--quick" shortens it
	$(RUN) -m benches $(BENCH_ARGS)

# Downloads and builds tokio, and takes a minute the first time.
.PHONY: bench-bridge
bench-bridge: $(VENV)/installed example tokio-bridge ## Compare awaiting Rust with awaiting a Future, and with tokio
	$(RUN) -m benches.bridge $(BENCH_ARGS)

.PHONY: example
example: $(VENV)/example-installed ## Build and install the example of an extension in Rust

.PHONY: tokio-bridge
tokio-bridge: $(VENV)/tokio-bridge-installed ## Build and install the extension on tokio that benchmarks compare with

.PHONY: clean
clean: ## Remove environments, builds and caches
	rm -rf .venv target dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: help
help: ## List the commands
	@echo 'make COMMAND, or PYTHON=python3.12 make COMMAND'
	@awk -F ':.*## ' '/^##@/ { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z-]+:.*## / { printf "  %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# What the commands above need.

$(VENV)/created:
	@echo 'Creating $(VENV) with $(INTERPRETER)'
	@$(INTERPRETER) -m venv $(VENV)
	@touch $@

$(VENV)/%-tools: $(VENV)/created pyproject.toml
	@echo 'Installing what `make $*` needs'
	@$(RUN) -c "$$LIST_REQUIREMENTS" $* > $@.txt
	@$(PIP_INSTALL) --requirement $@.txt
	@touch $@

# The rivals, the servers, the browser and the site are optional for tests: not every package has a wheel
# for every interpreter and system.
OPTIONAL_TOOLS := $(addprefix $(VENV)/,bench-tools servers-tools browser-tools docs-tools guides-tools)
$(OPTIONAL_TOOLS): $(VENV)/%-tools: $(VENV)/created pyproject.toml
	@$(RUN) -c "$$LIST_REQUIREMENTS" $* > $@.txt
	@while read -r requirement; do \
		$(PIP_INSTALL) --only-binary :all: "$$requirement" \
			|| echo "$$requirement cannot be installed here and is left out"; \
	done < $@.txt
	@touch $@

$(VENV)/installed: $(VENV)/build-tools $(SOURCES)
	@echo 'Building Greenloop for $(TAG)'
	@rm -rf $(BUILD)/wheels
	@$(CARGO_ENVIRONMENT) $(RUN) -m maturin build --quiet --release \
		--interpreter $(RUN) --out $(BUILD)/wheels
	@$(PIP_INSTALL) --force-reinstall --no-deps $(BUILD)/wheels/*.whl
	@touch $@

$(TYPESCRIPT):
	@echo 'Installing TypeScript $(TYPESCRIPT_VERSION)'
	@npm install --silent --no-audit --no-fund --no-save \
		--prefix target/typescript-$(TYPESCRIPT_VERSION) typescript@$(TYPESCRIPT_VERSION)

# An extension is built from its folder and leaves its wheels in a folder of its own.
define INSTALL_EXTENSION
@rm -rf $(BUILD)/$(2)
@$(CARGO_ENVIRONMENT) $(RUN) -m maturin build --quiet --release --interpreter $(RUN) \
	--manifest-path $(1)/Cargo.toml --out $(BUILD)/$(2)
@$(PIP_INSTALL) --force-reinstall --no-deps $(BUILD)/$(2)/*.whl
@touch $@
endef

$(VENV)/example-installed: $(VENV)/build-tools Cargo.toml $(wildcard Cargo.lock) $(EXAMPLE_SOURCES)
	@echo 'Building the example of an extension for $(TAG)'
	$(call INSTALL_EXTENSION,examples/bridge,example-wheels)

$(VENV)/tokio-bridge-installed: $(VENV)/build-tools $(TOKIO_BRIDGE_SOURCES)
	@echo 'Building the extension on tokio for $(TAG)'
	$(call INSTALL_EXTENSION,benches/tokio_bridge,tokio-bridge-wheels)

$(LOAD): Cargo.toml $(wildcard Cargo.lock) $(shell find benches/load -name '*.rs' -o -name Cargo.toml)
	@echo 'Building the load generator of the network benchmarks'
	@CARGO_TARGET_DIR=target/load cargo build --quiet --release --package greenloop-load
	@touch $@

# pip can read the requirements of the project only together with the project, which is not built
# yet when the first of them are needed.
define LIST_REQUIREMENTS
import sys, tomllib
with open("pyproject.toml", "rb") as file:
    project = tomllib.load(file)
extras = project["project"]["optional-dependencies"] | {"build": project["build-system"]["requires"]}
print(*extras[sys.argv[1]], sep="\n")
endef
export LIST_REQUIREMENTS
