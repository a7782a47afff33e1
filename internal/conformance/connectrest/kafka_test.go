//go:build integration && conformance

package connectrest_test

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"

	"github.com/wasmstream/wasmstream/internal/brokertest"
	"github.com/wasmstream/wasmstream/internal/conformance/connectrest"
)

// TestAnswersBesideKafkaConnect sends the script to Apache Kafka Connect and to a worker of this program, on one broker. With
// WASMSTREAM_RECORD=1 what Kafka answers is written to testdata.
func TestAnswersBesideKafkaConnect(t *testing.T) {
	b := brokertest.Real(t)
	for _, mode := range modes {
		t.Run(mode, func(t *testing.T) {
			theirs := newRun(t, b)
			w := brokertest.KafkaConnect(t, mode, settings(b, mode, theirs.dir))
			want := theirs.answers(t, w.URL, mode)
			w.Kill()
			if os.Getenv("WASMSTREAM_RECORD") != "" {
				record(t, recorded(mode), want)
			}
			own := newRun(t, b)
			compare(t, mode, want, own.answers(t, ours(t, b, mode, own.dir), mode))
		})
	}
}

func record(t *testing.T, path string, answers []connectrest.Answer) {
	t.Helper()
	var buf bytes.Buffer
	e := json.NewEncoder(&buf)
	e.SetEscapeHTML(false)
	for _, a := range answers {
		if err := e.Encode(a); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(path, buf.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}
