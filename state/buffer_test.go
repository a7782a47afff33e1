package state

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"
)

// keptLog is a changelog in memory.
type keptLog struct{ records []KV }

func (l *keptLog) Log(key, value []byte, timestamp int64) error {
	return l.LogWithHeaders(key, value, timestamp, nil)
}

func (l *keptLog) LogWithHeaders(key, value []byte, timestamp int64, headers []Header) error {
	l.records = append(l.records, KV{bytes.Clone(key), bytes.Clone(value), timestamp, slices.Clone(headers)})
	return nil
}

var bufferContext = RecordContext{
	Timestamp: 7, Offset: 9, Origin: &TopicPartition{Topic: "topic", Partition: 2},
	Headers: []Header{{Key: "a", Value: []byte("xy")}, {Key: "é"}, {Key: "b", Value: []byte{}}},
}

// The bytes are those of Kafka Streams 4.3.1 for the same values.
func TestBufferValueBytes(t *testing.T) {
	const context = "0000000000000007000000000000000900000005746f7069630000000200000003000000016100000002787900000002c3a9ffffffff000000016200000000"
	for _, c := range []struct {
		prior, old, new []byte
		want            string
		size            int
	}{
		{nil, nil, []byte("n"), "ffffffffffffffff000000016e", 31},
		{[]byte("p"), []byte("p"), []byte("n"), "0000000170fffffffe000000016e", 32},
		{[]byte("p"), []byte("q"), []byte("n"), "00000001700000000171000000016e", 33},
		{[]byte("p"), nil, nil, "0000000170ffffffffffffffff", 31},
		{nil, []byte("q"), []byte("n"), "ffffffff0000000171000000016e", 32},
	} {
		v := bufferValue{c.prior, c.old, c.new, bufferContext}
		stored := v.append(nil)
		if got := hex.EncodeToString(stored); got != context+c.want {
			t.Errorf("%q %q %q: %s", c.prior, c.old, c.new, got)
		}
		if v.size() != c.size {
			t.Errorf("%q %q %q: size %d, want %d", c.prior, c.old, c.new, v.size(), c.size)
		}
		back, rest, err := decodeBufferValue(append(stored, 'x'), nil)
		noError(t, err)
		if diff := cmp.Diff([]any{v.prior, v.old, v.new, v.context, "x"}, []any{back.prior, back.old, back.new, back.context, string(rest)}); diff != "" {
			t.Error(diff)
		}
	}
}

func FuzzBufferValue(f *testing.F) {
	v := bufferValue{[]byte("p"), []byte("q"), []byte("n"), bufferContext}
	f.Add(v.append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		v, rest, err := decodeBufferValue(b, nil)
		if err != nil {
			return
		}
		again, _, err := decodeBufferValue(v.append(nil), nil)
		if err != nil || string(again.new) != string(v.new) || len(rest) > len(b) {
			t.Errorf("%x decodes into %+v, which encodes into %+v: %v", b, v, again, err)
		}
	})
}

func newBuffer(t *testing.T, log Changelog, c StoreConfig) (*DB, *TimeOrderedBuffer) {
	t.Helper()
	db := openTestDB(t, vfs.NewMem())
	c.ID, c.Kind, c.Changelog = StoreID{"0_0", "b"}, BufferKind, log
	s, err := db.NewStore(c)
	noError(t, err)
	return db, s.(*TimeOrderedBuffer)
}

// evicted takes out all that is due.
func evicted(t *testing.T, b *TimeOrderedBuffer, due int64) (got []string) {
	t.Helper()
	noError(t, b.EvictWhile(func() bool { return b.MinTime() <= due }, func(e *Evicted) error {
		got = append(got, fmt.Sprintf("%d %s %s>%s ts %d", e.Time, e.Key, e.Old, e.New, e.Context.Timestamp))
		return nil
	}))
	return got
}

