# `make help` lists everything.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
CONTEXT ?=

.PHONY: help
help: ## List the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo demo-down
demo: ## One PDS on a real Kubernetes: build, bring up, sign up, post, read back (CONTEXT=name uses that kubectl context)
	@demo/up $(CONTEXT)
demo-down: ## Take the demo down and leave nothing behind
	@demo/down

.PHONY: run
run: ## A PDS alone on SQLite and disk below ./data, at http://localhost:2583
	@PDS_INVITE_REQUIRED=$${PDS_INVITE_REQUIRED-false} cargo run --profile ci --bin pds -- serve

.PHONY: build
build: ## Release binaries: target/release/{pds,operator}
	@cargo build --release --workspace

.PHONY: test test-services test-cluster
test: ## Install what the tests need and run them all
	@e2e/run

test-services: ## Of these, the ones that need no node: unit, store, XRPC, and the operator against an API server
	@e2e/run services
test-cluster: ## And the ones on a full Kubernetes node with the product installed
	@e2e/run cluster

.PHONY: check fmt clippy tidy gen-check deny
check: fmt clippy tidy gen-check deny ## Format, lints, import rules, generated files, licences
fmt: ## Is everything formatted?
	@cargo fmt --all --check
clippy: ## Lints, warnings are errors
	@cargo clippy --workspace --all-targets -- -D warnings
tidy: ## Import rules and the shape of the tree
	@cargo xtask tidy
gen-check: ## Are the generated files current?
	@cargo xtask gen --check
deny: ## Licences, sources, banned crates
	@e2e/tools/cargo-deny check bans licenses sources

.PHONY: gen
gen: ## Write the generated files: CRDs, configuration reference, lexicons
	@cargo xtask gen
