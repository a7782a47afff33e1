package kafka

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// TestReachability names an address when it fails, once a minute while it does, and when it is back; what the client gave up itself
// is no failure.
func TestReachability(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		r := NewReachability(slog.New(slog.NewTextHandler(&log, nil)))
		one, two := kgo.BrokerMetadata{Host: "one", Port: 1}, kgo.BrokerMetadata{Host: "two", Port: 2}
		told := func(want ...string) {
			t.Helper()
			lines := strings.Split(strings.TrimSpace(log.String()), "\n")
			if len(want) == 0 {
				lines = lines[1:]
			}
			if len(lines) != len(want) {
				t.Fatalf("%q, want %q", lines, want)
			}
			for i, line := range lines {
				if !strings.Contains(line, want[i]) {
					t.Errorf("%q lacks %q", line, want[i])
				}
			}
			log.Reset()
		}
		refused := errors.New("refused")
		r.OnBrokerConnect(one, 0, nil, nil)
		r.OnBrokerConnect(one, 0, nil, context.Canceled)
		r.OnBrokerConnect(one, 0, nil, kgo.ErrClientClosed)
		told()
		r.OnBrokerConnect(one, 0, nil, refused)
		r.OnBrokerConnect(one, 0, nil, refused)
		r.OnBrokerConnect(two, 0, nil, refused)
		told("E-KAFKA-UNREACHABLE broker=one:1 err=refused", "broker=two:2")
		<-time.After(remindAfter)
		r.OnBrokerConnect(one, 0, nil, refused)
		r.OnBrokerConnect(one, 0, nil, nil)
		r.OnBrokerConnect(one, 0, nil, nil)
		told("broker=one:1 err=refused", "reached again\" broker=one:1")
		r.OnBrokerConnect(one, 0, nil, refused)
		told("broker=one:1")
	})
}