func put(t *testing.T, b *TimeOrderedBuffer, at int64, key, old, new string) {
	t.Helper()
	context := bufferContext
	context.Timestamp = at
	ok, err := b.Put(at, []byte(key), []byte(old), []byte(new), &context)
	noError(t, err)
	if !ok {
		t.Errorf("%s at %d is too late", key, at)
	}
}

func TestBufferKeepsThePlace(t *testing.T) {
	for _, memory := range []bool{false, true} {
		log := &keptLog{}
		c := StoreConfig{InMemory: memory}
		db, b := newBuffer(t, log, c)
		put(t, b, 5, "b", "o", "1")
		put(t, b, 5, "a", "o", "2")
		put(t, b, 3, "c", "o", "3")
		commitStore(t, db, b)
		put(t, b, 9, "c", "3", "4")
		if prior, ok, err := b.Prior([]byte("c")); err != nil || !ok || string(prior) != "o" {
			t.Errorf("prior %q, %v, %v", prior, ok, err)
		}
		before := b.SizeBytes()
		if got := evicted(t, b, 3); !slices.Equal(got, []string{"3 c 3>4 ts 9"}) {
			t.Errorf("evicted %v", got)
		}
		if b.Records() != 2 || b.MinTime() != 5 || b.SizeBytes() >= before {
			t.Errorf("%d records, first at %d, %d bytes", b.Records(), b.MinTime(), b.SizeBytes())
		}
		b.Discard()
		if b.Records() != 3 || b.MinTime() != 3 {
			t.Errorf("after a discard: %d records, first at %d", b.Records(), b.MinTime())
		}
		if got := evicted(t, b, 3); !slices.Equal(got, []string{"3 c o>3 ts 3"}) {
			t.Errorf("evicted %v", got)
		}
		commitStore(t, db, b)
		_, again := newBuffer(t, nil, c)
		noError(t, again.Restore(log.records, 1))
		if again.Records() != b.Records() || again.SizeBytes() != b.SizeBytes() || again.MinTime() != b.MinTime() {
			t.Errorf("restored %d records of %d bytes, not %d of %d", again.Records(), again.SizeBytes(), b.Records(), b.SizeBytes())
		}
		if diff := cmp.Diff(evicted(t, b, math.MaxInt64-1), evicted(t, again, math.MaxInt64-1)); diff != "" {
			t.Error(diff)
		}
		if b.MinTime() != math.MaxInt64 || b.SizeBytes() != 0 {
			t.Errorf("empty, and first at %d with %d bytes", b.MinTime(), b.SizeBytes())
		}
	}
}

func TestBufferChangelog(t *testing.T) {
	log := &keptLog{}
	db, b := newBuffer(t, log, StoreConfig{})
	ok, err := b.Put(77, []byte("k"), nil, []byte("n"), &bufferContext)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	commitStore(t, db, b)
	evicted(t, b, 77)
	commitStore(t, db, b)
	v := bufferValue{new: []byte("n"), context: bufferContext}
	want := []KV{
		{[]byte("k"), append(v.append(nil), 0, 0, 0, 0, 0, 0, 0, 77), TimestampUnknown, []Header{{Key: "v", Value: []byte{3}}}},
		{[]byte("k"), nil, TimestampUnknown, nil},
	}
	if diff := cmp.Diff(want, log.records); diff != "" {
		t.Error(diff)
	}
	if err := b.Restore([]KV{{Key: []byte("k"), Value: []byte("v")}}, 5); err == nil {
		t.Error("a record without a format was restored")
	}
}

