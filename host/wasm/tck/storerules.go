package tck

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/wasmstream/wasmstream/abi"
)

// breaks notes a call to a store that no sound guest makes; the first one counts.
func (h *host) breaks(clause, format string, args ...any) {
	if h.breach == nil {
		h.breach = &fault{clause, fmt.Sprintf(format, args...)}
	}
}

// broken is the breach that was noted, nil if there was none.
func (h *host) broken() error {
	if h.breach == nil {
		return nil
	}
	return h.breach
}

// unsupported is the answer to a call that is not of the kind of the store.
func (h *host) unsupported(store int32, call string) int32 {
	h.breaks("STATE-8", "%s is called for store %s, which it opened as another kind", call, h.granted[store])
	return int32(abi.Unsupported)
}

// holdPut looks at what is put to a store with times.
func (h *host) holdPut(store int32, row, value []byte) {
	switch {
	case h.stamped[store] && value != nil && (len(value) < abi.TimeSize || timeAt(value) < 0):
		h.breaks("STATE-7", "store %s is opened with timestamps, and a value of %d bytes does not begin with one", h.granted[store], len(value))
	case h.kinds[store] != abi.VersionedStore:
	case h.when(store, row) == abi.HoldsForever:
		h.breaks("STATE-5", "a version is put to store %s at 2^63-1, which asks for the latest and is no time to put at", h.granted[store])
	default:
		times := h.given[string(row[:len(row)-abi.TimeSize])]
		if times != nil && bytes.HasPrefix(value, times) {
			h.breaks("STATE-4", "a value put to store %s begins with the 16 bytes of times that a get gave", h.granted[store])
		}
	}
}

// opened tells whether the component has opened a store of one of these kinds.
func (h *host) opened(kinds ...abi.StoreKind) bool {
	return slices.ContainsFunc(h.kinds, func(k abi.StoreKind) bool { return slices.Contains(kinds, k) })
}

// otherStores are stores as applications may make them, by the clause that a guest breaks which is not up to them.
var otherStores = []struct {
	clause, what string
	kinds        []abi.StoreKind
	rules        storeRules
}{
	{"STATE-2", "in stores that keep rows for a second", []abi.StoreKind{abi.WindowStore, abi.SessionStore}, storeRules{retention: 1000}},
	{"STATE-3", "in stores that retain duplicates", []abi.StoreKind{abi.WindowStore}, storeRules{duplicates: true}},
	{"STATE-4", "in stores with a second of history", []abi.StoreKind{abi.VersionedStore}, storeRules{retention: 1000}},
	{"STATE-6", "in stores with segments of a second", []abi.StoreKind{abi.WindowStore, abi.SessionStore}, storeRules{segment: 1000}},
}

// holdStores lets a component that went well with stores that keep everything go through the corpus with others. What it
// answers then may differ; but it goes on.
func (c *component) holdStores(used *host) {
	if len(used.stores) == 0 {
		return
	}
	c.report.hold("STATE-8", c.Name, "")
	if !used.opened(abi.WindowStore, abi.SessionStore, abi.VersionedStore) {
		return
	}
	for _, clause := range []string{"STATE-5", "STATE-7", "STATE-9"} {
		c.report.hold(clause, c.Name, "")
	}
	for _, other := range otherStores {
		if !used.opened(other.kinds...) {
			continue
		}
		_, _, err := c.runWith(len(c.input), shape{}, other.rules)
		if f, ok := errors.AsType[*fault](err); ok && f.clause != "FRAME-9" {
			c.sound(err)
			continue
		}
		problem := problemOf(err)
		if problem != "" {
			problem = other.what + ": " + problem
		}
		c.report.hold(other.clause, c.Name, problem)
	}
}
