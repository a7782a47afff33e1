package dsl

import (
	"fmt"

	"github.com/wasmstream/wasmstream/topology"
)

// upgradesFromBefore tells whether the application is in the first round of an upgrade from a release before
// major.minor (upgrade.from), so that it must still write what that one reads.
func upgradesFromBefore(ctx topology.Context, major, minor int) bool {
	from, ok := ctx.AppConfig("upgrade.from")
	if !ok {
		return false
	}
	var a, b int
	if n, err := fmt.Sscanf(from, "%d.%d", &a, &b); err != nil || n != 2 {
		return false
	}
	return a < major || a == major && b < minor
}
