# Two commands are enough: "go run ./cmd/wasmstream demo" and "make test".
SHELL := /bin/bash
.DELETE_ON_ERROR:
.PHONY: clients conformance conformance-kafka conformance-connect takeover live build test test-fast race lint bench guests deps kafka cross fuzz cover baseline fault fault-kafka fault-errors fault-long mutants

KAFKA_DIR  ?= .cache/kafka
KAFKA_PORT ?= 9092
TEST_PORT  ?= 19392
FUZZTIME   ?= 10s
# Few tests that fail are run once more and told of as flaky; what fails twice, or more than three of them, is red.
GOTEST     := go run gotest.tools/gotestsum@v1.13.0 --format standard-quiet --rerun-fails=1 --rerun-fails-max-failures=3 --rerun-fails-run-root-test --packages

build: ## the binary, bin/wasmstream
	CGO_ENABLED=0 go build -o bin/wasmstream ./cmd/wasmstream

test: deps lint guests cross ## all that CI runs: installs what is missing, then every test, on kfake and on a real Apache Kafka
	.ci/with-kafka.sh .cache/kafka-test $(TEST_PORT) $(GOTEST) ./... -- -tags integration -timeout 25m
	$(GOTEST) ./cmd/wasmstream -- -tags failpoints,integration -timeout 25m -run 'TestFaults|TestCountsSurviveDeathAtEachStep|GoesOnAtOnce'
	cd guest-sdk/go && go test ./...
	cd guest-sdk/rust && CARGO_TARGET_DIR=$(CURDIR)/.cache/rust-native cargo test -q
	$(MAKE) race

test-fast: ## no real broker, no guest toolchain: three minutes
	go test -short -timeout 5m ./...
	cd guest-sdk/go && go test ./...

race: ## the race detector over the packages with goroutines
	$(GOTEST) './state/... ./host/... ./internal/...' -- -race -short -tags invariants -timeout 15m

lint: ## gofumpt, vet, staticcheck
	@out=$$(go tool gofumpt -l $$(git ls-files '*.go')); [ -z "$$out" ] || { echo "gofumpt: $$out"; exit 1; }
	go vet ./... && go vet -tags integration,conformance ./... && go vet -tags failpoints,mutants ./host/stream ./cmd/wasmstream
	go tool staticcheck -tags integration,conformance,failpoints ./...

guests: deps ## rebuilds the guests, and proves that the committed modules are current
	go run ./internal/guestbuild/cmd/guests -check -all

deps: ## what the tests need beside Go: toolchains for guests, Kafka's jars
	.ci/deps.sh

kafka: ## a real Apache Kafka for people, on 127.0.0.1:$(KAFKA_PORT); stop it with: .ci/kafka.sh stop $(KAFKA_DIR)
	.ci/kafka.sh start $(KAFKA_DIR) $(KAFKA_PORT)

cross: ## every platform that we build for
	.ci/cross.sh

TIME ?= 10m
fault: SEED ?= 0
fault: ## every kind of fault, again and again: make fault SEED=n TIME=10m; a seed of 0 takes a new one and prints it
	go test -tags failpoints -timeout 24h -count 1 -v -run '^TestFaults$$' ./cmd/wasmstream -args -fault.seed=$(SEED) -fault.time=$(TIME)

fault-kafka: SEED ?= 0
fault-kafka: ## the same on an Apache Kafka of its own
	go test -tags failpoints,integration -timeout 24h -count 1 -v -run TestFaultsOnKafka ./cmd/wasmstream -args -fault.seed=$(SEED) -fault.time=$(TIME)

fault-errors: SEED ?= 0
fault-errors: ## every error that Kafka has, at each request of a commit, before and after the broker acts
	go test -timeout 60m -count 1 -v -run TestCountSurvivesEveryError ./host/stream -args -storm.seed=$(SEED) -errors.faults=-1

fault-long: ## an hour of them, the last third of it on Apache Kafka
	$(MAKE) fault TIME=40m
	$(MAKE) fault-kafka TIME=20m

mutants: ## bugs that the fault programme must catch, one after the other
	go test -tags failpoints,mutants -timeout 2h -count 1 -v -run TestMutantsAreCaught ./cmd/wasmstream

fuzz: ## every fuzzer for FUZZTIME; what they have found before replays in every go test
	.ci/fuzz.sh $(FUZZTIME)

bench: ## the benchmarks of the boundary, the state and the task
	go test -run '^$$' -bench . -benchmem ./host/wasm ./host/stream ./state ./topology/...

cover:
	go test -short -coverprofile=.cache/cover.out ./... && go tool cover -func=.cache/cover.out | tail -1

baseline: ## the jobs of wasmstream bench as Kafka Streams applications, for --guest kafka-streams
	mvn -q -B -f internal/bench/kafkastreams/pom.xml -Dbench.target=$(CURDIR)/.cache/kafka-streams compile \
	  dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory=$(CURDIR)/.cache/kafka-streams/libs

conformance: ## the recorded cases of Kafka
	go run ./internal/conformance -kind streams internal/conformance/testdata/streams-cases.jsonl
	go run ./internal/conformance -kind vectors internal/conformance/testdata/streams-vectors.jsonl

conformance-connect: deps ## one script of calls to Apache Kafka Connect and to ours, in both modes; RECORD=1 keeps Kafka's answers in testdata
	.ci/with-kafka.sh .cache/kafka-connect $(TEST_PORT) env WASMSTREAM_RECORD=$(RECORD) \
	  go test -tags integration,conformance -count 1 -timeout 15m -run TestAnswers ./internal/conformance/connectrest

clients: ## clients of Kafka Connect that others wrote, from PyPI and Maven Central, against a worker of ours
	.ci/clients.sh
	go test -tags conformance -count 1 -run TestClients ./cmd/wasmstream

SEEDS ?= 20
CASES ?= 260
conformance-kafka: SEED ?= 1
conformance-kafka: FAMILY ?=
conformance-kafka: ## CASES random topologies and inputs of each of SEEDS seeds, from SEED on, beside Kafka Streams' own test driver
	.ci/kafka-streams.sh
	go run ./internal/conformance -seed $(SEED) -seeds $(SEEDS) -cases $(CASES) -family "$(FAMILY)" -keep .cache/conformance/cases.jsonl \
	  -against "java -Xmx700m -cp .cache/conformance/classes:.cache/conformance/libs/* wasmstream.conformance.Cases"

ROUNDS ?= 3
takeover: ## ROUNDS times Kafka Streams runs twelve applications, we go on with them, and it again; then we first
	go test -tags integration -timeout 2h -count 1 -v ./internal/conformance/takeover -args -takeover.rounds=$(ROUNDS)

PLANS ?= 500
live: ## PLANS random topologies as applications on an embedded broker, which must reach the tables of the test driver
	go test -timeout 2h -count 1 ./internal/conformance/live -args -live.plans=$(PLANS)
