//go:build !wasm

package wasmstream

import (
	"strings"
	"testing"
	"time"
)

func init() {
	Process("keeping", func() Processor { return new(keeping) }, Stores("w", "s", "v"))
}

// keeping hands its stores to the test that runs.
type keeping struct {
	Base
	windows  *WindowStore
	sessions *SessionStore
	versions *VersionedKeyValueStore
}

var keepTest func(k *keeping)

func (k *keeping) Init(ctx *Context) (err error) {
	if k.windows, err = ctx.WindowStore("w"); err != nil {
		return err
	}
	if k.sessions, err = ctx.SessionStore("s"); err != nil {
		return err
	}
	k.versions, err = ctx.VersionedKeyValueStore("v")
	return err
}

func (k *keeping) Process(*Context, *Record) error {
	keepTest(k)
	return nil
}

// withStores runs test inside a processor whose stores keep 10 ms.
func withStores(t *testing.T, test func(k *keeping)) *TestHost {
	t.Helper()
	h, n := open(t, "keeping")
	h.Store("w").Retention, h.Store("s").Retention = 10*time.Millisecond, 10*time.Millisecond
	h.Store("v").HistoryRetention = 10 * time.Millisecond
	keepTest = test
	for _, o := range process(t, n, input("x")) {
		t.Error(o.Err)
	}
	return h
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestWindowsExpire(t *testing.T) {
	k := []byte("k")
	h := withStores(t, func(s *keeping) {
		for _, start := range []int64{100, 105, 109} {
			must(0, s.windows.Put(k, []byte{byte(start)}, start))
		}
		if v := must(s.windows.Fetch(k, 100)); v == nil {
			t.Error("the window at 100 is gone at 109, of 10")
		}
		must(0, s.windows.Put([]byte("other"), k, 110))
		if v := must(s.windows.Fetch(k, 100)); v != nil {
			t.Error("the window at 100 is there at 110, of 10")
		}
		must(0, s.windows.Put(k, k, 99))
		starts := ""
		for it := must(s.windows.All()); it.Next(); {
			starts += string(rune(it.Start()))
		}
		if starts != "imn" {
			t.Errorf("windows at %v", []byte(starts))
		}
	})
	if keys := h.Store("w").Keys(); len(keys) != 3 {
		t.Errorf("%d rows are kept", len(keys))
	}
}

func TestSessionsExpireByTheirEnd(t *testing.T) {
	k := []byte("k")
	withStores(t, func(s *keeping) {
		must(0, s.sessions.Put(k, 0, 101, k))
		must(0, s.sessions.Put(k, 110, 110, k))
		if v := must(s.sessions.FetchSession(k, 0, 101)); v == nil {
			t.Error("a session that ended at 101 is gone at 110, of 10")
		}
		must(0, s.sessions.Put(k, 111, 111, nil)) // to remove one moves the time on too
		if v := must(s.sessions.FetchSession(k, 0, 101)); v != nil {
			t.Error("a session that ended at 101 is there at 111, of 10")
		}
		must(0, s.sessions.Put(k, 0, 100, k))
		n := 0
		for it := must(s.sessions.Fetch(k)); it.Next(); n++ {
		}
		if n != 1 {
			t.Errorf("%d sessions, want 1", n)
		}
	})
}

func TestHistoryExpires(t *testing.T) {
	k, other := []byte("k"), []byte("other")
	withStores(t, func(s *keeping) {
		for _, at := range []int64{100, 105, 112} {
			must(s.versions.Put(k, []byte{byte(at)}, at))
		}
		must(s.versions.Put(other, nil, 50))
		if to := must(s.versions.Put(other, k, 101)); to != NotPut {
			t.Errorf("a put at 101 gives %d at 112 with 10 of history", to)
		}
		if to := must(s.versions.Put(other, []byte{}, 102)); to != ValidToUndefined {
			t.Errorf("a put at 102 gives %d", to)
		}
		asOf := func(moment int64) string {
			v, ok, err := s.versions.GetAsOf(k, moment)
			if err != nil || !ok {
				return "-"
			}
			return string(v.Value)
		}
		if got := asOf(101) + asOf(102) + asOf(105) + asOf(forever); got != "-dip" {
			t.Errorf("as of 101, 102, 105 and the end: %q", got)
		}
		must(s.versions.Put(other, k, 120))
		if got := asOf(109) + asOf(112) + asOf(111); got != "-pi" {
			t.Errorf("as of 109, 112 and 111: %q", got)
		}
		var all strings.Builder
		for it := must(s.versions.Range(k, 0, 111)); it.Next(); {
			all.Write(it.Version().Value)
		}
		if all.String() != "i" {
			t.Errorf("versions up to 111: %q", all.String())
		}
		must(s.versions.Put(other, k, 1000))
		if got := asOf(forever) + asOf(500) + asOf(112); got != "ppp" { // the latest is known for ever
			t.Errorf("the latest, long after: %q", got)
		}
	})
}

// TestStoresKeepAsTheTopologySays makes the stores that a module's own topology names.
func TestStoresKeepAsTheTopologySays(t *testing.T) {
	before := module.topology
	defer func() { module.topology = before }()
	module.topology = func() []byte {
		return []byte(`{"stores":[{"name":"w","retention":60000},{"name":"v","historyRetention":5}],
			"operators":[{"id":"1","count":{"store":{"name":"s","retention":7}}}]}`)
	}
	h := NewTestHost()
	if w, s, v := h.Store("w").Retention, h.Store("s").Retention, h.Store("v").HistoryRetention; w != time.Minute || s != 7*time.Millisecond || v != 5*time.Millisecond {
		t.Errorf("windows %v, sessions %v, versions %v", w, s, v)
	}
	if x := h.Store("x"); x.Retention != 0 || x.HistoryRetention != 0 {
		t.Errorf("a store that no topology names keeps %v, %v", x.Retention, x.HistoryRetention)
	}
}
