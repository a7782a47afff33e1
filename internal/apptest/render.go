package apptest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/wasmstream/wasmstream/host/stream/streamtest"
	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/spec"
)

// textOf is the textual form of bytes; bytes that the serde does not read are shown as they are.
func textOf(s topology.Serde, data []byte) string {
	text, err := topology.AppendText(nil, s, data)
	if err != nil {
		return fmt.Sprintf("%q (%s)", data, reasonOf(err))
	}
	return string(text)
}

// describe is a record as a difference shows it: with what w is about, if it is not nil.
func (r *caseRunner) describe(x *expected, g *streamtest.Record, w *expectedRecord) string {
	parts := []string{"key " + textOf(x.serdes.Key, g.Key), "value " + textOf(x.serdes.Value, g.Value)}
	if w == nil || w.Timestamp != nil || w.CEL != "" {
		parts = append(parts, "ts "+r.timeOf(g.Timestamp))
	}
	if w == nil && len(g.Headers) > 0 || w != nil && w.HeadersGiven {
		parts = append(parts, "headers "+flowHeaders(g.Headers))
	}
	return strings.Join(parts, "  ")
}

func (r *caseRunner) describeExpected(x *expected, w *expectedRecord) string {
	var parts []string
	add := func(given bool, what, text string) {
		if given {
			parts = append(parts, what+" "+text)
		}
	}
	add(w.Key.Given(), "key", textOf(x.serdes.Key, w.key))
	add(w.Value.Given(), "value", textOf(x.serdes.Value, w.value))
	if w.Timestamp != nil {
		add(true, "ts", r.timeOf(*w.Timestamp))
	}
	add(w.HeadersGiven, "headers", flowHeaders(w.headers))
	if w.Contains.Given() {
		add(true, "json_contains", string(w.Contains.JSON()))
	}
	if w.Matches != nil {
		add(true, "matches", w.Matches.String())
	}
	add(w.CEL != "", "cel", w.CEL)
	if len(parts) == 0 {
		return "any record"
	}
	return strings.Join(parts, "  ")
}

// timeOf is a timestamp from the clock of the case on.
func (r *caseRunner) timeOf(ms int64) string {
	by := time.Duration(ms-r.c.Clock.UnixMilli()) * time.Millisecond
	if by < 0 {
		return by.String()
	}
	return "+" + by.String()
}

// flowRecord is a record as YAML on one line. like, if not nil, is what was expected of the topic: it says whether times
// and headers are worth writing.
func (r *caseRunner) flowRecord(x *expected, g *streamtest.Record) string {
	parts := []string{"key: " + flow(x.serdes.Key, g.Key), "value: " + flow(x.serdes.Value, g.Value)}
	if slices.ContainsFunc(x.records, func(w expectedRecord) bool { return w.Timestamp != nil }) {
		parts = append(parts, "ts: "+r.timeOf(g.Timestamp))
	}
	if slices.ContainsFunc(x.records, func(w expectedRecord) bool { return w.HeadersGiven }) {
		parts = append(parts, "headers: "+flowHeaders(g.Headers))
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

func flowHeaders(headers []topology.Header) string {
	var all []string
	for _, h := range headers {
		all = append(all, keyOf(h.Key)+": "+flow(topology.Bytes, h.Value))
	}
	return "{" + strings.Join(all, ", ") + "}"
}

// flow is a key or value as YAML on one line, such that spec.Literal gives the same bytes.
func flow(s topology.Serde, data []byte) string {
	if data == nil {
		return "null"
	}
	text := textOf(s, data)
	switch name := s.Name(); {
	case name == "json", strings.HasPrefix(name, "list("):
		var compact bytes.Buffer
		if json.Compact(&compact, []byte(text)) == nil && !strings.Contains(text, "$") {
			return compact.String()
		}
		return quoted(text)
	case name == "string", name == "bytes":
		if isTree(text) || isPlain(text) {
			return text
		}
		return quoted(text)
	case topology.IsWindowed(s), name == "uuid":
		return quoted(text)
	}
	return text
}

// isTree tells whether a text is a JSON object or array as it is written here, so that it may stand without quotes. A
// dollar sign in it needs them: in a tree, keys are read as they stand and values are not.
func isTree(text string) bool {
	if text == "" || text[0] != '{' && text[0] != '[' || strings.Contains(text, "$") {
		return false
	}
	var compact bytes.Buffer
	return json.Compact(&compact, []byte(text)) == nil && compact.String() == text
}

var plainText = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]*(?: [A-Za-z0-9_.-]+)*$`)

// isPlain tells whether YAML reads a text without quotes as that text.
func isPlain(text string) bool {
	return plainText.MatchString(text) && !slices.Contains([]string{"null", "true", "false", "yes", "no", "on", "off"}, strings.ToLower(text))
}

// keyOf is a text as a key of a document.
func keyOf(text string) string {
	if isPlain(text) {
		return text
	}
	return spec.Quoted(text)
}

// quoted is a text as a value of a document, where a dollar sign starts a reference.
func quoted(text string) string { return strings.ReplaceAll(spec.Quoted(text), "$", "$$") }

// sameValue compares bytes; JSON, and trees in texts, by what they mean.
func sameValue(l spec.Literal, s topology.Serde, want, got []byte) bool {
	if bytes.Equal(want, got) && (want == nil) == (got == nil) {
		return true
	}
	if want == nil || got == nil {
		return false
	}
	if s.Name() == "json" || l.IsTree() && (s.Name() == "string" || s.Name() == "bytes") {
		a, errA := decodeJSON(want)
		b, errB := decodeJSON(got)
		return errA == nil && errB == nil && sameJSON(a, b)
	}
	return false
}
