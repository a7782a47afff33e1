package connect_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/wasmstream/wasmstream/connectors/builtin"
	"github.com/wasmstream/wasmstream/host/connect"
	"github.com/wasmstream/wasmstream/internal/brokertest"
)

// TestFullDiskOfAFileSink has the sink's file lie on a device that is always full. The sink asks for its records again and nothing is
// committed; with another disk under the same name, everything comes.
func TestFullDiskOfAFileSink(t *testing.T) {
	t.Parallel()
	inBothModes(t, builtin.Plugins, func(t *testing.T, b *brokertest.Broker, h *connect.Herder, create func(string, map[string]string)) {
		topic, out := b.CreateTopic(t, b.Name("in"), 1), filepath.Join(t.TempDir(), "out")
		if err := os.Symlink("/dev/full", out); err != nil {
			t.Fatal(err)
		}
		var records []*kgo.Record
		for i := range 50 {
			records = append(records, &kgo.Record{Topic: topic, Value: []byte(fmt.Sprint("line ", i))})
		}
		b.Produce(t, records...)
		create(b.Name("snk"), map[string]string{"connector.class": "FileStreamSink", "topics": topic, "file": out})
		await(t, "the sink to be refused", func() bool { n := h.Total(); return n.Retries > 0 && n.Read == 50 && n.Written == 0 })
		if list, err := h.Offsets(context.Background(), b.Name("snk")); err != nil || len(list) != 0 {
			t.Errorf("committed while nothing was written: %v, %v", list, err)
		}
		if err := os.Remove(out); err != nil {
			t.Fatal(err)
		}
		if err := h.RestartTask(context.Background(), connect.TaskID{Connector: b.Name("snk")}); err != nil {
			t.Fatal(err)
		}
		await(t, "all lines", func() bool { return lines(out) == 50 && distinct(out) == 50 })
		await(t, "the offset", func() bool {
			list, err := h.Offsets(context.Background(), b.Name("snk"))
			return err == nil && len(list) == 1 && strings.Contains(string(list[0].Offset), "50")
		})
	})
}
