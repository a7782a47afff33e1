package spec

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/topology"
)

// TestFile is a document of test cases for an application: records in, time that passes, and what is to come of it.
type TestFile struct {
	// Path is the file, as given.
	Path string
	// Application is the document under test as the process can open it, "" if the file does not say.
	Application string
	// Config are settings that win over those of the application.
	Config []Setting
	// Serdes are those of topics, where the topology does not say, or says bytes.
	Serdes map[string]TopicSerdes
	Cases  []TestCase

	source *source
}

// TopicSerdes are the serdes of a topic; nil leaves one to the topology.
type TopicSerdes struct{ Key, Value topology.Serde }

// TestCase is one case. What it does not expect is not compared.
type TestCase struct {
	Name, Where string
	// Clock is the wall clock at the beginning, and the base of relative timestamps.
	Clock time.Time
	Input []TestStep
	// Output, Stores and DeadLetters are what is expected; DeadLetters is nil if nothing is said of them.
	Output, Stores []Expectation
	DeadLetters    *Expectation
	// Error is what the error must match that ends the application, nil if it must go on.
	Error      *regexp.Regexp
	ErrorWhere string
	// Sections are the places of output, store and dlq in the text, for whoever writes them anew; End is the line after
	// the case.
	Sections map[string]Span
	End      int
	// Column is that of the keys of the case, from 1.
	Column int
}

// Span is a part of the text: the lines from First to Last, from 1. Own tells whether it has its lines for itself.
type Span struct {
	First, Last, Column int
	Own                 bool
}

// TestStep is a record for a topic, time that passes, or a restart.
type TestStep struct {
	Where string
	// Topic of the record, "" for a step of another kind.
	Topic      string
	Key, Value Literal
	// Timestamp in ms; nil is the wall clock of that moment.
	Timestamp *int64
	Headers   []TestHeader
	// StreamTime and WallClock move on by these.
	StreamTime, WallClock time.Duration
	// Restart ends the task without a commit and starts it again from what is committed.
	Restart bool
}

// TestHeader is a record header.
type TestHeader struct {
	Key   string
	Value Literal
}

// Expectation is what a topic or store is to hold, in order for topics.
type Expectation struct {
	// Name of the topic or store, "" for the dead-letter topic.
	Name, Where string
	Records     []ExpectedRecord
	Span        Span
}

// ExpectedRecord is what is expected of one record or row. What is not given is not compared.
type ExpectedRecord struct {
	Where      string
	Key, Value Literal
	Timestamp  *int64
	// Headers must all be there; HeadersGiven with none of them wants no header at all.
	Headers      []TestHeader
	HeadersGiven bool
	// Contains is JSON that the value must hold, Matches what its text must match, CEL a condition on the record.
	Contains Literal
	Matches  *regexp.Regexp
	CEL      string
}

// LoadTests reads the document of test cases at path, with the environment and the files of the process. It gives up
// when ctx is done.
func LoadTests(ctx context.Context, path string) (*TestFile, error) {
	data, err := ReadFileContext(ctx, path)
	if err != nil {
		return nil, errs.ConfigFile.New(path, "the file cannot be read ("+reason(err)+")", "")
	}
	return ParseTests(path, data, Options{})
}

// ParseTests reads a document of test cases. path names it in messages and is where relative paths start. The error
// joins all faults.
func ParseTests(path string, data []byte, o Options) (*TestFile, error) {
	d := newDocument(path, o)
	t := &testReader{document: d, file: &TestFile{Path: path, Serdes: map[string]TopicSerdes{}, source: &d.source}}
	t.read(data)
	return t.file, errors.Join(d.sorted()...)
}

// Fault is an error at a place of the document, with the line and a caret.
func (f *TestFile) Fault(code errs.Code, where, what, fix string) error {
	return code.New(where, what, fix).WithDetail(f.Excerpt(where))
}

// Excerpt is the line of a place with a caret below.
func (f *TestFile) Excerpt(where string) string { return f.source.excerpt(f.source.place(where)) }

// testReader is a document of test cases while it is read.
type testReader struct {
	*document
	file *TestFile
}

// The fields of documents of test cases.
var (
	testFileFields = []string{"application", "config", "serdes", "tests"}
	testCaseFields = []string{"name", "clock", "input", "output", "store", "dlq", "error"}
	serdesFields   = []string{"key", "value"}
	recordFields   = []string{"topic", "key", "value", "ts", "headers"}
	timeFields     = []string{"advance", "advance_stream_time", "advance_wall_clock", "restart"}
	expectedFields = []string{"key", "value", "ts", "headers", "json_contains", "matches", "cel", "file"}
)

func (t *testReader) read(data []byte) {
	root := t.parse(data)
	if root == nil {
		return
	}
	if !t.isMapping(root, "a file of tests") {
		return
	}
	t.expandAll(root, map[*value]bool{})
	t.unknown(root, testFileFields, "a file of tests")
	if app := t.text(root.get("application"), "application"); app != "" {
		t.file.Application = t.resolve(app)
	}
	t.file.Config = t.settings(root.get("config"), "config")
	t.serdes(root.get("serdes"))
	tests := root.get("tests")
	switch {
	case tests == nil && t.misspelt(root, "tests", testFileFields):
	case tests == nil || tests.kind != sequence || len(tests.items) == 0:
		t.faultAt(errs.YAMLInvalid, root, "tests is a list of at least one case", "add tests: with a name, input and output")
	default:
		for i, item := range tests.items {
			t.testCase(i, item)
		}
	}
}

