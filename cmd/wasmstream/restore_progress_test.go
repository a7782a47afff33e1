package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmstream/wasmstream/host"
)

// TestTheLineAboutRestoringIsWrittenOverAndTakenAway: what a terminal gets for a restore from its begin to its end.
func TestTheLineAboutRestoringIsWrittenOverAndTakenAway(t *testing.T) {
	var out strings.Builder
	shown := false
	for _, s := range []host.RestoreSummary{
		{},
		{Stores: 1, Remaining: 5000},
		{Stores: 2, Records: 1000, Remaining: 4000, Rate: 800, Left: 5 * time.Second},
		{Stores: 1, Records: 4900, Remaining: 100, Rate: 800, Left: 125 * time.Millisecond},
		{},
		{},
	} {
		shown = writeRestoring(&out, s, shown)
	}
	want := []string{
		"", "restoring a store: 0 records, 5000 left", "restoring 2 stores: 1000 records, 4000 left, 800 a second, about 5s",
		"restoring a store: 4900 records, 100 left, 800 a second, about 1s", "",
	}
	if diff := cmp.Diff(want, strings.Split(out.String(), clearLine)); diff != "" {
		t.Error(diff)
	}
}
