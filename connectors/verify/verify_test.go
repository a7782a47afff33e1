package verify_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/connectortest"
	"github.com/wasmstream/wasmstream/connectors/data"
	"github.com/wasmstream/wasmstream/connectors/fault"
	"github.com/wasmstream/wasmstream/connectors/verify"
)

func TestSource(t *testing.T) {
	connectortest.SourceSuite{
		New:   func() connectors.SourceConnector { return &verify.SourceConnector{} },
		Props: map[string]string{"topic": "t", "batch.size": "7"}, Records: 50, Missing: []string{"topic"},
	}.Run(t)
}

func TestNull(t *testing.T) {
	connectortest.SinkSuite{New: func() connectors.SinkConnector { return &verify.NullConnector{} }}.Run(t)
}

func TestSink(t *testing.T) {
	file := filepath.Join(t.TempDir(), "report")
	connectortest.SinkSuite{
		New:   func() connectors.SinkConnector { return &verify.SinkConnector{} },
		Props: map[string]string{"file": file},
		Key: func(int) data.SchemaAndValue {
			return data.SchemaAndValue{Schema: data.Int32Schema, Value: data.Int32Value(1)}
		},
		Value: func(i int) data.SchemaAndValue {
			return data.SchemaAndValue{Schema: data.Int64Schema, Value: data.Int64Value(int64(i))}
		},
	}.Run(t)
	text, err := os.ReadFile(file + ".0")
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"records":25,"sources":{"1":{"first":0,"last":24,"records":25,"missing":0,"duplicates":0,"reordered":0}}}`; string(text) != want {
		t.Errorf("the report is %s, want %s", text, want)
	}
}

// TestSinkFindsFaults wants each kind of fault counted.
func TestSinkFindsFaults(t *testing.T) {
	file := filepath.Join(t.TempDir(), "report")
	task := (&verify.SinkConnector{}).NewTask()
	if err := task.Start(&connectortest.SinkContext{}, config.PropsOf(map[string]string{"file": file})); err != nil {
		t.Fatal(err)
	}
	var records []connectors.SinkRecord
	for _, n := range []int64{0, 1, 3, 4, 2, 4, 8} {
		var r connectors.SinkRecord
		r.Key.Value, r.Value.Value = data.Int32Value(1), data.Int64Value(n)
		records = append(records, r)
	}
	if err := task.Put(context.Background(), records); err != nil {
		t.Fatal(err)
	}
	if err := task.Flush(context.Background(), nil); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file + ".0")
	if err != nil {
		t.Fatal(err)
	}
	var report verify.Report
	if err := json.Unmarshal(text, &report); err != nil {
		t.Fatal(err)
	}
	got := *report.Sources[1]
	if report.Records != 7 || got.Missing != 3 || got.Duplicates != 1 || got.Reordered != 1 || got.Last != 8 {
		t.Errorf("%s", text)
	}
	records[0].Value.Value = data.StringValue("x")
	if err := task.Put(context.Background(), records[:1]); !fault.Data.Is(err) {
		t.Errorf("a text: %v", err)
	}
}

// TestReportThatCannotBeWritten: a file stands where the folder of the report is to be, then no longer.
func TestReportThatCannotBeWritten(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "reports")
	if err := os.WriteFile(folder, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	task := (&verify.SinkConnector{}).NewTask()
	if err := task.Start(&connectortest.SinkContext{}, config.PropsOf(map[string]string{"file": filepath.Join(folder, "report")})); err != nil {
		t.Fatal(err)
	}
	if err := task.Flush(context.Background(), nil); !fault.Retriable.Is(err) || !strings.Contains(err.Error(), "writing the report: ") {
		t.Errorf("got %v", err)
	}
	if err := os.Remove(folder); err != nil {
		t.Fatal(err)
	}
	if err := task.Flush(context.Background(), nil); err != nil {
		t.Errorf("the next commit: %v", err)
	}
}

func TestSourceRefuses(t *testing.T) {
	connectortest.Refusals{
		New:      func() connectors.Connector { return &verify.SourceConnector{} },
		Settings: map[string]string{"batch.size": "0"}, Faulty: []string{"topic", "batch.size"},
		Props: map[string]string{"topic": "t"},
		Offsets: []*data.Map{
			data.Of("seqno", data.StringValue("1")), data.Of("seqno", data.Int64Value(-1)), data.Of("other", data.Int64Value(1)),
		},
	}.Run(t)
}
