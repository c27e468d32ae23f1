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
  conformance/k3s \
  conformance/robustness \
  conformance/kubernetes

# The checkout without .cache, where others' sources are.
FOLDERS := $(patsubst %/,%,$(wildcard */))

COMPONENTS := etcdctl kube-apiserver kube-controller-manager kube-scheduler kubectl
# Those that make test needs. It builds them before the tests, and gets systemd-analyze: within one, minutes of downloads
# and compilers would count as that test's.
TEST_COMPONENTS := etcd etcdctl etcdutl kine versitygw kubeadm

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

# Without cgo, as all programs are built, but for the race detector: conformance/k3s would compile a database in C.
lint: ## gofmt and golangci-lint (vet, staticcheck and more) of every module, which change nothing
	@unformatted=$$(gofmt -l $(FOLDERS)); \
	  if [ -n "$$unformatted" ]; then echo "not gofmt'ed, run make fmt:" $$unformatted >&2; exit 1; fi
	@for module in $(MODULES); do \
	  echo "golangci-lint: $$module"; \
	  (cd $$module && CGO_ENABLED=0 go run $(GOLANGCI_LINT) run --allow-parallel-runners ./...); \
	done

# The simulated clusters once more without the race detector, with which their seeds would not repeat.
go-test: zookeeper
	go test -race -p 4 -timeout 15m ./...
	go test -timeout 15m ./backend/simulation

# -count=1, since what most of these tests depend on is a program that they build and run: Go would call a result cached
# that is of another zkine. What takes long or needs root is left to make robustness and make faults (-short), and
# make kube-storage.
conformance-test: build zookeeper
	@conformance/components/build.sh $(TEST_COMPONENTS)
	@command -v systemd-analyze >/dev/null || conformance/deploy/fetch-systemd.sh .cache/systemd
	cd conformance/rig && go test -count=1 -race -timeout 15m ./...
	cd conformance && go test -count=1 -race -timeout 15m ./...
	cd conformance/k3s && CGO_ENABLED=0 go test -count=1 -timeout 15m ./...
	cd conformance/robustness && go test -count=1 -short -timeout 15m ./...
	cd conformance/kubernetes && go test -count=1 -timeout 15m ./...

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
	cd conformance/robustness && go test -count=1 -timeout 2h . && go test -timeout 2h -run Random -v -rounds 10 $(ARGS)

.PHONY: move
# All, or some, as in: make move ARGS='-run Heals -v'.
move: build zookeeper ## stores move in, out and back in time, under a kube-apiserver, etcd and kine: conformance/move
	@conformance/components/build.sh etcd etcdctl etcdutl kine kube-apiserver kubeadm
	cd conformance && go test -count=1 -timeout 1h ./move -all $(ARGS)

.PHONY: drill
drill: build zookeeper ## a whole ensemble is lost under load, and the store restored from its archive: what is lost is printed and judged
	cd conformance && go test -count=1 -v -timeout 20m ./recovery -all $(ARGS)

.PHONY: archive-cost
archive-cost: build zookeeper ## what an archive costs the zkine that makes it: updates and processor time with and without, in turns; two minutes
	cd conformance && go test -count=1 -v -timeout 20m ./archive -run Cost -cost $(ARGS)

.PHONY: three-nodes
three-nodes: build zookeeper ## the commands of docs/three-nodes.md on three machines made of namespaces, kube-apiserver too; needs root; and a kubeadm join
	@conformance/components/build.sh etcdctl kube-apiserver kubeadm
	cd conformance && go test -count=1 -timeout 30m -v -run 'ThreeNodes|KubeadmJoin' ./deploy -kube $(ARGS)

.PHONY: manifests
manifests: build zookeeper ## what deploy has for Kubernetes, judged by a real kube-apiserver; kustomize and Helm compared: docs/kubernetes.md
	@conformance/components/build.sh kube-apiserver kube-controller-manager kube-scheduler kubectl kwok helm
	cd conformance && go test -count=1 -timeout 30m -v ./manifests -all $(ARGS)

.PHONY: monitoring monitoring-rules
# All, or some, as in: make monitoring ARGS='-run Elections'.
monitoring: build zookeeper ## alerts fired by their faults, etcd's mixin, a real Prometheus and the dashboard: docs/metrics.md
	@conformance/components/build.sh prometheus promtool jsonnet etcd
	cd conformance && go test -count=1 -race -timeout 1h -v ./monitoring -all $(ARGS)

