package topology

import "testing"

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
