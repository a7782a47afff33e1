package state

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// cacheScript runs testdata/cache: what goes in at the top, and in which order it leaves at the bottom.
//
//	open max=N [old] [deaf] [timestamped]   a store with changelog and cache; deaf: no listener
//	put KEY VALUE [ts=N] [topic=T] [headers=N]
//	get|delete KEY      put-if-absent KEY VALUE
//	range [from=K] [to=K] [reverse]
//	flush | discard | commit | resize N | size
//	on KEY put KEY VALUE     when KEY is flushed, the listener writes (once)
type cacheScript struct {
	t      *testing.T
	db     *DB
	cache  *ThreadCache
	stores map[string]*MeteredKeyValueStore
	store  *MeteredKeyValueStore
	format ValueFormat
	on     map[string][2]string
	out    strings.Builder
}

// Log shows what reaches the changelog.
func (c *cacheScript) Log(key, value []byte, timestamp int64) error {
	fmt.Fprintf(&c.out, "log %s=%s @%d\n", key, show(value), timestamp)
	return nil
}

func show(b []byte) string {
	if b == nil {
		return "null"
	}
	return strconv.Quote(string(b))
}

func (c *cacheScript) forward(e *Flushed) error {
	fmt.Fprintf(&c.out, "forward %s: %s -> %s @%d", e.Key, show(e.Old), show(e.New), e.Timestamp)
	if e.Context.Origin != nil {
		fmt.Fprintf(&c.out, " from %s", e.Context.Origin.Topic)
	}
	if len(e.Context.Headers) > 0 {
		fmt.Fprintf(&c.out, " headers %d", len(e.Context.Headers))
	}
	c.out.WriteByte('\n')
	if w, ok := c.on[string(e.Key)]; ok {
		delete(c.on, string(e.Key))
		return c.put(w[0], w[1])
	}
	return nil
}

func TestCache(t *testing.T) {
	datadriven.Walk(t, "testdata/cache", func(t *testing.T, path string) {
		c := &cacheScript{t: t, db: openTestDB(t, vfs.NewMem()), stores: map[string]*MeteredKeyValueStore{}, on: map[string][2]string{}}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			c.out.Reset()
			if d.HasArg("store") {
				var name string
				d.ScanArgs(t, "store", &name)
				c.store = c.stores[name]
			}
			if err := c.run(d); err != nil {
				fmt.Fprintf(&c.out, "error: %v\n", err)
			}
			return c.out.String()
		})
	})
}

// put stores under the format of the script, with the context's timestamp as that of the value.
func (c *cacheScript) put(key, value string) error {
	stored := []byte(value)
	if c.format == Timestamped {
		stored = AppendTimestamped(nil, c.store.Context().Timestamp, stored)
	}
	return c.store.Put([]byte(key), stored)
}

func (c *cacheScript) show(stored []byte) string {
	if c.format == Timestamped {
		stored, _ = SplitTimestamped(stored)
	}
	return show(stored)
}

func (c *cacheScript) run(d *datadriven.TestData) error {
	arg := func(i int) string { return d.CmdArgs[i].Key }
	switch d.Cmd {
	case "open":
		return c.open(d)
	case "put":
		c.setContext(d)
		return c.put(arg(0), arg(1))
	case "put-if-absent":
		before, err := c.store.PutIfAbsent([]byte(arg(0)), []byte(arg(1)))
		fmt.Fprintln(&c.out, c.show(before))
		return err
	case "get":
		value, err := c.store.Get([]byte(arg(0)))
		fmt.Fprintln(&c.out, c.show(value))
		return err
	case "delete":
		c.setContext(d)
		before, err := c.store.Delete([]byte(arg(0)))
		fmt.Fprintln(&c.out, c.show(before))
		return err
	case "range":
		return c.rangeOver(d)
	case "on":
		c.on[arg(0)] = [2]string{arg(2), arg(3)}
	case "flush":
		return c.store.Flush()
	case "commit":
		b := c.db.NewBatch()
		defer b.Close()
		return errors.Join(c.store.Stage(b), b.Commit())
	case "discard":
		c.store.Discard()
	case "resize":
		n, err := strconv.Atoi(arg(0))
		return errors.Join(err, c.cache.Resize(int64(n)))
	case "size":
		fmt.Fprintf(&c.out, "%d bytes, %+v\n", c.cache.Bytes(), c.cache.Stats())
	default:
		return fmt.Errorf("no such command: %s", d.Cmd)
	}
	return nil
}

