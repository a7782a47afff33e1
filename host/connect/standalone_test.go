package connect_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/builtin"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/host/connect"
	"github.com/wasmstream/wasmstream/internal/brokertest"
)

// patience bounds what a test waits for; nothing is asserted about time.
const patience = time.Minute

// await returns when cond holds.
func await(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !cond(); {
		if time.Now().After(end) {
			t.Fatalf("waiting for %s", what)
		}
		<-time.After(2 * time.Millisecond)
	}
}

func quiet() *slog.Logger {
	if testing.Verbose() {
		return slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	return slog.New(slog.NewTextHandler(io.Discard, nil))
}

func standalone(t testing.TB, addr, dir string, more map[string]string) *connect.Herder {
	t.Helper()
	return standaloneWith(t, addr, dir, builtin.Plugins(), more)
}

func standaloneWith(t testing.TB, addr, dir string, plugins *connectors.Plugins, more map[string]string) *connect.Herder {
	t.Helper()
	props := config.PropsOf(map[string]string{
		"bootstrap.servers": addr, "key.converter": "StringConverter", "value.converter": "StringConverter",
		"offset.storage.file.filename": filepath.Join(dir, "offsets"), "offset.flush.interval.ms": "50",
	})
	for k, v := range more {
		props.Set(k, v)
	}
	cfg, err := connect.ParseWorkerConfig(props, false)
	if err != nil {
		t.Fatal(err)
	}
	h, err := connect.NewStandalone(cfg, plugins, quiet())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

func put(t testing.TB, h *connect.Herder, name string, settings map[string]string) {
	t.Helper()
	settings["name"] = name
	if _, _, err := h.PutConnector(context.Background(), name, config.PropsOf(settings), "", true); err != nil {
		t.Fatal(err)
	}
}

func states(h *connect.Herder, name string) string {
	s, err := h.Status(name)
	if err != nil {
		return err.Error()
	}
	out := []string{string(s.Connector.State)}
	for _, task := range s.Tasks {
		out = append(out, string(task.State))
	}
	return strings.Join(out, " ")
}

func lines(path string) int {
	b, _ := os.ReadFile(path)
	return strings.Count(string(b), "\n")
}

func TestFilesGoThroughATopic(t *testing.T) {
	b := brokertest.Fake(t)
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in"), filepath.Join(dir, "out")
	var text strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&text, "line %d\n", i)
	}
	if err := os.WriteFile(in, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	topic := b.CreateTopic(t, b.Name("lines"), 1)
	h := standalone(t, b.Addr, dir, nil)
	put(t, h, "src", map[string]string{"connector.class": "FileStreamSource", "file": in, "topic": topic})
	put(t, h, "snk", map[string]string{"connector.class": "FileStreamSink", "file": out, "topics": topic})
	await(t, "all lines", func() bool { return lines(out) == 1000 })
	got, _ := os.ReadFile(out)
	if string(got) != text.String() {
		t.Error("the lines differ")
	}
	if s := states(h, "src"); s != "RUNNING RUNNING" {
		t.Errorf("source: %s", s)
	}
	await(t, "the offset", func() bool {
		list, err := h.Offsets(context.Background(), "src")
		return err == nil && len(list) == 1 && strings.Contains(string(list[0].Offset), fmt.Sprint(text.Len()))
	})
}
