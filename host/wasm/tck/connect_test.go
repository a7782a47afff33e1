package tck

import (
	"testing"

	"github.com/wasmstream/wasmstream/internal/guestbuild"
)

// TestConnectGuests holds the examples of plugins in all languages to the whole contract.
func TestConnectGuests(t *testing.T) {
	engine := newEngine(t)
	for _, name := range []string{"connect-c", "connect-go", "connect-rust"} {
		report, err := Run(t.Context(), engine, name, guestbuild.Load(t, name))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range report.Failed() {
			t.Errorf("%s: %+v", name, f)
		}
	}
}
