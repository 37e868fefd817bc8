# Everything a developer runs. `make` alone lists the targets; each sets up what it needs, once.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help

IN := . scripts/dev/env.sh &&
PYTHON := $(wildcard clearing console gateway loyalty pages sdk scripts tests)
# The order of the files is that of tests/conftest.py.
PYTEST_ARGS ?= -n 3 --dist loadfile --no-loadscope-reorder
BENCH_ARGS ?=
PROFILE_ARGS ?=
SOAK_ARGS ?=
FAULTS_ARGS ?=
PERMISSIONED_ARGS ?=
OUTAGES_ARGS ?=

.PHONY: help
help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | awk -F'\t' '{ printf "  \033[36m%-18s\033[0m %s\n", $$1, $$2 }'

# --- setting up ------------------------------------------------------------------------------------------------

.PHONY: setup services proxy browser geth lock
setup: ## install the Python environment and the toolchains from the lock files, and build the pages' static files
	@scripts/dev/setup.sh

services: ## install PostgreSQL, Redis, RabbitMQ and mosquitto from the system's packages, if missing
	@scripts/dev/setup.sh services

proxy: ## install nginx and iproute2, if missing
	@scripts/dev/setup.sh proxy

browser: ## install Chromium, to look at the console's pages
	@scripts/dev/setup.sh browser

geth: ## build the last geth that seals Clique blocks, if missing (with Go; some minutes)
	@scripts/dev/setup.sh geth

lock: setup ## renew the lock files from pyproject.toml and package.json
	@scripts/dev/setup.sh lock
	@scripts/dev/packaging.sh lock

# --- building and checking -------------------------------------------------------------------------------------

.PHONY: compile format check lint formatted types imports duplication artifacts messages pages errors openapi translations translated audit sbom slither hooks
compile: setup ## compile the contracts into the artifacts that the package ships
	@$(IN) python scripts/dev/compile.py

format: setup ## format Python and Solidity
	@$(IN) ruff check --fix-only --quiet $(PYTHON)
	@$(IN) ruff format $(PYTHON)
	@$(IN) forge fmt

check: setup ## everything that can be checked without running the system
	@$(MAKE) --keep-going lint formatted types imports duplication artifacts pages translated messages audit sbom

lint: setup ## ruff: style, likely mistakes, and the house rules on SQL and the clock
	@$(IN) ruff check $(PYTHON)
	@$(IN) ruff check --config .ruff-sql.toml $(wildcard clearing gateway loyalty)

formatted: setup ## is everything formatted?
	@$(IN) ruff format --check $(PYTHON)
	@$(IN) forge fmt --check

types: setup ## mypy, strict
	@$(IN) mypy

imports: setup ## do parts, wings and concepts import only what they may?
	@$(IN) lint-imports --no-logo --cache-dir .build/imports

duplication: setup ## does any block of more than ten lines stand twice?
	@node_modules/.bin/jscpd --fail-on-empty

artifacts: setup ## do the shipped artifacts match the contracts?
	@$(IN) python scripts/dev/compile.py --check

pages: setup ## do docs/errors.md, docs/openapi.json and docs/openapi-loyalty.json match the code?
	@$(IN) PYTHONPATH=. python scripts/dev/error_catalogue.py --check
	@$(IN) PYTHONPATH=. python scripts/dev/openapi.py --check

errors: setup ## write docs/errors.md and its Chinese twin from the catalogue of problems
	@$(IN) PYTHONPATH=. python scripts/dev/error_catalogue.py

openapi: setup ## write docs/openapi.json and docs/openapi-loyalty.json, the descriptions of the APIs
	@$(IN) PYTHONPATH=. python scripts/dev/openapi.py

translations: setup ## write what pages say into their zh.po; then fill in what is empty
	@$(IN) PYTHONPATH=. python scripts/dev/translations.py

translated: setup ## does every text of the pages stand in Chinese, too?
	@$(IN) PYTHONPATH=. python scripts/dev/translations.py --check

audit: setup ## does anybody know of a hole in what we depend on? (once a day; silent databases are named)
	@$(IN) python scripts/dev/supply_chain.py audit

sbom: setup ## list what we depend on in .build/sbom (CycloneDX)
	@$(IN) python scripts/dev/supply_chain.py sbom

messages: setup ## do commit messages keep the rules of CONTRIBUTING.md?
	@$(IN) python scripts/dev/commit_messages.py

hooks: setup ## have git run the quick checks before each commit
	@$(IN) pre-commit install --hook-type pre-commit --hook-type commit-msg

slither: setup ## analyse the contracts statically; forge's own build stays untouched
	@$(IN) FOUNDRY_OUT=.build/slither/out FOUNDRY_CACHE_PATH=.build/slither/cache slither .

# --- testing ---------------------------------------------------------------------------------------------------

.PHONY: test test-contracts test-ape test-python gas gas-update prove coverage mutate mutate-contracts mutate-orders nightly faults simulate soak permissioned outages packaging
test: setup services browser ## run everything, with a summary at the end
	@scripts/dev/run_targets.sh check+slither+test-contracts+test-ape test-python

