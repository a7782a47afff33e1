//go:build !wasm

package wasmstream

import (
	"bytes"
	"errors"
	"reflect"
	"strconv"
	"strings"
	"testing"
)

func init() {
	Process("storing", func() Processor { return new(storing) }, Stores("s"))
}

// storing hands its store to the test that runs.
type storing struct{ Base }

var storeTest func(s *KeyValueStore) error

func (storing) Process(ctx *Context, _ *Record) error {
	s, err := ctx.Store("s")
	if err != nil {
		return err
	}
	return storeTest(s)
}

// withStore runs test inside a processor.
func withStore(t *testing.T, test func(s *KeyValueStore) error) *TestStore {
	t.Helper()
	h, n := open(t, "storing")
	storeTest = test
	for _, o := range process(t, n, input("x")) {
		t.Error(o.Err)
	}
	return h.Store("s")
}

func TestStoreOneKey(t *testing.T) {
	big := bytes.Repeat([]byte("x"), 10_000)
	k := []byte("k")
	withStore(t, func(s *KeyValueStore) error {
		expect := func(what string, got []byte, err error, want []byte) {
			t.Helper()
			if err != nil || (got == nil) != (want == nil) || !bytes.Equal(got, want) {
				t.Errorf("%s: %.20q (%d bytes), %v; want %.20q", what, got, len(got), err, want)
			}
		}
		v, err := s.Get(k)
		expect("absent", v, err, nil)
		v, err = s.PutIfAbsent(k, []byte{})
		expect("put if absent", v, err, nil)
		v, err = s.Get(k)
		expect("an empty value", v, err, []byte{})
		expect("put", nil, s.Put(k, big), nil)
		v, err = s.PutIfAbsent(k, []byte("other"))
		expect("put if present", v, err, big)
		v, err = s.Get(k)
		expect("a large value", v, err, big)
		v, err = s.Delete(k)
		expect("delete", v, err, big)
		v, err = s.Delete(k)
		expect("delete again", v, err, nil)
		expect("put", nil, s.Put(k, k), nil)
		expect("put null", nil, s.Put(k, nil), nil)
		v, err = s.Get(k)
		expect("after null", v, err, nil)
		return nil
	})
}

func TestStoreDeletesALargeValueOnce(t *testing.T) {
	big := bytes.Repeat([]byte("x"), 10_000)
	s := withStore(t, func(s *KeyValueStore) error {
		if err := s.Put([]byte("k"), big); err != nil {
			return err
		}
		v, err := s.Delete([]byte("k"))
		if !bytes.Equal(v, big) {
			t.Errorf("the old value has %d bytes, want %d", len(v), len(big))
		}
		return err
	})
	if len(s.Keys()) != 0 {
		t.Errorf("left: %q", s.Keys())
	}
}

func TestStoreMany(t *testing.T) {
	s := withStore(t, func(s *KeyValueStore) error {
		var b Batch
		if err := errors.Join(s.WriteMany(&b), s.GetMany(&b, nil)); err != nil {
			return err
		}
		for i := range 300 {
			b.Put([]byte(strconv.Itoa(i)), []byte(strings.Repeat("v", i)))
		}
		b.Put([]byte("7"), nil)
		if err := s.WriteMany(&b); err != nil {
			return err
		}
		b.Reset()
		for i := range 300 {
			b.Key([]byte(strconv.Itoa(i)))
		}
		n := 0
		err := s.GetMany(&b, func(i int, value []byte) {
			if i != n || i != 7 && len(value) != i || i == 7 && value != nil {
				t.Errorf("key %d: %d bytes", i, len(value))
			}
			n++
		})
		if n != 300 {
			t.Errorf("%d values, want 300", n)
		}
		return err
	})
	if len(s.Keys()) != 299 {
		t.Errorf("%d keys, want 299", len(s.Keys()))
	}
}

func TestStoreIterators(t *testing.T) {
	withStore(t, func(s *KeyValueStore) error {
		for _, k := range []string{"a", "b", "c", "d"} {
			if err := s.Put([]byte(k), []byte(strings.Repeat(k, 5000))); err != nil {
				return err
			}
		}
		walk := func(it *Iterator, err error) (keys []string) {
			if err != nil {
				t.Fatal(err)
			}
			for it.Next() {
				if len(it.Value()) != 5000 {
					t.Errorf("%s has %d bytes", it.Key(), len(it.Value()))
				}
				keys = append(keys, string(it.Key()))
			}
			if err := errors.Join(it.Err(), it.Close(), it.Close()); err != nil {
				t.Error(err)
			}
			return keys
		}
		for _, c := range []struct {
			what string
			got  []string
			want string
		}{
			{"all", walk(s.All()), "abcd"},
			{"range", walk(s.Range([]byte("b"), []byte("d"))), "bc"},
			{"from", walk(s.Range([]byte("b"), nil)), "bcd"},
			{"to", walk(s.Range(nil, []byte("b"))), "a"},
			{"reverse", walk(s.ReverseRange(nil, nil)), "dcba"},
			{"nothing", walk(s.Range([]byte("x"), nil)), ""},
		} {
			if strings.Join(c.got, "") != c.want {
				t.Errorf("%s: %q, want %q", c.what, c.got, c.want)
			}
		}
		return nil
	})
}

func TestStoreErrorNamesTheStore(t *testing.T) {
	err := (&KeyValueStore{name: "counts"}).fail(int32(ErrLimit))
	if !errors.Is(err, ErrLimit) || err.Error() != "store counts: host: limit exceeded" {
		t.Errorf("%v", err)
	}
	if e := Errno(-99); e.Error() != "host: unknown error" {
		t.Errorf("%v", e)
	}
}

func TestLong(t *testing.T) {
	for _, n := range []int64{0, 1, -1, 1 << 40, -1 << 63} {
		b := AppendLong(nil, n)
		if got, ok := Long(b); got != n || !ok {
			t.Errorf("%d is %d (%v)", n, got, ok)
		}
	}
	if b := AppendLong(nil, 258); !reflect.DeepEqual(b, []byte{0, 0, 0, 0, 0, 0, 1, 2}) {
		t.Errorf("%v", b)
	}
	if _, ok := Long([]byte("short")); ok {
		t.Error("5 bytes are a long")
	}
}
