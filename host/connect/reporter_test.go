package connect

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/wasmstream/wasmstream/connectors/data"
	"github.com/wasmstream/wasmstream/connectors/fault"
)

// TestErrorLog wants the stage, the cause and, where that is asked for, the place of the record, for sources and sinks. What
// records hold is never in the line.
func TestErrorLog(t *testing.T) {
	failed := &Failed{Stage: StageTransformation, Class: "Cast$Value", Cause: fault.Data.New("no number").Because(fault.Connect.New("the disk is full")), Attempts: 1}
	inKafka := &Place{Topic: "orders", Partition: 2, Offset: 7, Timestamp: 5, TimestampType: "CreateTime"}
	inSource := placeInSource(data.Of("filename", data.StringValue("in.txt")), data.Of("position", data.Int64Value(40)))
	const head = "Error encountered in task copy-1. Executing stage 'TRANSFORMATION' with class 'Cast$Value'"
	for _, c := range []struct {
		name           string
		logged, placed bool
		at             *Place
		want           string
	}{
		{"not asked for", false, true, inKafka, ""},
		{"without a place", true, false, inKafka, head + "."},
		{"a sink", true, true, inKafka, head + ", where consumed record is {topic='orders', partition=2, offset=7, timestamp=5, timestampType=CreateTime}."},
		{"a source", true, true, inSource, head + `, where source record is {sourcePartition={"filename":"in.txt"}, sourceOffset={"position":40}}.`},
		{"a poll", true, true, nil, head + "."},
	} {
		var said bytes.Buffer
		counters := &Counters{}
		drop := func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}
		r := &reporter{task: TaskID{"copy", 1}, log: slog.New(slog.NewJSONHandler(&said, &slog.HandlerOptions{ReplaceAttr: drop})), logged: c.logged, placed: c.placed, counters: counters}
		r.report(failed, c.at, nil)
		want := ""
		if c.want != "" {
			var line bytes.Buffer
			slog.New(slog.NewJSONHandler(&line, &slog.HandlerOptions{ReplaceAttr: drop})).Error(c.want, "error", fault.Trace(failed.Cause))
			want = line.String()
		}
		if got := said.String(); got != want {
			t.Errorf("%s:\ngot  %s\nwant %s", c.name, got, want)
		}
		if c.logged && (!strings.Contains(said.String(), "no number") || !strings.Contains(said.String(), "the disk is full")) {
			t.Errorf("%s: the cause is missing: %s", c.name, &said)
		}
		if counters.Failures.Load() != 1 {
			t.Errorf("%s: %d failures counted", c.name, counters.Failures.Load())
		}
	}
}

func TestPlaceOfWhatIsNoJSON(t *testing.T) {
	at := placeInSource(nil, data.Of("b", data.BytesValue([]byte{1})))
	if at.SourcePartition != "null" || at.SourceOffset == "" || strings.Contains(at.SourceOffset, "0xc0") {
		t.Errorf("%+v", at)
	}
}
