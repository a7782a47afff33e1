//go:build integration

package connect_test

import (
	"testing"

	"github.com/wasmstream/wasmstream/internal/brokertest"
)

// TestBrokerRestarts kills the only broker there is and starts it again.
func TestBrokerRestarts(t *testing.T) {
	t.Parallel()
	c := brokertest.OwnCluster(t, 1)
	throughOutage(t, c.Broker, func(during func()) {
		c.Kill(t, 0)
		during()
		c.Restart(t)
	})
}
