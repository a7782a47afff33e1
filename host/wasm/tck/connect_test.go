package tck

import (
	"testing"

	"github.com/wasmstream/wasmstream/internal/guestbuild"
)

// TestConnectGuests holds the examples of plugins in all languages to the whole contract.
func TestConnectGuests(t *testing.T) {
	engine := newEngine(t)
	names := []string{"connect-c"}
	if !testing.Short() { // toolchains for Go and Rust guests are not on every machine
		names = append(names, "connect-go", "connect-rust")
	}
	for _, name := range names {
		report, err := Run(t.Context(), engine, name, guestbuild.Load(t, name))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range report.Failed() {
			t.Errorf("%s: %+v", name, f)
		}
	}
}