func TestBufferWithDuplicates(t *testing.T) {
	log := &keptLog{}
	c := StoreConfig{RetainDuplicates: true, Retention: 10}
	db, b := newBuffer(t, log, c)
	put(t, b, 20, "k", "", "1")
	put(t, b, 15, "k", "", "2")
	put(t, b, 20, "k", "", "3")
	if ok, err := b.Put(9, []byte("k"), nil, []byte("late"), &bufferContext); ok || err != nil {
		t.Errorf("late: %v, %v", ok, err)
	}
	commitStore(t, db, b)
	if got := hex.EncodeToString(log.records[0].Key); got != "000000000000000014"+"6b"+"00000001" {
		t.Errorf("changelog key %s", got)
	}
	_, again := newBuffer(t, nil, c)
	noError(t, again.Restore(log.records, 1))
	for _, b := range []*TimeOrderedBuffer{b, again} {
		want := []string{"15 k >2 ts 15", "20 k >1 ts 20", "20 k >3 ts 20"}
		if diff := cmp.Diff(want, evicted(t, b, 20)); diff != "" {
			t.Error(diff)
		}
	}
}

// The bytes are those of Kafka Streams 4.3.1 for the same values.
func TestJoinSideBytes(t *testing.T) {
	for left, want := range map[bool][2]string{true: {"0000000000000005016b6579", "0176"}, false: {"0000000000000005006b6579", "0076"}} {
		key, value := AppendJoinSideKey(nil, []byte("key"), 5, left), AppendLeftOrRight(nil, []byte("v"), left)
		if hex.EncodeToString(key) != want[0] || hex.EncodeToString(value) != want[1] {
			t.Errorf("left %v: %x %x", left, key, value)
		}
		k, at, l, ok := SplitJoinSideKey(key)
		if string(k) != "key" || at != 5 || l != left || !ok {
			t.Errorf("split into %q %d %v %v", k, at, l, ok)
		}
		if v, l, ok := SplitLeftOrRight(value); string(v) != "v" || l != left || !ok {
			t.Errorf("split into %q %v %v", v, l, ok)
		}
	}
	list, err := AppendListValue(nil, nil, []byte("a"))
	noError(t, err)
	list, err = AppendListValue(nil, list, []byte("bc"))
	noError(t, err)
	if got := hex.EncodeToString(list); got != "01000000020000000161000000026263" {
		t.Errorf("list %s", got)
	}
	values, err := DecodeListValue(nil, list)
	if err != nil || len(values) != 2 || string(values[0]) != "a" || string(values[1]) != "bc" {
		t.Errorf("%q, %v", values, err)
	}
}

func FuzzListValue(f *testing.F) {
	f.Add([]byte("\x01\x00\x00\x00\x02\x00\x00\x00\x01a\x00\x00\x00\x02bc"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if values, err := DecodeListValue(nil, b); err == nil && b != nil {
			again := []byte{variableSize, 0, 0, 0, 0}
			for _, v := range values {
				again, err = AppendListValue(nil, again, v)
				noError(t, err)
			}
			if !bytes.Equal(again, b) {
				t.Errorf("%x became %x", b, again)
			}
		}
	})
}

// The bytes are those of Kafka Streams 4.3.1 for the same values.
func TestHeadersBytes(t *testing.T) {
	const headers = "1a06026104787904c3a90102620076616c"
	stored := AppendTimestampedWithHeaders(nil, bufferContext.Headers, 7, []byte("val"))
	if got := hex.EncodeToString(stored); got != headers[:28]+"0000000000000007"+"76616c" {
		t.Errorf("with a timestamp: %s", got)
	}
	raw, value, at := SplitTimestampedWithHeaders(stored)
	decoded, err := DecodeHeaders(raw)
	noError(t, err)
	if diff := cmp.Diff(bufferContext.Headers, decoded); diff != "" || string(value) != "val" || at != 7 {
		t.Errorf("%q at %d, %s", value, at, diff)
	}
	if got := hex.EncodeToString(AppendWithHeaders(nil, bufferContext.Headers, []byte("val"))); got != headers {
		t.Errorf("without: %s", got)
	}
	if got := hex.EncodeToString(AppendTimestampedWithHeaders(nil, nil, 7, []byte("val"))); got != "00000000000000000776616c" {
		t.Errorf("without headers: %s", got)
	}
}

