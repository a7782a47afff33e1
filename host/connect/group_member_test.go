package connect

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/wasmstream/wasmstream/connectors/builtin"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/internal/brokertest"
)

// unread is a config topic that cannot be read to its end.
type unread struct{ ConfigLog }

func (unread) ReadToEnd(context.Context) error { return errors.New("the topic has no leader") }

// TestWorkerThatIsBehindStaysAway gives a worker an assignment that is ahead of what it can read: it leaves the group and comes back as a new member.
func TestWorkerThatIsBehindStaysAway(t *testing.T) {
	b := brokertest.Fake(t)
	cfg, err := ParseWorkerConfig(config.PropsOf(map[string]string{
		"bootstrap.servers": b.Addr, "key.converter": "StringConverter", "value.converter": "StringConverter", "group.id": "group", "worker.unsync.backoff.ms": "1",
		"config.storage.topic": "configs", "offset.storage.topic": "offsets", "status.storage.topic": "statuses",
		"config.storage.replication.factor": "1", "offset.storage.replication.factor": "1", "status.storage.replication.factor": "1",
	}), true)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	h, err := NewDistributed(ctx, cfg, builtin.Plugins(), slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	m := h.group
	for m.id == "" { // the first answer only names the member
		_, _ = m.join(ctx)
	}
	joined, err := m.join(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.sync(ctx, joined); err != nil {
		t.Fatal(err)
	}
	h.configs = unread{h.configs}
	again, err := m.assigned(ctx, &Assignment{Version: versionSession, Leader: "another", LeaderURL: "http://another:8083/", Offset: 1000, Connectors: []string{"c"}})
	if err != nil || !again || m.id != "" || !m.share.Empty() {
		t.Errorf("again %t, member %q, share %v, %v", again, m.id, m.share, err)
	}
	h.configs = h.configs.(unread).ConfigLog
	if _, err := m.join(ctx); m.id == "" {
		t.Errorf("it does not come back: %v", err)
	}
}
