# Winnow's two commands are `make demo` and `make test`; both set up what is missing.

CACHE   := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/winnow
BIN     := bin
GO      := go
STATIC  := honnef.co/go/tools/cmd/staticcheck@v0.8.2
WFCHECK := go.temporal.io/sdk/contrib/tools/workflowcheck@v0.6.0

.DEFAULT_GOAL := help
.PHONY: help setup build programs demo bench-demo bench-accuracy bench-decode bench-infer bench-prune bench-scale chaos chaos-servers test test-deploy test-export test-vllm check pure clean

# env.mk comes from setup.sh: where FFmpeg and ONNX Runtime lie. Make builds it
# first, then reads this file again.
ifneq ($(filter-out help clean,$(MAKECMDGOALS)),)
include $(CACHE)/env.mk
endif
$(CACHE)/env.mk: $(wildcard deploy/setup/*.sh)
	bash deploy/setup/setup.sh

help: ## print this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## install what is missing: FFmpeg, ONNX Runtime, build tools
	bash deploy/setup/setup.sh

build: programs ## build the four programs into bin/
	cd deploy/devstack && CGO_ENABLED=0 $(GO) build -p 2 -ldflags '-s -w' -o ../../$(BIN)/winnow-devstack .

programs: ## build the three that a cluster runs: all but the embedded stack
	@mkdir -p $(BIN)
	CGO_ENABLED=0 $(GO) build -o $(BIN)/winnow ./cmd/winnow
	$(GO) build -o $(BIN)/winnow-decode ./cmd/winnow-decode
	$(GO) build -o $(BIN)/winnow-infer ./cmd/winnow-infer

demo: build ## answer the demo questions on the demo videos
	$(BIN)/winnow run deploy/bundle/demo.yaml

# Needs numpy, opencv and an ffmpeg with x264 and VP9: PYTHON names an interpreter that has them.
PYTHON ?= python3
bench-demo: build ## measure the demo bundle on 1040 held-out questions
	$(PYTHON) deploy/bundle/bench.py

# Needs matplotlib as well. 32,000 records: about 40 minutes on two cores, at 13 a second.
bench-accuracy: build ## accuracy and coverage of every pruning method by share kept: deploy/bundle/curves.md
	$(PYTHON) deploy/bundle/curves.py

# Needs decode/bench/requirements.txt and an ffmpeg with x264, x265 and VP9.
bench-decode: build ## measure decoding beside FFmpeg, PyAV, torchcodec and decord
	$(PYTHON) decode/bench/bench.py

# Needs infer/bench/requirements.txt.
bench-infer: build ## measure encoding and decoding beside Python's onnxruntime
	$(PYTHON) infer/bench/bench.py

# Needs prune/bench/requirements.txt; fetches the published code.
bench-prune: build ## measure ReDiPrune's selection beside the published one
	$(PYTHON) prune/bench/bench.py

# Needs an ffmpeg with libx264. N is the largest job whose stages sleep: 20,000 videos are half an hour on two cores.
# ARGS="--quick" takes minutes, ARGS="--only loop" measures one part; `.winnow/bench-scale/scale -h` lists them.
N ?= 20000
bench-scale: build ## measure what running a job costs beside its stages, and what more programs bring
	@mkdir -p .winnow/bench-scale
	$(GO) build -o .winnow/bench-scale/loop ./deploy/scale/loop
	CGO_ENABLED=0 $(GO) build -o .winnow/bench-scale/scale ./deploy/scale
	.winnow/bench-scale/scale --sizes 1000,5000,$(N) $(ARGS)

test: pure ## run every test, against real Temporal, NATS and S3
	$(GO) test -timeout 20m $(NATIVE)
	cd deploy/devstack && CGO_ENABLED=0 $(GO) test -timeout 20m ./...

# Needs root, iproute2, PostgreSQL and, to draw its videos once, what bench-demo needs; hours for all of it.
# CHAOS holds flags: make chaos CHAOS='--only nats,s3 --seed 2'; `bin/chaos/chaos -h` lists them.
chaos: programs chaos-servers ## kill everything that a cluster runs, under a job, and audit what comes of it (as root)
	CGO_ENABLED=0 $(GO) build -o $(BIN)/chaos/chaos ./deploy/chaos
	$(BIN)/chaos/chaos --python $(PYTHON) $(CHAOS)

# The servers of production, at the versions that the embedded stack has: go.mod's tools there.
chaos-servers:
	@mkdir -p $(BIN)/chaos
	cd deploy/devstack && export CGO_ENABLED=0 && for each in temporal-server=go.temporal.io/server/cmd/server \
		temporal-sql-tool=go.temporal.io/server/cmd/tools/sql nats-server=github.com/nats-io/nats-server/v2 \
		versitygw=github.com/versity/versitygw/cmd/versitygw; do \
		$(GO) build -p 2 -ldflags '-s -w' -o ../../$(BIN)/chaos/$${each%%=*} $${each#*=} || exit; done

# Not part of make test: the libraries of Helm, Kubernetes and Compose take minutes to fetch and compile.
# What the tests read lies outside their module, where the cache of results does not look.
test-deploy: programs ## images, compose file and Helm chart, held against what reads them
	cd deploy/tests && CGO_ENABLED=0 $(GO) vet ./... && $(GO) mod tidy -diff && CGO_ENABLED=0 $(GO) test -count 1 -timeout 20m ./...

# Asks the server that WINNOW_VLLM_URL names, with WINNOW_VLLM_BUNDLE, a bundle of the model that it serves; without those
# it starts one, with the demo's language model: PYTHON must have vllm (its build for CPUs will do) and onnx then.
test-vllm: $(if $(WINNOW_VLLM_URL),,build) ## have a real vLLM server answer (never part of make test)
ifdef WINNOW_VLLM_URL
	@test -n "$$WINNOW_VLLM_BUNDLE" || { echo "set WINNOW_VLLM_BUNDLE, a bundle of the model that $$WINNOW_VLLM_URL serves" >&2; exit 2; }
	CGO_ENABLED=0 $(GO) test -count 1 -v -run TestRealServer ./infer/vllm
else
	@$(PYTHON) -c 'import onnx, vllm' || { echo 'name an interpreter that has vllm and onnx: make test-vllm PYTHON=…; or a server: WINNOW_VLLM_URL and WINNOW_VLLM_BUNDLE' >&2; exit 2; }
	$(PYTHON) infer/vllm/real/real.py
endif

# Needs deploy/bundle/requirements.txt: torch and transformers, gigabytes for four minutes of tests. So CI does without.
test-export: build ## test the exporter (never part of make test or CI: it needs torch and transformers)
	@$(PYTHON) -c 'import onnx, onnxruntime, torch, transformers' || { echo 'install deploy/bundle/requirements.txt, and name the interpreter that has it: make test-export PYTHON=…' >&2; exit 2; }
	$(PYTHON) -m unittest discover -s deploy/bundle

# What needs C; everything else is built and tested without.
NATIVE := ./decode ./infer/onnx ./cmd/winnow-decode ./cmd/winnow-infer ./deploy/scale/loop ./infer/bench/ours

pure: build ## the tests of what needs no C, with CGO_ENABLED=0
	CGO_ENABLED=0 $(GO) test -timeout 20m $$($(GO) list -find ./... | grep -vxF "$$($(GO) list -find $(NATIVE))")

check: ## formatting, vet, staticcheck, workflowcheck, tidy modules
	@unformatted=$$(gofmt -l .); test -z "$$unformatted" || { echo "gofmt -w these: $$unformatted" >&2; exit 1; }
	$(GO) vet ./...
	$(GO) run $(STATIC) ./...
	$(GO) run $(WFCHECK) ./workflows/...
	$(GO) mod tidy -diff
	cd deploy/devstack && CGO_ENABLED=0 $(GO) vet ./... && $(GO) mod tidy -diff

clean: ## remove what was built here (not the cache, not .winnow/)
	rm -rf $(BIN)