func FuzzDecodeHeaders(f *testing.F) {
	f.Add(AppendHeaders(nil, bufferContext.Headers))
	f.Fuzz(func(t *testing.T, b []byte) {
		headers, err := DecodeHeaders(b)
		if err != nil {
			return
		}
		again, err := DecodeHeaders(AppendHeaders(nil, headers))
		if diff := cmp.Diff(headers, again); diff != "" && len(headers) > 0 || err != nil {
			t.Errorf("%v %s", err, diff)
		}
	})
}

// A store with headers logs them, and has them again after a restore.
func TestStoreWithHeaders(t *testing.T) {
	for _, c := range []StoreConfig{
		{Format: TimestampedWithHeaders},
		{Format: TimestampedWithHeaders, Cache: NewThreadCache(1000)},
		{Format: TimestampedWithHeaders, InMemory: true},
	} {
		log := &keptLog{}
		c.ID, c.Changelog = StoreID{"0_0", "h"}, log
		db := openTestDB(t, vfs.NewMem())
		s, err := db.NewKeyValueStore(c)
		noError(t, err)
		stored := AppendTimestampedWithHeaders(nil, bufferContext.Headers, 7, []byte("val"))
		noError(t, s.Put([]byte("k"), stored))
		commitStore(t, db, s)
		if diff := cmp.Diff([]KV{{[]byte("k"), []byte("val"), 7, bufferContext.Headers}}, log.records); diff != "" {
			t.Error(diff)
		}
		noError(t, s.Restore([]KV{{Key: []byte("r"), Value: []byte("val"), Timestamp: 7, Headers: bufferContext.Headers}}, 2))
		if got, err := s.Get([]byte("r")); err != nil || !bytes.Equal(got, stored) {
			t.Errorf("restored %x, %v", got, err)
		}
	}
	c := StoreConfig{ID: StoreID{"0_0", "h"}, Format: TimestampedWithHeaders, Changelog: discardLog{}}
	s, err := openTestDB(t, vfs.NewMem()).NewKeyValueStore(c)
	noError(t, err)
	if err := s.Put([]byte("k"), AppendTimestampedWithHeaders(nil, bufferContext.Headers, 7, nil)); err != nil {
		t.Error(err)
	}
	if err := s.Put([]byte("k"), AppendTimestampedWithHeaders(nil, bufferContext.Headers, 7, []byte{})); err == nil {
		t.Error("headers were lost without a word")
	}
}

func TestLRU(t *testing.T) {
	log := &keptLog{}
	db := openTestDB(t, vfs.NewMem())
	s, err := db.NewStore(StoreConfig{ID: StoreID{"0_0", "l"}, Kind: LRUKind, MaxEntries: 2, Changelog: log})
	noError(t, err)
	kv := s.(KeyValueStore)
	set := func(keys ...string) {
		for _, k := range keys {
			noError(t, kv.Put([]byte(k), []byte(k)))
		}
	}
	expect := func(want map[string]string) {
		t.Helper()
		if diff := cmp.Diff(want, contents(t, kv)); diff != "" {
			t.Error(diff)
		}
	}
	set("a", "b")
	_, err = kv.Get([]byte("a"))
	noError(t, err)
	set("c")
	expect(map[string]string{"a": "a", "c": "c"})
	if last := log.records[len(log.records)-1]; string(last.Key) != "b" || last.Value != nil {
		t.Errorf("the last change logged is %q = %q", last.Key, last.Value)
	}
	commitStore(t, db, s)
	set("d", "e")
	s.Discard()
	expect(map[string]string{"a": "a", "c": "c"})
	set("f")
	if n := len(contents(t, kv)); n != 2 {
		t.Errorf("%d entries", n)
	}
	s.Discard()
	noError(t, s.Restore([]KV{{Key: []byte("x"), Value: []byte("x")}, {Key: []byte("y"), Value: []byte("y")}}, 9))
	expect(map[string]string{"x": "x", "y": "y"})
}
