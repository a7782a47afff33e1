package apptest

import (
	"bytes"
	"fmt"
	"math"
	"slices"

	"github.com/wasmstream/wasmstream/host/stream/streamtest"
	"github.com/wasmstream/wasmstream/state"
	"github.com/wasmstream/wasmstream/topology"
)

// readRows are the rows of a store as records: keys as the store's serde has them, values without timestamps. Of
// versioned stores they are the latest versions of the keys that are expected: those stores cannot be walked.
func readRows(s state.Store, x *expected) ([]streamtest.Record, error) {
	switch s := s.(type) {
	case state.VersionedKeyValueStore:
		return latestRows(s, x)
	case state.WindowStore:
		return windowRows(s, x.store.Kind == topology.TimestampedWindow)
	case state.SessionStore:
		return sessionRows(s)
	case state.KeyValueStore:
		return keyValueRows(s, x.store.Kind == topology.TimestampedKeyValue)
	}
	return nil, fmt.Errorf("the rows of a %s cannot be read", x.store.Kind)
}

func rowOf(key, stored []byte, timestamped bool) streamtest.Record {
	r := streamtest.Record{Key: bytes.Clone(key), Value: bytes.Clone(stored)}
	if timestamped {
		value, at := state.SplitTimestamped(stored)
		r.Value, r.Timestamp = bytes.Clone(value), at
	}
	return r
}

func keyValueRows(s state.KeyValueStore, timestamped bool) (all []streamtest.Record, err error) {
	it, err := s.Range(nil, nil, false)
	if err != nil {
		return nil, err
	}
	defer it.Close()
	for it.Next() {
		all = append(all, rowOf(it.Key(), it.Value(), timestamped))
	}
	return all, it.Err()
}

func windowRows(s state.WindowStore, timestamped bool) (all []streamtest.Record, err error) {
	it, err := s.FetchKeys(nil, nil, 0, math.MaxInt64, false)
	if err != nil {
		return nil, err
	}
	defer it.Close()
	for it.Next() {
		all = append(all, rowOf(topology.AppendTimeWindowedKey(nil, it.Key(), it.Start()), it.Value(), timestamped))
	}
	return all, it.Err()
}

func sessionRows(s state.SessionStore) (all []streamtest.Record, err error) {
	it, err := s.FindSessionsOfKeys(nil, nil, 0, math.MaxInt64, false)
	if err != nil {
		return nil, err
	}
	defer it.Close()
	for it.Next() {
		r := rowOf(state.AppendSessionKey(nil, it.Key(), it.Start(), it.End()), it.Value(), false)
		r.Timestamp = it.End()
		all = append(all, r)
	}
	return all, it.Err()
}

func latestRows(s state.VersionedKeyValueStore, x *expected) (all []streamtest.Record, err error) {
	for _, w := range x.records {
		if slices.ContainsFunc(all, func(r streamtest.Record) bool { return bytes.Equal(r.Key, w.key) }) {
			continue
		}
		v, ok, err := s.Latest(w.key)
		if err != nil {
			return nil, err
		}
		if ok {
			all = append(all, streamtest.Record{Key: w.key, Value: bytes.Clone(v.Value), Timestamp: v.Timestamp})
		}
	}
	return all, nil
}
