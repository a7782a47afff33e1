package transforms

import "github.com/wasmstream/wasmstream/connectors/data"

// cacheSize is how many schemas a transformation remembers, as in Kafka.
const cacheSize = 16

// schemaCache remembers what was made of a schema. Records of one topic mostly share theirs by address, so that is looked at
// first; equal schemas at other addresses find the same entry. It belongs to one goroutine.
type schemaCache[T any] struct {
	last    *data.Schema
	lastVal T
	entries []cacheEntry[T]
	next    int
}

type cacheEntry[T any] struct {
	schema *data.Schema
	val    T
}

func (c *schemaCache[T]) get(s *data.Schema, make func() (T, error)) (T, error) {
	if c.last == s {
		return c.lastVal, nil
	}
	for i := range c.entries {
		if c.entries[i].schema.Equal(s) {
			c.last, c.lastVal = s, c.entries[i].val
			return c.lastVal, nil
		}
	}
	val, err := make()
	if err != nil {
		return val, err
	}
	e := cacheEntry[T]{schema: s, val: val}
	if len(c.entries) < cacheSize {
		c.entries = append(c.entries, e)
	} else {
		c.entries[c.next] = e
		c.next = (c.next + 1) % cacheSize
	}
	c.last, c.lastVal = s, val
	return val, nil
}
