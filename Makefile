# Thin on purpose: the checks are in .ci/run, so that a laptop and CI agree.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c

FUZZTIME ?= 10s
BENCH ?= .
COUNT ?= 6

.DEFAULT_GOAL := help
.PHONY: help check test race lint vuln fuzz bench demo readme-plots release-check

help: ## print the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

check: ## all that a change must pass, the same steps as CI
	@.ci/run

test: ## all tests of all modules
	go test work

race: ## all tests under the race detector
	@.ci/run race

lint: ## gofumpt, go vet, golangci-lint
	@.ci/run format vet lint

vuln: ## known vulnerabilities in what we import; asks the online database
	@.ci/run vuln

fuzz: ## each fuzz target for FUZZTIME (10s)
	@.ci/fuzz $(FUZZTIME)

bench: ## benchmarks that match BENCH (all), COUNT (6) times, one column for each library
	go test ./benchmarks -run '^$$' -bench '$(BENCH)' -count $(COUNT) | tee bench.txt
	@sed -E 's,^(Benchmark[^/]+)/([^/ ]+),\1/lib=\2,' bench.txt | \
		GOWORK=off go tool -modfile=tools/go.mod benchstat -table .name -col /lib -

demo: ## the box office, with Seawall and without
	go run ./demo

readme-plots: ## draw docs/goodput.svg, the README's picture, again
	go run ./demo -scenario retrystorm
	mkdir -p docs
	go run ./demo -plot boxoffice-report/report.json -o docs/goodput.svg

release-check: ## what a tag needs: check, vuln, and the API compared with the latest tag
	@.ci/run
	@.ci/run vuln api
