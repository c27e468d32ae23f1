# What there is to do with a checkout of zkine. `make help` lists it.
#
# Needs Go 1.26 or newer, make and, on Debian or a derivative of it, apt: ZooKeeper is unpacked into .cache/zookeeper,
# beside the system. Elsewhere unpack an Apache ZooKeeper 3.9.5 or newer yourself, and set ZOOKEEPER_HOME to it.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := build

# A ZooKeeper that is there already serves everything; the tests look for it under a name of their own.
ifneq ($(ZOOKEEPER_HOME),)
export ZKINE_ZOOKEEPER_DIR ?= $(abspath $(ZOOKEEPER_HOME))
else ifneq ($(ZKINE_ZOOKEEPER_DIR),)
export ZOOKEEPER_HOME := $(ZKINE_ZOOKEEPER_DIR)
endif

# What `zkine version` says: a release is a tag. Empty outside a git checkout; zkine says (devel) then.
VERSION ?= $(shell git describe --tags --match 'v[0-9]*' --always --dirty 2>/dev/null)
# With vet and staticcheck in it; .golangci.yaml says what else. To build it takes a minute or two, the first time.
GOLANGCI_LINT := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
# Arguments for zkine (make run) or for kubesmoke (make kube-smoke), as in: make run ARGS=--log-level=debug
ARGS ?=
# How long make fuzz spends on each target.
FUZZTIME ?= 30s
# How many worlds make simulate lives through.
SEEDS ?= 2000

# Every Go module with code of ours: make test compiles, vets, checks and tests each. Those in conformance/components have
# none: each pins a program of others, that build.sh builds.
MODULES := \
  . \
  conformance/rig \
  conformance \
  conformance/robustness \
  conformance/kubernetes

# The checkout without .cache, where others' sources are.
FOLDERS := $(patsubst %/,%,$(wildcard */))

COMPONENTS := etcdctl kube-apiserver kube-controller-manager kube-scheduler kubectl

.PHONY: help build run zookeeper test lint go-test conformance-test kube-smoke clients differential kube-storage robustness simulate bench scale components proto fmt fuzz clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# Where build puts zkine.
ZKINE ?= bin/zkine

# As the image has it: static, so that it runs on any Linux, and stripped.
build: ## build bin/zkine, static and stripped
	@CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags '-s -w -X main.version=$(VERSION)' -o $(ZKINE) ./cmd/zkine

# Ctrl-C reaches both make and zkine. zkine ends with 0 after it, so that make has no error to print.
run: build zookeeper ## start zkine with a ZooKeeper of its own; data stays in ./zkine-data, Ctrl-C stops both
	@bin/zkine server $(ARGS)

zookeeper: ## get ZooKeeper 3.9 into .cache/zookeeper, and a Java runtime if there is none
	@test -n "$${ZKINE_ZOOKEEPER_DIR:-}" || deploy/zookeeper/fetch.sh .cache/zookeeper

test: lint go-test conformance-test ## what each change has to pass: format, linters, tests of every module

lint: ## gofmt and golangci-lint (vet, staticcheck and more) of every module, which change nothing
	@unformatted=$$(gofmt -l $(FOLDERS)); \
	  if [ -n "$$unformatted" ]; then echo "not gofmt'ed, run make fmt:" $$unformatted >&2; exit 1; fi
	@for module in $(MODULES); do \
	  echo "golangci-lint: $$module"; \
	  (cd $$module && go run $(GOLANGCI_LINT) run ./...); \
	done

# The simulated clusters once more without the race detector, with which their seeds would not repeat.
go-test: zookeeper
	go test -race -p 4 -timeout 15m ./...
	go test -timeout 9m ./backend/simulation

# -count=1, since what most of these tests depend on is a program that they build and run: Go would call a result cached
# that is of another zkine. What takes long or needs root is left to make robustness and make faults (-short), and
# make kube-storage.
conformance-test: build zookeeper
	cd conformance/rig && go test -count=1 -race -timeout 9m ./...
	cd conformance && go test -count=1 -race -timeout 9m ./...
	cd conformance/robustness && go test -count=1 -short -timeout 9m ./...
	cd conformance/kubernetes && go test -count=1 -timeout 9m ./...

kube-smoke: build zookeeper components ## a Kubernetes control plane on zkine, used and hurt: conformance/README.md
	cd conformance && go run ./kubesmoke $(ARGS)

