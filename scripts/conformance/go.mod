// The conformance suite of the distribution specification, as far as the Go module proxy has it (the state of
// November 2023): scripts/peers builds its test binary from here. It is run by `make test`.
module landfall.invalid/conformance

go 1.18

require github.com/opencontainers/distribution-spec/conformance v0.0.0-20231101194043-f2182352d4cc
