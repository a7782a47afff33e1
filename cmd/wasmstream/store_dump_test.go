package main_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"path/filepath"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmstream/wasmstream/state"
)

// subjectStore is the store of a subject that is looked at when the last process has ended: the number of its
// sub-topology, its name, and how to read it.
type subjectStore struct {
	subtopology, name string
	kind              storeKind
}

// storeKind is what the pairs of a store are.
type storeKind int

const (
	storeCount   storeKind = iota // timestamp and count by key
	storeWindows                  // the same by key and start
	storePlain                    // count by key
)

// windowRetention is the length of a window and its grace period, in milliseconds.
const windowRetention = 3_605_000

// checkStore wants the state of a process that has ended, what its changelog gives, and what the oracle knows to be the
// same, pair by pair, in each partition.
func (c *crash) checkStore(name string) {
	c.t.Helper()
	if c.subject.store.name == "" {
		return
	}
	logged := c.foldChangelog()
	dumped := c.dumpStore(filepath.Join(c.dir, "state-"+name))
	pairs := 0
	for p := range int32(crashPartitions) {
		want := c.oracle.folded(p)
		pairs += len(want)
		if diff := cmp.Diff(want, logged[p]); diff != "" {
			c.t.Errorf("partition %d: the changelog is not what the fold gives (-want +got):\n%s", p, tail(diff))
		}
		if diff := cmp.Diff(want, dumped[p]); diff != "" {
			c.t.Errorf("partition %d: the store is not what the fold gives (-want +got):\n%s", p, tail(diff))
		}
	}
	c.note("%d pairs of the store, of its changelog and of the fold are the same", pairs)
	c.compared += pairs
}

// changelog is the topic of the store.
func (c *crash) changelog() string {
	return fmt.Sprintf("%s-%s-changelog", c.b.Name("crash"), c.subject.store.name)
}

// foldChangelog takes the last value of each key of the changelog's committed records.
func (c *crash) foldChangelog() (counts [crashPartitions]map[string]int64) {
	for p := range counts {
		counts[p] = map[string]int64{}
	}
	for _, r := range c.b.ReadAll(c.t, c.changelog()) {
		key := string(r.Key)
		if c.subject.store.kind == storeWindows {
			key = key[:len(key)-4] // without the number that tells duplicates apart
		}
		if r.Value == nil {
			delete(counts[r.Partition], key)
			continue
		}
		counts[r.Partition][key] = longOf(r.Value)
	}
	return counts
}

// dumpStore reads the store of each task under a state.dir.
func (c *crash) dumpStore(stateDir string) (counts [crashPartitions]map[string]int64) {
	c.t.Helper()
	dir, err := state.OpenDirectory(stateDir, c.b.Name("crash"))
	if err != nil {
		c.t.Fatal(err)
	}
	defer dir.Close()
	db, err := state.OpenDB(dir.DatabasePath(), state.Options{ApplicationID: c.b.Name("crash")})
	if err != nil {
		c.t.Fatal(err)
	}
	defer db.Close()
	for p := range counts {
		counts[p] = c.dumpTask(db, state.StoreID{Task: fmt.Sprintf("%s_%d", c.subject.store.subtopology, p), Store: c.subject.store.name})
	}
	return counts
}

func (c *crash) dumpTask(db *state.DB, id state.StoreID) map[string]int64 {
	c.t.Helper()
	config := state.StoreConfig{ID: id, Format: state.Timestamped}
	switch c.subject.store.kind {
	case storeWindows:
		config.Kind, config.Retention = state.WindowKind, windowRetention
	case storePlain:
		config.Format = state.Plain
	}
	store, err := db.NewStore(config)
	if err != nil {
		c.t.Fatal(err)
	}
	defer store.Close()
	counts, err := pairsOf(store, c.subject.store.kind)
	if err != nil {
		c.t.Fatalf("reading store %s: %v", id, err)
	}
	return counts
}

// pairsOf reads all of a store.
func pairsOf(store state.Store, kind storeKind) (map[string]int64, error) {
	counts := map[string]int64{}
	if kind == storeWindows {
		it, err := store.(state.WindowStore).FetchKeys(nil, nil, 0, math.MaxInt64, false)
		if err != nil {
			return nil, err
		}
		defer it.Close()
		for it.Next() {
			key := binary.BigEndian.AppendUint64(bytes.Clone(it.Key()), uint64(it.Start()))
			counts[string(key)] = longOf(it.Value()[8:])
		}
		return counts, it.Err()
	}
	it, err := store.(state.KeyValueStore).Range(nil, nil, false)
	if err != nil {
		return nil, err
	}
	defer it.Close()
	for it.Next() {
		value := it.Value()
		if kind == storeCount {
			value = value[8:]
		}
		counts[string(it.Key())] = longOf(value)
	}
	return counts, it.Err()
}
