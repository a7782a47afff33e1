package statetest_test

import (
	"fmt"
	"testing"

	"github.com/wasmstream/wasmstream/state"
	"github.com/wasmstream/wasmstream/state/statetest"
)

// everyPlace runs a suite on a store in memory and in Pebble, with a cache and without.
func everyPlace(t *testing.T, name string, c state.StoreConfig, run func(*testing.T, state.StoreConfig)) {
	for _, memory := range []bool{false, true} {
		for _, cache := range []int64{0, 500} {
			c := c
			c.InMemory = memory
			if cache > 0 {
				c.Cache = state.NewThreadCache(cache)
			}
			t.Run(fmt.Sprintf("%s/memory=%v/cache=%d", name, memory, cache), func(t *testing.T) { run(t, c) })
		}
	}
}

func TestWindowStores(t *testing.T) {
	for name, c := range map[string]state.StoreConfig{
		"plain":        {},
		"timestamped":  {Format: state.Timestamped},
		"duplicates":   {RetainDuplicates: true},
		"time-ordered": {TimeOrdered: true},
	} {
		c.Kind, c.Retention, c.SegmentInterval = state.WindowKind, 100, 40
		everyPlace(t, name, c, statetest.RunWindowed)
	}
}

func TestSessionStores(t *testing.T) {
	for name, ordered := range map[string]bool{"plain": false, "time-ordered": true} {
		c := state.StoreConfig{Kind: state.SessionKind, Retention: 100, SegmentInterval: 40, TimeOrdered: ordered}
		everyPlace(t, name, c, statetest.RunWindowed)
	}
}

func TestVersionedStores(t *testing.T) {
	for _, memory := range []bool{false, true} {
		t.Run(fmt.Sprintf("memory=%v", memory), func(t *testing.T) {
			statetest.RunVersioned(t, state.StoreConfig{
				Kind: state.VersionedKind, HistoryRetention: 40, SegmentInterval: 15, InMemory: memory,
			})
		})
	}
}
