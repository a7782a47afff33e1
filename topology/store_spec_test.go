package topology

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmstream/wasmstream/internal/errs"
)

// TestUnlimitedRetention: what is kept for ever has a changelog that is kept for ever, and not until a time before the
// epoch.
func TestUnlimitedRetention(t *testing.T) {
	s := &StoreSpec{Kind: TimestampedWindow, Retention: 1<<63 - 1}
	if got := changelogConfigs(s)["retention.ms"]; got != "9223372036854775807" {
		t.Errorf("retention.ms is %s", got)
	}
	s.Retention = 1000
	if got := changelogConfigs(s)["retention.ms"]; got != "86401000" {
		t.Errorf("retention.ms is %s", got)
	}
}

// TestStoresAreHeldToTheirKind: all that is wrong with a store is told at once.
func TestStoresAreHeldToTheirKind(t *testing.T) {
	for _, c := range []struct {
		name string
		spec StoreSpec
		want []errs.Code
	}{
		{"sound", StoreSpec{Kind: Window, Retention: 10, WindowSize: 10}, nil},
		{"windows of nothing", StoreSpec{Kind: Window}, nil},
		{"history of nothing", StoreSpec{Kind: VersionedKeyValue}, nil},
		{"negative retention", StoreSpec{Kind: Session, Retention: -1}, []errs.Code{errs.StateRetention}},
		{"shorter than a window", StoreSpec{Kind: TimestampedWindow, Retention: 9, WindowSize: 10}, []errs.Code{errs.StateRetention}},
		{"all negative", StoreSpec{Kind: Window, Retention: -1, WindowSize: -1, SegmentInterval: -1, HistoryRetention: -1}, []errs.Code{errs.StateRetention, errs.StateRetention, errs.StateRetention, errs.StateRetention}},
		{"a cache before versions", StoreSpec{Kind: VersionedKeyValue, CachingEnabled: true}, []errs.Code{errs.TopologyInvalid}},
		{"no entries", StoreSpec{Kind: LRU}, []errs.Code{errs.StateEntries}},
	} {
		c.spec.Name = "s"
		var got, want []string
		for _, err := range errs.Flatten(New().AddStateStore(&c.spec)) {
			var coded *errs.Error
			if errors.As(err, &coded) {
				got = append(got, coded.Code)
			}
		}
		for _, code := range c.want {
			want = append(want, code.ID)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s:\n%s", c.name, diff)
		}
	}
}