test-contracts: setup ## forge: unit, fuzz and invariant tests, and the gas snapshots
	@$(IN) forge test --gas-snapshot-check=true

test-ape: setup ## ape: the contracts as a Python user meets them, on anvil
	@[ .build/__local__.json -nt ape-config.yaml ] || rm -f .build/__local__.json # ape does not notice changed settings
	@$(IN) ape test tests/ape --network ethereum:local:foundry

test-python: setup services browser ## pytest: clearing, gateway, SDK, end to end
	@$(IN) pytest $(PYTEST_ARGS)

gas: setup ## has any gas cost changed against snapshots/?
	@$(IN) forge test --gas-snapshot-check=true --match-contract Gas

gas-update: setup ## write the present gas costs into snapshots/
	@$(IN) forge test --gas-snapshot-emit=true --match-contract Gas

prove: setup ## prove the properties in contracts/test/halmos for all inputs
	@$(IN) python scripts/dev/prove.py

# Left out: invariants, which reach nothing new; gas, which differs in this build; and a test that needs an exact amount of gas.
coverage: setup ## show which lines and branches of the contracts the forge tests miss
	@mkdir -p .build/coverage
	@$(IN) FOUNDRY_PROFILE=coverage forge coverage --ir-minimum --report lcov --report-file .build/coverage/lcov.info \
	  --no-match-contract 'Invariants|Gas' --no-match-test RunningOutOfGas \
	  --no-match-coverage '(contracts/test|contracts/bench|node_modules)' >.build/coverage/log || { cat .build/coverage/log; exit 1; }
	@$(IN) python scripts/dev/coverage.py

mutate: mutate-contracts mutate-orders ## do the tests notice small faults in the rules? (docs/assurance.md)

mutate-contracts: setup ## faults in the contracts (MUTATE_ARGS="--count 100 --seed 7": so many, drawn by a seed)
	@$(IN) PYTHONPATH=. python scripts/dev/contract_mutants.py $(or $(MUTATE_ARGS),--minutes 120 --seed $$(date +%j))

mutate-orders: setup ## faults in what is signed and proved
	@$(IN) PYTHONPATH=. python scripts/dev/order_mutants.py

nightly: setup services browser ## run the long versions: more fuzzing, deeper invariants, mutants, proofs, an hour of load with faults
	@scripts/dev/run_targets.sh slither prove coverage mutate-contracts mutate-orders simulate nightly-soak nightly-contracts faults nightly-python

.PHONY: nightly-contracts nightly-python nightly-soak
nightly-soak: setup services ## an hour of load with faults
	@$(IN) python -m tests.soak --hours 1

nightly-contracts: setup ## forge with more runs and deeper invariants
	@$(IN) FOUNDRY_PROFILE=nightly forge test --fuzz-seed $$RANDOM

nightly-python: setup services browser ## pytest with more examples; `make faults` has the rest
	@$(IN) HYPOTHESIS_PROFILE=nightly pytest $(PYTEST_ARGS) --ignore tests/faults

faults: setup services ## break the path of an order at every step, in every way (docs/faults.md)
	@$(IN) pytest tests/faults -n 3 --dist load --every-step $(FAULTS_ARGS)

simulate: setup ## an hour of simulated schedules (SIMULATE_ARGS="--seed 7": one again, with its trace; docs/assurance.md)
	@$(IN) python -m tests.simulation $(or $(SIMULATE_ARGS),--minutes 60)

soak: setup services ## minutes (SOAK_ARGS="--hours 8": hours) of load with faults; then everything must add up
	@$(IN) python -m tests.soak $(SOAK_ARGS)

permissioned: setup services geth ## a real chain of five geth nodes, broken in every way that docs/deploy.md names
	@$(IN) python -m tests.permissioned $(PERMISSIONED_ARGS)

outages: setup services proxy ## a network with two or more of everything, of which each dies in turn (root; docs/deploy.md)
	@$(IN) python -m tests.outages $(OUTAGES_ARGS)

packaging: setup services ## try what deploy/ ships: image, compose.yaml, chart, units, alerts (root, Go; docs/packages.md)
	@scripts/dev/packaging.sh

# --- running ---------------------------------------------------------------------------------------------------

.PHONY: demo up bench profile
demo: setup ## the whole story on one machine: onboard, issue, exchange, redeem, refuse, verify, audit
	@$(IN) python -m scripts.demo

up: setup ## run a whole network and a programme for development (PORT=8080: the gateway's port; PROGRAMME=no: the network only)
	@$(IN) exec python -m $(if $(filter no,$(PROGRAMME)),clearing up,scripts.up) $(if $(PORT),--port $(PORT))

bench: services compile ## measure gas, speed and memory; one JSON object a line
	@$(IN) python -m scripts.bench $(BENCH_ARGS)

profile: services compile ## flame graphs of the processes under single exchanges, into .build/profile
	@$(IN) python -m scripts.bench.profile $(PROFILE_ARGS)

.PHONY: clean
clean: ## remove everything that the other targets make
	rm -rf .build .venv node_modules crytic-export dist sdk/dist .hypothesis .ruff_cache .pytest_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