func (c *cacheScript) open(d *datadriven.TestData) (err error) {
	if d.HasArg("timestamped") {
		c.format = Timestamped
	}
	if c.cache == nil {
		var size int
		d.ScanArgs(c.t, "max", &size)
		c.cache = NewThreadCache(int64(size))
	}
	name := "store"
	d.MaybeScanArgs(c.t, "name", &name)
	c.store, err = c.db.NewKeyValueStore(StoreConfig{
		ID: StoreID{"0_0", name}, Format: c.format, Changelog: c, Cache: c.cache, Context: &RecordContext{},
	})
	if err != nil {
		return err
	}
	c.stores[name] = c.store
	if !d.HasArg("deaf") {
		fmt.Fprintf(&c.out, "cached: %v\n", c.store.SetFlushListener(c.forward, d.HasArg("old")))
	}
	return nil
}

func (c *cacheScript) setContext(d *datadriven.TestData) {
	r := c.store.Context()
	*r = RecordContext{}
	var topic string
	var headers int
	d.MaybeScanArgs(c.t, "ts", &r.Timestamp)
	d.MaybeScanArgs(c.t, "topic", &topic)
	d.MaybeScanArgs(c.t, "headers", &headers)
	if topic != "" {
		r.Origin = &TopicPartition{Topic: topic}
	}
	for range headers {
		r.Headers = append(r.Headers, Header{Key: "h", Value: []byte("v")})
	}
}

func (c *cacheScript) rangeOver(d *datadriven.TestData) error {
	var from, to []byte
	bound := func(name string) []byte {
		if !d.HasArg(name) {
			return nil
		}
		var b string
		d.ScanArgs(c.t, name, &b)
		return []byte(b)
	}
	from, to = bound("from"), bound("to")
	it, err := c.store.Range(from, to, d.HasArg("reverse"))
	if err != nil {
		return err
	}
	for it.Next() {
		fmt.Fprintf(&c.out, "%s=%s\n", it.Key(), c.show(it.Value()))
	}
	return errors.Join(it.Err(), it.Close())
}

// Two stores share a cache that is much too small, and what each flushes makes the listener write to both, in the
// middle of puts, gets and other flushes. Nothing may be lost, and the last thing told of a key is its value.
func TestCacheReentrant(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		db, err := OpenDB("", Options{ApplicationID: "app", InMemory: true})
		noRapidError(rt, err)
		defer db.Close()
		cache := NewThreadCache(rapid.Int64Range(50, 600).Draw(rt, "max"))
		var stores [2]*MeteredKeyValueStore
		models, told := [2]map[string]string{{}, {}}, [2]map[string]string{{}, {}}
		writes := 0 // that listeners may still make
		put := func(i int, key, value string) {
			models[i][key] = value
			noRapidError(rt, stores[i].Put([]byte(key), []byte(value)))
		}
		remove := func(i int, key string) {
			delete(models[i], key)
			noRapidError(rt, stores[i].Put([]byte(key), nil))
		}
		for i := range stores {
			s, err := db.NewKeyValueStore(StoreConfig{ID: StoreID{"0_0", strconv.Itoa(i)}, Cache: cache})
			noRapidError(rt, err)
			stores[i] = s
			s.SetFlushListener(func(e *Flushed) error {
				told[i][string(e.Key)] = string(e.New)
				if e.New == nil {
					delete(told[i], string(e.Key))
				}
				if writes > 0 {
					writes--
					put(writes%2, string('a'+rune(writes%7)), fmt.Sprintf("%s from %d of %s", e.New, writes, e.Key))
				}
				if string(e.Key) == "" {
					return errors.New("the key changed under the listener")
				}
				return nil
			}, true)
		}
		for n := range rapid.IntRange(1, 60).Draw(rt, "operations") {
			writes = rapid.IntRange(0, 6).Draw(rt, "writes of listeners")
			i, key := rapid.IntRange(0, 1).Draw(rt, "store"), string('a'+rune(rapid.IntRange(0, 6).Draw(rt, "key")))
			switch rapid.IntRange(0, 4).Draw(rt, "operation") {
			case 0:
				noRapidError(rt, stores[i].Flush())
			case 1:
				got, err := stores[i].Get([]byte(key))
				if want, ok := models[i][key]; err != nil || string(got) != want || ok != (got != nil) {
					rt.Fatalf("get %s: %q, %v, want %q", key, got, err, want)
				}
			case 2:
				remove(i, key)
			default:
				put(i, key, fmt.Sprintf("value %d", n))
			}
		}
		noRapidError(rt, FlushAll(stores[:]))
		for i, s := range stores {
			if diff := cmp.Diff(models[i], contents(t, s)); diff != "" {
				rt.Fatalf("store %d: %s", i, diff)
			}
			if diff := cmp.Diff(models[i], told[i]); diff != "" {
				rt.Fatalf("told of store %d: %s", i, diff)
			}
		}
		if cache.size != stores[0].inner.(*CachingKeyValueStore).cache.size+stores[1].inner.(*CachingKeyValueStore).cache.size {
			rt.Fatal("the sizes of the stores' caches do not add up")
		}
	})
}
