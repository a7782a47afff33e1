package file_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/connectortest"
	"github.com/wasmstream/wasmstream/connectors/data"
	"github.com/wasmstream/wasmstream/connectors/fault"
	"github.com/wasmstream/wasmstream/connectors/file"
)

func TestSource(t *testing.T) {
	name := filepath.Join(t.TempDir(), "in")
	var text strings.Builder
	for i := range 40 {
		fmt.Fprintf(&text, "line %d ä\n", i)
	}
	if err := os.WriteFile(name, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	connectortest.SourceSuite{
		New:   func() connectors.SourceConnector { return &file.SourceConnector{} },
		Props: map[string]string{"file": name, "topic": "t", "batch.size": "7"}, Records: 40, Missing: []string{"topic"},
	}.Run(t)
}

func TestSink(t *testing.T) {
	name := filepath.Join(t.TempDir(), "out")
	connectortest.SinkSuite{
		New: func() connectors.SinkConnector { return &file.SinkConnector{} }, Props: map[string]string{"file": name},
		Delivered: func(t *testing.T) []string {
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			return strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
		},
	}.Run(t)
}

// TestSinkFullDisk wants a device without room to be an error that is tried again, and no record to be lost silently.
func TestSinkFullDisk(t *testing.T) {
	task := (&file.SinkConnector{}).NewTask()
	if err := task.Start(&connectortest.SinkContext{}, config.PropsOf(map[string]string{"file": "/dev/full"})); err != nil {
		t.Fatal(err)
	}
	defer task.Stop()
	if err := task.Put(context.Background(), connectortest.Records(0, 3, nil)); !fault.Retriable.Is(err) {
		t.Errorf("putting on a full device: %v", err)
	}
}

// TestSinkUnwritable wants a file that cannot be made to be told.
func TestSinkUnwritable(t *testing.T) {
	task := (&file.SinkConnector{}).NewTask()
	name := filepath.Join(t.TempDir(), "no", "such", "dir", "f")
	err := task.Start(&connectortest.SinkContext{}, config.PropsOf(map[string]string{"file": name}))
	if !fault.Connect.Is(err) || !strings.Contains(err.Error(), name) {
		t.Errorf("%v", err)
	}
}

// TestSourceLines: however a file grows, its lines and positions are those of the whole.
func TestSourceLines(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "lines")
		if err != nil {
			rt.Fatal(err)
		}
		name := filepath.Join(dir, "in")
		pieces := rapid.SliceOfN(rapid.StringOfN(rapid.RuneFrom([]rune("ab\r\né")), 0, 12, -1), 1, 6).Draw(rt, "pieces")
		whole := strings.Join(pieces, "") + "x\n"
		if err := os.WriteFile(name, []byte(whole), 0o600); err != nil {
			rt.Fatal(err)
		}
		task := (&file.SourceConnector{}).NewTask()
		props := config.PropsOf(map[string]string{"file": name, "topic": "t", "batch.size": "3"})
		if err := task.Start(&connectors.SourceTaskContext{Offsets: &connectortest.Offsets{}}, props); err != nil {
			rt.Fatal(err)
		}
		defer task.Stop()
		want := strings.Split(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(whole), "\n")
		want = want[:len(want)-1]
		var got []string
		position := int64(0)
		for len(got) < len(want) {
			records, err := task.Poll(context.Background())
			if err != nil || len(records) == 0 {
				rt.Fatalf("%q, then %v", got, err)
			}
			for _, r := range records {
				got = append(got, r.Value.Value.Str())
				at := r.SourceOffset.Get("position").Int()
				if at <= position {
					rt.Fatalf("position %d after %d", at, position)
				}
				position = at
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) || position != int64(len(whole)) {
			rt.Fatalf("%q to %d, want %q to %d", got, position, want, len(whole))
		}
	})
}

// TestSourceOffsetOfWrongType wants an offset that this connector cannot have written to be refused.
func TestSourceOffsetOfWrongType(t *testing.T) {
	name := filepath.Join(t.TempDir(), "in")
	if err := os.WriteFile(name, []byte("a\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var offsets connectortest.Offsets
	r := connectors.NewSourceRecord(data.Of("filename", data.StringValue(name)), data.Of("position", data.StringValue("1")), "t", data.SchemaAndValue{})
	offsets.Commit(&r)
	task := (&file.SourceConnector{}).NewTask()
	if err := task.Start(&connectors.SourceTaskContext{Offsets: &offsets}, config.PropsOf(map[string]string{"file": name, "topic": "t"})); err != nil {
		t.Fatal(err)
	}
	defer task.Stop()
	if _, err := task.Poll(context.Background()); !fault.Connect.Is(err) {
		t.Errorf("%v", err)
	}
}

// TestSourceFails: what cannot be opened, read or taken for a text fails the task and names the file.
func TestSourceFails(t *testing.T) {
	dir := t.TempDir()
	text, endless := filepath.Join(dir, "text"), filepath.Join(dir, "endless")
	if err := os.WriteFile(text, []byte("a\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(endless, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(endless, 64<<20+1<<17); err != nil { // zeros, of which the disk keeps none
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		filepath.Join(text, "below"): "opening " + filepath.Join(text, "below") + ": ",
		dir:                          "reading " + dir + ": ",
		endless:                      "reading " + endless + ": a line is longer than 67108864 bytes",
	} {
		task := (&file.SourceConnector{}).NewTask()
		if err := task.Start(&connectors.SourceTaskContext{Offsets: &connectortest.Offsets{}}, config.PropsOf(map[string]string{"file": name, "topic": "t"})); err != nil {
			t.Fatal(err)
		}
		if _, err := task.Poll(context.Background()); !fault.Connect.Is(err) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
		if err := task.Stop(); err != nil {
			t.Error(err)
		}
	}
}

func TestSourceRefuses(t *testing.T) {
	connectortest.Refusals{
		New:      func() connectors.Connector { return &file.SourceConnector{} },
		Settings: map[string]string{"file": "f", "batch.size": "x"}, Faulty: []string{"topic", "batch.size"},
		Props: map[string]string{"file": "f", "topic": "t"},
		Offsets: []*data.Map{
			data.Of("other", data.Int64Value(1)), data.Of("position", data.StringValue("1")), data.Of("position", data.Int64Value(-1)),
			data.Of("position", data.Int64Value(1)), // its partition names no file
		},
	}.Run(t)
}

// TestSinkThatCannotSynchronise: a file that is gone from under the task fails it, so that no offset is committed.
func TestSinkThatCannotSynchronise(t *testing.T) {
	name := filepath.Join(t.TempDir(), "f")
	task := (&file.SinkConnector{}).NewTask()
	if err := task.Start(&connectortest.SinkContext{}, config.PropsOf(map[string]string{"file": name})); err != nil {
		t.Fatal(err)
	}
	if err := task.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := task.Flush(context.Background(), nil); !fault.Connect.Is(err) || fault.Retriable.Is(err) || !strings.Contains(err.Error(), "flushing "+name+": ") {
		t.Errorf("got %v", err)
	}
}
