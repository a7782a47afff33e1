package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestCases runs the cases of every family that there is.
func TestCases(t *testing.T) {
	for kind, file := range map[string]string{"streams": "streams-cases.jsonl", "vectors": "streams-vectors.jsonl", "connect": "connect-cases.jsonl"} {
		t.Run(kind, func(t *testing.T) {
			lines, err := os.ReadFile(filepath.Join("testdata", file))
			if err != nil {
				t.Fatal(err)
			}
			for line := range bytes.Lines(lines) {
				if id, err := runners()[kind](line); err != nil {
					t.Errorf("FAIL %s\n%v", id, err)
				}
			}
		})
	}
}

// TestRandomCases runs what Kafka Streams 4.3.1 made of random cases (conformance-kafka), descriptions included.
func TestRandomCases(t *testing.T) {
	var out strings.Builder
	if failed := runFiles(&out, runners()["streams"], []string{filepath.Join("testdata", "streams-random.jsonl")}); failed > 0 {
		t.Errorf("%d failed:\n%s", failed, out.String())
	}
}

// TestUnknownIsFailure: what the runner does not know is never passed over.
func TestUnknownIsFailure(t *testing.T) {
	lines := map[string]string{
		"streams": `{"id":"a","topology":"no-such-family","spec":{},"inputs":[],"expected":[]}
{"id":"b","topology":"stream-reduce","spec":{"topic":"left","reduce":"","no_such_key":1},"inputs":[],"expected":[]}
{"id":"no such function","topology":"stream-reduce","spec":{"topic":"left","reduce":"value * agg"},"inputs":[],"expected":[]}
{"id":"no such choice","topology":"table-table-join","spec":{"left_topic":"left","right_topic":"right","join":"sideways","result_materialised":true},"inputs":[],"expected":[]}
{"id":"another type","topology":"table-table-join","spec":{"left_topic":"left","right_topic":"right","join":"left","result_materialised":"yes"},"inputs":[],"expected":[]}
{"id":"no topic","topology":"stream-reduce","spec":{"reduce":""},"inputs":[],"expected":[]}
{"id":"no output","topology":"stream-reduce","spec":{"topic":"left","reduce":""},"inputs":[{"topic":"left","key":"a","value":"b","ts":1}],"expected":[]}
{"id":"too much output","topology":"stream-reduce","spec":{"topic":"left","reduce":""},"inputs":[],"expected":[{"topic":"out","key":"a","value":"b","ts":1,"after_input":0}]}
{"id":"c","topology":"stream-reduce","spec":{"topic":"left","reduce":""},"inputs":[{"topic":"left","key":"a","value":"b","ts":1,"no_such_key":1}],"expected":[]}
`,
		"connect": `{"id":"a","component":"no such component","config":{},"input":null,"expected":null}
{"id":"b","component":"smt:Flatten$Value","config":{},"input":{"no_such_key":1},"expected":{}}
{"id":"c","component":"smt:Flatten$Value","config":{},"input":{"value":{}},"expected":{"no_such_key":1}}
`,
		"vectors": `{"id":"no-such-family-1","input":{},"expected":1}
`,
	}
	for kind, text := range lines {
		path := filepath.Join(t.TempDir(), "cases.jsonl")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		failed := runFiles(&out, runners()[kind], []string{path})
		if want := strings.Count(text, "\n"); failed != want || !strings.HasPrefix(out.String(), "FAIL ") {
			t.Errorf("%s: %d failed, want %d:\n%s", kind, failed, want, out.String())
		}
	}
}

// TestWhatCannotBeRunIsFailure: a line that is no case, a file that is not there and a case that panics fail, and those behind them run.
func TestWhatCannotBeRunIsFailure(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cases.jsonl")
	lines := `garbage
[]
{"id":"panics","component":"rest timeouts","config":{},"input":{"config_topic":"deleted","request":"(((("},"expected":{"status":500}}
{"id":"no component"}
{"id":"passes","component":"smt:Filter","config":{},"input":{"value":1},"expected":null}
`
	if err := os.WriteFile(path, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	failed := runFiles(&out, runners()["connect"], []string{filepath.Join(t.TempDir(), "none"), path})
	if failed != 5 || !strings.HasSuffix(out.String(), "\n1 passed, 5 failed\n") || !strings.Contains(out.String(), "FAIL panics\n  expected no panic") {
		t.Errorf("%d failed:\n%s", failed, out.String())
	}
}
