//go:build !integration

package brokertest

import "testing"

// real is empty: this build knows only kfake.
func real(testing.TB) string { return "" }
