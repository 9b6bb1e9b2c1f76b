# What people and machines call. Two commands set everything up on a fresh Debian 12 with Rust and a C compiler:
# `make demo` and `make test`.

CARGO ?= cargo

.PHONY: demo test test-fast bench soak fuzz lint fmt clean

## The whole journey on this machine, offline, in under a minute.
demo:
	$(CARGO) build --release --package landfall
	target/release/landfall demo

## Everything: first what needs nothing, then a minute of mixed load, then what runs the real programs (installed by
## scripts/peers).
## Tests that need a real program live in modules called `peers`.
test: test-fast
	$(CARGO) test --workspace --test it -- soak::
	scripts/peers
	$(CARGO) test --workspace --tests -- peers::

## Unit tests, properties, vectors, doc tests and faults: no other program, no network.
test-fast:
	$(CARGO) test --workspace -- --skip peers:: --skip soak::

## The tables of docs/performance.md: save and load, then serving, then compressing. `make bench ROUNDS=1 SERVE_ROUNDS=1` for a quick look.
ROUNDS ?= 5
SERVE_ROUNDS ?= 3
bench:
	scripts/peers
	$(CARGO) build --release --package landfall
	scripts/bench --rounds $(ROUNDS)
	scripts/bench-serve --rounds $(SERVE_ROUNDS)
	scripts/bench-gateway --rounds $(SERVE_ROUNDS)
	scripts/bench-gzip --rounds $(ROUNDS)

## A long run: SOAK_SECONDS of mixed load on a server, then saves and loads killed KILLS times each (some 0.2 s a kill).
KILLS ?= 2000
SOAK_SECONDS ?= 1800
soak:
	LANDFALL_SOAK_SECONDS=$(SOAK_SECONDS) $(CARGO) test --package landfall --test it -- soak::
	LANDFALL_KILLS=$(KILLS) $(CARGO) test --package landfall --test it -- kill::

## Fuzzes each target of fuzz/ for SECONDS; by default it replays the corpus, which takes no C++ and a moment.
SECONDS ?= 0
fuzz:
	scripts/fuzz --seconds $(SECONDS)

lint:
	$(CARGO) clippy --workspace --all-targets -- -D warnings

fmt:
	$(CARGO) fmt --all

clean:
	$(CARGO) clean