func (t *testReader) serdes(v *value) {
	if v == nil || !t.isMapping(v, "serdes") {
		return
	}
	for _, e := range v.entries {
		if t.isMapping(e.value, "the serdes of a topic") {
			t.unknown(e.value, serdesFields, "the serdes of a topic")
			t.file.Serdes[e.key] = TopicSerdes{Key: t.serde(e.value.get("key")), Value: t.serde(e.value.get("value"))}
		}
	}
}

func (t *testReader) testCase(i int, v *value) {
	if !t.isMapping(v, "a test") {
		return
	}
	t.unknown(v, testCaseFields, "a test")
	c := TestCase{
		Name: t.text(v.get("name"), "name"), Where: t.where(v.line, v.col), Clock: time.UnixMilli(0).UTC(),
		Sections: map[string]Span{}, Column: v.col,
	}
	if c.Name == "" {
		c.Name = "test " + strconv.Itoa(i+1)
	}
	if slices.ContainsFunc(t.file.Cases, func(o TestCase) bool { return o.Name == c.Name }) {
		t.faultAt(errs.YAMLInvalid, v.get("name"), fmt.Sprintf("two tests are called %q", c.Name), "give one of the two another name")
	}
	if clock := t.text(v.get("clock"), "clock"); clock != "" {
		at, err := time.Parse(time.RFC3339, clock)
		if err != nil {
			t.faultAt(errs.YAMLInvalid, v.get("clock"), fmt.Sprintf("clock is no time (got %q)", clock), "write it like 2026-01-01T00:00:00Z")
		}
		c.Clock = at
	}
	t.steps(&c, v.get("input"))
	c.Output = t.expectations(&c, v.get("output"), "output", false)
	c.Stores = t.expectations(&c, v.get("store"), "store", true)
	if dlq := v.get("dlq"); dlq != nil {
		c.DeadLetters = &Expectation{Where: t.where(dlq.line, dlq.col), Records: t.expectedList(&c, dlq, "dlq")}
	}
	if e := v.get("error"); e != nil {
		c.Error, c.ErrorWhere = t.pattern(e, "error"), t.where(e.line, e.col)
	}
	for _, e := range v.entries {
		s := t.span(e)
		c.End = max(c.End, s.Last+1)
		if slices.Contains([]string{"output", "store", "dlq"}, e.key) {
			c.Sections[e.key] = s
		}
	}
	t.file.Cases = append(t.file.Cases, c)
}

func (t *testReader) steps(c *TestCase, v *value) {
	if v == nil || v.kind == null {
		return
	}
	if v.kind != sequence {
		t.faultAt(errs.YAMLInvalid, v, "input is a list (got "+v.kindName()+")", "begin each record with a dash")
		return
	}
	for _, item := range v.items {
		if t.isMapping(item, "a step of the input") {
			c.Input = append(c.Input, t.step(c, item))
		}
	}
}

func (t *testReader) step(c *TestCase, v *value) TestStep {
	t.unknown(v, slices.Concat(recordFields, timeFields), "a step of the input")
	s := TestStep{Where: t.where(v.line, v.col)}
	kinds := 0
	if v.get("topic") != nil {
		kinds++
		s.Topic = t.text(v.get("topic"), "topic")
		s.Key, s.Value, s.Timestamp = Literal{v.get("key")}, Literal{v.get("value")}, t.timestamp(c, v.get("ts"))
		s.Headers = t.headers(v.get("headers"))
	}
	for _, key := range timeFields {
		if v.get(key) == nil {
			continue
		}
		kinds++
		if key == "restart" {
			s.Restart = t.boolean(v, key, false)
			continue
		}
		by := t.duration(v, key)
		if by < 0 {
			t.faultAt(errs.YAMLInvalid, v.get(key), "time does not go back", "write "+key+": 5m")
		}
		if key != "advance_wall_clock" {
			s.StreamTime = by
		}
		if key != "advance_stream_time" {
			s.WallClock = by
		}
	}
	if kinds != 1 && !t.misspelt(v, "topic", recordFields) {
		t.faultAt(errs.YAMLInvalid, v, "a step is a record for a topic, or one of "+strings.Join(timeFields, ", "), "add topic: ..., or give each step a dash of its own")
	}
	return s
}