clients: build zookeeper ## everything that people use an etcd with, on zkine, the slow checks too: conformance/clients
	cd conformance && go test -count=1 -timeout 30m ./clients -slow $(ARGS)

# The three proofs that zkine is etcd to its clients; each says how to repeat a failure.
differential: build zookeeper ## the same random requests to zkine and to an etcd: 20 seeds of 10,000, compared to the byte
	cd conformance && go test -timeout 4h ./differential -run Differential -v -seeds 20 -ops 10000 $(ARGS)

kube-storage: zookeeper ## Kubernetes' own storage tests on zkine: conformance/kubernetes
	cd conformance/kubernetes && go run ./run $(ARGS)

robustness: build zookeeper ## etcd's robustness judges on zkine, through faults: conformance/robustness
	cd conformance/robustness && go test -timeout 2h . && go test -timeout 2h -run Random -v -rounds 10 $(ARGS)

.PHONY: faults members churn
# All, or some, as in: make faults ARGS='-run Faults/^leader -seed 7'. Needs root, for namespaces.
faults: build zookeeper ## three zkines and three ZooKeepers through every fault of processes, links, disks, memory and clocks: docs/faults.md
	cd conformance/robustness && go test -v -timeout 3h -run Faults . -network $(ARGS)

members: zookeeper ## what three zkines on one ensemble write beside one, and how soon a watch at one sees a write at another
	cd conformance && go run ./members $(ARGS)

churn: zookeeper ## an hour of keys, leases, watches and connections that come and go: memory must be steady
	cd conformance && go run ./members -churn 1h $(ARGS)

# As in: make bench ARGS='-run ^update/100$$ -contenders zkine3,etcd3', or, to set another build of zkine against this one,
# make bench ARGS='-before /path/of/zkine -contenders zkine1,zkine3 -rounds 9'.
bench: build zookeeper ## zkine beside etcd, kine and bare ZooKeeper on this machine; an hour: conformance/bench
	@conformance/components/build.sh etcd kine benchmark
	cd conformance && go run ./bench $(ARGS)

scale: build zookeeper ## bytes, heap, memory, start and throughput with a million keys: docs/scale.md; half an hour
	cd conformance && go run ./scale $(ARGS)

# A process for each processor, since a world runs one goroutine at a time. As in: make simulate SEEDS=20000
simulate: ## thousands of simulated clusters, each with faults of its own: docs/design.md, "Simulation"
	go test -c -o bin/simulation.test ./backend/simulation
	@n=$$(nproc); seq $$n | xargs -P $$n -I{} bin/simulation.test -test.timeout 24h -test.run 'TestSeeds$$' -test.v -first 0 \
	  -seeds $$(( ($(SEEDS) + n - 1) / n )) $(ARGS) | grep -v '^=== \|^ *--- PASS'

.PHONY: abuse
# As in: make abuse ARGS='-run gateway', or ARGS='-markdown ../docs/abuse.md' for the tables of that document.
abuse: build zookeeper ## floods, slow readers, half-open connections: zkine beside etcd, and what it costs others: docs/abuse.md; 25 minutes
	@conformance/components/build.sh etcd
	cd conformance && go run ./abuse $(ARGS)

components: ## build the etcdctl and the Kubernetes that kube-smoke runs; minutes, and then cached
	@conformance/components/build.sh $(COMPONENTS)

.PHONY: reproducible vulnerabilities
reproducible: ## build twice, in two folders and from the start, and as the image does: the same bytes
	cd conformance && go test -count=1 -timeout 1h -v ./deploy -run Reproducible -fresh

vulnerabilities: ## known vulnerabilities in what zkine is built from; needs the database at vuln.go.dev, and says so where it is not there
	@for module in $(MODULES); do (cd $$module && go mod verify); done
	@deploy/vulnerabilities.sh $(MODULES)

proto: ## generate revision/recordpb from its .proto
	go generate ./revision/recordpb

fmt: ## format all Go code
	gofmt -w $(FOLDERS)

fuzz: ## run each fuzz target for FUZZTIME
	@grep -rHoE --include='*_test.go' '^func Fuzz[A-Za-z0-9_]+' backend cmd revision server | \
	while IFS=: read -r file target; do \
	  echo "== $${target#func } in $$(dirname "$$file")"; \
	  go test -run '^$$' -fuzz "^$${target#func }\$$" -fuzztime $(FUZZTIME) "./$$(dirname "$$file")" </dev/null; \
	done

clean: ## remove what was built; .cache and zkine-data stay
	rm -rf bin