.PHONY: traces
traces: build zookeeper ## zkine's spans in the traces of a real kube-apiserver, and beside an etcd's: docs/tracing.md
	@conformance/components/build.sh kube-apiserver etcd
	cd conformance && go test -count=1 -timeout 10m -v ./traces -all $(ARGS)

define prometheus_rule
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: zkine
  namespace: zkine
  labels: {app.kubernetes.io/name: zkine, app.kubernetes.io/part-of: zkine}
spec:
endef
export prometheus_rule

monitoring-rules: ## make the alerts of the kustomize base and of the chart out of deploy/monitoring/alerts.yaml
	@{ echo "$$prometheus_rule"; sed 's/^\(.\)/  \1/' deploy/monitoring/alerts.yaml; } >deploy/kubernetes/monitoring/rules.yaml
	@cp deploy/monitoring/alerts.yaml deploy/helm/zkine/rules.yaml

.PHONY: k3s
k3s: build zookeeper ## what k3s does to its datastore, with two kube-apiservers of its flags, on zkine and on etcd: docs/k3s.md
	@conformance/components/build.sh kube-apiserver etcd
	cd conformance/k3s && CGO_ENABLED=0 go test -count=1 -timeout 30m -parallel 1 -v . -cluster $(ARGS)

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
bench: build zookeeper ## zkine beside etcd, kine and bare ZooKeeper on this machine; an hour and a quarter: conformance/bench
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

.PHONY: images
# The JVM's is a whole runtime, so that its test is not a part of make test.
images: build zookeeper ## container images, without a container engine: dist/images/*.tar, for docker load
	cd conformance && go run ./image -program ../bin/zkine -version "$(VERSION)" -out ../dist/images
	cd conformance && go test -count=1 ./image -java

.PHONY: release install
release: ## archives for Linux, macOS and Windows with manual pages and completions, SBOMs and checksums, in dist/release: CONTRIBUTING.md
	deploy/release.sh dist/release

PREFIX ?= /usr/local
COMPLETIONS := bash-completion/completions zsh/site-functions fish/vendor_completions.d
# As in: make install DESTDIR=/tmp/package PREFIX=/usr. The unit starts the program of this prefix.
install: build ## install zkine, its manual pages, completions and unit
	install -D -m 0755 $(ZKINE) $(DESTDIR)$(PREFIX)/bin/zkine
	install -D -m 0644 deploy/systemd/zkine.service $(DESTDIR)$(PREFIX)/lib/systemd/system/zkine.service
	sed -i 's|^ExecStart=/usr/local/|ExecStart=$(PREFIX)/|' $(DESTDIR)$(PREFIX)/lib/systemd/system/zkine.service
	install -d $(addprefix $(DESTDIR)$(PREFIX)/share/,man/man1 $(COMPLETIONS))
	go run -tags manpages ./cmd/zkine man $(DESTDIR)$(PREFIX)/share/man/man1
	$(ZKINE) completion bash >$(DESTDIR)$(PREFIX)/share/bash-completion/completions/zkine
	$(ZKINE) completion zsh >$(DESTDIR)$(PREFIX)/share/zsh/site-functions/_zkine
	$(ZKINE) completion fish >$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/zkine.fish

.PHONY: reproducible vulnerabilities
reproducible: ## build twice, in two folders and from the start, and as the image does: the same bytes
	cd conformance && go test -count=1 -timeout 1h -v ./deploy -run 'Reproducible|Release' -fresh

vulnerabilities: ## known vulnerabilities in what zkine is built from; needs the database at vuln.go.dev, and says so where it is not there
	@for module in $(MODULES); do (cd $$module && go mod verify); done
	@deploy/vulnerabilities.sh $(MODULES)

.PHONY: console console-test kube-types
console: ## build the console's page of server/console/web into server/console/dist, with npm; the same bytes each time
	server/console/build.sh .cache/console

kube-types: ## make the console's table of Kubernetes' types again, of the k8s.io/api that conformance/kubernetes names
	cd conformance/kubernetes && go run ./kubetypes ../../server/console/kube && go test -count=1 ./kubetypes

# As in: make console-test ARGS='-pictures /tmp/pictures -run Pages -v'
console-test: zookeeper console ## the console in a real Chromium, which apt gets: every view, 100,000 keys, hostile keys, keyboard
	command -v chromium >/dev/null || apt-get install -y --no-install-recommends chromium
	cd conformance && go test -count=1 -timeout 20m ./console -browser $(ARGS)

proto: ## generate revision/recordpb and backend/observepb from their .proto
	go generate ./revision/recordpb ./backend/observepb

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