// timestamp reads +61s after the clock of the case, a number of milliseconds, or a time.
func (t *testReader) timestamp(c *TestCase, v *value) *int64 {
	text := t.text(v, "ts")
	if text == "" {
		return nil
	}
	ms, err := strconv.ParseInt(text, 10, 64)
	switch {
	case text[0] == '+' || text[0] == '-' && err != nil:
		by, ok := parseDuration(text[1:])
		if text[0] == '-' {
			by = -by
		}
		if ok {
			ms = c.Clock.UnixMilli() + by.Milliseconds()
			return &ms
		}
	case err == nil:
		return &ms
	default:
		if at, err := time.Parse(time.RFC3339, text); err == nil {
			ms = at.UnixMilli()
			return &ms
		}
	}
	t.faultAt(errs.YAMLInvalid, v, fmt.Sprintf("ts is no time (got %q)", text), "write +61s after the clock, milliseconds, or 2026-01-01T00:00:00Z")
	return nil
}

func (t *testReader) headers(v *value) (all []TestHeader) {
	if v == nil || v.kind == null || !t.isMapping(v, "headers") {
		return nil
	}
	for _, e := range v.entries {
		all = append(all, TestHeader{Key: e.key, Value: Literal{e.value}})
	}
	return all
}

// expectations are those of output or of store: names with lists, of stores also mappings of keys to values.
func (t *testReader) expectations(c *TestCase, v *value, what string, rows bool) (all []Expectation) {
	if v == nil || v.kind == null || !t.isMapping(v, what) {
		return nil
	}
	for _, e := range v.entries {
		x := Expectation{Name: e.key, Where: t.where(e.line, e.col), Span: t.span(e)}
		if rows && e.value.kind == mapping {
			for _, row := range e.value.entries {
				key := &value{kind: scalar, line: row.line, col: row.col, text: row.key}
				x.Records = append(x.Records, ExpectedRecord{Where: t.where(row.line, row.col), Key: Literal{key}, Value: Literal{row.value}})
			}
		} else {
			x.Records = t.expectedList(c, e.value, e.key)
		}
		all = append(all, x)
	}
	return all
}

func (t *testReader) expectedList(c *TestCase, v *value, what string) (all []ExpectedRecord) {
	if v.kind == null {
		return nil
	}
	if v.kind != sequence {
		t.faultAt(errs.YAMLInvalid, v, what+" is a list of records (got "+v.kindName()+")", "begin each record with a dash")
		return nil
	}
	for _, item := range v.items {
		if t.isMapping(item, "an expected record") {
			all = append(all, t.expected(c, item))
		}
	}
	return all
}

func (t *testReader) expected(c *TestCase, v *value) ExpectedRecord {
	t.unknown(v, expectedFields, "an expected record")
	r := ExpectedRecord{
		Where: t.where(v.line, v.col), Key: Literal{v.get("key")}, Value: Literal{v.get("value")},
		Timestamp: t.timestamp(c, v.get("ts")), Headers: t.headers(v.get("headers")), HeadersGiven: v.get("headers") != nil,
		Contains: Literal{v.get("json_contains")}, CEL: t.text(v.get("cel"), "cel"),
	}
	if m := v.get("matches"); m != nil {
		r.Matches = t.pattern(m, "matches")
	}
	if f := v.get("file"); f != nil {
		r.Value = t.fileLiteral(f)
	}
	if v.get("file") != nil && v.get("value") != nil {
		t.faultAt(errs.YAMLInvalid, v.get("file"), "the value is given twice, as value and as file", "remove one")
	}
	return r
}

// fileLiteral is the text of a file, from the folder of the document on.
func (t *testReader) fileLiteral(v *value) Literal {
	name := t.text(v, "file")
	if name == "" {
		return Literal{}
	}
	data, err := t.options.ReadFile(t.resolve(name))
	if err != nil {
		t.faultAt(errs.ConfigFile, v, "the file "+name+" cannot be read ("+reason(err)+")", "check the path; it starts at the folder of this document")
		return Literal{}
	}
	return Literal{&value{kind: scalar, line: v.line, col: v.col, text: strings.TrimRight(string(data), "\r\n")}}
}

func (t *testReader) pattern(v *value, what string) *regexp.Regexp {
	text := t.text(v, what)
	if text == "" {
		return nil
	}
	re, err := regexp.Compile(text)
	if err != nil {
		t.faultAt(errs.YAMLInvalid, v, what+" is not a regular expression ("+regexpFault(err)+")", "use RE2 syntax: no look-around and no back references")
	}
	return re
}

// span is where an entry stands: from the line of its key to the last one that is indented deeper.
func (s *source) span(e entry) Span {
	p := Span{First: e.line, Last: e.line, Column: e.col}
	before := ""
	if e.line >= 1 && e.line <= len(s.lines) {
		chars := []rune(s.lines[e.line-1])
		before = string(chars[:min(e.col-1, len(chars))])
	}
	p.Own = strings.Trim(before, " -") == ""
	for n := e.line + 1; n <= len(s.lines); n++ {
		line := strings.TrimRight(s.lines[n-1], " \r\t")
		text := strings.TrimLeft(line, " ")
		indent := len(line) - len(text)
		if text == "" || strings.HasPrefix(text, "#") && indent >= e.col {
			continue
		}
		if indent < e.col && (indent != e.col-1 || !strings.HasPrefix(text, "- ") && text != "]" && text != "}") {
			break
		}
		p.Last = n
	}
	return p
}

// Folder is the folder of the document.
func (f *TestFile) Folder() string { return filepath.Dir(f.Path) }
